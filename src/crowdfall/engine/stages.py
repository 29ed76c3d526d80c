"""The three stages of a bar that go over all books: orders, fills, trades."""

from __future__ import annotations

from crowdfall.engine import kernels
from crowdfall.engine.crowd import Book
from crowdfall.engine.run_state import Run
from crowdfall.types import Float64

_STAGES = 3


def _turned(bar: int, stage: int) -> bool:
    """Return whether a stage goes from the last path to the first: every second one does."""
    return (_STAGES * bar + stage) % 2 == 1


def _books(run: Run, orders: Book) -> kernels.Books:
    ledger, scratch, queue = run.ledger, run.scratch, run.queue
    return kernels.Books(
        base=ledger.base, kept=ledger.kept, worth=ledger.worth, held_back=ledger.held_back,
        fresh=ledger.fresh, slot=ledger.slot, capped=ledger.capped,
        queue=ledger.base[:0] if queue is None else queue.shares,
        standing=ledger.fresh[:0] if queue is None else queue.standing,
        allowed=orders.allowed, share=orders.share, buy=orders.buy, wanted=scratch.wanted,
        filled=scratch.filled, sold=scratch.sold, served=scratch.served, bought=scratch.bought,
    )  # fmt: skip


def _stocks(run: Run) -> kernels.Stocks:
    prices, scratch, queue = run.prices, run.scratch, run.queue
    return kernels.Stocks(
        price=prices.price, log_price=prices.log_price, low=prices.low, high=prices.high,
        locked=prices.locked, own=scratch.own, loading=prices.loading, sales=scratch.sales,
        scale=scratch.scale, ordered=scratch.ordered, weight=scratch.weight,
        purchases=scratch.purchases, filled_sales=scratch.filled_sales,
        filled_new=scratch.filled_new, filled_purchases=scratch.filled_purchases,
        waiting=prices.locked[:0] if queue is None else queue.waiting,
        queued=scratch.own[:0] if queue is None else queue.queued,
        filled_queue=scratch.own[:0] if queue is None else queue.filled,
        background=run.ledger.background,
    )  # fmt: skip


def order_stocks(run: Run, orders: Book, bar: int) -> None:
    """Add up the orders of all books by stock, and the queues that wait from before."""
    setting = run.setting
    limit = setting.scenario.noise.participation * setting.market.stocks.adv * setting.dt
    kernels.order_stocks(
        _books(run, orders), _stocks(run), setting.edges, limit, setting.float_shares,
        _turned(bar, 0),
    )  # fmt: skip


def fill_stocks(run: Run, orders: Book, moved: Float64, bar: int) -> None:
    """Fill orders up to the limits; measure what every book sold, at the last price."""
    setting = run.setting
    kernels.fill_stocks(
        _books(run, orders), _stocks(run), setting.edges, setting.slope, moved, run.prices.market,
        setting.scenario.impact.locked_fill, run.queue is not None and run.queue.early,
        run.scratch.net, _turned(bar, 1),
    )  # fmt: skip


def book_stocks(run: Run, orders: Book, bar: int) -> None:
    """Move what filled between the books and the background, at this bar's price."""
    kernels.book_stocks(_books(run, orders), _stocks(run), run.setting.edges, _turned(bar, 2))
