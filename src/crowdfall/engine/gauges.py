"""What simple crowded strategies made of a day: gauges that need the returns of single stocks."""

from __future__ import annotations

from typing import Final

import numpy as np

from crowdfall.engine.setting import Setting
from crowdfall.engine.state import Prices
from crowdfall.types import Float64

LEVERAGE: Final = 8.0
"""Gross positions over capital: Khandani and Lo (2007) show 8:1."""


def day_returns(prices: Prices) -> Float64:
    """Return the simple returns of the session, (P, N)."""
    return np.asarray(np.expm1(prices.log_price - prices.last_close))


def contrarian_return(before: Float64, today: Float64, setting: Setting) -> Float64:
    """Return what the contrarian book made, (P,): w = -(R - mean) / N of the day ``before``.

    At 8:1 and before costs, on stocks that are not ST (Khandani and Lo 2007;
    ``monitor.indices.contrarian`` is the same for one path). NaN where the day before is unknown.
    """
    # compress keeps C order: the sums must not depend on the block size.
    past, now = (each.compress(setting.counted, axis=1) for each in (before, today))
    return _book(-(past - past.mean(axis=1, keepdims=True)), now)


def style_return(name: str, today: Float64, setting: Setting) -> Float64:
    """Return what a book made that holds the market's scores of a style, 8:1, (P,).

    NaN where the market does not know the style.
    """
    score = setting.market.styles.get(name)
    if score is None:
        return np.full(len(today), np.nan)
    own = score[setting.counted]
    return _book(own[None, :] - own.mean(), today.compress(setting.counted, axis=1))


def _book(weight: Float64, returns: Float64) -> Float64:
    gross = np.abs(weight).sum(axis=1)
    made = (weight * returns).sum(axis=1)
    return np.asarray(LEVERAGE * made / np.where(gross > 0.0, gross, np.nan))
