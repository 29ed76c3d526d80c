"""The three stages of a bar that go over all books: orders, fills, trades."""

from __future__ import annotations

from crowdfall.engine import kernels
from crowdfall.engine.crowd import Book
from crowdfall.engine.run_state import Run
from crowdfall.types import Float64


def order_stocks(run: Run, orders: Book) -> None:
    """Add up the orders of all books by stock, and the queues that wait from before."""
    ledger, prices, setting, x, queue = run.ledger, run.prices, run.setting, run.scratch, run.queue
    limit = setting.scenario.noise.participation * setting.market.stocks.adv * setting.dt
    kernels.collect_sales(
        ledger.base, ledger.kept, ledger.worth, ledger.held_back, ledger.fresh, ledger.slot,
        prices.price, setting.edges, orders.share, ledger.capped, prices.locked, limit, x.sales,
        x.scale, x.wanted, x.ordered,
    )  # fmt: skip
    kernels.spread_purchases(
        orders.buy, setting.float_shares, prices.price, setting.edges, x.weight, x.purchases
    )
    if queue is not None:
        kernels.join_queue(
            queue.shares, queue.standing, queue.waiting, ledger.base, ledger.kept,
            ledger.held_back, ledger.slot, prices.price, setting.edges, orders.share,
            ledger.capped, x.scale, orders.allowed, prices.low, prices.high, x.sales,
            queue.queued,
        )  # fmt: skip


def fill_stocks(run: Run, orders: Book, moved: Float64) -> None:
    """Fill orders up to the limits; measure what every book sold, at the last price."""
    ledger, prices, setting, x, queue = run.ledger, run.prices, run.setting, run.scratch, run.queue
    kernels.fill_orders(
        x.own, setting.slope, prices.loading, moved, prices.market, prices.log_price, prices.low,
        prices.high, setting.edges, setting.scenario.impact.locked_fill, x.sales, x.purchases,
        x.filled_sales, x.filled_purchases, x.net,
    )  # fmt: skip
    if queue is None:
        x.filled_new = x.filled_sales
    else:
        kernels.share_fills(
            x.sales, queue.queued, x.filled_sales, queue.early, queue.filled, x.filled_new
        )
    kernels.filled_by_book(
        ledger.base, ledger.kept, ledger.held_back, ledger.fresh, ledger.slot, prices.price,
        setting.edges, orders.share, ledger.capped, x.scale, x.filled_new, x.ordered, x.wanted,
        x.filled,
    )  # fmt: skip


def book_stocks(run: Run, orders: Book) -> None:
    """Move what filled between the books and the background, at this bar's price."""
    ledger, prices, setting, x, queue = run.ledger, run.prices, run.setting, run.scratch, run.queue
    kernels.book_sales(
        ledger.base, ledger.kept, ledger.worth, ledger.held_back, ledger.fresh, ledger.slot,
        prices.price, setting.edges, orders.share, ledger.capped, x.scale, x.filled_new,
        x.ordered, ledger.background, x.sold,
    )  # fmt: skip
    kernels.book_purchases(
        ledger.base, ledger.kept, ledger.worth, ledger.held_back, ledger.fresh, ledger.slot,
        prices.price, setting.edges, orders.buy, x.weight, x.filled_purchases, ledger.background,
        x.bought,
    )  # fmt: skip
    if queue is not None:
        kernels.serve_queue(
            queue.shares, queue.standing, queue.waiting, ledger.base, ledger.kept, ledger.worth,
            ledger.held_back, ledger.slot, prices.price, setting.edges, orders.share,
            ledger.capped, x.scale, orders.allowed, prices.low, prices.high, queue.queued,
            queue.filled, x.filled_new, ledger.background, x.sold, x.served,
        )  # fmt: skip
