"""All that a block of paths carries through its sessions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crowdfall.agents.protocol import Account
from crowdfall.engine import kernels
from crowdfall.engine.crowd import Book, Hedges, Member, first_rows, gather
from crowdfall.engine.futures import (
    by_book,
    hedge_short,
    list_months,
    open_futures,
    roll,
    roll_turnover,
    spot,
)
from crowdfall.engine.ledger import Ledger, charge_roll, open_ledger, value_books
from crowdfall.engine.margin import Deposits, open_deposits
from crowdfall.engine.propagation import open_parts
from crowdfall.engine.queue import Queue
from crowdfall.engine.scratch import Scratch, Tally
from crowdfall.engine.setting import MICROCAP, Setting
from crowdfall.engine.signals import Signals, open_signals
from crowdfall.engine.state import Factors, FuturesState, Prices, first_prices
from crowdfall.engine.stock_books import signed_value
from crowdfall.engine.styles import Styles, open_styles
from crowdfall.engine.targets import draw_days
from crowdfall.engine.witness import Witness
from crowdfall.scenarios.schema import Scenario
from crowdfall.sums import most_of_last, over_books, over_last
from crowdfall.types import Float64, Int64


@dataclass(kw_only=True)
class Run:
    """A block: its setting, state, ledger, participants and the day's sums."""

    setting: Setting
    first_path: int
    prices: Prices
    futures: FuturesState
    ledger: Ledger
    members: list[Member]
    scratch: Scratch
    tally: Tally
    witness: Witness
    queue: Queue | None
    strength: Float64  # (N,) stock impact in log price per unit of volume^exponent
    signals: Signals
    styles: Styles | None
    factors: Factors | None
    solving: bool
    drawn_days: Float64
    drawn: Float64
    rescue: Float64
    last_level: Float64
    calls: Int64  # margin calls at this close, (P,)
    last_returns: Float64  # (P, N) of the session before; NaN where unknown
    first_longs: Float64  # of participants and background, units, (P, U)
    first_open_units: Float64  # (P, U)
    opened: Scenario  # before any change
    words: tuple[str, ...] = ()  # of the changes that hold today
    closes: list[Float64] = field(default_factory=list)  # index levels (P, G), the first of all 1
    deposits: Deposits = field(init=False)

    @property
    def paths(self) -> int:
        """Return the number of paths in the block."""
        return len(self.prices.market)

    def main_basis(self) -> Float64:
        """Return futures / spot - 1 of the main contracts, (P, U)."""
        return np.asarray(self.futures.price / spot(self.prices, self.setting) - 1.0)

    def roll(self, day: int, bar: int) -> tuple[Float64, Float64]:
        """Roll positions to later months; return the pressure (P, U, M) and the fees (P, R)."""
        before = self.futures.mix
        if bar == 0:
            list_months(self.futures, self.prices, self.ledger, self.setting, day)
            before = self.futures.mix
        pressure = roll(self.futures, self.ledger, self.setting, (bar + 1) / self.setting.bars)
        turned = roll_turnover(before, self.futures.mix)
        return pressure, charge_roll(self.ledger, self.futures.points, turned, self.setting)

    def update_levels(self) -> None:
        """Set the index levels of the groups from the prices."""
        prices = self.prices
        kernels.index_levels(
            prices.log_price, prices.base, self.setting.index_weight, self.setting.edges,
            prices.level,
        )  # fmt: skip
        prices.level[:, MICROCAP] *= prices.close_level[:, MICROCAP]

    def _hedges(self, orders: Book) -> Hedges:
        ledger = self.ledger
        points = by_book(self.futures, ledger, self.futures.points)
        return Hedges(
            short=np.maximum(-ledger.units, 0.0) * points,
            share=most_of_last(orders.share),
            ordered=over_last(self.scratch.wanted),
            served=over_last(self.scratch.served) / np.maximum(ledger.stock_value, 1.0),
        )

    def hedge_closing(self, sold: Float64, orders: Book) -> Float64:
        """Return futures bought back with stock sales, yuan at the last price (P, R, U).

        A hedged book closes the same share of its short as it sells of its stock; part of it
        follows what it wanted to sell: futures are liquid, locked stocks are not. What a queue
        sold in the bar before is followed now.
        """
        if orders.hedges is None:
            orders.hedges = self._hedges(orders)
        hedges = orders.hedges
        follow, ordered = orders.follow_wanted, hedges.ordered
        filled = np.where(ordered > 0.0, over_last(sold) / np.maximum(ordered, 1.0), 0.0)
        share = hedges.share * (follow + (1.0 - follow) * np.minimum(filled, 1.0))
        share = np.minimum(share + hedges.served, 1.0)
        return np.asarray(hedges.short * (share * self.ledger.hedged)[:, :, None])

    def rescue_orders(self, orders: Book) -> Float64 | None:
        """Return what the national team orders by group, yuan (P, G); None without an order."""
        for member in self.members:
            if member.name == "national_team":
                ordered = over_books(orders.buy[:, member.rows])
                return ordered if ordered.any() else None
        return None

    def rescue_filled(self, orders: Book) -> Float64 | None:
        """Return the part of those orders that fills, as far as all purchases of the group do."""
        ordered = self.rescue_orders(orders)
        if ordered is None:
            return None
        scratch, edges = self.scratch, self.setting.edges[:-1]
        wanted = np.add.reduceat(scratch.purchases, edges, axis=1)
        filled = np.add.reduceat(scratch.purchases * scratch.filled_purchases, edges, axis=1)
        return ordered * filled / np.maximum(wanted, 1.0)

    def bought_by(self, name: str) -> Float64:
        """Return what a participant bought this bar by group, yuan (P, G)."""
        for member in self.members:
            if member.name == name:
                return over_books(self.scratch.bought[:, member.rows])
        return np.zeros_like(self.prices.level)

    def settled(self, settle: Float64) -> Float64:
        """Return what books gain as futures go from the last price to settlement, (P, R)."""
        held, ledger = self.futures.points, self.ledger
        return over_last(ledger.units * by_book(self.futures, ledger, settle - held))

    def accounts(self, settle: Float64 | None = None) -> Account:
        """Return the books of all, (P, R): fund stocks at the last close, others at this bar.

        ``settle`` marks futures to settlement instead of the last price.
        """
        ledger = self.ledger
        held = by_book(self.futures, ledger, self.futures.points)
        value = np.where(ledger.capped, ledger.stock_value, over_last(ledger.group_value))
        equity = value + ledger.cash
        if settle is not None:
            equity = equity + self.settled(settle)
        gross, stocks = value, None
        if len(ledger.signed_rows):
            stocks = signed_value(ledger, self.prices.price)
            gross = value.copy()
            gross[:, ledger.signed_rows] += (np.abs(stocks) - stocks).sum(axis=2)
        nav = np.where(ledger.capital > 0.0, equity / np.maximum(ledger.capital, 1.0), 1.0)
        return Account(
            equity=equity,
            stock_value=value,
            group_value=ledger.group_value,
            futures=ledger.units * held,
            cash=ledger.cash,
            nav=nav,
            drawdown=np.maximum(0.0, 1.0 - nav / ledger.peak_nav),
            excess=self.excess(nav),
            gross=gross,
            stocks=stocks,
        )

    def excess(self, nav: Float64) -> Float64:
        """Return the return since the start less the benchmark's; zero without a benchmark."""
        out = np.zeros_like(nav)
        for member in self.members:
            if member.benchmark:
                level = self.prices.level[:, list(member.benchmark)]
                out[:, member.rows] = nav[:, member.rows] - level
        return out


