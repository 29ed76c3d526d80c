"""The loops over queued stocks: few stocks wait, so only they are visited, for every book.

A queue is what a book could not sell into a locked stock. A line is the list of waiting stocks of
a group; arrays in the order of a line are short and stay in the cache.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

import numba as nb
import numpy as np

from crowdfall.engine.kernels.elementary import clear


@nb.njit(cache=True, error_model="numpy")
def _line(flags, first, last, out):
    length = 0
    for i in range(first, last):
        out[length] = i
        length += flags[i]
    return out[:length]


@nb.njit(cache=True, error_model="numpy")
def _pick(values, line, out):
    for j in range(len(line)):
        out[j] = values[line[j]]


@nb.njit(cache=True, error_model="numpy", inline="always")
def _free(row, left, held, buys, i):
    """Return the shares of stock i that a book may sell."""
    return row[i] * left - held[i] if buys else row[i] * left


@nb.njit(cache=True, error_model="numpy")
def _join(queue, row, left, held, buys, line, f, through, allowed, offered, waits):
    """Cut a book's queue to what it can sell beside its new order, and offer it."""
    for j in range(len(line)):
        i = line[j]
        q = queue[i]
        if q > 0.0:
            rest = _free(row, left, held, buys, i) * (1.0 - f * through[j])
            q = min(q, rest) if rest > 0.0 else 0.0
            queue[i] = q
            waits[j] |= q > 0.0
            offered[j] += q * allowed


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
    lines, short, whole = np.empty(count + 1, np.int64), np.empty((2, count)), np.ones(count)
    flags = np.empty(count, np.bool_)
    for p in range(len(queue)):
        clear(queued[p])
        for g in range(len(edges) - 1):
            line = _line(waiting[p], edges[g], edges[g + 1], lines)
            n = len(line)
            if n == 0:
                continue
            through, offered, waits = short[0, :n], short[1, :n], flags[:n]
            _pick(scale[p], line, through)
            clear(offered)
            for j in range(n):
                waits[j] = False
            for r in range(len(slot)):
                f, s = share[p, r, g], slot[r]
                if standing[p, r, g]:
                    standing[p, r, g] = f > 0.0
                    if f > 0.0:
                        _join(
                            queue[p, r], base[p, r], kept[p, r, g], held_back[p, max(s, 0)],
                            s >= 0, line, f, through if capped[r] else whole, allowed[p, r],
                            offered, waits,
                        )  # fmt: skip
                    else:
                        _cancel(queue[p, r], line)
            for j in range(n):
                i = line[j]
                waiting[p, i] = waits[j]
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
def _serve(queue, row, left, held, buys, line, f, through, new, part, allowed, price, moved, waits):
    """Sell ``part`` of a book's queue; let the part of its new orders that did not fill join it.

    After the new orders were booked. Returns the value sold and whether anything waits.
    """
    value, stands, inverse = 0.0, False, 1.0 / left
    for j in range(len(line)):
        i = line[j]
        q, free, order = queue[i], _free(row, left, held, buys, i), f * through[j]
        done = order * new[j]
        over = 1.0 - done
        rest = (order - done) * free / over if over > 0.0 else 0.0
        amount = min(q * allowed * part[j], free)
        if amount != 0.0:
            row[i] -= amount * inverse
            moved[j] += amount
            value += amount * price[j]
        rest = min(q - amount + rest, free - amount)
        rest = rest if rest > 0.0 else 0.0
        queue[i] = rest
        waits[j] |= rest > 0.0
        stands |= rest > 0.0
    return value, stands


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
    lines, short, whole = np.empty(count + 1, np.int64), np.empty((5, count)), np.ones(count)
    open_line, flags = np.empty(count, np.bool_), np.empty(count, np.bool_)
    for p in range(len(queue)):
        served[p] = 0.0
        for i in range(count):
            open_line[i] = (waiting[p, i] | (filled_new[p, i] < 1.0)) & (low[p, i] < high[p, i])
        for g in range(len(edges) - 1):
            line = _line(open_line, edges[g], edges[g + 1], lines)
            n = len(line)
            if n == 0:
                continue
            through, new, part, waits = short[0, :n], short[1, :n], short[2, :n], flags[:n]
            yuan, moved = short[3, :n], short[4, :n]
            _pick(scale[p], line, through)
            _pick(filled_new[p], line, new)
            _pick(filled_queue[p], line, part)
            _pick(price[p], line, yuan)
            clear(moved)
            for j in range(n):
                waits[j] = waiting[p, line[j]]
            for r in range(len(slot)):
                f, left, s = share[p, r, g], kept[p, r, g], slot[r]
                if f <= 0.0 or left <= 0.0:
                    continue
                value, stands = _serve(
                    queue[p, r], base[p, r], left, held_back[p, max(s, 0)], s >= 0, line, f,
                    through if capped[r] else whole, new, part, allowed[p, r], yuan, moved, waits,
                )  # fmt: skip
                standing[p, r, g] |= stands
                sold[p, r, g] += value
                served[p, r, g] = value
                if worth[p, r, g] >= 0.0:
                    worth[p, r, g] = max(0.0, worth[p, r, g] - value)
            for j in range(n):
                waiting[p, line[j]] = waits[j]
                background[p, line[j]] += moved[j]
