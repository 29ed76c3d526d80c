"""The loops over stocks. Arrays and scalars in, arrays filled; no names, dates or units.

P paths, R books, N stocks in order of size group, G groups; ``edges`` (G + 1,) are the first
stocks of the groups. Log prices are relative to the first close. Strict floating point: near the
tipping point the last digit decides, so results must not depend on reassociation.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(cache=True)
def add_noise(noise, normal, scale, stress, edges):
    """Add noise of sd = scale (P, N) x stress (P, G), in place.

    Half its variance is taken off, so that noise alone moves no expected price.
    """
    paths, groups = stress.shape
    for p in range(paths):
        for g in range(groups):
            factor = stress[p, g]
            for i in range(edges[g], edges[g + 1]):
                sd = factor * scale[p, i]
                noise[p, i] += sd * normal[p, i] - 0.5 * sd * sd


@nb.njit(cache=True)
def group_values(shares, held_back, slot, price, edges, rows, held, sellable):
    """Set held and sellable (P, R, G) to the value of the stock of ``rows``, with and without T+1.

    held_back (P, S, N): shares bought today, which can't be sold before tomorrow.
    """
    paths = shares.shape[0]
    groups = len(edges) - 1
    for p in range(paths):
        for r in rows:
            s = slot[r]
            for g in range(groups):
                total = 0.0
                for i in range(edges[g], edges[g + 1]):
                    total += shares[p, r, i] * price[p, i]
                held[p, r, g] = total
                if s >= 0:
                    for i in range(edges[g], edges[g + 1]):
                        total -= held_back[p, s, i] * price[p, i]
                sellable[p, r, g] = total


@nb.njit(cache=True)
def collect_sales(
    shares, held_back, slot, price, edges, share, capped, locked, limit, sales, scale, wanted
):
    """Sum the sale orders by stock, after the participation limit of funds.

    share (P, R, G): fraction ordered; capped (R,); locked (P, N): at the lower limit; limit (N,):
    yuan that all capped books together may sell. Sets sales (P, N): yuan at the last price,
    scale (P, N): share of capped orders let through, wanted (P, R, G): yuan ordered. Capped books
    leave locked names out and sell the others: substitution.
    """
    paths, books, count = shares.shape
    groups = len(edges) - 1
    funds = np.empty(count)
    for p in range(paths):
        sales[p] = 0.0
        funds[:] = 0.0
        for r in range(books):
            s = slot[r]
            for g in range(groups):
                f = share[p, r, g]
                total = 0.0
                if f > 0.0:
                    for i in range(edges[g], edges[g + 1]):
                        amount = shares[p, r, i]
                        if s >= 0:
                            amount -= held_back[p, s, i]
                        amount *= f * price[p, i]
                        total += amount
                        if capped[r]:
                            funds[i] += amount
                        else:
                            sales[p, i] += amount
                wanted[p, r, g] = total
        for i in range(count):
            if locked[p, i] or funds[i] <= 0.0:
                scale[p, i] = 0.0
            else:
                scale[p, i] = min(1.0, limit[i] / funds[i])
                sales[p, i] += funds[i] * scale[p, i]


@nb.njit(cache=True)
def spread_purchases(buy, float_shares, price, edges, weight, purchases):
    """Spread purchases (P, R, G) over stocks by current float; sets weight and purchases (P, N)."""
    paths, books, groups = buy.shape
    for p in range(paths):
        for g in range(groups):
            amount = 0.0
            for r in range(books):
                amount += buy[p, r, g]
            total = 0.0
            for i in range(edges[g], edges[g + 1]):
                total += float_shares[i] * price[p, i]
            for i in range(edges[g], edges[g + 1]):
                weight[p, i] = float_shares[i] * price[p, i] / total
                purchases[p, i] = amount * weight[p, i]


@nb.njit(cache=True)
def _solve(static, slope, weight, low, high, target, start):
    """Find f with sum(weight x exp(clip(static + slope x f))) = target, by safeguarded Newton."""
    left, right = start - 1.5, start + 1.5
    f = start
    for _ in range(60):
        value = -target
        rise = 0.0
        for i in range(len(static)):
            x = static[i] + slope[i] * f
            if x <= low[i]:
                value += weight[i] * np.exp(low[i])
            elif x >= high[i]:
                value += weight[i] * np.exp(high[i])
            else:
                part = weight[i] * np.exp(x)
                value += part
                rise += part * slope[i]
        if abs(value) < 1e-13 * target:
            break
        if value > 0.0:
            right = f
        else:
            left = f
        step = f - value / rise if rise > 0.0 else 0.5 * (left + right)
        f = step if left < step < right else 0.5 * (left + right)
        if right - left < 1e-14:
            break
    return f if abs(value) < 1e-9 * target else start


@nb.njit(cache=True)
def solve_factors(
    own,
    slope,
    loading,
    moved,
    weight,
    base,
    low,
    high,
    edges,
    target,
    market,
    group,
    solve_market,
    solve_group,
):
    """Solve the market factor (P,) and group factors (P, G) so that indices hit their targets.

    own (P, N): stock parts; slope (N,): loading on the market; loading (P, N): on the group part
    moved (P, G); weight (N,) and base (P, N): index = sum(weight x exp(log price - base));
    target (P, G). Only the flagged ones are solved, in place.
    """
    paths = own.shape[0]
    groups = len(edges) - 1
    for p in range(paths):
        for g in range(groups):
            pinned = solve_market if g == 0 else solve_group
            if not pinned:
                continue
            first, last = edges[g], edges[g + 1]
            static = np.empty(last - first)
            part = np.empty(last - first)
            for i in range(first, last):
                k = i - first
                part[k] = weight[i] * np.exp(-base[p, i])
                if g == 0:
                    static[k] = own[p, i] + loading[p, i] * moved[p, g]
                else:
                    static[k] = own[p, i] + slope[i] * market[p] + loading[p, i] * moved[p, g]
            if g == 0:
                market[p] = _solve(
                    static,
                    slope[first:last],
                    part,
                    low[p, first:last],
                    high[p, first:last],
                    target[p, g],
                    market[p],
                )
            else:
                group[p, g] = _solve(
                    static,
                    loading[p, first:last],
                    part,
                    low[p, first:last],
                    high[p, first:last],
                    target[p, g],
                    group[p, g],
                )


@nb.njit(cache=True)
def fill_orders(
    own,
    slope,
    loading,
    moved,
    market,
    log_price,
    low,
    high,
    edges,
    least,
    sales,
    purchases,
    filled_sales,
    filled_purchases,
    net,
):
    """Fill orders by how far the tentative price runs beyond its limit.

    A price that would pass its limit trades only on the way there: the filled share is the way to
    the limit over the whole way, at least ``least``. A suspended stock, both limits at its price,
    trades nothing. Sets the filled shares (P, N) and the net
    filled flow by group, net (P, G), yuan.
    """
    paths = own.shape[0]
    groups = len(edges) - 1
    for p in range(paths):
        for g in range(groups):
            total = 0.0
            for i in range(edges[g], edges[g + 1]):
                x = own[p, i] + slope[i] * market[p] + loading[p, i] * moved[p, g]
                sold, bought = 1.0, 1.0
                if low[p, i] == high[p, i]:
                    sold, bought = 0.0, 0.0
                elif x < low[p, i]:
                    way = log_price[p, i] - low[p, i]
                    sold = max(least, way / (log_price[p, i] - x)) if way > 1e-12 else least
                elif x > high[p, i]:
                    way = high[p, i] - log_price[p, i]
                    bought = max(least, way / (x - log_price[p, i])) if way > 1e-12 else least
                filled_sales[p, i] = sold
                filled_purchases[p, i] = bought
                total += purchases[p, i] * bought - sales[p, i] * sold
            net[p, g] = total


@nb.njit(cache=True)
def filled_by_book(shares, held_back, slot, price, edges, share, capped, scale, filled, out):
    """Set out (P, R, G) to the filled sales of every book, yuan at the last price."""
    paths, books = shares.shape[:2]
    groups = len(edges) - 1
    for p in range(paths):
        for r in range(books):
            s = slot[r]
            for g in range(groups):
                f = share[p, r, g]
                total = 0.0
                if f > 0.0:
                    for i in range(edges[g], edges[g + 1]):
                        amount = shares[p, r, i]
                        if s >= 0:
                            amount -= held_back[p, s, i]
                        amount *= f * price[p, i] * filled[p, i]
                        if capped[r]:
                            amount *= scale[p, i]
                        total += amount
                out[p, r, g] = total


@nb.njit(cache=True)
def add_volume(volume, decay, sales, purchases, filled_sales, filled_purchases, calm):
    """Decay the accumulated volume and add this bar's net fill over calm (P, N) yuan a day."""
    paths, count = volume.shape
    for p in range(paths):
        for i in range(count):
            flow = purchases[p, i] * filled_purchases[p, i] - sales[p, i] * filled_sales[p, i]
            volume[p, i] = volume[p, i] * decay + flow / calm[p, i]


