"""What trades in the background: turnover by size group as it answers the day's move.

The law was estimated on the daily turnover of all Shanghai and Shenzhen stocks from August to
December 2023 (``scripts/stock_evidence.py``): log turnover of a size group over its 60-day mean,
against the size and the sign of the day's move in standard deviations.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from crowdfall.engine.setting import Setting
from crowdfall.engine.state import Prices
from crowdfall.types import Float64

LAW: Final = (
    (-0.110, 0.092, 0.085, 0.0078),
    (-0.089, 0.063, 0.071, 0.0087),
    (0.004, 0.027, 0.055, 0.0096),
    (0.033, 0.009, 0.035, 0.0102),
    (-0.044, 0.033, 0.032, 0.0106),
    (-0.084, 0.034, 0.032, 0.0112),
)
"""Constant, response to |move| and to the move in standard deviations, and that deviation a day, by
size group (estimates to 29 December 2023; standard errors 0.01-0.03)."""
LARGEST: Final = 4.0
"""Largest move, in standard deviations, that the law is used for: the sample holds no larger."""


def background_turnover(prices: Prices, setting: Setting) -> Float64:
    """Return what the background trades on a day, yuan (P, G), from the state at its close.

    Average turnover times the law, less what noise traders leave out: locked stocks do not trade,
    and they trade less in a thin market (depth to the power ``impact.volume_depth``). Without the
    channel ``volume_law`` average turnover less the locked stocks.
    """
    adv = np.add.reduceat(setting.market.stocks.adv, setting.edges[:-1])
    trading = adv * (1.0 - prices.locked_share)
    if not setting.scenario.channels.volume_law:
        return np.asarray(trading)
    constant, size, sign, deviation = np.array(LAW).T
    moved = np.log(prices.level / prices.close_level) / deviation
    moved = np.clip(moved, -LARGEST, LARGEST)
    law = np.exp(constant + size * np.abs(moved) + sign * moved)
    thin = prices.depth**setting.scenario.impact.volume_depth
    return np.asarray(trading * law * thin)
