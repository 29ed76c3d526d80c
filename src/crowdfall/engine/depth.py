"""Depth and dislocation of the size groups: liquidity withdraws, flows move prices, value returns.

Equations: design:model 1 a.2. All arrays (P, G).
"""

from __future__ import annotations

import numpy as np

from crowdfall.engine.setting import SPOT_TRANSFER, Setting
from crowdfall.engine.state import Prices
from crowdfall.types import Float64


def set_depth(prices: Prices, setting: Setting) -> None:
    """Set depth from the three-day fall, the locked stocks and the belief in a rescue."""
    if not setting.scenario.channels.liquidity_withdrawal:
        prices.depth[:] = 1.0
        return
    terms = setting.scenario.impact
    fall = np.maximum(0.0, -prices.memory - 0.03) / 0.05
    locks = 0.6 * prices.locked_share + 0.4 * locked_small(prices, setting)[:, None]
    stress = calm(prices, setting) * (terms.depth_return * fall + terms.depth_lock * locks)
    prices.depth[:] = np.maximum(terms.depth_floor, np.exp(-stress))


def calm(prices: Prices, setting: Setting) -> Float64:
    """Return the share of stress that a credible rescue leaves."""
    if not setting.scenario.channels.backstop:
        return np.ones_like(prices.backstop)
    return np.asarray(1.0 - setting.scenario.impact.backstop_relief * prices.backstop)


def locked_small(prices: Prices, setting: Setting) -> Float64:
    """Return the share of stocks below CSI 500 at their lower limit, (P,)."""
    count = np.diff(setting.edges)[2:].astype(float)
    return np.asarray((prices.locked_share[:, 2:] * count).sum(axis=1) / count.sum())


def dislocate(
    prices: Prices, setting: Setting, net: Float64, futures_flow: Float64
) -> tuple[Float64, Float64]:
    """Return the fast and slow dislocation after net stock flow (P, G) and futures flow (P, U)."""
    terms, channels = setting.scenario.impact, setting.scenario.channels
    dt = setting.dt
    fast = prices.fast * np.exp(-dt / terms.fast_life)
    slow = prices.slow * np.exp(-dt * _reversion(prices, setting))
    if not channels.group_impact:
        return fast, slow
    flow = net
    if channels.futures_transfer:
        felt = futures_flow[:, :, None] * np.array(SPOT_TRANSFER)
        flow = net + setting.scenario.basis.transfer * felt.sum(axis=1)
    move = push(flow / setting.group_float, prices.depth, setting)
    return fast + terms.fast_share * move, slow + (1.0 - terms.fast_share) * move


def push(share: Float64, depth: Float64, setting: Setting) -> Float64:
    """Return by how much net flow, a share of each group's float (..., G), moves every group."""
    terms, channels = setting.scenario.impact, setting.scenario.channels
    if not channels.group_impact:
        return np.zeros_like(share)
    spill = terms.spill if channels.spill else 0.0
    groups = np.arange(share.shape[-1])
    kernel = spill ** np.abs(groups[:, None] - groups[None, :]).astype(float)
    felt = (share[..., None, :] * kernel).sum(axis=-1)
    return np.asarray(felt * terms.multiplier / depth)


def _reversion(prices: Prices, setting: Setting) -> Float64:
    terms, channels = setting.scenario.impact, setting.scenario.channels
    pull = np.ones_like(prices.slow)
    if channels.backstop:
        pull = pull + terms.backstop_reversion * prices.backstop
    if channels.value_demand:
        pull = pull + (prices.slow / terms.value_scale) ** 2
    return np.asarray(pull / terms.slow_life)


def believe(prices: Prices, setting: Setting, bought: Float64) -> None:
    """Raise the belief in a rescue by what the national team bought this bar, (P, G) yuan.

    The first day of a new kind of purchase is recognised only at the close. Purchases of CSI 2000
    are believed for the tail and the micro-caps as well.
    """
    share = bought / setting.group_float
    share[:, 4:] = share[:, 3:4]
    gain = -np.expm1(-share / setting.scenario.impact.backstop_scale)
    at_once = np.where(prices.seen, gain, 0.0)
    later = np.where(prices.seen, 0.0, gain)
    prices.backstop += (1.0 - prices.backstop) * at_once
    prices.pending += (1.0 - prices.pending) * later


def recognise(prices: Prices) -> None:
    """Believe at the close what was bought for the first time today."""
    prices.backstop += (1.0 - prices.backstop) * prices.pending
    prices.seen |= prices.pending > 0.0
    prices.pending[:] = 0.0
