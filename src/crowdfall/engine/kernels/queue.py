"""The loops over queued stocks: few stocks wait, so only they are visited, for every book.

A queue is what a book could not sell into a locked stock. A line is the list of waiting stocks of
a group; arrays in the order of a line are short, stay in the cache and are worked on in vectors:
loops write one array each, for the compiler gives up where many arrays might overlap. Where a line
is long, picking its stocks out and putting them back costs more than going over the whole group:
stocks that do not wait have an empty queue and stay as they are.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from typing import Final

import numba as nb
import numpy as np

from crowdfall.engine.kernels.elementary import add, clear, list_flagged
from crowdfall.engine.kernels.vectors import dot

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
def _pick_free(row, left, held, buys, line, out):
    """Set out to the shares of the line that a book may sell."""
    if buys:
        for j in range(len(line)):
            out[j] = row[line[j]] * left - held[line[j]]
    else:
        for j in range(len(line)):
            out[j] = row[line[j]] * left


@nb.njit(cache=True, error_model="numpy")
def _all_free(row, left, held, buys, out):
    """Set out to the shares of a whole group that a book may sell."""
    if buys:
        for j in range(len(out)):
            out[j] = row[j] * left - held[j]
    else:
        for j in range(len(out)):
            out[j] = row[j] * left


@nb.njit(cache=True, error_model="numpy")
def _put(values, line, out):
    for j in range(len(line)):
        out[line[j]] = values[j]


@nb.njit(cache=True, error_model="numpy")
def _cut(queued, free, f, through, allowed, offered, most):
    """Cut a book's queue to what it can sell beside its new order, and offer it."""
    for j in range(len(queued)):
        rest = free[j] * (1.0 - f * through[j])
        rest = rest if rest < queued[j] else queued[j]
        queued[j] = rest if rest > 0.0 else 0.0
    for j in range(len(queued)):
        offered[j] += queued[j] * allowed
    for j in range(len(queued)):
        most[j] = queued[j] if queued[j] > most[j] else most[j]


@nb.njit(cache=True, error_model="numpy")
def _any(values, seen):
    count = 0
    for j in range(len(values)):
        count += (values[j] > 0.0) & seen[j]
    return count > 0


@nb.njit(cache=True, error_model="numpy")
def _cancel(queue, line):
    for j in range(len(line)):
        queue[line[j]] = 0.0


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
    lines, short, whole = np.empty(count + 1, np.int64), np.empty((5, count)), np.ones(count)
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
            mine, free = short[3, :n], short[4, :n]
            _pick(scale[p], line, through)
            clear(offered)
            clear(most)
            for r in range(len(slot)):
                f, s, left = share[p, r, g], slot[r], kept[p, r, g]
                if not standing[p, r, g]:
                    continue
                standing[p, r, g] = f > 0.0
                if f <= 0.0:
                    _cancel(queue[p, r], line)
                    continue
                part, held = through if capped[r] else whole[:n], held_back[p, max(s, 0)]
                if is_long:
                    _all_free(base[p, r, a:b], left, held[a:b], s >= 0, free)
                    _cut(queue[p, r, a:b], free, f, part, allowed[p, r], offered, most)
                    continue
                _pick(queue[p, r], line, mine)
                _pick_free(base[p, r], left, held, s >= 0, line, free)
                _cut(mine, free, f, part, allowed[p, r], offered, most)
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
def _unfilled(free, f, through, new, out):
    """Set out to what did not fill of new orders, after the rest of them was booked.

    Of what a book could sell before, 1 - f x through x new is left in ``free``.
    """
    for j in range(len(out)):
        order = f * through[j]
        done = order * new[j]
        out[j] = (order - done) / max(1.0 - done, 1e-300)
    for j in range(len(out)):
        out[j] *= free[j]


@nb.njit(cache=True, error_model="numpy")
def _sell(queued, free, part, allowed, amount):
    """Set amount to what is sold of a queue, and take it off the queue and off ``free``."""
    for j in range(len(amount)):
        sold = queued[j] * allowed * part[j]
        sold = sold if sold < free[j] else free[j]
        amount[j] = sold if sold > 0.0 else 0.0
    for j in range(len(amount)):
        queued[j] -= amount[j]
    for j in range(len(amount)):
        free[j] -= amount[j]


@nb.njit(cache=True, error_model="numpy")
def _queue_up(queued, free, rest, seen, most):
    """Let the rest of new orders join a queue, as far as the book has shares."""
    for j in range(len(queued)):
        wanted = queued[j] + rest[j]
        wanted = wanted if wanted < free[j] else free[j]
        wanted = wanted if wanted > 0.0 else 0.0
        queued[j] = wanted if seen[j] else queued[j]
    for j in range(len(queued)):
        rest[j] = queued[j] if seen[j] else 0.0
    for j in range(len(queued)):
        most[j] = rest[j] if rest[j] > most[j] else most[j]


@nb.njit(cache=True, error_model="numpy")
def _take(row, left, line, amount):
    """Take the amounts sold out of a book."""
    inverse = 1.0 / left
    for j in range(len(line)):
        row[line[j]] -= amount[j] * inverse


@nb.njit(cache=True, error_model="numpy")
def _take_all(row, left, amount):
    """Take the amounts sold out of a whole group of a book."""
    inverse = 1.0 / left
    for j in range(len(row)):
        row[j] -= amount[j] * inverse


@nb.njit(cache=True, error_model="numpy")
def _pick_from(values, line, first, out):
    for j in range(len(line)):
        out[j] = values[line[j] - first]


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
    short, whole = np.empty((11, count)), np.ones(count)
    flags, always = np.empty(count, np.bool_), np.ones(count, np.bool_)
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
            most, free, amount, rest = short[4, :n], short[5, :n], short[6, :n], short[7, :n]
            yuan, sale = short[9, : len(line)], short[10, : len(line)]
            _pick(scale[p], places, through)
            _pick(filled_new[p], places, new)
            _pick(filled_queue[p], places, part)
            _pick(price[p], line, yuan)
            clear(moved)
            clear(most)
            for r in range(len(slot)):
                f, left, s = share[p, r, g], kept[p, r, g], slot[r]
                if f <= 0.0 or left <= 0.0:
                    continue
                held = held_back[p, max(s, 0)]
                mine = queue[p, r, a:b] if is_long else short[8, :n]
                if is_long:
                    _all_free(base[p, r, a:b], left, held[a:b], s >= 0, free)
                else:
                    _pick(queue[p, r], line, mine)
                    _pick_free(base[p, r], left, held, s >= 0, line, free)
                _unfilled(free, f, through if capped[r] else whole[:n], new, rest)
                if standing[p, r, g]:  # others have nothing in the queue yet
                    _sell(mine, free, part, allowed[p, r], amount)
                    add(amount, moved)
                    if is_long:
                        _take_all(base[p, r, a:b], left, amount)
                        _pick_from(amount, line, a, sale)
                    else:
                        _take(base[p, r], left, line, amount)
                    value = dot(sale if is_long else amount, yuan)
                    sold[p, r, g] += value
                    served[p, r, g] = value
                    if worth[p, r, g] >= 0.0:
                        worth[p, r, g] = max(0.0, worth[p, r, g] - value)
                _queue_up(mine, free, rest, seen, most)
                standing[p, r, g] = _any(mine, seen)
                if not is_long:
                    _put(mine, line, queue[p, r])
            for j in range(n):
                waiting[p, places[j]] |= most[j] > 0.0
                background[p, places[j]] += moved[j]
