"""The participants of a run: who is in, whose books are whose, and their orders put together."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crowdfall.agents.custom import CustomAgent
from crowdfall.agents.dealers import DealerState, SnowballDealers, knocked_in_share
from crowdfall.agents.outside_seller import OutsideSeller
from crowdfall.agents.protocol import (
    UNDERLYINGS,
    Account,
    KnockInMap,
    Opening,
    Orders,
    Participant,
    Positions,
    State,
)
from crowdfall.engine.random import uniforms
from crowdfall.engine.setting import Setting
from crowdfall.engine.signals import open_signals
from crowdfall.scenarios.inputs import rescue_schedule, shock_schedule
from crowdfall.scenarios.schema import PARTICIPANTS, Scenario
from crowdfall.types import Float64, Int64


@dataclass(kw_only=True)
class Member:
    """One participant in a block: its terms, its state, and its rows of the ledger."""

    name: str
    terms: Participant
    state: State
    rows: slice
    cells: tuple[str, ...]
    benchmark: tuple[int, ...]
    stock_rows: slice | None = None
    """Rows among the stock books, where its books are such."""


@dataclass(frozen=True, kw_only=True)
class Hedges:
    """What books close of their hedges with, the same for wanted and for filled sales of a bar.

    ``short`` (P, R, U): yuan at the last price; (P, R): largest ``share`` of a group ordered, sales
    ``ordered``, and what a queue ``served`` of the stock in the bar before.
    """

    short: Float64
    share: Float64
    ordered: Float64
    served: Float64


@dataclass(kw_only=True)
class Book:
    """All orders of a bar, one row a book: shares (P, R, G) and yuan (P, R, G), (P, R, U).

    ``allowed`` (P, R): part of sales that no ban suspends; ``share`` has it in. ``stocks``
    (P, S, N): yuan by stock of the stock books, + to buy; None where there are none. ``usual``
    (P, N): their usual orders in sum; None where they name none.
    """

    share: Float64
    buy: Float64
    futures: Float64
    follow_wanted: Float64
    forced: Float64
    compelled: Float64
    allowed: Float64
    stocks: Float64 | None = None
    usual: Float64 | None = None
    hedges: Hedges | None = None
    """Once asked for; a bar's orders don't change what it says."""


def participants(scenario: Scenario) -> list[tuple[str, Participant]]:
    """Return those of the scenario schema, then the user's own, loaded from their files."""
    found = [(name, getattr(scenario.agents, name)) for name in PARTICIPANTS]
    for name, own in sorted(scenario.agents.custom.items()):
        found.append((name, CustomAgent(name, own, scenario.input_file(own.file))))
    return found


def gather(setting: Setting, first_path: int, paths: int) -> tuple[list[Member], list[Positions]]:
    """Open every enabled participant, in the order of the scenario schema."""
    opening = opening_of(setting, first_path, paths)
    members: list[Member] = []
    positions: list[Positions] = []
    row = stock_row = 0
    crowd = participants(setting.scenario)
    if setting.scenario.shock:
        sales = shock_schedule(setting.scenario, setting.days)
        seller: Any = OutsideSeller(schedule=sales)  # frozen: a protocol's fields are not
        crowd.append(("outside_seller", seller))
    for name, terms in crowd:
        if not terms.enabled:
            continue
        first, state = terms.open(opening)
        rows = slice(row, row + len(first.cells))
        stock_rows = None
        if first.stocks is not None:
            stock_rows = slice(stock_row, stock_row + len(first.cells))
            stock_row = stock_rows.stop
        members.append(
            Member(
                name=name, terms=terms, state=state, rows=rows, cells=first.cells,
                benchmark=first.benchmark, stock_rows=stock_rows,
            )
        )  # fmt: skip
        positions.append(first)
        row = rows.stop
    return members, positions


