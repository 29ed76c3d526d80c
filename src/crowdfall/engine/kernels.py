"""The loops over stocks. Arrays and scalars in, arrays filled; no names, dates or units.

P paths, R books, S books that may buy, N stocks in order of size group, G groups; ``edges``
(G + 1,) are the first stocks of the groups. Log prices are relative to the first close. Strict
floating point: near the tipping point the last digit decides, so sums over stocks are taken in
LANES partial sums of a fixed order, which vectors can keep and no block or machine changes. Loops
run over slices and write to one array each: that is what the compiler turns into vectors.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from crowdfall.engine.elementary import (
    LANES,
    add,
    add_products,
    clear,
    dot,
    exp,
    log,
    multiply,
    sum_up,
    total,
)

_PIECE: Final = 512
"""Stocks of a book worked on at a time, few enough for the first cache; a multiple of LANES."""
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
def _sellable(shares, held_back, fresh, slot, p, r, g, a, b, buffer):
    """Return the shares of a book in a group without what it bought today."""
    row, s = shares[p, r, a:b], slot[r]
    if s < 0 or not fresh[p, s, g]:
        return row
    out, held = buffer[: b - a], held_back[p, s, a:b]
    for i in range(len(out)):
        out[i] = row[i] - held[i]
    return out


@nb.njit(cache=True, error_model="numpy")
def group_values(shares, held_back, fresh, slot, price, edges, rows, held, sellable):
    """Set held and sellable (P, R, G) to the value of the stock of ``rows``, with and without T+1.

    held_back (P, S, N): shares bought today, which can't be sold before tomorrow; fresh (P, S, G)
    tells where there are any.
    """
    paths = shares.shape[0]
    groups = len(edges) - 1
    lanes = np.empty(LANES)
    for p in range(paths):
        for r in rows:
            s = slot[r]
            for g in range(groups):
                a, b = edges[g], edges[g + 1]
                total = dot(shares[p, r, a:b], price[p, a:b], lanes)
                held[p, r, g] = total
                if s >= 0 and fresh[p, s, g]:
                    total -= dot(held_back[p, s, a:b], price[p, a:b], lanes)
                sellable[p, r, g] = total


@nb.njit(cache=True, error_model="numpy")
def _order(free, price, f, ordered, lanes):
    """Add f x free to the shares ordered; return its value."""
    clear(lanes)
    for a in range(0, len(ordered), _PIECE):
        b = min(a + _PIECE, len(ordered))
        x, out = free[a:b], ordered[a:b]
        for i in range(len(out)):
            out[i] += f * x[i]
        add_products(x, price[a:b], lanes)
    return f * total(lanes)


@nb.njit(cache=True, error_model="numpy")
def collect_sales(
    shares, held_back, fresh, slot, price, edges, share, capped, locked, limit, sales, scale, wanted
):
    """Sum the sale orders by stock, after the participation limit of funds.

    share (P, R, G): fraction ordered; capped (R,); locked (P, N): at the lower limit; limit (N,):
    yuan that all capped books together may sell. Sets sales (P, N): yuan at the last price,
    scale (P, N): share of capped orders let through, wanted (P, R, G): yuan ordered. Capped books
    leave locked names out and sell the others: substitution.
    """
    paths, books, count = shares.shape
    groups = len(edges) - 1
    ordered, buffer, lanes = np.empty((2, count)), np.empty(count), np.empty(LANES)
    for p in range(paths):
        clear(ordered[0])
        clear(ordered[1])
        for r in range(books):
            k = 1 if capped[r] else 0
            for g in range(groups):
                f = share[p, r, g]
                wanted[p, r, g] = 0.0
                if f > 0.0:
                    a, b = edges[g], edges[g + 1]
                    free = _sellable(shares, held_back, fresh, slot, p, r, g, a, b, buffer)
                    wanted[p, r, g] = _order(free, price[p, a:b], f, ordered[k, a:b], lanes)
        _ration(ordered, price[p], locked[p], limit, sales[p], scale[p])


@nb.njit(cache=True, error_model="numpy")
def _ration(ordered, price, locked, limit, sales, scale):
    others, funds = ordered[0], ordered[1]
    for i in range(len(scale)):
        yuan = funds[i] * price[i]
        through = limit[i] / max(yuan, 1e-300)
        through = through if through < 1.0 else 1.0
        scale[i] = 0.0 if locked[i] | (yuan <= 0.0) else through
    for i in range(len(scale)):
        sales[i] = (others[i] + funds[i] * scale[i]) * price[i]


@nb.njit(cache=True, error_model="numpy")
def spread_purchases(buy, float_shares, price, edges, weight, purchases):
    """Spread purchases (P, R, G) over stocks by current float; sets weight and purchases (P, N).

    Weights of a group that nobody buys are left as they were.
    """
    paths, books, groups = buy.shape
    lanes = np.empty(LANES)
    for p in range(paths):
        for g in range(groups):
            amount = 0.0
            for r in range(books):
                amount += buy[p, r, g]
            a, b = edges[g], edges[g + 1]
            out = purchases[p, a:b]
            if amount > 0.0:
                part = weight[p, a:b]
                total = dot(float_shares[a:b], price[p, a:b], lanes)
                multiply(float_shares[a:b], price[p, a:b], part)
                for i in range(len(part)):
                    part[i] /= total
                for i in range(len(out)):
                    out[i] = amount * part[i]
            else:
                clear(out)


@nb.njit(cache=True, error_model="numpy")
def net_flow(purchases, sales, edges, net):
    """Set net (P, G) to purchases less sales (P, N) by group."""
    lanes = np.empty(LANES)
    for p in range(net.shape[0]):
        for g in range(net.shape[1]):
            a, b = edges[g], edges[g + 1]
            net[p, g] = sum_up(purchases[p, a:b], lanes) - sum_up(sales[p, a:b], lanes)


@nb.njit(cache=True, error_model="numpy")
def _parts(static, slope, weight, low, high, f, out):
    """Set out to weight x exp(clip(static + slope x f))."""
    for i in range(len(out)):
        out[i] = min(max(static[i] + slope[i] * f, low[i]), high[i])
    for i in range(len(out)):
        out[i] = weight[i] * exp(out[i])


@nb.njit(cache=True, error_model="numpy")
def _rises(static, slope, low, high, f, parts, out):
    """Set out to the derivatives of ``parts`` by f: none where a limit holds."""
    for i in range(len(out)):
        x = static[i] + slope[i] * f
        inside = slope[i] if x > low[i] else 0.0
        out[i] = inside if x < high[i] else 0.0
    for i in range(len(out)):
        out[i] *= parts[i]


@nb.njit(cache=True, error_model="numpy")
def _solve(static, slope, weight, low, high, target, start):
    """Find f with sum(weight x exp(clip(static + slope x f))) = target, by safeguarded Newton.

    A miss below 1e-8 needs no look at the next point: Newton squares it.
    """
    left, right = start - 1.5, start + 1.5
    parts, rises, lanes = np.empty(len(static)), np.empty(len(static)), np.empty(LANES)
    f = start
    miss = target
    for _ in range(60):
        _parts(static, slope, weight, low, high, f, parts)
        miss = sum_up(parts, lanes) - target
        if abs(miss) < 1e-13 * target:
            break
        if miss > 0.0:
            right = f
        else:
            left = f
        _rises(static, slope, low, high, f, parts, rises)
        rise = sum_up(rises, lanes)
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
def _reach(x, log_price, limit, other, sign, least, out):
    """Set out to the share of the way to ``x`` that lies before the limit, at least ``least``.

    Nothing where both limits are one price.
    """
    for i in range(len(out)):
        way = sign * (limit[i] - log_price[i])
        whole = sign * (x[i] - log_price[i])
        filled = way / whole if way > 1e-12 else least
        filled = filled if filled > least else least
        filled = filled if sign * (x[i] - limit[i]) > 0.0 else 1.0
        out[i] = 0.0 if limit[i] == other[i] else filled


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
    paths, count = own.shape
    x, lanes = np.empty(count), np.empty(LANES)
    for p in range(paths):
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            _tentative(own[p, a:b], slope[a:b], loading[p, a:b], moved[p, g], market[p], x[a:b])
            sold, bought = filled_sales[p, a:b], filled_purchases[p, a:b]
            bottom, top, last = low[p, a:b], high[p, a:b], log_price[p, a:b]
            _reach(x[a:b], last, bottom, top, -1.0, least, sold)
            _reach(x[a:b], last, top, bottom, 1.0, least, bought)
            net[p, g] = dot(purchases[p, a:b], bought, lanes) - dot(sales[p, a:b], sold, lanes)


@nb.njit(cache=True, error_model="numpy")
def filled_by_book(shares, held_back, fresh, slot, price, edges, share, capped, scale, filled, out):
    """Set out (P, R, G) to the filled sales of every book, yuan at the last price."""
    paths, books, count = shares.shape
    worth, buffer, lanes = np.empty((2, count)), np.empty(count), np.empty(LANES)
    for p in range(paths):
        multiply(price[p], filled[p], worth[0])
        multiply(worth[0], scale[p], worth[1])
        for r in range(books):
            k = 1 if capped[r] else 0
            for g in range(len(edges) - 1):
                f = share[p, r, g]
                out[p, r, g] = 0.0
                if f > 0.0:
                    a, b = edges[g], edges[g + 1]
                    free = _sellable(shares, held_back, fresh, slot, p, r, g, a, b, buffer)
                    out[p, r, g] = f * dot(free, worth[k, a:b], lanes)


@nb.njit(cache=True, error_model="numpy")
def add_volume(volume, decay, sales, purchases, filled_sales, filled_purchases, adv, depth, edges):
    """Decay the accumulated volume (P, N) and add this bar's net fill.

    The unit is adv (N,), yuan a day, times the depth (P, G) of the group.
    """
    paths, groups = depth.shape
    flow = np.empty(volume.shape[1])
    for p in range(paths):
        multiply(sales[p], filled_sales[p], flow)
        bought, filled = purchases[p], filled_purchases[p]
        for i in range(len(flow)):
            flow[i] = bought[i] * filled[i] - flow[i]
        for g in range(groups):
            a, b = edges[g], edges[g + 1]
            out, net, calm, deep = volume[p, a:b], flow[a:b], adv[a:b], depth[p, g]
            for i in range(len(out)):
                out[i] = out[i] * decay + net[i] / (calm[i] * deep)


@nb.njit(cache=True, error_model="numpy")
def own_impact(volume, strength, exponent, out):
    """Set out (P, N) to strength (N,) x sign(volume) |volume|^exponent."""
    paths, count = volume.shape
    power = np.empty(count)
    for p in range(paths):
        v, moved = volume[p], out[p]
        for i in range(count):
            size = abs(v[i])
            power[i] = log(size if size > _SMALL else _SMALL)
        for i in range(count):
            x = exp(exponent * power[i])
            x = x if v[i] > 0.0 else -x
            moved[i] = x if abs(v[i]) > _SMALL else 0.0
        for i in range(count):
            moved[i] *= strength[i]


@nb.njit(cache=True, error_model="numpy")
def set_prices(own, slope, loading, moved, market, low, high, edges, first_price, log_price, price):
    """Set log prices (P, N), clipped to the day's limits, and prices in yuan."""
    for p in range(own.shape[0]):
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            x = log_price[p, a:b]
            _tentative(own[p, a:b], slope[a:b], loading[p, a:b], moved[p, g], market[p], x)
            bottom, top = low[p, a:b], high[p, a:b]
            for i in range(len(x)):
                x[i] = min(max(x[i], bottom[i]), top[i])
        x, yuan = log_price[p], price[p]
        for i in range(len(x)):
            yuan[i] = first_price[i] * exp(x[i])