@nb.njit(cache=True)
def own_parts(noise, volume, strength, exponent, out):
    """Set out (P, N) to noise + strength (N,) x sign(volume) |volume|^exponent."""
    paths, count = noise.shape
    for p in range(paths):
        for i in range(count):
            v = volume[p, i]
            x = noise[p, i]
            if v > 1e-9:
                x += strength[i] * v**exponent
            elif v < -1e-9:
                x -= strength[i] * (-v) ** exponent
            out[p, i] = x


@nb.njit(cache=True)
def set_prices(own, slope, loading, moved, market, low, high, edges, first_price, log_price, price):
    """Set log prices (P, N), clipped to the day's limits, and prices in yuan."""
    paths = own.shape[0]
    groups = len(edges) - 1
    for p in range(paths):
        for g in range(groups):
            for i in range(edges[g], edges[g + 1]):
                x = own[p, i] + slope[i] * market[p] + loading[p, i] * moved[p, g]
                x = min(max(x, low[p, i]), high[p, i])
                log_price[p, i] = x
                price[p, i] = first_price[i] * np.exp(x)


@nb.njit(cache=True)
def book_trades(
    shares,
    held_back,
    slot,
    price,
    edges,
    share,
    capped,
    scale,
    filled_sales,
    buy,
    weight,
    filled_purchases,
    background,
    sold,
    bought,
):
    """Move shares between the books and the background at this bar's price.

    Sets sold and bought (P, R, G), yuan; background (P, N) takes the other side of every share.
    """
    paths, books = shares.shape[:2]
    groups = len(edges) - 1
    for p in range(paths):
        for r in range(books):
            s = slot[r]
            for g in range(groups):
                f = share[p, r, g]
                total = 0.0
                if f > 0.0:
                    for i in range(edges[g], edges[g + 1]):
                        amount = shares[p, r, i]
                        if s >= 0:
                            amount -= held_back[p, s, i]
                        amount *= f * filled_sales[p, i]
                        if capped[r]:
                            amount *= scale[p, i]
                        shares[p, r, i] -= amount
                        background[p, i] += amount
                        total += amount * price[p, i]
                sold[p, r, g] = total
                total = 0.0
                if buy[p, r, g] > 0.0:
                    for i in range(edges[g], edges[g + 1]):
                        yuan = buy[p, r, g] * weight[p, i] * filled_purchases[p, i]
                        amount = yuan / price[p, i]
                        shares[p, r, i] += amount
                        held_back[p, s, i] += amount
                        background[p, i] -= amount
                        total += yuan
                bought[p, r, g] = total


