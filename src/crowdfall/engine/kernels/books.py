"""The loops over the books: what they hold, order, sell and buy.

Shares are ``base`` (P, R, N) x ``kept`` (P, R, G): a book that sells a share of all its stock in a
group only changes ``kept``; stocks of which another part fills are written one by one. ``kept`` is
zero where a book holds nothing. worth (P, R, G): value of the stock of a book at the last price,
-1 where nobody has summed it yet. held_back (P, S, N): shares bought today, which can't be sold
before tomorrow (T+1), in row slot (R,), -1 for books that never buy; fresh (P, S, G): where there
are any. Orders of books that are not capped come first, those of capped books second, where an
array has both.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from crowdfall.engine.kernels.elementary import clear, list_flagged, multiply
from crowdfall.engine.kernels.vectors import dot, dots

_MOST: Final = 0.999
"""Share of a book sold at once beyond which every stock is written: little would be kept."""
_FEW: Final = 0.25
"""Share of odd stocks in a group below which they are looked up one by one."""


@nb.njit(cache=True, error_model="numpy")
def _value(row, left, known, price):
    if known >= 0.0:
        return known
    return left * dot(row, price) if left > 0.0 else 0.0


@nb.njit(cache=True, error_model="numpy")
def _sum_unknown(base, kept, worth, price, a, b, g, rows, line):
    """Sum the stock of ``rows`` in a group where nobody has yet, two books at a time."""
    many = 0
    for r in rows:
        if worth[r, g] < 0.0:
            worth[r, g] = 0.0
            if kept[r, g] > 0.0:
                line[many] = r
                many += 1
    last = many - 1
    for j in range(0, many, 2):
        two = (line[j], line[min(j + 1, last)])
        ahead = (line[min(j + 2, last)], line[min(j + 3, last)])
        one, other = dots(base, two, ahead, a, price[a:b])
        worth[two[0], g] = kept[two[0], g] * one
        worth[two[1], g] = kept[two[1], g] * other


@nb.njit(cache=True, error_model="numpy")
def group_values(base, kept, worth, held_back, fresh, slot, price, edges, rows, held, sellable):
    """Set held and sellable (P, R, G) to the value of the stock of ``rows``, less T+1."""
    line = np.empty(len(slot) + 1, np.int64)
    for p in range(len(base)):
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            _sum_unknown(base[p], kept[p], worth[p], price[p], a, b, g, rows, line)
            for r in rows:
                s, value = slot[r], worth[p, r, g]
                held[p, r, g] = value
                if s >= 0 and fresh[p, s, g]:
                    value = max(0.0, value - dot(held_back[p, s, a:b], price[p, a:b]))
                sellable[p, r, g] = value


@nb.njit(cache=True, error_model="numpy")
def _add_rows(rows, a, b, line, factor, out):
    """Add factor x rows[line, a:b] to out, four at a time: the sum passes the cache less often.

    Rows are cut one by one: the compiler must see that their numbers stand side by side.
    """
    whole = len(line) // 4 * 4
    for j in range(0, whole, 4):
        x, y = rows[line[j], a:b], rows[line[j + 1], a:b]
        z, w = rows[line[j + 2], a:b], rows[line[j + 3], a:b]
        c, d, e, f = factor[j], factor[j + 1], factor[j + 2], factor[j + 3]
        for i in range(len(out)):
            out[i] += (c * x[i] + d * y[i]) + (e * z[i] + f * w[i])
    for j in range(whole, len(line)):
        x, c = rows[line[j], a:b], factor[j]
        for i in range(len(out)):
            out[i] += c * x[i]


@nb.njit(cache=True, error_model="numpy")
def collect_sales(
    base, kept, worth, held_back, fresh, slot, price, edges, share, capped, locked, limit, sales,
    scale, wanted, ordered,
):  # fmt: skip
    """Sum the sale orders by stock, after the participation limit of funds.

    share (P, R, G): fraction ordered; capped (R,); locked (P, N): at the lower limit; limit (N,):
    yuan that all capped books together may sell. Sets sales (P, N): yuan at the last price,
    scale (P, N): share of capped orders let through, wanted (P, R, G): yuan ordered, ordered
    (P, 2, N): shares. Capped books leave locked names out and sell the others: substitution.
    """
    books = len(slot)
    line, factor, count = (
        np.empty((2, books), np.int64),
        np.empty((2, books)),
        np.empty(2, np.int64),
    )
    for p in range(len(base)):
        clear(ordered[p, 0])
        clear(ordered[p, 1])
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            yuan = price[p, a:b]
            count[0], count[1] = 0, 0
            for r in range(books):
                f, s, k, left = share[p, r, g], slot[r], 1 if capped[r] else 0, kept[p, r, g]
                wanted[p, r, g] = 0.0
                if f > 0.0 and left > 0.0:
                    value = _value(base[p, r, a:b], left, worth[p, r, g], yuan)
                    worth[p, r, g] = value
                    line[k, count[k]], factor[k, count[k]] = r, f * left
                    count[k] += 1
                    if s >= 0 and fresh[p, s, g]:
                        value = max(0.0, value - dot(held_back[p, s, a:b], yuan))
                        _add_times(held_back[p, s, a:b], -f, ordered[p, k, a:b])
                    wanted[p, r, g] = f * value
            for k in range(2):
                some = line[k, : count[k]]
                _add_rows(base[p], a, b, some, factor[k], ordered[p, k, a:b])
        if _sells(share[p], kept[p], capped, True):
            _ration(ordered[p], price[p], locked[p], limit, sales[p], scale[p])
        else:
            clear(scale[p])
            multiply(ordered[p, 0], price[p], sales[p])


@nb.njit(cache=True, error_model="numpy")
def _sells(share, kept, capped, funds):
    """Return whether any book of a sort, funds or others, sells anything."""
    count = 0
    for r in range(len(capped)):
        if capped[r] == funds:
            for g in range(share.shape[1]):
                count += (share[r, g] > 0.0) & (kept[r, g] > 0.0)
    return count > 0


@nb.njit(cache=True, error_model="numpy")
def _add_times(x, factor, out):
    for i in range(len(out)):
        out[i] += factor * x[i]


@nb.njit(cache=True, error_model="numpy")
def _ration(ordered, price, locked, limit, sales, scale):
    others, funds = ordered[0], ordered[1]
    for i in range(len(scale)):
        yuan = funds[i] * price[i]
        through = limit[i] / max(yuan, 1e-300)
        through = through if through < 1.0 else 1.0
        through = 0.0 if locked[i] | (yuan <= 0.0) else through
        scale[i] = through
        sales[i] = (others[i] + funds[i] * through) * price[i]


@nb.njit(cache=True, error_model="numpy")
def spread_purchases(buy, float_shares, price, edges, weight, purchases):
    """Spread purchases (P, R, G) over stocks by current float; sets weight and purchases (P, N).

    Weights of a group that nobody buys are left as they were.
    """
    paths, books, groups = buy.shape
    for p in range(paths):
        for g in range(groups):
            amount = 0.0
            for r in range(books):
                amount += buy[p, r, g]
            a, b = edges[g], edges[g + 1]
            out = purchases[p, a:b]
            if amount > 0.0:
                part = weight[p, a:b]
                many, yuan = float_shares[a:b], price[p, a:b]
                whole = dot(many, yuan)
                for i in range(len(part)):
                    one = many[i] * yuan[i] / whole
                    part[i] = one
                    out[i] = amount * one
            else:
                clear(out)


@nb.njit(cache=True, error_model="numpy")
def _flag_odd(through, ordered, out):
    """Flag the ordered stocks that do not fill whole."""
    for i in range(len(out)):
        out[i] = (through[i] != 1.0) & (ordered[i] > 0.0)


@nb.njit(cache=True, error_model="numpy")
def _look(through, price, ordered, edges, odd, missing, yuan, counts, worth):
    """Find what does not fill, for one path and sort of book.

    odd (N + 1,): such stocks of each group, from its first; counts (G,): how many, -1 for too many
    to look up; missing (N,): the part that does not fill, yuan (N,): its value a share, in the
    order of ``odd``. worth (N,): value of the part that fills.
    """
    multiply(price, through, worth)
    flags = np.empty(len(price), np.bool_)
    _flag_odd(through, ordered, flags)
    for g in range(len(edges) - 1):
        a, b = edges[g], edges[g + 1]
        count = list_flagged(flags, a, b, a, odd[a:])
        for j in range(a, a + count):
            missing[j] = 1.0 - through[a + odd[j]]
            yuan[j] = missing[j] * price[a + odd[j]]
        counts[g] = count if count < _FEW * (b - a) else -1


@nb.njit(cache=True, error_model="numpy")
def _pick(shares, odd, yuan):
    """Return the sum of shares[odd] x yuan, in four partial sums."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    whole = len(odd) // 4 * 4
    for j in range(0, whole, 4):
        s0 += shares[odd[j]] * yuan[j]
        s1 += shares[odd[j + 1]] * yuan[j + 1]
        s2 += shares[odd[j + 2]] * yuan[j + 2]
        s3 += shares[odd[j + 3]] * yuan[j + 3]
    for j in range(whole, len(odd)):
        s0 += shares[odd[j]] * yuan[j]
    return (s0 + s1) + (s2 + s3)


