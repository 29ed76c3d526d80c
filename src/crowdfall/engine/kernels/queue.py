"""The loops over queued stocks: few stocks wait, so only they are visited, for every book.

A queue is what a book could not sell into a locked stock. A line is the list of waiting stocks of
a group; arrays in the order of a line are short, stay in the cache and are worked on in vectors.
Where a line is long, picking its stocks out and putting them back costs more than going over the
whole group: stocks that do not wait have an empty queue and stay as they are.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from crowdfall.engine.kernels.elementary import clear, list_flagged
from crowdfall.engine.kernels.vectors import dot, fetch

_LONG: Final = 6
"""A line of more than one in so many of a group's stocks is long."""


@nb.njit(cache=True, error_model="numpy")
def _line(flags, first, last, out):
    return out[: list_flagged(flags, first, last, 0, out)]


@nb.njit(cache=True, error_model="numpy")
def _all_of(first, last, out):
    for i in range(first, last):
        out[i - first] = i
    return out[: last - first]


@nb.njit(cache=True, error_model="numpy")
def _pick(values, line, out):
    for j in range(len(line)):
        out[j] = values[line[j]]


@nb.njit(cache=True, error_model="numpy")
def _put(values, line, out):
    for j in range(len(line)):
        out[line[j]] = values[j]


@nb.njit(cache=True, error_model="numpy")
def _cancel(queue, line):
    for j in range(len(line)):
        queue[line[j]] = 0.0


@nb.njit(cache=True, error_model="numpy")
def _cut(row, left, held, queued, f, through, allowed, offered, most):
    """Cut a book's queue to what it can sell beside its new order, and offer it.

    row and left: what it holds; held: what of it was bought today.
    """
    for j in range(len(queued)):
        rest = (row[j] * left - held[j]) * (1.0 - f * through[j])
        rest = rest if rest < queued[j] else queued[j]
        rest = rest if rest > 0.0 else 0.0
        queued[j] = rest
        offered[j] += rest * allowed
        most[j] = rest if rest > most[j] else most[j]


@nb.njit(cache=True, error_model="numpy")
def join_queue(
    queue, standing, waiting, base, kept, held_back, slot, price, edges, share, capped, scale,
    allowed, low, high, sales, queued,
):  # fmt: skip
    """Put the queues (P, R, N), shares, to this bar's orders; drop what nobody wants any more.

    A book that orders no sales in a group (share (P, R, G) zero) cancels its queue there; a queue
    never holds more than the book can sell beside its new order. standing (P, R, G) and waiting
    (P, N): where there are any. allowed (P, R): part of a queue that no ban suspends. Adds to
    sales (P, N), sets queued (P, N), both yuan at the last price.
    """
    count = queue.shape[2]
    lines, short = np.empty(count + 1, np.int64), np.empty((6, count))
    ours = np.empty(len(slot), np.int64)
    whole, nothing = np.ones(count), np.zeros(count)
    for p in range(len(queue)):
        clear(queued[p])
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            line = _line(waiting[p], a, b, lines)
            if len(line) == 0:
                continue
            is_long = len(line) * _LONG > b - a
            if is_long:
                line = _all_of(a, b, lines)
            n = len(line)
            through, offered, most = short[0, :n], short[1, :n], short[2, :n]
            mine, row, new = short[3, :n], short[4, :n], short[5, :n]
            _pick(scale[p], line, through)
            clear(offered)
            clear(most)
            many = 0
            for r in range(len(slot)):
                if standing[p, r, g]:
                    standing[p, r, g] = share[p, r, g] > 0.0
                    if standing[p, r, g]:
                        ours[many] = r
                        many += 1
                    else:
                        _cancel(queue[p, r], line)
            for m in range(many):
                r = ours[m]
                f, s, left = share[p, r, g], slot[r], kept[p, r, g]
                part = through if capped[r] else whole[:n]
                if is_long:
                    ahead = ours[min(m + 1, many - 1)]
                    fetch(base[p], ahead, a, b)
                    fetch(queue[p], ahead, a, b)
                    held = held_back[p, s, a:b] if s >= 0 else nothing[:n]
                    _cut(base[p, r, a:b], left, held, queue[p, r, a:b], f, part, allowed[p, r],
                         offered, most)  # fmt: skip
                    continue
                _pick(queue[p, r], line, mine)
                _pick(base[p, r], line, row)
                if s >= 0:
                    _pick(held_back[p, s], line, new)
                _cut(row, left, new if s >= 0 else nothing[:n], mine, f, part, allowed[p, r],
                     offered, most)  # fmt: skip
                _put(mine, line, queue[p, r])
            for j in range(n):
                i = line[j]
                waiting[p, i] = most[j] > 0.0
                if low[p, i] < high[p, i]:
                    queued[p, i] = offered[j] * price[p, i]
                    sales[p, i] += queued[p, i]


