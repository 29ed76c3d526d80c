"""Depth of the size groups: liquidity withdraws under stress at once and comes back slowly.

Equations: docs/model. All arrays (P, G).
"""

from __future__ import annotations

import numpy as np

from crowdfall.engine.setting import Setting
from crowdfall.engine.state import Prices
from crowdfall.types import Float64


def set_depth(prices: Prices, setting: Setting) -> None:
    """Set depth from stress, which rises at once and falls with its own life."""
    terms, channels = setting.scenario.impact, setting.scenario.channels
    if not channels.liquidity_withdrawal:
        prices.depth[:] = 1.0
        return
    now = np.minimum(stress(prices, setting), -np.log(terms.depth_floor))
    if channels.slow_liquidity:
        back = -np.expm1(-setting.dt / terms.depth_life)
        gap = now - prices.stress
        now = prices.stress + np.where(gap > 0.0, gap, back * gap)
    prices.stress[:] = now
    prices.depth[:] = np.maximum(terms.depth_floor, np.exp(-now))


def stress(prices: Prices, setting: Setting) -> Float64:
    """Return the log depth that the state of the market takes away.

    It grows with the three-day fall and the locked stocks, and (``volatility_withdrawal``) with
    realised volatility beyond the normal one and with a drawdown beyond a tenth.
    """
    terms, channels = setting.scenario.impact, setting.scenario.channels
    fall = np.maximum(0.0, -prices.memory - 0.03) / 0.05
    locks = 0.6 * prices.locked_share + 0.4 * locked_small(prices, setting)[:, None]
    out = terms.depth_return * fall + terms.depth_lock * locks
    if channels.volatility_withdrawal:
        beyond = np.maximum(0.0, np.sqrt(prices.variance) / setting.calm_volatility - 1.0)
        deep = np.maximum(0.0, 1.0 - prices.level / prices.peak - 0.10)
        out = out + terms.depth_volatility * beyond + terms.depth_drawdown * deep
    return np.asarray(calm(prices, setting) * out)


def calm(prices: Prices, setting: Setting) -> Float64:
    """Return the share of stress that a credible rescue and announcements leave."""
    terms, channels = setting.scenario.impact, setting.scenario.channels
    believed = terms.backstop_relief * prices.backstop if channels.backstop else 0.0
    return np.asarray((1.0 - believed) * panic(prices, setting))


def panic(prices: Prices, setting: Setting) -> Float64:
    """Return what announcements leave of panic: 1 without one, above 1 after bad news."""
    if not setting.scenario.channels.expectations:
        return np.ones_like(prices.expected)
    relief = setting.scenario.impact.expectation_calm * prices.expected / 0.01
    return np.asarray(np.minimum(np.maximum(1.0 - relief, 0.0), 2.0))


def locked_small(prices: Prices, setting: Setting) -> Float64:
    """Return the share of stocks below CSI 500 at their lower limit, (P,)."""
    count = setting.small
    return np.asarray((prices.locked_share[:, 2:] * count).sum(axis=1) / count.sum())