def _last_returns(setting: Setting, paths: int) -> Float64:
    """Return the stocks' returns of the day of the snapshot, where it knows them, (P, N)."""
    last = setting.market.last_return
    if last is None:
        return np.full((paths, len(setting.slope)), np.nan)
    return np.tile(last, (paths, 1))


def open_run(setting: Setting, first_path: int, paths: int, factors: Factors | None) -> Run:
    """Return a block at the first close. ``factors`` None: solve them (replay) or draw (free)."""
    prices = first_prices(setting, first_path, paths)
    prices.parts = open_parts(setting, paths)
    futures = open_futures(prices, setting)
    members, positions = gather(setting, first_path, paths)
    ledger = open_ledger(positions, futures, setting)
    futures.first_short = hedge_short(ledger)
    terms, channels = setting.scenario.impact, setting.scenario.channels
    replay = setting.scenario.clock.mode == "replay"
    solving = replay and factors is None
    if solving:
        factors = Factors.empty(paths, len(setting.days) * setting.bars)
    books, groups = ledger.cash.shape[1], len(setting.group_float)
    strength = terms.stock_impact if channels.stock_impact else 0.0
    shape = (paths, len(setting.days))
    drawn = (
        np.zeros((0, 0, 0))
        if replay
        else draw_days(setting.targets, setting.scenario, setting.seed, first_path, shape)
    )
    signals = open_signals(setting, paths)
    run = Run(
        setting=setting,
        first_path=first_path,
        prices=prices,
        futures=futures,
        ledger=ledger,
        members=members,
        scratch=Scratch.empty(paths, books, len(setting.slope), groups),
        tally=Tally.empty(paths, books, groups),
        queue=Queue.empty(paths, books, setting),
        witness=Witness.empty(setting.bars, paths, first_rows(members), books),
        strength=strength * setting.market.stocks.volatility,
        signals=signals,
        styles=open_styles(setting, signals),
        factors=factors if replay else None,
        solving=solving,
        drawn_days=drawn,
        drawn=drawn,
        rescue=np.zeros((paths, groups)),
        last_level=np.ones((paths, groups)),
        calls=np.zeros(paths, np.int64),
        last_returns=_last_returns(setting, paths),
        first_longs=ledger.longs(),
        first_open_units=setting.open_interest / futures.price,
        opened=setting.scenario,
        closes=[np.ones((paths, groups))],
    )
    every = np.arange(books, dtype=np.int64)
    value_books(ledger, prices.price, setting, every)
    ledger.stock_value = ledger.group_value.sum(axis=2)
    run.deposits = open_deposits(run)
    return run
