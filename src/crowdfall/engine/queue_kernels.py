"""The loops over queued stocks: few stocks wait, so each is visited with all books.

P paths, R books, N stocks in order of size group, G groups, as in ``kernels``. Strict floating
point. A queue is what a book could not sell into a locked stock.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(cache=True)
def _free(shares, held_back, slot, p, r, i):
    if slot[r] < 0:
        return shares[p, r, i]
    return shares[p, r, i] - held_back[p, slot[r], i]


@nb.njit(cache=True)
def _line(flags, first, last, out):
    length = 0
    for i in range(first, last):
        if flags[i]:
            out[length] = i
            length += 1
    return length


@nb.njit(cache=True)
def join_queue(
    queue, standing, waiting, shares, held_back, slot, price, edges, share, capped, scale, allowed,
    low, high, sales, queued,
):  # fmt: skip
    """Put the queues (P, R, N), shares, to this bar's orders; drop what nobody wants any more.

    A book that orders no sales in a group (share (P, R, G) zero) cancels its queue there; a queue
    never holds more than the book can sell beside its new order. standing (P, R, G) and waiting
    (P, N): where there are any. allowed (P, R): part of a queue that no ban suspends. Adds to
    sales (P, N), sets queued (P, N), both yuan at the last price.
    """
    paths, books, count = queue.shape
    line = np.empty(count, np.int64)
    for p in range(paths):
        for g in range(len(edges) - 1):
            length = _line(waiting[p], edges[g], edges[g + 1], line)
            for i in range(edges[g], edges[g + 1]):
                queued[p, i] = 0.0
            for k in range(length):
                waiting[p, line[k]] = False
            for r in range(books):
                f = share[p, r, g]
                if not standing[p, r, g]:
                    continue
                standing[p, r, g] = f > 0.0
                for k in range(length):
                    i = line[k]
                    q = queue[p, r, i]
                    if q <= 0.0:
                        continue
                    through = scale[p, i] if capped[r] else 1.0
                    rest = _free(shares, held_back, slot, p, r, i) * (1.0 - f * through)
                    q = max(0.0, min(q, rest)) if f > 0.0 else 0.0
                    queue[p, r, i] = q
                    waiting[p, i] |= q > 0.0
                    queued[p, i] += q * allowed[p, r] * price[p, i]
            for k in range(length):
                i = line[k]
                if low[p, i] == high[p, i]:
                    queued[p, i] = 0.0
                sales[p, i] += queued[p, i]


@nb.njit(cache=True)
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


@nb.njit(cache=True)
def serve_queue(
    queue, standing, waiting, shares, held_back, slot, price, edges, share, capped, scale, allowed,
    low, high, queued, filled_queue, filled_new, background, sold, served,
):  # fmt: skip
    """Sell what of the queues fills, then queue what of the new orders did not.

    After the new orders were booked. Adds to sold (P, R, G) and sets served (P, R, G), yuan at
    this bar's price; background (P, N) takes the other side.
    """
    paths, books, count = queue.shape
    line, open_line = np.empty(count, np.int64), np.empty(count, np.bool_)
    for p in range(paths):
        served[p] = 0.0
        for i in range(count):
            open_line[i] = (waiting[p, i] or filled_new[p, i] < 1.0) and low[p, i] < high[p, i]
        for g in range(len(edges) - 1):
            length = _line(open_line, edges[g], edges[g + 1], line)
            for r in range(books):
                f = share[p, r, g]
                if f <= 0.0 or length == 0:
                    continue
                yuan = 0.0
                for k in range(length):
                    i = line[k]
                    q, new = queue[p, r, i], f * (scale[p, i] if capped[r] else 1.0)
                    free = _free(shares, held_back, slot, p, r, i)
                    done, left = new * filled_new[p, i], 0.0
                    if done < 1.0:
                        left = (new - done) * free / (1.0 - done)
                    amount = min(q * allowed[p, r] * filled_queue[p, i], free)
                    shares[p, r, i] -= amount
                    background[p, i] += amount
                    yuan += amount * price[p, i]
                    q = max(0.0, min(q - amount + left, free - amount))
                    queue[p, r, i] = q
                    if q > 0.0:
                        waiting[p, i] = True
                        standing[p, r, g] = True
                sold[p, r, g] += yuan
                served[p, r, g] = yuan
