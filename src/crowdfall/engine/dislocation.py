"""Dislocation of the size groups: flows move prices, value buyers resist and bring them back.

Equations: docs/model. All arrays (P, G).
"""

from __future__ import annotations

import numpy as np

from crowdfall.engine.propagation import faded
from crowdfall.engine.setting import SPOT_TRANSFER, Setting
from crowdfall.engine.state import Prices
from crowdfall.types import Float64

_TRANSFER = np.array(SPOT_TRANSFER)


def dislocate(
    prices: Prices,
    setting: Setting,
    net: Float64,
    futures_flow: Float64,
    rescue: Float64 | None = None,
) -> tuple[Float64, Float64]:
    """Return the fast and slow dislocation after net stock flow (P, G) and futures flow (P, U).

    ``rescue`` (P, G): the part of the net flow that the national team buys, yuan.
    """
    whole = _push(prices, setting, net, futures_flow, rescue)
    return _moved(prices, setting, whole * resistance(prices.slow, prices.capital, whole, setting))


def settle(
    prices: Prices,
    setting: Setting,
    net: Float64,
    futures_flow: Float64,
    rescue: Float64 | None = None,
) -> None:
    """Move the dislocation with filled flows; what value buyers took uses up their capital."""
    terms = setting.scenario.impact
    whole = _push(prices, setting, net, futures_flow, rescue)
    felt = whole * resistance(prices.slow, prices.capital, whole, setting)
    fast, slow = _moved(prices, setting, felt)
    prices.capital += (1.0 - prices.capital) * -np.expm1(-setting.dt / terms.capital_life)
    prices.capital -= np.abs(whole - felt) / terms.value_capital
    np.maximum(prices.capital, 0.0, out=prices.capital)
    prices.fast, prices.slow = fast, slow


def size_kernel(setting: Setting, near: float) -> Float64:
    """Return how far a flow in one group is felt in another, (felt G, of G).

    ``near`` ^ distance times (float of the flow's group over that of the one that feels it, at most
    1) ^ ``spill_size``. The distance of two groups is the difference of their mean log caps in
    units of the mean step between neighbours (``size_kernel``), or the number of groups from one to
    the other.
    """
    measured = setting.scenario.channels.size_kernel
    larger = setting.group_float[:, None] / setting.group_float
    size = np.minimum(1.0, 1.0 / larger)
    near_by = near ** (setting.distance if measured else setting.steps)
    return np.asarray(near_by * size**setting.scenario.impact.spill_size)


def push(share: Float64, depth: Float64, setting: Setting, *, rescue: bool = False) -> Float64:
    """Return by how much net flow, a share of each group's float (..., G), moves every group.

    ``rescue``: the flow is the national team's, with its own spill (channel ``rescue_split``).
    """
    terms, channels = setting.scenario.impact, setting.scenario.channels
    if not channels.group_impact:
        return np.zeros_like(share)
    near = terms.rescue_spill if rescue and channels.rescue_split else terms.spill
    kernel = size_kernel(setting, near if channels.spill else 0.0)
    # A product a path: the order of the sums must not depend on the number of paths.
    felt = (share[..., None, :] @ kernel.T)[..., 0, :]
    return np.asarray(felt * terms.multiplier / depth)


def _push(
    prices: Prices,
    setting: Setting,
    net: Float64,
    futures_flow: Float64,
    rescue: Float64 | None,
) -> Float64:
    flow = net if rescue is None else net - rescue
    if setting.scenario.channels.futures_transfer:
        felt = (futures_flow[:, None, :] @ _TRANSFER)[:, 0]
        flow = flow + setting.scenario.basis.transfer * felt
    out = push(flow / setting.group_float, prices.depth, setting)
    if rescue is None:
        return out
    return out + push(rescue / setting.group_float, prices.depth, setting, rescue=True)


def _moved(prices: Prices, setting: Setting, felt: Float64) -> tuple[Float64, Float64]:
    terms, dt = setting.scenario.impact, setting.dt
    fast = faded(prices, setting)
    slow = prices.slow * np.exp(-dt * _reversion(prices, setting))
    return fast + terms.fast_share * felt, slow + (1.0 - terms.fast_share) * felt


def _resisting(setting: Setting) -> float:
    channels = setting.scenario.channels
    on = channels.value_demand and channels.value_resistance
    return setting.scenario.impact.value_resistance if on else 0.0


def resistance(slow: Float64, capital: Float64, whole: Float64, setting: Setting) -> Float64:
    """Return the share of a push that is left where value buyers resist its deepening."""
    convex = (slow / setting.scenario.impact.value_scale) ** 2
    left = 1.0 / (1.0 + _resisting(setting) * capital * convex)
    return np.where(whole * slow > 0.0, left, 1.0)


def value_pull(slow: Float64, setting: Setting) -> Float64:
    """Return how much faster value buyers bring a dislocation back, in its own speed."""
    if not setting.scenario.channels.value_demand:
        return np.zeros_like(slow)
    convex = (slow / setting.scenario.impact.value_scale) ** 2
    return np.asarray((1.0 - _resisting(setting)) * convex)


def _reversion(prices: Prices, setting: Setting) -> Float64:
    terms, channels = setting.scenario.impact, setting.scenario.channels
    pull = np.ones_like(prices.slow)
    if channels.backstop:
        pull = pull + terms.backstop_reversion * prices.backstop
    return np.asarray((pull + value_pull(prices.slow, setting)) / terms.slow_life)