@nb.njit(cache=True, error_model="numpy")
def filled_by_book(
    base, kept, held_back, fresh, slot, price, edges, share, capped, scale, filled, ordered,
    wanted, out,
):  # fmt: skip
    """Set out (P, R, G) to the filled sales of every book, yuan at the last price.

    wanted (P, R, G): all that was ordered; less what did not fill it is what did.
    """
    count, groups = price.shape[1], len(edges) - 1
    odd, counts = np.empty((2, count + 1), np.int64), np.empty((2, groups), np.int64)
    missing, yuan, worth = np.empty((2, count)), np.empty((2, count)), np.empty((2, count))
    rationed = np.empty(count)
    for p in range(len(base)):
        multiply(filled[p], scale[p], rationed)
        for k in range(2):
            if _sells(share[p], kept[p], capped, k == 1):
                _look(rationed if k else filled[p], price[p], ordered[p, k], edges, odd[k],
                      missing[k], yuan[k], counts[k], worth[k])  # fmt: skip
        for r in range(len(slot)):
            k, s = 1 if capped[r] else 0, slot[r]
            for g in range(groups):
                f, left = share[p, r, g], kept[p, r, g]
                out[p, r, g] = 0.0
                if f <= 0.0 or left <= 0.0:
                    continue
                a, b = edges[g], edges[g + 1]
                new, few = s >= 0 and fresh[p, s, g], counts[k, g]
                if few == 0:
                    out[p, r, g] = wanted[p, r, g]
                elif few > 0 and not new:
                    lost = _pick(base[p, r, a:b], odd[k, a : a + few], yuan[k, a : a + few])
                    out[p, r, g] = max(0.0, wanted[p, r, g] - f * left * lost)
                else:
                    out[p, r, g] = _sold(
                        base[p, r, a:b], left, held_back[p, max(s, 0), a:b], new, f,
                        worth[k, a:b],
                    )  # fmt: skip


