"""Each kernel again in a few lines of numpy: slow, plain, and written from its docstring.

P paths, R books, N stocks in order of group, G groups; arguments as in ``engine.kernels``, but
results are returned instead of written into arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq

from crowdfall.types import Bool, Float64, Int64


def group_of(edges: Int64) -> Int64:
    """Return the group of each stock, (N,)."""
    return np.repeat(np.arange(len(edges) - 1), np.diff(edges))


def by_group(values: Float64, edges: Int64) -> Float64:
    """Sum the last axis over each group."""
    parts = [values[..., a:b].sum(axis=-1) for a, b in pairwise(edges)]
    return np.stack(parts, axis=-1)


def add_noise(
    noise: Float64, normal: Float64, scale: Float64, stress: Float64, edges: Int64
) -> Float64:
    sd = stress[:, group_of(edges)] * scale
    return noise + sd * normal - sd**2 / 2


def sellable(shares: Float64, held_back: Float64, slot: Int64) -> Float64:
    """Return the shares (P, R, N) that were not bought today."""
    bought = np.where((slot >= 0)[None, :, None], held_back[:, np.maximum(slot, 0)], 0.0)
    return shares - bought


def group_values(
    shares: Float64, held_back: Float64, slot: Int64, price: Float64, edges: Int64
) -> tuple[Float64, Float64]:
    """Return the value of all shares and of those that may be sold, (P, R, G)."""
    yuan = price[:, None, :]
    free = sellable(shares, held_back, slot)
    return by_group(shares * yuan, edges), by_group(free * yuan, edges)


def collect_sales(
    shares: Float64, held_back: Float64, slot: Int64, price: Float64, edges: Int64,
    share: Float64, capped: Bool, locked: Bool, limit: Float64,
) -> tuple[Float64, Float64, Float64, Float64]:  # fmt: skip
    """Return sales (P, N), scale (P, N), wanted (P, R, G) and shares ordered (P, 2, N)."""
    yuan = sellable(shares, held_back, slot) * price[:, None, :] * share[:, :, group_of(edges)]
    funds, others = yuan[:, capped].sum(axis=1), yuan[:, ~capped].sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(locked | (funds <= 0.0), 0.0, np.minimum(1.0, limit / funds))
    ordered = np.stack([others, funds], axis=1) / price[:, None, :]
    return others + funds * scale, scale, by_group(yuan, edges), ordered


def spread_purchases(
    buy: Float64, float_shares: Float64, price: Float64, edges: Int64
) -> tuple[Float64, Float64]:
    """Return weight and purchases, (P, N)."""
    group, worth = group_of(edges), float_shares * price
    weight = worth / by_group(worth, edges)[:, group]
    return weight, buy.sum(axis=1)[:, group] * weight


def tentative(
    own: Float64, slope: Float64, loading: Float64, moved: Float64, market: Float64, edges: Int64
) -> Float64:
    """Return log prices before their limits, (P, N)."""
    return own + slope * market[:, None] + loading * moved[:, group_of(edges)]


def solve(of: Callable[[float], float], target: float, near: float) -> float:
    """Return the root of an increasing function by bisection around a first guess."""
    return float(brentq(lambda f: of(f) - target, near - 1.5, near + 1.5, xtol=1e-15, rtol=1e-15))


def fill_orders(
    x: Float64, log_price: Float64, low: Float64, high: Float64, least: float
) -> tuple[Float64, Float64]:
    """Return the filled shares of sales and of purchases, (P, N), for tentative prices ``x``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        down = (log_price - low) / (log_price - x)
        up = (high - log_price) / (x - log_price)
    down = np.where(log_price - low > 1e-12, np.maximum(least, down), least)
    up = np.where(high - log_price > 1e-12, np.maximum(least, up), least)
    trades = low != high  # a suspended stock has both limits at its price
    return np.where(x < low, down, 1.0) * trades, np.where(x > high, up, 1.0) * trades


def sold_shares(
    shares: Float64, held_back: Float64, slot: Int64, edges: Int64, share: Float64,
    capped: Bool, scale: Float64, filled: Float64,
) -> Float64:  # fmt: skip
    """Return the shares each book sells, (P, R, N)."""
    through = np.where(capped[None, :, None], scale[:, None, :], 1.0) * filled[:, None, :]
    return sellable(shares, held_back, slot) * share[:, :, group_of(edges)] * through


def bought_shares(
    buy: Float64, weight: Float64, filled: Float64, price: Float64, edges: Int64
) -> Float64:
    """Return the shares each book buys, (P, R, N)."""
    return buy[:, :, group_of(edges)] * (weight * filled / price)[:, None, :]


def own_impact(volume: Float64, strength: Float64, exponent: float) -> Float64:
    impact = strength * np.sign(volume) * np.abs(volume) ** exponent
    return np.where(np.abs(volume) > 1e-9, impact, 0.0)


def index_levels(log_price: Float64, base: Float64, weight: Float64, edges: Int64) -> Float64:
    return by_group(weight * np.exp(log_price) / base, edges)


def limit_state(
    log_price: Float64, low: Float64, high: Float64, counted: Bool, edges: Int64
) -> tuple[Bool, Float64, Int64, Int64]:
    """Return locked (P, N), the share of each group at the lower limit, and counts (P,)."""
    locked = log_price <= low
    share = by_group((locked & counted) * 1.0, edges) / np.maximum(
        by_group(counted * 1.0, edges), 1
    )
    up = (log_price >= high) & ~locked & counted
    return locked, share, (locked & counted).sum(axis=1), up.sum(axis=1)
