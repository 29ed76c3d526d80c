"""Kernels that follow each other, path by path: what one has fetched, the next finds in the cache.

The books of a block are far larger than a cache, those of a path are not. A stage that is
``turned`` begins with the last path: with those that the stage before has just left. Paths don't
know each other, so no result depends on their order.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN201

from __future__ import annotations

from typing import NamedTuple

import numba as nb

from crowdfall.engine.kernels.books import (
    book_purchases,
    book_sales,
    collect_sales,
    filled_by_book,
    spread_purchases,
)
from crowdfall.engine.kernels.prices import fill_orders
from crowdfall.engine.kernels.queue import join_queue, serve_queue, share_fills
from crowdfall.types import Bool, Float64, Int64


class Books(NamedTuple):
    """What the books hold and order; see ``kernels.books`` and ``kernels.queue``.

    ``queue`` (P, R, N) with ``standing`` (P, R, G): what waits; no path of it where orders lapse.
    ``share`` and ``buy`` (P, R, G): this bar's orders.
    """

    base: Float64
    kept: Float64
    worth: Float64
    held_back: Float64
    fresh: Bool
    slot: Int64
    capped: Bool
    queue: Float64
    standing: Bool
    allowed: Float64
    share: Float64
    buy: Float64
    wanted: Float64
    filled: Float64
    sold: Float64
    served: Float64
    bought: Float64


class Stocks(NamedTuple):
    """A bar's arrays of path and stock; see ``Prices``, ``Scratch`` and ``Queue``."""

    price: Float64
    log_price: Float64
    low: Float64
    high: Float64
    locked: Bool
    own: Float64
    loading: Float64
    sales: Float64
    scale: Float64
    ordered: Float64
    weight: Float64
    purchases: Float64
    filled_sales: Float64
    filled_new: Float64
    filled_purchases: Float64
    waiting: Bool
    queued: Float64
    filled_queue: Float64
    background: Float64


@nb.njit(cache=True, error_model="numpy")
def order_stocks(books, stocks, edges, limit, float_shares, turned):
    """Sum the orders of all books by stock, and add the queues to them."""
    b, x = books, stocks
    waits = len(b.queue) > 0
    for k in range(len(b.base)):
        p = len(b.base) - 1 - k if turned else k
        q = p + 1
        collect_sales(
            b.base[p:q], b.kept[p:q], b.worth[p:q], b.held_back[p:q], b.fresh[p:q], b.slot,
            x.price[p:q], edges, b.share[p:q], b.capped, x.locked[p:q], limit, x.sales[p:q],
            x.scale[p:q], b.wanted[p:q], x.ordered[p:q],
        )  # fmt: skip
        spread_purchases(
            b.buy[p:q], float_shares, x.price[p:q], edges, x.weight[p:q], x.purchases[p:q]
        )
        if waits:
            join_queue(
                b.queue[p:q], b.standing[p:q], x.waiting[p:q], b.base[p:q], b.kept[p:q],
                b.held_back[p:q], b.slot, x.price[p:q], edges, b.share[p:q], b.capped,
                x.scale[p:q], b.allowed[p:q], x.low[p:q], x.high[p:q], x.sales[p:q],
                x.queued[p:q],
            )  # fmt: skip


@nb.njit(cache=True, error_model="numpy")
def fill_stocks(books, stocks, edges, slope, moved, market, least, early, net, turned):
    """Fill orders up to the limits, part the fills of the queues, and tell every book its own."""
    b, x = books, stocks
    waits = len(b.queue) > 0
    for k in range(len(b.base)):
        p = len(b.base) - 1 - k if turned else k
        q = p + 1
        fill_orders(
            x.own[p:q], slope, x.loading[p:q], moved[p:q], market[p:q], x.log_price[p:q],
            x.low[p:q], x.high[p:q], edges, least, x.sales[p:q], x.purchases[p:q],
            x.filled_sales[p:q], x.filled_purchases[p:q], net[p:q],
        )  # fmt: skip
        if waits:
            share_fills(
                x.sales[p:q], x.queued[p:q], x.filled_sales[p:q], early, x.filled_queue[p:q],
                x.filled_new[p:q],
            )  # fmt: skip
        else:
            x.filled_new[p] = x.filled_sales[p]
        filled_by_book(
            b.base[p:q], b.kept[p:q], b.held_back[p:q], b.fresh[p:q], b.slot, x.price[p:q], edges,
            b.share[p:q], b.capped, x.scale[p:q], x.filled_new[p:q], x.ordered[p:q],
            b.wanted[p:q], b.filled[p:q],
        )  # fmt: skip


@nb.njit(cache=True, error_model="numpy")
def book_stocks(books, stocks, edges, turned):
    """Move sold and bought shares between the books and the background; serve the queues."""
    b, x = books, stocks
    waits = len(b.queue) > 0
    for k in range(len(b.base)):
        p = len(b.base) - 1 - k if turned else k
        q = p + 1
        book_sales(
            b.base[p:q], b.kept[p:q], b.worth[p:q], b.held_back[p:q], b.fresh[p:q], b.slot,
            x.price[p:q], edges, b.share[p:q], b.capped, x.scale[p:q], x.filled_new[p:q],
            x.ordered[p:q], x.background[p:q], b.sold[p:q],
        )  # fmt: skip
        book_purchases(
            b.base[p:q], b.kept[p:q], b.worth[p:q], b.held_back[p:q], b.fresh[p:q], b.slot,
            x.price[p:q], edges, b.buy[p:q], x.weight[p:q], x.filled_purchases[p:q],
            x.background[p:q], b.bought[p:q],
        )  # fmt: skip
        if waits:
            serve_queue(
                b.queue[p:q], b.standing[p:q], x.waiting[p:q], b.base[p:q], b.kept[p:q],
                b.worth[p:q], b.held_back[p:q], b.slot, x.price[p:q], edges, b.share[p:q],
                b.capped, x.scale[p:q], b.allowed[p:q], x.low[p:q], x.high[p:q], x.queued[p:q],
                x.filled_queue[p:q], x.filled_new[p:q], x.background[p:q], b.sold[p:q],
                b.served[p:q],
            )  # fmt: skip