@nb.njit(cache=True, error_model="numpy")
def share_fills(sales, queued, filled, early, filled_queue, filled_new):
    """Share the filled part (P, N) of a stock's sales between its queue and new orders.

    early: time priority, the queue fills first; else pro rata. Value is kept: queue and new
    orders together fill what ``filled`` says of ``sales``.
    """
    paths, count = sales.shape
    for p in range(paths):
        for i in range(count):
            part = filled[p, i]
            filled_queue[p, i] = part if queued[p, i] > 0.0 else 0.0
            filled_new[p, i] = part
            if early and queued[p, i] > 0.0:
                total = part * sales[p, i]
                first = min(total, queued[p, i])
                fresh = sales[p, i] - queued[p, i]
                filled_queue[p, i] = first / queued[p, i]
                filled_new[p, i] = min(1.0, (total - first) / fresh) if fresh > 0.0 else part


@nb.njit(cache=True, error_model="numpy")
def _pick_from(values, line, first, out):
    for j in range(len(line)):
        out[j] = values[line[j] - first]


@nb.njit(cache=True, error_model="numpy")
def _sell(row, left, held, queued, f, through, new, part, allowed, seen, moved, most, amount):
    """Sell what of a book's queue fills, then let what did not fill of its new orders join it.

    The rest of the new orders was booked before: of what a book could sell then, 1 - f x through x
    new is left. Stocks that are not ``seen`` stay as they are. Sets amount to what is sold of the
    queue, takes it off the book and adds it to what moved; returns whether anything waits.
    """
    count, inverse = 0, 1.0 / left
    for j in range(len(queued)):
        free = row[j] * left - held[j]
        order = f * through[j]
        done = order * new[j]
        rest = (order - done) / max(1.0 - done, 1e-300) * free
        sold = queued[j] * allowed * part[j]
        sold = sold if sold < free else free
        sold = sold if sold > 0.0 else 0.0
        amount[j] = sold
        row[j] -= sold * inverse
        moved[j] += sold
        free -= sold
        wanted = (queued[j] - sold) + rest
        wanted = wanted if wanted < free else free
        wanted = wanted if wanted > 0.0 else 0.0
        queued[j] = wanted if seen[j] else queued[j] - sold
        wanted = wanted if seen[j] else 0.0
        most[j] = wanted if wanted > most[j] else most[j]
        count += wanted > 0.0
    return count > 0


@nb.njit(cache=True, error_model="numpy")
def _queue_up(row, left, held, queued, f, through, new, seen, most):
    """Do as ``_sell`` for a book whose queue is empty."""
    count = 0
    for j in range(len(queued)):
        free = row[j] * left - held[j]
        order = f * through[j]
        done = order * new[j]
        wanted = queued[j] + (order - done) / max(1.0 - done, 1e-300) * free
        wanted = wanted if wanted < free else free
        wanted = wanted if wanted > 0.0 else 0.0
        queued[j] = wanted if seen[j] else queued[j]
        wanted = wanted if seen[j] else 0.0
        most[j] = wanted if wanted > most[j] else most[j]
        count += wanted > 0.0
    return count > 0