@nb.njit(cache=True, error_model="numpy")
def _sold(row, left, held, new, f, worth):
    """Return the value of f x what a book may sell, at ``worth`` a share."""
    value = left * dot(row, worth)
    if new:
        value -= dot(held, worth)
    return max(0.0, f * value)


@nb.njit(cache=True, error_model="numpy")
def _add_product(x, y, out):
    for i in range(len(out)):
        out[i] += x[i] * y[i]


@nb.njit(cache=True, error_model="numpy")
def _write(row, left, held, new, f, through):
    """Take f x through of what a book may sell out of its base."""
    if new:
        part = f / left
        for i in range(len(row)):
            row[i] -= through[i] * (f * row[i] - part * held[i])
    else:
        for i in range(len(row)):
            row[i] *= 1.0 - f * through[i]


@nb.njit(cache=True, error_model="numpy")
def _raise(shares, odd, missing, yuan, rise):
    """Return the sum of shares[odd] x yuan; then raise these shares by rise x missing."""
    lost = _pick(shares, odd, yuan)
    for j in range(len(odd)):
        shares[odd[j]] *= 1.0 + rise * missing[j]
    return lost


@nb.njit(cache=True, error_model="numpy")
def _buy(row, left, held, yuan, unit):
    """Add yuan x unit shares to a book and to what it bought today."""
    for i in range(len(row)):
        row[i] += yuan / left * unit[i]
    for i in range(len(row)):
        held[i] += yuan * unit[i]


