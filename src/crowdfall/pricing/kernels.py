"""Compiled loops of the pricing room; arrays and scalars in, arrays out.

``sweep`` is the backward recursion of ``pricing.sweeps``, ``look_up`` reads surfaces for a book.
Their plain twins stand in tests/oracle/pricing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba as nb
import numpy as np

from crowdfall.types import Bool, Float32, Float64, Int64


class Plan(NamedTuple):
    """What a sweep over N sessions, C claims and P panels needs; nothing in it is discounted.

    blocks (B, 3, 16, 16): transition weights [source node, target node] to the panel below, the
    same panel and the one above; block 0 is whole, the others keep a part of the source panel.
    days (N + 1, 6): lowest source panel and its block, highest and its block, two rows of
    ``steps``. steps (K, P, 16): chance to be above a level on the next day, row 0 is zero.
    paid (N + 1, C, 2): amounts paid above those two levels. edges (N + 1, C, 2, 16): what comes
    from below the first and above the last panel. discount (C,): factor of one day.
    """

    blocks: Float64
    days: Int64
    steps: Float64
    paid: Float64
    edges: Float64
    discount: Float64


@nb.njit(cache=True, inline="always")
def _add_product(out, v, w):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add v @ w to out; 16 terms written out, so each result goes to memory once (4 x faster)."""
    v0, v1, v2, v3, v4, v5, v6, v7 = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
    u0, u1, u2, u3, u4, u5, u6, u7 = v[8], v[9], v[10], v[11], v[12], v[13], v[14], v[15]
    for i in range(16):
        out[i] += (
            (v0 * w[0, i] + v1 * w[1, i] + v2 * w[2, i] + v3 * w[3, i])
            + (v4 * w[4, i] + v5 * w[5, i] + v6 * w[6, i] + v7 * w[7, i])
            + (u0 * w[8, i] + u1 * w[9, i] + u2 * w[10, i] + u3 * w[11, i])
            + (u4 * w[12, i] + u5 * w[13, i] + u6 * w[14, i] + u7 * w[15, i])
        )


@nb.njit(cache=True)
def sweep(out: Float64, plan: Plan, since: int) -> None:
    """Fill out[d] from out[d + 1] for d = N - 2 down to ``since``; out has shape (N, C, P, 16)."""
    sessions, claims, panels, width = out.shape
    blocks, days, steps, paid, edges, discount = plan
    for e in range(sessions - 1, since, -1):
        low, low_block, high, high_block, first, second = days[e]
        for c in range(claims):
            target = out[e - 1, c]
            source = out[e, c]
            one, two = paid[e, c]
            for p in range(panels):
                for i in range(width):
                    target[p, i] = 0.0
                if one != 0.0 or two != 0.0:
                    for i in range(width):
                        target[p, i] = one * steps[first, p, i] + two * steps[second, p, i]
                for shift in range(3):
                    s = p - shift + 1
                    if s < low or s > high:
                        continue
                    block = high_block if s == high else (low_block if s == low else 0)
                    _add_product(target[p], source[s], blocks[block, shift])
            for i in range(width):
                target[0, i] += edges[e, c, 0, i]
                target[panels - 1, i] += edges[e, c, 1, i]
            for p in range(panels):
                for i in range(width):
                    target[p, i] *= discount[c]


@nb.njit(cache=True)
def recede(
    out: Float64,
    ahead: Float64,
    added: Float64,
    reset: Bool,
    redeemed: Float64,
    growth: float,
    discount: Float64,
) -> None:
    """Fill out[d] (N, C, 2 ends, 2): what a claim is worth beyond both ends of the grid, a + b S.

    ahead (C, 2, 2): at maturity. added (N + 1, C, 2): paid at either end on a session; reset
    (N + 1, 2): sessions that knock in below or out above; redeemed (N + 1, C): then paid above.
    """
    sessions, claims = out.shape[0], out.shape[1]
    for d in range(sessions - 1, -1, -1):
        for c in range(claims):
            for end in range(2):
                flat, slope = ahead[c, end]
                if d < sessions - 1:
                    flat, slope = out[d + 1, c, end]
                    flat += added[d + 1, c, end]
                    if reset[d + 1, end]:
                        flat, slope = redeemed[d + 1, c] * end, 0.0
                out[d, c, end, 0] = flat * discount[c]
                out[d, c, end, 1] = slope * discount[c] * growth