@nb.njit(cache=True)
def index_levels(log_price, base, weight, edges, out):
    """Set out (P, G) to sum(weight x exp(log price - base)) over each group."""
    paths = log_price.shape[0]
    groups = len(edges) - 1
    for p in range(paths):
        for g in range(groups):
            total = 0.0
            for i in range(edges[g], edges[g + 1]):
                total += weight[i] * np.exp(log_price[p, i] - base[p, i])
            out[p, g] = total


@nb.njit(cache=True)
def limit_state(log_price, low, high, counted, edges, locked, touched, down_share, down, up):
    """Flag stocks at their lower limit; count those ``counted`` (N,) at the lower and upper one.

    Sets locked (P, N) and down_share (P, G); touched (P, N) keeps what it had; down, up (P,).
    """
    paths = log_price.shape[0]
    groups = len(edges) - 1
    for p in range(paths):
        down[p] = 0
        up[p] = 0
        for g in range(groups):
            at_limit = 0
            total = 0
            for i in range(edges[g], edges[g + 1]):
                hit = log_price[p, i] <= low[p, i]
                locked[p, i] = hit
                if hit:
                    touched[p, i] = True
                if counted[i]:
                    total += 1
                    if hit:
                        at_limit += 1
                    elif log_price[p, i] >= high[p, i]:
                        up[p] += 1
            down[p] += at_limit
            down_share[p, g] = at_limit / max(total, 1)
