"""The futures account of hedged books: settled daily, called at settlement, closed if not paid.

A hedged book keeps a deposit for its short futures. The day's gain or loss on settlement prices
moves it; what exceeds the deposit wanted goes back to the book, and below the exchange's margin the
book is called. It pays from cash, from what its swap still lends, or by selling stock until the
rule time of the next session; then its broker buys back futures until the rest is covered. The
account is a part of the book's cash: it only says how much of it is tied. Shapes: P paths, R books.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crowdfall.agents.protocol import UNDERLYINGS
from crowdfall.engine.futures import by_book
from crowdfall.rules.futures import exchange_margin
from crowdfall.rules.loader import number
from crowdfall.sums import over_last
from crowdfall.types import Bool, Float64

if TYPE_CHECKING:
    from crowdfall.engine.crowd import Book
    from crowdfall.engine.run_state import Run
    from crowdfall.engine.setting import Setting

SMALL = 1e6
"""Yuan below which no call is made and no future bought back."""


@dataclass(kw_only=True)
class Deposits:
    """Futures accounts, yuan (P, R): what is in them, and what was called at the last close.

    ``mark`` (P, R): settlement gain already booked above the day's last price; ``rate`` (R, U).
    """

    balance: Float64
    called: Float64
    mark: Float64
    rate: Float64
    hedged: Bool
    covered: Float64  # bought back by brokers today
    due_bar: int


def open_deposits(run: Run) -> Deposits:
    """Return accounts that hold the deposit their first shorts need."""
    setting, ledger = run.setting, run.ledger
    start, listed = setting.scenario.clock.start, setting.scenario.venue.futures
    rate = np.array([exchange_margin(u, start) if listed else 0.0 for u in UNDERLYINGS])
    zero = np.zeros(ledger.cash.shape)
    accounts = Deposits(
        balance=zero.copy(), called=zero.copy(), mark=zero.copy(), covered=zero.copy(),
        rate=rate, hedged=ledger.hedged, due_bar=due_bar(setting),
    )  # fmt: skip
    exchange = required(run, accounts, by_book(run.futures, ledger, run.futures.points))
    accounts.balance[:] = exchange * (1.0 + setting.scenario.futures_margin.buffer)
    return accounts


def due_bar(setting: Setting) -> int:
    """Return the bar of the next session in which an unpaid call is executed."""
    if not setting.scenario.venue.futures:
        return setting.bars - 1
    minutes = number("futures.margin_call_due", setting.scenario.clock.start)
    return min(int(minutes * setting.bars / 240), setting.bars - 1)


def required(run: Run, accounts: Deposits, price: Float64) -> Float64:
    """Return the exchange's margin of hedged books' shorts at prices (P, R, U), (P, R)."""
    short = np.maximum(-run.ledger.units, 0.0) * price
    return np.asarray(over_last(short * accounts.rate) * accounts.hedged)


def settle_deposits(run: Run, settle: Float64) -> Float64:
    """Settle the session's variation and call, (P, R): what each called book has to bring."""
    accounts, ledger = run.deposits, run.ledger
    terms = run.setting.scenario.futures_margin
    price = by_book(run.futures, ledger, settle)
    mark = run.settled(settle) * accounts.hedged
    accounts.balance += run.tally.gain * accounts.hedged + mark - accounts.mark
    accounts.mark = mark
    exchange = required(run, accounts, price)
    wanted = exchange * (1.0 + terms.buffer)
    accounts.balance = np.minimum(accounts.balance, wanted)  # the excess goes back to the book
    under = accounts.balance < exchange * (1.0 - 1e-9)
    call = np.where(under, wanted - accounts.balance, 0.0)
    accounts.called = np.where(call > SMALL, call, 0.0)
    accounts.covered[:] = 0.0
    return accounts.called


def pay(run: Run) -> None:
    """Pay calls from what the book has free: cash, or what the swap of a leveraged book lends."""
    accounts, ledger = run.deposits, run.ledger
    terms = run.setting.scenario.futures_margin
    value = ledger.stock_value - over_last(run.tally.sold)  # of hedged books: at the last close
    equity = value + ledger.cash
    lent = np.maximum(equity - terms.credit_line * value, 0.0)
    free = np.where(ledger.financing > 0.0, lent, np.maximum(ledger.cash - accounts.balance, 0.0))
    paid = np.minimum(accounts.called, free)
    accounts.balance += paid
    accounts.called -= paid


def answer_calls(run: Run, orders: Book, bar: int) -> None:
    """Add the orders that unpaid calls lead to: stock is sold until the rule time, then cover."""
    accounts = run.deposits
    if not run.setting.scenario.channels.futures_margin or not accounts.called.any():
        return
    pay(run)
    open_calls = accounts.called * (accounts.called > SMALL)
    if bar < accounts.due_bar:
        left = accounts.due_bar - bar
        value = np.maximum(run.ledger.stock_value, 1.0)
        share = np.minimum(open_calls / left / value, 1.0)
        np.maximum(orders.share, share[:, :, None], out=orders.share)
        return
    force_cover(run, orders, open_calls)
    accounts.called[:] = 0.0


def force_cover(run: Run, orders: Book, unpaid: Float64) -> None:
    """Buy back the share of each short that its account can't carry."""
    accounts, ledger = run.deposits, run.ledger
    price = by_book(run.futures, ledger, run.futures.points)
    wanted = required(run, accounts, price) * (1.0 + run.setting.scenario.futures_margin.buffer)
    carried = np.clip(accounts.balance / np.maximum(wanted, 1.0), 0.0, 1.0)
    share = np.where(unpaid > 0.0, 1.0 - carried, 0.0)
    buy = np.maximum(-ledger.units, 0.0) * price * share[:, :, None]
    orders.futures += buy
    accounts.covered += over_last(buy)
