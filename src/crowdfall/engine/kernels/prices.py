"""The loops over stocks: noise, factors, fills, impact, prices. Log prices from the first close."""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from crowdfall.engine.kernels.elementary import exp, log
from crowdfall.engine.kernels.vectors import dot, sum_up

_SMALL: Final = 1e-9
"""Volume below which a stock has no impact of its own."""


@nb.njit(cache=True, error_model="numpy")
def add_noise(noise, normal, scale, stress, edges):
    """Add noise of sd = scale (P, N) x stress (P, G), in place.

    Half its variance is taken off, so that noise alone moves no expected price.
    """
    paths, groups = stress.shape
    for p in range(paths):
        for g in range(groups):
            a, b = edges[g], edges[g + 1]
            out, draw, unit, factor = noise[p, a:b], normal[p, a:b], scale[p, a:b], stress[p, g]
            for i in range(len(out)):
                sd = factor * unit[i]
                out[i] += sd * draw[i] - 0.5 * sd * sd


@nb.njit(cache=True, error_model="numpy")
def net_flow(purchases, sales, edges, net):
    """Set net (P, G) to purchases less sales (P, N) by group."""
    for p in range(net.shape[0]):
        for g in range(net.shape[1]):
            a, b = edges[g], edges[g + 1]
            net[p, g] = sum_up(purchases[p, a:b]) - sum_up(sales[p, a:b])


@nb.njit(cache=True, error_model="numpy")
def _parts(static, slope, weight, low, high, f, out):
    """Set out to weight x exp(clip(static + slope x f))."""
    for i in range(len(out)):
        out[i] = weight[i] * exp(min(max(static[i] + slope[i] * f, low[i]), high[i]))


@nb.njit(cache=True, error_model="numpy")
def _rises(static, slope, low, high, f, parts, out):
    """Set out to the derivatives of ``parts`` by f: none where a limit holds."""
    for i in range(len(out)):
        x = static[i] + slope[i] * f
        inside = slope[i] if x > low[i] else 0.0
        out[i] = (inside if x < high[i] else 0.0) * parts[i]


@nb.njit(cache=True, error_model="numpy")
def _solve(static, slope, weight, low, high, target, start):
    """Find f with sum(weight x exp(clip(static + slope x f))) = target, by safeguarded Newton.

    A miss below 1e-8 needs no look at the next point: Newton squares it.
    """
    left, right = start - 1.5, start + 1.5
    parts, rises = np.empty(len(static)), np.empty(len(static))
    f = start
    miss = target
    for _ in range(60):
        _parts(static, slope, weight, low, high, f, parts)
        miss = sum_up(parts) - target
        if abs(miss) < 1e-13 * target:
            break
        if miss > 0.0:
            right = f
        else:
            left = f
        _rises(static, slope, low, high, f, parts, rises)
        rise = sum_up(rises)
        step = f - miss / rise if rise > 0.0 else 0.5 * (left + right)
        newton = left < step < right
        f = step if newton else 0.5 * (left + right)
        if right - left < 1e-14 or (newton and abs(miss) < 1e-8 * target):
            break
    return f if abs(miss) < 1e-8 * target else start


@nb.njit(cache=True, error_model="numpy")
def solve_factors(
    own, slope, loading, moved, weight, base, low, high, edges, target, market, group,
    solve_market, solve_group,
):  # fmt: skip
    """Solve the market factor (P,) and group factors (P, G) so that indices hit their targets.

    own (P, N): stock parts; slope (N,): loading on the market; loading (P, N): on the group part
    moved (P, G); weight (N,) and base (P, N): index = sum(weight x exp(log price) / base);
    target (P, G). Only the flagged ones are solved, in place.
    """
    paths, count = own.shape
    static, part = np.empty(count), np.empty(count)
    for p in range(paths):
        for g in range(len(edges) - 1):
            if not (solve_market if g == 0 else solve_group):
                continue
            a, b = edges[g], edges[g + 1]
            still, unit = static[a:b], part[a:b]
            common = 0.0 if g == 0 else market[p]
            _tentative(own[p, a:b], slope[a:b], loading[p, a:b], moved[p, g], common, still)
            w, first = weight[a:b], base[p, a:b]
            for i in range(len(unit)):
                unit[i] = w[i] / first[i]
            bottom, top = low[p, a:b], high[p, a:b]
            if g == 0:
                market[p] = _solve(still, slope[a:b], unit, bottom, top, target[p, g], market[p])
            else:
                group[p, g] = _solve(
                    still, loading[p, a:b], unit, bottom, top, target[p, g], group[p, g]
                )


@nb.njit(cache=True, error_model="numpy")
def _tentative(own, slope, loading, moved, market, out):
    """Set out to log prices before their limits."""
    for i in range(len(out)):
        out[i] = own[i] + slope[i] * market + loading[i] * moved


@nb.njit(cache=True, error_model="numpy")
def _share(x, last, limit, sign, least):
    """Return the share of the way to ``x`` that lies before the limit, at least ``least``."""
    way = sign * (limit - last)
    whole = sign * (x - last)
    filled = way / whole if way > 1e-12 else least
    filled = filled if filled > least else least
    return filled if sign * (x - limit) > 0.0 else 1.0