@nb.njit(cache=True, error_model="numpy")
def _open(waiting, filled, low, high, out):
    """Flag stocks with orders that wait or do not fill whole; suspended ones stay as they are."""
    for i in range(len(out)):
        out[i] = (waiting[i] | (filled[i] < 1.0)) & (low[i] < high[i])


@nb.njit(cache=True, error_model="numpy")
def serve_queue(
    queue, standing, waiting, base, kept, worth, held_back, slot, price, edges, share, capped,
    scale, allowed, low, high, queued, filled_queue, filled_new, background, sold, served,
):  # fmt: skip
    """Sell what of the queues fills, then queue what of the new orders did not.

    After the new orders were booked. Adds to sold (P, R, G) and sets served (P, R, G), yuan at
    this bar's price, takes it off worth (P, R, G); background (P, N) takes the other side.
    """
    count = queue.shape[2]
    lines, picked = np.empty(count + 1, np.int64), np.empty(count + 1, np.int64)
    short, whole, nothing = np.empty((11, count)), np.ones(count), np.zeros(count)
    flags, always = np.empty(count, np.bool_), np.ones(count, np.bool_)
    ours = np.empty(len(slot), np.int64)
    for p in range(len(queue)):
        served[p] = 0.0
        _open(waiting[p], filled_new[p], low[p], high[p], flags)
        for g in range(len(edges) - 1):
            a, b = edges[g], edges[g + 1]
            line = _line(flags, a, b, lines)
            if len(line) == 0:
                continue
            is_long = len(line) * _LONG > b - a
            places = _all_of(a, b, picked) if is_long else line
            n, seen = len(places), flags[a:b] if is_long else always[: len(line)]
            through, new, part, moved = short[0, :n], short[1, :n], short[2, :n], short[3, :n]
            most, amount = short[4, :n], short[5, :n]
            yuan, sale = short[9, : len(line)], short[10, : len(line)]
            _pick(scale[p], places, through)
            _pick(filled_new[p], places, new)
            _pick(filled_queue[p], places, part)
            _pick(price[p], line, yuan)
            clear(moved)
            clear(most)
            many = 0
            for r in range(len(slot)):
                if share[p, r, g] > 0.0 and kept[p, r, g] > 0.0:
                    ours[many] = r
                    many += 1
            for m in range(many):
                r = ours[m]
                f, left, s = share[p, r, g], kept[p, r, g], slot[r]
                let = through if capped[r] else whole[:n]
                held = nothing[:n]
                if is_long:
                    ahead = ours[min(m + 1, many - 1)]
                    fetch(base[p], ahead, a, b)
                    fetch(queue[p], ahead, a, b)
                    row, mine = base[p, r, a:b], queue[p, r, a:b]
                    held = held_back[p, s, a:b] if s >= 0 else held
                else:
                    row, mine = short[6, :n], short[7, :n]
                    _pick(base[p, r], line, row)
                    _pick(queue[p, r], line, mine)
                    if s >= 0:
                        held = short[8, :n]
                        _pick(held_back[p, s], line, held)
                if standing[p, r, g]:
                    standing[p, r, g] = _sell(
                        row, left, held, mine, f, let, new, part, allowed[p, r], seen, moved,
                        most, amount,
                    )  # fmt: skip
                    if is_long:
                        _pick_from(amount, line, a, sale)
                    else:
                        _put(row, line, base[p, r])
                    value = dot(sale if is_long else amount, yuan)
                    sold[p, r, g] += value
                    served[p, r, g] = value
                    if worth[p, r, g] >= 0.0:
                        worth[p, r, g] = max(0.0, worth[p, r, g] - value)
                else:
                    standing[p, r, g] = _queue_up(
                        row, left, held, mine, f, let, new, seen, most
                    )  # fmt: skip
                if not is_long:
                    _put(mine, line, queue[p, r])
            for j in range(n):
                waiting[p, places[j]] |= most[j] > 0.0
                background[p, places[j]] += moved[j]
