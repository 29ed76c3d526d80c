"""How the leverage of a hedged book drifts when its stocks fall behind the index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.agents.leverage import kept_share
from crowdfall.experiments.theory.arrays import number


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Equity over its start, leverage, and the share of the book to sell to restore it."""

    equity: float
    leverage: float
    sell: float


def drift(leverage: float, excess: float) -> Drift:
    """Return where a book of equity 1, long ``leverage``, hedged with the index, stands.

    ``excess``: return of the stocks less that of the index. The share to sell is the rule of DMA
    books (``agents.leverage``); without equity leverage is infinite and everything is sold.

    >>> drift(4.0, -0.10)
    Drift(equity=0.6, leverage=6.0, sell=0.33333333333333337)
    """
    times = number("leverage", leverage, low=1.0, above=True)
    behind = number("excess", excess, low=-1.0, high=10.0)
    equity, book = 1.0 + times * behind, times * (1.0 + behind)
    kept = kept_share(np.array(equity), np.array(book), times)
    return Drift(
        equity=equity, leverage=book / equity if equity > 0.0 else np.inf, sell=1.0 - float(kept)
    )