def first_rows(members: Sequence[Member]) -> Int64:
    """Return the first row of each participant, (M,)."""
    return np.array([member.rows.start for member in members], dtype=np.int64)


def opening_of(setting: Setting, first_path: int, paths: int) -> Opening:
    """Return what participants build their first positions from."""
    dealers = setting.scenario.agents.snowball_dealers
    empty = np.zeros(0)
    nothing = KnockInMap(level=empty, notional=empty, underlying=np.zeros(0, np.int64))
    count = len(setting.market.stocks)

    def draw(cell: str) -> Float64:
        step = zlib.crc32(cell.encode())
        return uniforms(setting.seed, "holdings", first_path, step, (paths, count))

    return Opening(
        market=setting.market,
        paths=paths,
        group_float=setting.group_float,
        open_interest=setting.open_interest,
        knock_in_map=_map(setting, dealers) if dealers.enabled else nothing,
        draw=draw,
        schedule=rescue_schedule(setting.scenario, setting.days),
        signals=open_signals(setting, paths).seen,
    )


def _map(setting: Setting, dealers: SnowballDealers) -> KnockInMap:
    file = setting.scenario.input_file(dealers.book) if dealers.book else Path()
    return dealers.knock_in_map(file.parent, setting.scenario.clock.start)


def empty_orders(paths: int, books: int, groups: int) -> Book:
    """Return a book of no orders."""
    return Book(
        share=np.zeros((paths, books, groups)),
        buy=np.zeros((paths, books, groups)),
        futures=np.zeros((paths, books, len(UNDERLYINGS))),
        follow_wanted=np.zeros((paths, books)),
        forced=np.zeros((paths, books)),
        compelled=np.zeros((paths, books)),
        allowed=np.ones((paths, books)),
    )


def enter(book: Book, member: Member, orders: Orders, sellable: Float64) -> None:
    """Put a participant's orders into its rows; amounts to sell become shares of what it has."""
    rows = member.rows
    if orders.stocks is not None and book.stocks is not None and member.stock_rows is not None:
        book.stocks[:, member.stock_rows] = orders.stocks
    if orders.usual is not None:
        book.usual = orders.usual if book.usual is None else book.usual + orders.usual
    if orders.sell_share is not None:
        book.share[:, rows] = orders.sell_share
    if orders.sell is not None:
        share = orders.sell / np.maximum(sellable, 1.0)
        book.share[:, rows] = np.minimum(np.maximum(share, 0.0), 1.0)
    if orders.buy is not None:
        book.buy[:, rows] = orders.buy
    if orders.futures is not None:
        book.futures[:, rows] = orders.futures
    if orders.follow_wanted is not None:
        book.follow_wanted[:, rows] = orders.follow_wanted
    if orders.forced is not None:
        book.forced[:, rows] = orders.forced
    if orders.compelled is not None:
        book.compelled[:, rows] = orders.compelled


def knocked_in(members: Sequence[Member]) -> Float64 | None:
    """Return the knocked-in share of the dealers' notes (P, 2), None without dealers."""
    for member in members:
        if isinstance(member.state, DealerState):
            return knocked_in_share(member.state)
    return None


def account(member: Member, everything: Account) -> Account:
    """Return a participant's own rows of the accounts of all.

    Written out, and made past the constructor of a frozen class, which takes three times as long:
    this runs for every participant and bar.
    """
    own, rows = object.__new__(Account), (slice(None), member.rows)
    stocks = everything.stocks if member.stock_rows is not None else None
    own.__dict__.update(
        equity=everything.equity[rows],
        stock_value=everything.stock_value[rows],
        group_value=everything.group_value[rows],
        futures=everything.futures[rows],
        cash=everything.cash[rows],
        nav=everything.nav[rows],
        drawdown=everything.drawdown[rows],
        excess=everything.excess[rows],
        gross=everything.gross[rows],
        stocks=None if stocks is None else stocks[:, member.stock_rows],
    )
    return own