@nb.njit(cache=True, error_model="numpy")
def _reach(own, slope, loading, moved, market, last, low, high, least, sold, bought):
    """Set sold and bought to the share of the way to the tentative price before the limits.

    Nothing where both limits are one price.
    """
    for i in range(len(sold)):
        x = own[i] + slope[i] * market + loading[i] * moved
        some = 0.0 if low[i] == high[i] else 1.0
        sold[i] = some * _share(x, last[i], low[i], -1.0, least)
        bought[i] = some * _share(x, last[i], high[i], 1.0, least)


@nb.njit(cache=True, error_model="numpy")
def fill_orders(
    own, slope, loading, moved, market, log_price, low, high, edges, least, sales, purchases,
    filled_sales, filled_purchases, net,
):  # fmt: skip
    """Fill orders by how far the tentative price runs beyond its limit.

    A price that would pass its limit trades only on the way there: the filled share is the way to
    the limit over the whole way, at least ``least``. A suspended stock, both limits at its price,
    trades nothing. Sets the filled shares (P, N) and the net filled flow by group, net (P, G).
    """
    for p in range(len(own)):
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            sold, bought = filled_sales[p, a:b], filled_purchases[p, a:b]
            _reach(own[p, a:b], slope[a:b], loading[p, a:b], moved[p, g], market[p],
                   log_price[p, a:b], low[p, a:b], high[p, a:b], least, sold, bought)  # fmt: skip
            net[p, g] = dot(purchases[p, a:b], bought) - dot(sales[p, a:b], sold)


@nb.njit(cache=True, error_model="numpy")
def add_volume(volume, decay, sales, purchases, filled_sales, filled_purchases, adv, depth, edges):
    """Decay the accumulated volume (P, N) and add this bar's net fill.

    The unit is adv (N,), yuan a day, times the depth (P, G) of the group.
    """
    paths, groups = depth.shape
    for p in range(paths):
        for g in range(groups):
            a, b = edges[g], edges[g + 1]
            out, calm, deep = volume[p, a:b], adv[a:b], depth[p, g]
            sold, out_part = sales[p, a:b], filled_sales[p, a:b]
            bought, in_part = purchases[p, a:b], filled_purchases[p, a:b]
            for i in range(len(out)):
                net = bought[i] * in_part[i] - sold[i] * out_part[i]
                out[i] = out[i] * decay + net / (calm[i] * deep)


@nb.njit(cache=True, error_model="numpy")
def own_impact(volume, strength, exponent, out):
    """Set out (P, N) to strength (N,) x sign(volume) |volume|^exponent."""
    power = np.empty(volume.shape[1])
    for p in range(len(volume)):
        v, moved = volume[p], out[p]
        for i in range(len(moved)):  # on its own: both series together would spill registers
            size = abs(v[i])
            power[i] = exponent * log(size if size > _SMALL else _SMALL)
        for i in range(len(moved)):
            x = exp(power[i])
            x = x if v[i] > 0.0 else -x
            moved[i] = (x if abs(v[i]) > _SMALL else 0.0) * strength[i]


@nb.njit(cache=True, error_model="numpy")
def set_prices(own, slope, loading, moved, market, low, high, edges, first_price, log_price, price):
    """Set log prices (P, N), clipped to the day's limits, and prices in yuan."""
    for p in range(own.shape[0]):
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            out, yuan, first = log_price[p, a:b], price[p, a:b], first_price[a:b]
            mine, beta, unit = own[p, a:b], slope[a:b], loading[p, a:b]
            bottom, top, f, d = low[p, a:b], high[p, a:b], market[p], moved[p, g]
            for i in range(len(out)):
                x = min(max(mine[i] + beta[i] * f + unit[i] * d, bottom[i]), top[i])
                out[i] = x
                yuan[i] = first[i] * exp(x)


@nb.njit(cache=True, error_model="numpy")
def index_levels(log_price, base, weight, edges, out):
    """Set out (P, G) to sum(weight x exp(log price) / base) over each group."""
    paths, count = log_price.shape
    parts = np.empty(count)
    for p in range(paths):
        x, first = log_price[p], base[p]
        for i in range(count):
            parts[i] = weight[i] * exp(x[i]) / first[i]
        for g in range(len(edges) - 1):
            out[p, g] = sum_up(parts[edges[g] : edges[g + 1]])


@nb.njit(cache=True, error_model="numpy")
def limit_state(log_price, low, high, counted, edges, locked, touched, down_share, down, up):
    """Flag stocks at their lower limit; count those ``counted`` (N,) at the lower and upper one.

    Sets locked (P, N) and down_share (P, G); touched (P, N) keeps what it had; down, up (P,).
    """
    for p in range(len(log_price)):
        down[p] = 0
        up[p] = 0
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            x, bottom, top, hit = log_price[p, a:b], low[p, a:b], high[p, a:b], locked[p, a:b]
            ever, ours = touched[p, a:b], counted[a:b]
            at_limit, above, total = 0, 0, 0
            for i in range(len(x)):
                is_hit = x[i] <= bottom[i]
                hit[i] = is_hit
                ever[i] |= is_hit
                at_limit += is_hit & ours[i]
                total += ours[i]
                above += (x[i] >= top[i]) & ours[i]
            both = 0
            if above > 0:
                for i in range(len(x)):
                    both += (x[i] >= top[i]) & ours[i] & hit[i]
            up[p] += above - both
            down[p] += at_limit
            down_share[p, g] = at_limit / max(total, 1)