@nb.njit(cache=True, error_model="numpy")
def book_sales(
    base, kept, worth, held_back, fresh, slot, price, edges, share, capped, scale, filled, ordered,
    background, sold,
):  # fmt: skip
    """Move sold shares from the books to the background at this bar's price.

    Sets sold (P, R, G), yuan, and worth where it is now known; background (P, N) takes the other
    side of every share.
    """
    count, groups = price.shape[1], len(edges) - 1
    odd, counts = np.empty((2, count + 1), np.int64), np.empty((2, groups), np.int64)
    missing, yuan, filling = np.empty((2, count)), np.empty((2, count)), np.empty((2, count))
    rationed, line = np.empty(count), np.empty(len(slot) + 1, np.int64)
    for p in range(len(base)):
        multiply(filled[p], scale[p], rationed)
        for k in range(2):
            if _sells(share[p], kept[p], capped, k == 1):
                through = rationed if k else filled[p]
                _look(through, price[p], ordered[p, k], edges, odd[k], missing[k], yuan[k],
                      counts[k], filling[k])  # fmt: skip
                _add_product(ordered[p, k], through, background[p])
        for g in range(groups):
            a, b, many = edges[g], edges[g + 1], 0
            for r in range(len(slot)):
                f, left = share[p, r, g], kept[p, r, g]
                sold[p, r, g] = 0.0
                worth[p, r, g] = -1.0
                if f <= 0.0 or left <= 0.0:
                    continue
                k, s = 1 if capped[r] else 0, slot[r]
                new = s >= 0 and fresh[p, s, g]
                if counts[k, g] < 0 or new or f > _MOST:
                    row, held = base[p, r, a:b], held_back[p, max(s, 0), a:b]
                    sold[p, r, g] = _sold(row, left, held, new, f, filling[k, a:b])
                    _write(row, left, held, new, f, rationed[a:b] if k else filled[p, a:b])
                else:
                    line[many] = r
                    many += 1
            for j in range(0, many, 2):
                last = many - 1
                two = (line[j], line[min(j + 1, last)])
                ahead = (line[min(j + 2, last)], line[min(j + 3, last)])
                values = dots(base[p], two, ahead, a, price[p, a:b])
                for m in range(min(2, many - j)):
                    r, value = two[m], values[m]
                    k, f, left = 1 if capped[r] else 0, share[p, r, g], kept[p, r, g]
                    few = odd[k, a : a + counts[k, g]]
                    here, lost = missing[k, a : a + len(few)], yuan[k, a : a + len(few)]
                    gone = _raise(base[p, r, a:b], few, here, lost, f / (1.0 - f))
                    gone = max(0.0, f * (value - gone))
                    sold[p, r, g] = left * gone
                    worth[p, r, g] = left * (value - gone)
                    kept[p, r, g] = left * (1.0 - f)


@nb.njit(cache=True, error_model="numpy")
def book_purchases(
    base, kept, worth, held_back, fresh, slot, price, edges, buy, weight, filled, background, bought
):
    """Move bought shares from the background to the books at this bar's price.

    Sets bought (P, R, G), yuan; what was bought is held back until tomorrow.
    """
    paths, books, groups = buy.shape
    unit = np.empty(price.shape[1])
    for p in range(paths):
        for g in range(groups):
            a, b = edges[g], edges[g + 1]
            amount = 0.0
            for r in range(books):
                bought[p, r, g] = 0.0
                amount += buy[p, r, g]
            if amount <= 0.0:
                continue
            each, part, ratio, yuan = unit[a:b], weight[p, a:b], filled[p, a:b], price[p, a:b]
            for i in range(len(each)):
                each[i] = part[i] * ratio[i] / yuan[i]
            whole = dot(part, ratio)
            other = background[p, a:b]
            for i in range(len(other)):
                other[i] -= amount * each[i]
            for r in range(books):
                if buy[p, r, g] > 0.0:
                    s = slot[r]
                    fresh[p, s, g], worth[p, r, g] = True, -1.0
                    kept[p, r, g] = kept[p, r, g] if kept[p, r, g] > 0.0 else 1.0
                    _buy(base[p, r, a:b], kept[p, r, g], held_back[p, s, a:b], buy[p, r, g], each)
                    bought[p, r, g] = buy[p, r, g] * whole