class Notes(NamedTuple):
    """Notes of one family, M of them, shape (M,) each.

    Row of the result to add to, session just observed, coupon, ln(initial), weight (yuan of
    notional), alive or knocked in, and the lowest log price at which a note is gone.
    """

    row: Int64
    age: Int64
    coupon: Float64
    log_initial: Float64
    weight: Float64
    alive: Bool
    gone: Float64


class Tables(NamedTuple):
    """Two tables (N, 2, T) of one family on even log prices: note once knocked in, protection.

    ``place`` (2, 2): first log price and step of each. ``levels`` (3,): log knock-in, width of the
    ramp below it over which protection's hedge is let go, cap on a note's hedge while alive.
    """

    held: Float32
    shield: Float32
    place: Float64
    levels: Float64


@nb.njit(cache=True, inline="always")
def _cubic(row, x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Read an even table at position x by the cubic through four points; flat beyond its ends."""
    last = row.shape[0] - 1
    if not x > 0.0:
        return row[0]
    if x >= last:
        return row[last]
    k = min(max(int(x), 1), last - 2)
    t = x - k
    inner, outer = t * (t - 1.0), (t + 1.0) * (t - 2.0)
    near = outer * ((t - 1.0) * row[k] - t * row[k + 1])
    far = inner * ((t + 1.0) * row[k + 2] - (t - 2.0) * row[k - 1])
    return 0.5 * near + 0.16666666666666666 * far


@nb.njit(cache=True)
def chance_below(u: Float64, out: Float64) -> None:
    """Set out (K,) to the standard normal distribution at u (K,); exact far in the lower tail."""
    for k in range(u.shape[0]):
        out[k] = 0.5 * math.erfc(-0.7071067811865476 * u[k])


@nb.njit(cache=True)
def look_up(out: Float64, log_levels: Float64, notes: Notes, tables: Tables) -> None:
    """Add each note's weight x table at every level to out (rows, L)."""
    held, shield, place, levels = tables
    row, age, coupon, log_initial, weight, alive, gone = notes
    low, ramp, cap = levels[0] + 1e-12, levels[1], levels[2]  # a close at the level is in
    one, both = np.empty(held.shape[2]), np.empty(held.shape[2])
    first, step = place[0, 0], 1.0 / place[0, 1]
    shift = int(np.round((place[1, 0] - first) * step))  # both tables lie on one grid
    last = one.shape[0] - 1
    bottom, top = log_levels.min(), log_levels.max()
    for m in range(age.shape[0]):
        near, far = bottom - log_initial[m], top - log_initial[m]
        begin = min(max(int((near - first) * step) - 2, 0), last - 3)
        finish = min(max(int((far - first) * step) + 3, begin + 4), last)
        fixed, linear, c = held[age[m], 0], held[age[m], 1], coupon[m]
        for k in range(begin, finish + 1):
            one[k] = fixed[k] + c * linear[k]
        for k in (0, last):
            one[k] = fixed[k] + c * linear[k]
        drop = 0.0
        if alive[m]:
            fixed, linear = shield[age[m], 0], shield[age[m], 1]
            for k in range(begin, finish + 1):
                both[k] = one[k]
                if k >= shift:
                    both[k] += fixed[k - shift] + c * linear[k - shift]
            both[last] = one[last] + fixed[last - shift] + c * linear[last - shift]
            if ramp > 0.0:
                at = (low - place[1, 0]) * step
                drop = _cubic(fixed, at) + c * _cubic(linear, at)
        for k in range(log_levels.shape[0]):
            x = log_levels[k] - log_initial[m]
            if x >= gone[m]:
                continue
            at = (x - first) * step
            if alive[m] and x > low:
                value = min(_cubic(both, at), cap)
            else:
                value = _cubic(one, at)
                if drop != 0.0 and x > low - ramp:
                    value += drop * (1.0 - (low - x) / ramp)
            out[row[m], k] += weight[m] * value
