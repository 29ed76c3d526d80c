"""Who owns what: shares, cash and futures of every book, and of the background market.

The background holds every share that no participant holds and takes the other side of every
trade; fees and interest have accounts of their own. So shares are conserved stock by stock and
cash in total, and the background is the named residual holder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from crowdfall.agents.protocol import Positions
from crowdfall.engine.costs import Costs
from crowdfall.engine.kernels import group_values
from crowdfall.engine.setting import Setting
from crowdfall.engine.state import FuturesState
from crowdfall.engine.stock_books import by_group, signed_value
from crowdfall.errors import RunError
from crowdfall.sums import over_books, over_last
from crowdfall.types import Bool, Float64, Int64

CROWDED: Final = 0.9
"""Most of a stock's float that all participants may hold at the start (assumption, 0.5-1)."""


@dataclass(kw_only=True)
class Ledger:
    """Books of a block. P paths, R books, S books that may buy, N stocks, U underlyings.

    ``base`` (P, R, N) and ``kept`` (P, R, G): shares, and the part of them not sold since; kept is
    zero where a book holds nothing. ``held_back`` (P, S, N): shares bought today (T+1), ``fresh``
    (P, S, G): where there are any, ``slot`` (R,): their row, -1 for books that never buy.
    ``units`` (P, R, U): futures, yuan per point. ``capital``: put in so far. ``signed`` (P, S', N):
    shares of stock books, short ones negative, of the rows ``signed_rows`` (S',).
    """

    base: Float64
    kept: Float64
    worth: Float64  # (P, R, G) at the last price, -1 where not summed since
    edges: Int64
    held_back: Float64
    fresh: Bool
    slot: Int64
    cash: Float64
    units: Float64
    capital: Float64
    peak_nav: Float64
    stock_value: Float64  # (P, R) at the last close
    group_value: Float64  # (P, R, G) at the last valuation
    sellable: Float64  # (P, R, G) the same without what was bought today
    hedge_mix: Float64
    hedged: Bool  # (R,) books with a hedge
    sort: Int64  # (R,) of ``months.SORTS``
    of_sort: Float64  # (S, R) the same, ones and zeros
    capped: Bool
    financing: Float64
    background: Float64
    background_cash: Float64
    background_units: Float64
    fees: Float64
    interest: Float64
    outside: Float64  # (P,) net money from clients and to them, so far
    broker_paid: Float64  # (P, R) by brokers into swaps under zero, so far
    signed: Float64
    signed_rows: Int64

    @property
    def shares(self) -> Float64:
        """Return the shares of all books, (P, R, N)."""
        return np.asarray(self.base * np.repeat(self.kept, np.diff(self.edges), axis=2))

    @cached_property
    def uncapped(self) -> Int64:
        """Return the books that order by amount, valued every bar; whose they are never changes."""
        return np.flatnonzero(~self.capped).astype(np.int64)

    def longs(self) -> Float64:
        """Return the long futures of all books and the background, units, (P, U)."""
        held = over_books(np.maximum(self.units, 0.0))
        return np.asarray(held + np.maximum(self.background_units, 0.0))

    def free_purchases(self) -> None:
        """Let what was bought today be sold from now on."""
        if self.fresh.any():
            self.held_back[:] = 0.0
            self.fresh[:] = False

    def cash_total(self) -> Float64:
        """Return all cash (P,): constant but for what came from outside."""
        ours = self.cash.sum(axis=1) - self.broker_paid.sum(axis=1)
        return np.asarray(ours + self.background_cash + self.fees + self.interest)


def open_ledger(positions: list[Positions], months: FuturesState, setting: Setting) -> Ledger:
    """Return the ledger that holds all first positions; the background holds the rest."""
    positions = positions or [_no_books(len(months.points), len(setting.slope))]
    shares = joined([p.shares for p in positions])
    paths, books, count = shares.shape
    futures = joined([p.futures for p in positions])
    hedge_mix = np.concatenate([p.hedge_mix for p in positions])
    hedged = np.asarray(hedge_mix.any(axis=1))
    sort = hedged.astype(np.int64)
    units = futures / months.of_books(months.points, sort)
    buys = np.concatenate([np.full(len(p.cells), p.buys) for p in positions])
    slot = np.where(buys, np.cumsum(buys) - 1, -1).astype(np.int64)
    buyers, groups = max(int(buys.sum()), 1), len(setting.edges) - 1
    issued = setting.market.stocks.float_cap / setting.market.stocks.close
    cash = joined([p.cash for p in positions])
    cash += _uncrowd(shares, issued, setting.market.stocks.close)
    signed, signed_rows = _stock_books(positions, shares)
    background = issued - shares.sum(axis=1) - signed.sum(axis=1)
    if (background < 0.0).any():
        raise RunError("stock_books_crowded")
    return Ledger(
        base=shares,
        kept=(np.add.reduceat(shares, setting.edges[:-1], axis=2) > 0.0).astype(np.float64),
        worth=np.full((paths, books, groups), -1.0),
        edges=setting.edges,
        held_back=np.zeros((paths, buyers, count)),
        fresh=np.zeros((paths, buyers, groups), bool),
        slot=slot,
        cash=cash,
        units=units,
        capital=joined([p.capital for p in positions]),
        peak_nav=np.ones((paths, books)),
        stock_value=np.zeros((paths, books)),
        group_value=np.zeros((paths, books, groups)),
        sellable=np.zeros((paths, books, groups)),
        hedge_mix=hedge_mix,
        hedged=hedged,
        sort=sort,
        of_sort=np.stack([~hedged, hedged]).astype(float),
        capped=np.concatenate([np.full(len(p.cells), p.capped) for p in positions]),
        financing=np.concatenate([np.full(len(p.cells), p.financing) for p in positions]),
        background=background,
        background_cash=np.zeros(paths),
        background_units=-units.sum(axis=1),
        fees=np.zeros(paths),
        interest=np.zeros(paths),
        outside=np.zeros(paths),
        broker_paid=np.zeros((paths, books)),
        signed=signed,
        signed_rows=signed_rows,
    )