@nb.njit(cache=True, error_model="numpy")
def _sell(row, free, through, f, price, background, amount, lanes):
    """Move f x free x through shares from a book to the background; return their value."""
    clear(lanes)
    for a in range(0, len(row), _PIECE):
        b = min(a + _PIECE, len(row))
        x, share, own, out = free[a:b], through[a:b], row[a:b], amount[: b - a]
        for i in range(len(out)):
            out[i] = f * x[i] * share[i]
        for i in range(len(out)):
            own[i] -= out[i]
        add(out, background[a:b])
        add_products(out, price[a:b], lanes)
    return total(lanes)


@nb.njit(cache=True, error_model="numpy")
def _buy(row, held, yuan, weight, filled, price, background, amount, lanes):
    """Move shares worth yuan x weight x filled from the background to a book; return the value."""
    for i in range(len(amount)):
        amount[i] = yuan * weight[i] * filled[i] / price[i]
    add(amount, row)
    add(amount, held)
    for i in range(len(amount)):
        background[i] -= amount[i]
    return yuan * dot(weight, filled, lanes)


@nb.njit(cache=True, error_model="numpy")
def book_trades(
    shares, held_back, fresh, slot, price, edges, share, capped, scale, filled_sales, buy, weight,
    filled_purchases, background, sold, bought,
):  # fmt: skip
    """Move shares between the books and the background at this bar's price.

    Sets sold and bought (P, R, G), yuan; background (P, N) takes the other side of every share.
    """
    paths, books, count = shares.shape
    rationed, lanes = np.empty(count), np.empty(LANES)
    amounts, buffer = np.empty(count), np.empty(count)
    for p in range(paths):
        multiply(filled_sales[p], scale[p], rationed)
        for r in range(books):
            through, s = rationed if capped[r] else filled_sales[p], slot[r]
            for g in range(len(edges) - 1):
                a, b = edges[g], edges[g + 1]
                row, yuan, other, amount = (
                    shares[p, r, a:b], price[p, a:b], background[p, a:b], amounts[a:b],
                )  # fmt: skip
                f = share[p, r, g]
                sold[p, r, g] = 0.0
                if f > 0.0:
                    free = _sellable(shares, held_back, fresh, slot, p, r, g, a, b, buffer)
                    sold[p, r, g] = _sell(row, free, through[a:b], f, yuan, other, amount, lanes)
                bought[p, r, g] = 0.0
                if buy[p, r, g] > 0.0:
                    fresh[p, s, g] = True
                    bought[p, r, g] = _buy(
                        row, held_back[p, s, a:b], buy[p, r, g], weight[p, a:b],
                        filled_purchases[p, a:b], yuan, other, amount, lanes,
                    )  # fmt: skip


@nb.njit(cache=True, error_model="numpy")
def index_levels(log_price, base, weight, edges, out):
    """Set out (P, G) to sum(weight x exp(log price) / base) over each group."""
    paths, count = log_price.shape
    parts, lanes = np.empty(count), np.empty(LANES)
    for p in range(paths):
        x, first = log_price[p], base[p]
        for i in range(count):
            parts[i] = weight[i] * exp(x[i]) / first[i]
        for g in range(len(edges) - 1):
            out[p, g] = sum_up(parts[edges[g] : edges[g + 1]], lanes)


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
                hit[i] = x[i] <= bottom[i]
            for i in range(len(x)):
                ever[i] |= hit[i]
            for i in range(len(x)):
                at_limit += hit[i] & ours[i]
                total += ours[i]
            for i in range(len(x)):
                above += (x[i] >= top[i]) & ours[i]
            both = 0
            if above > 0:
                for i in range(len(x)):
                    both += (x[i] >= top[i]) & ours[i] & hit[i]
            up[p] += above - both
            down[p] += at_limit
            down_share[p, g] = at_limit / max(total, 1)
