"""What books do over a session: hedges follow sales, stock bought today stays, bans suspend."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.engine import simulate
from crowdfall.engine.crowd import gather
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import step
from crowdfall.market.snapshot import Market
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Float64
from invented_market import CALM, CRASH, invented_market, invented_scenario
from random_scenarios import AGENTS
from stress_run import stress_scenario


@pytest.fixture(scope="module")
def market() -> Market:
    return invented_market()


def alone(name: str, *words: str) -> tuple[str, ...]:
    """Return the words that leave one participant in the market."""
    return (*(f"agents.{other}.enabled = false" for other in AGENTS if other != name), *words)


def watch(market: Market, scenario: Scenario, look: Callable[[Run, int, int], None]) -> None:
    def looked(run: Run, day: int, bar: int) -> None:
        step(run, day, bar)
        look(run, day, bar)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "step", looked)
        simulate.simulate(setting(market, scenario, 1), first_path=0, paths=2)


def rows(run: Run, name: str) -> slice:
    return next(member.rows for member in run.members if member.name == name)


def test_book_that_sells_all_in_a_day_closes_all_of_its_short(
    market: Market, tmp_path: Path
) -> None:
    """Shares left and units left go together, however fast a book sells and prices fall."""
    words = alone("dma", "agents.dma.gross = 20e9", "agents.dma.cut_rate = 1.0",
                  "agents.dma.swap_checks = false", "agents.dma.cut_drawdown = 0.01",
                  "agents.dma.margin_rules = false",
                  "noise.participation = 1.0", "channels.price_limits = false")  # fmt: skip
    left: list[tuple[Float64, Float64]] = []

    def look(run: Run, day: int, bar: int) -> None:
        mine = rows(run, "dma")
        close = run.setting.market.stocks.close
        stock = (run.ledger.shares[:, mine] * close).sum(axis=2)
        left.append((stock, -run.ledger.units[:, mine].sum(axis=2)))

    scenario = invented_scenario(tmp_path, *words, moves=CRASH, days=6, assimilated=6)
    watch(market, scenario, look)
    (stock, short), (last_stock, last_short) = left[0], left[-1]
    kept = last_stock / stock
    assert kept.min() < 0.2  # the fastest have sold most of it
    np.testing.assert_allclose(last_short / short, kept, rtol=0.02)
    assert all((units >= 0.0).all() for _, units in left)  # no short turns into a long


def test_locked_book_closes_part_of_its_short_for_what_it_wanted(
    market: Market, tmp_path: Path
) -> None:
    words = alone("dma", "agents.dma.gross = 20e9", "agents.dma.cut_rate = 1.0",
                  "agents.dma.swap_checks = false", "agents.dma.cut_drawdown = 0.01",
                  "agents.dma.margin_rules = false",
                  "noise.participation = 0.01")  # fmt: skip
    kept: list[tuple[float, float]] = []

    def look(run: Run, day: int, bar: int) -> None:
        mine = rows(run, "dma")
        close = run.setting.market.stocks.close
        stock = (run.ledger.shares[:, mine] * close).sum()
        kept.append((float(stock), float(-run.ledger.units[:, mine].sum())))

    watch(market, invented_scenario(tmp_path, *words, moves=CRASH, days=5, assimilated=5), look)
    stock, short = (last / first for first, last in zip(kept[0], kept[-1], strict=True))
    assert short < stock - 0.01


def test_dealers_do_not_buy_the_same_gap_twice(market: Market, tmp_path: Path) -> None:
    """Stock bought today counts as held: the stock leg closes in on its target and stays there."""
    dealers = ("agents.snowball_dealers.in_futures = 0.5", "agents.snowball_dealers.speed = 0.35")
    words = alone("snowball_dealers", *dealers, "channels.group_impact = false")
    gaps: list[Float64] = []

    def look(run: Run, day: int, bar: int) -> None:
        member = next(m for m in run.members if m.name == "snowball_dealers")
        spot = run.prices.level[:, [1, 2]] * run.setting.spot_levels
        target = 0.5 * member.terms._target(spot, member.state)  # type: ignore[attr-defined]
        held = (run.ledger.shares[:, member.rows] * run.prices.price[:, None]).sum(axis=2)
        gaps.append((held - target) / target)

    watch(market, invented_scenario(tmp_path, *words, moves=CALM, days=4, assimilated=4), look)
    assert np.abs(np.stack(gaps)).max() < 0.15


BAN = """[[policy]]
kind = "sell_ban"
title = "nobody sells"
source = "invented"
start = 2024-01-03
start_bar = 4
end = 2024-01-04
shares = { trend_retail = 1.0 }"""


@pytest.mark.parametrize("in_force", [True, False])
def test_ban_suspends_its_share_of_sales_and_only_then(
    market: Market, tmp_path: Path, in_force: bool
) -> None:
    """A total ban from the afternoon of one session to the end of the next, and its switch."""
    words = alone("trend_retail", "agents.trend_retail.outflow = 0.1",
                  f"channels.sell_ban = {str(in_force).lower()}", BAN)  # fmt: skip
    sold: dict[tuple[int, int], float] = {}

    def look(run: Run, day: int, bar: int) -> None:
        sold[day, bar] = float(run.scratch.sold.sum())

    watch(market, invented_scenario(tmp_path, *words, moves=CRASH, days=4, assimilated=4), look)
    banned = {(1, bar) for bar in range(4, 8)} | {(2, bar) for bar in range(8)}
    for when, amount in sold.items():
        if when in banned and in_force:
            assert amount == 0.0, when
        elif when > (0, 4):
            assert amount > 0.0, when


def test_yesterdays_locks_do_not_bind_this_morning(market: Market, tmp_path: Path) -> None:
    """A stock that closed at its limit trades again at the open: limits are new."""
    seen: dict[int, Float64] = {}
    scales: dict[int, Float64] = {}

    def look(run: Run, day: int, bar: int) -> None:
        if bar == run.setting.bars - 1:
            seen[day] = run.prices.locked.copy()
        if bar == 0 and day > 0:
            scales[day] = run.scratch.scale.copy()

    watch(market, stress_scenario(tmp_path), look)
    locked = seen[4]
    assert locked.any()
    assert (scales[5][locked] > 0.0).any()


def test_books_never_start_with_more_than_the_float(market: Market, tmp_path: Path) -> None:
    """In a market too small for them books are cut to what there is, and keep the rest in cash."""
    stocks = market.stocks
    small = replace(
        market, stocks=replace(stocks, float_cap=0.06 * stocks.float_cap,
                               free_float_cap=0.05 * stocks.free_float_cap),
    )  # fmt: skip
    constants = setting(small, invented_scenario(tmp_path, days=1, assimilated=0), 1)
    whole = open_run(constants, 0, 3, None)
    ledger = whole.ledger
    issued = ledger.shares.sum(axis=1) + ledger.background
    assert (ledger.background >= 0.09 * issued).all()
    assert (ledger.background < 0.11 * issued).any()
    members, positions = gather(constants, 0, 3)
    close = constants.market.stocks.close
    worth = np.concatenate([(p.shares * close).sum(axis=2) + p.cash for p in positions], axis=1)
    np.testing.assert_allclose((ledger.shares * close).sum(axis=2) + ledger.cash, worth, rtol=1e-9)
    assert len(members) == len(positions)
    for path in range(3):
        one = open_run(constants, path, 1, None).ledger
        np.testing.assert_array_equal(one.shares[0], ledger.shares[path])
        np.testing.assert_array_equal(one.cash[0], ledger.cash[path])


def test_memory_of_returns_fades_over_days(market: Market, tmp_path: Path) -> None:
    words = alone("trend_retail", "impact.memory = 2.0")
    seen: list[tuple[Float64, Float64]] = []

    def look(run: Run, day: int, bar: int) -> None:
        seen.append((run.prices.level.copy(), run.prices.memory.copy()))

    watch(market, invented_scenario(tmp_path, *words, moves=CRASH, days=3, assimilated=3), look)
    memory, last = np.zeros_like(seen[0][0]), np.ones_like(seen[0][0])
    for level, kept in seen:
        memory = memory * np.exp(-1 / 8 / 2.0) + np.log(level / last)
        last = level
        np.testing.assert_allclose(kept, memory, atol=1e-12)
    assert (memory[:, 3] < -0.05).all()


def test_groups_that_are_not_pinned_move_by_their_noise(market: Market, tmp_path: Path) -> None:
    """A day's noise has the standard deviation that the scenario gives, and pinned days none."""
    daily = (0.0, 0.004, 0.006, 0.008, 0.010, 0.012)
    off = [f"agents.{name}.enabled = false" for name in AGENTS]
    scenario = invented_scenario(
        tmp_path, *off, f"noise.group_daily = {list(daily)}", days=6, assimilated=0
    )
    closes: list[Float64] = []

    def look(run: Run, day: int, bar: int) -> None:
        if bar == run.setting.bars - 1:
            closes.append(run.prices.group.copy())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "step", lambda *at: (step(*at), look(*at)))
        simulate.simulate(setting(market, scenario, 1), first_path=0, paths=60)
    moves = np.diff(closes, axis=0).reshape(-1, 6)
    error = 1.0 / np.sqrt(2 * len(moves))
    np.testing.assert_allclose(moves.std(axis=0)[1:], daily[1:], rtol=4 * error)
    assert not moves[:, 0].any()


def test_interest_runs_over_weekends(market: Market, tmp_path: Path) -> None:
    terms = ("rate = 0.0365", "repay = 0.0", "balance = 100e9")
    words = alone("margin_accounts", *(f"agents.margin_accounts.{term}" for term in terms))
    scenario = invented_scenario(tmp_path, *words, days=6, assimilated=2)
    books = simulate.simulate(setting(market, scenario, 1), first_path=0, paths=1).tables["agents"]
    paid = dict(books.select(pl.col("date").cast(pl.String), "pnl_financing").rows())
    day = -100e9 * 0.0365 / 365
    assert paid["2024-01-03"] == pytest.approx(day, rel=1e-3)
    assert paid["2024-01-08"] == pytest.approx(3 * day, rel=1e-3)  # a Monday
    assert paid["2024-01-02"] == pytest.approx(4 * day, rel=1e-3)  # after New Year
