"""Invent a US cross-section of 6 August 2007 from a derived table: no stock of it is observed.

``data/bundled/us2007.json`` holds the quantiles of the stocks' traits, how they go together (a
Gaussian copula), and the law of the joint returns of six groups by dollar volume to that date.
Nothing after it is in the table.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
from scipy.special import ndtri

from crowdfall.data.sources.synthetic import draw_returns, recolour, table, uniforms
from crowdfall.types import Float64

NAME: Final = "us2007"
SEED: Final = 57
"""That of the bundled Chinese market: nothing was tried."""
TRAITS: Final = (
    "adv", "volatility", "residual_ratio", "beta", "reversal", "momentum", "last_return"
)  # fmt: skip
"""What the copula joins; the last three may be negative."""
_SIGNED: Final = ("beta", "reversal", "momentum", "last_return")


def traits(seed: int = SEED) -> dict[str, Float64]:
    """Return the traits of the stocks, each of shape (N,).

    Each trait has exactly the quantiles of the table, whatever the seed.
    """
    facts = table(NAME)
    count, levels = facts["count"], np.array(facts["levels"])
    draws = ndtri(uniforms(seed, 0, count, len(TRAITS)))
    scores = recolour(draws, np.array(facts["correlation"]))
    share = (np.argsort(np.argsort(scores, axis=0), axis=0) + 0.5) / count
    out = {}
    for k, label in enumerate(TRAITS):
        values = np.array(facts["quantiles"][label])
        if label in _SIGNED:
            out[label] = np.interp(share[:, k], levels, values)
        else:
            out[label] = np.exp(np.interp(share[:, k], levels, np.log(values)))
    return out


def group_returns(seed: int = SEED) -> tuple[Float64, date, date]:
    """Return invented joint log returns of the groups, (T, 6), and the dates they stand for."""
    law = table(NAME)["history"]
    days = date.fromisoformat(law["first"]), date.fromisoformat(table(NAME)["date"])
    return draw_returns(law, law["sessions"], seed), *days