def _stock_books(positions: list[Positions], shares: Float64) -> tuple[Float64, Int64]:
    """Return the signed shares of the stock books and their rows among all books."""
    parts, rows, row = [shares[:, :0]], [np.zeros(0, np.int64)], 0
    for each in positions:
        if each.stocks is not None:
            assert not each.capped  # capped books are marked at the close only
            parts.append(each.stocks)
            rows.append(np.arange(row, row + len(each.cells)))
        row += len(each.cells)
    return joined(parts), np.concatenate(rows)


def _no_books(paths: int, stocks: int) -> Positions:
    none = np.zeros((paths, 0, 2))
    return Positions(
        cells=(), shares=np.zeros((paths, 0, stocks)), cash=none[:, :, 0], futures=none,
        capital=none[:, :, 0], hedge_mix=none[0],
    )  # fmt: skip


def joined(parts: list[Float64]) -> Float64:
    """Join arrays of all books along the books."""
    return np.concatenate(parts, axis=1)


def _uncrowd(shares: Float64, issued: Float64, close: Float64) -> Float64:
    """Cut what books hold together beyond CROWDED of a stock's float, in place.

    Returns the yuan set free, (P, R): few names are held so widely, and only in small markets.
    """
    held = shares.sum(axis=1)
    keep = np.minimum(1.0, CROWDED * issued / np.maximum(held, 1e-9))
    freed = np.einsum("prn,pn->pr", shares, (1.0 - keep) * close)
    shares *= keep[:, None, :]
    return np.asarray(freed)


def value_books(ledger: Ledger, price: Float64, setting: Setting, books: Int64) -> None:
    """Mark the stock of some books by size group, in place."""
    group_values(
        ledger.base, ledger.kept, ledger.worth, ledger.held_back, ledger.fresh, ledger.slot,
        price, setting.edges, books, ledger.group_value, ledger.sellable,
    )  # fmt: skip
    if len(ledger.signed_rows):  # the kernel has just set these rows to their other stock
        held = by_group(signed_value(ledger, price), setting.edges)
        ledger.group_value[:, ledger.signed_rows] += held


def charge(ledger: Ledger, bought: Float64, sold: Float64, costs: Costs) -> Float64:
    """Book stock trades (P, R, G), yuan, and their costs; return the costs, (P, R)."""
    paid, received = over_last(bought), over_last(sold)
    cost = paid * costs.buy + received * costs.sell
    net = received - paid
    ledger.cash += net - cost
    ledger.background_cash -= net.sum(axis=1)
    ledger.fees += cost.sum(axis=1)
    return np.asarray(cost)


def trade_futures(
    ledger: Ledger, order: Float64, before: Float64, price: Float64, setting: Setting
) -> tuple[Float64, Float64]:
    """Fill futures orders (P, R, U), yuan at the price ``before`` the bar, against the background.

    ``before`` and ``price`` (P, R, U): points of the months each book holds. Returns what was
    traded, yuan at this bar's price (P, R, U), and the fees (P, R).
    """
    units = order / before
    traded = units * price
    ledger.units += units
    ledger.background_units -= over_books(units)
    fee = over_last(np.abs(traded)) * setting.costs.futures
    ledger.cash -= fee
    ledger.fees += fee.sum(axis=1)
    return np.asarray(traded), np.asarray(fee)


def mark_futures(ledger: Ledger, change: Float64) -> Float64:
    """Settle a change of futures prices (P, R, U), points, into cash; return it by book."""
    gain = ledger.units * change
    made = over_last(gain)
    ledger.cash += made
    ledger.background_cash -= made.sum(axis=1)
    return np.asarray(gain)


def charge_roll(ledger: Ledger, points: Float64, turned: Float64, setting: Setting) -> Float64:
    """Charge the fees of a roll that trades ``turned`` (S,) of every position; return them."""
    if not setting.scenario.channels.futures_roll:
        return np.zeros_like(ledger.cash)
    rate = turned[ledger.sort] * setting.costs.futures
    mean = over_last(points) / points.shape[2]
    fee = over_last(np.abs(ledger.units) * mean[:, None, :]) * rate
    ledger.cash -= fee
    ledger.fees += fee.sum(axis=1)
    return np.asarray(fee)


def pay_interest(ledger: Ledger, days: float) -> Float64:
    """Charge interest on borrowed cash for calendar days; return it, negative, (P, R)."""
    due = np.minimum(ledger.cash, 0.0) * ledger.financing * days / 365
    ledger.cash += due
    ledger.interest -= due.sum(axis=1)
    return np.asarray(due)
