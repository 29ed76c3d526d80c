"""Order flow opens the basis, arbitrage closes it, limits hold it, and its profit has a name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.engine.futures import LEAST_SHARE, move_months, spot
from crowdfall.engine.months import days_left, listing, loadings, month_mix
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.market.impact import Basis
from crowdfall.market.snapshot import Market
from crowdfall.types import Float64
from invented_market import CRASH, invented_market, invented_scenario
from random_scenarios import AGENTS

TERMS = (
    "basis.transfer = 0.4", "basis.impact = 2.0", "basis.discount_decay = 0.8",
    "basis.premium_decay = 4.0", "basis.carry_core = 0.35",
)  # fmt: skip


@pytest.fixture(scope="module")
def market() -> Market:
    return invented_market()


@pytest.fixture
def run(market: Market, tmp_path: Path) -> Run:
    return open_run(setting(market, invented_scenario(tmp_path, *TERMS), 1), 0, 2, None)


def move(run: Run, pressure: float = 0.0) -> Float64:
    """Move the months by one bar of the first session, without a roll."""
    shape = run.futures.gap.shape
    points = move_months(
        run.futures, run.ledger, run.prices, run.setting, np.full(shape, pressure), 0.0
    )
    run.futures.points = points
    return points


def moved(run: Run, gap: float, flow: float = 0.0) -> Float64:
    """Return the gaps of the months of IC after a bar that began on a common gap."""
    futures = run.futures
    futures.days = days_left(futures.listed, 0.0)
    futures.gap[:] = gap * loadings(futures.days)
    futures.flow[:] = 0.0
    futures.flow[:, 0] = flow  # of traders
    move(run)
    return futures.gap[0, 0]


def test_first_prices_are_the_quoted_ones(run: Run, market: Market) -> None:
    assert run.futures.listed.main == 2  # the quarterly month
    for u, name in enumerate(("ic", "im")):
        quoted = [quote.close for quote in market.contracts(name)]
        np.testing.assert_allclose(run.futures.points[0, u], quoted)
        assert run.futures.price[0, u] == pytest.approx(quoted[2])


def test_discount_and_premium_fade_at_their_own_speed(run: Run) -> None:
    dt = run.setting.dt
    before = loadings(days_left(run.futures.listed, 0.0))
    np.testing.assert_allclose(moved(run, -0.02), -0.02 * before * np.exp(-0.8 * dt))
    np.testing.assert_allclose(moved(run, 0.02), 0.02 * before * np.exp(-4.0 * dt))


def test_sales_open_a_discount_in_proportion_to_open_interest(run: Run) -> None:
    """Traders sell months as open interest holds them: all gaps open along the loading."""
    flow = -0.01 * run.setting.open_interest[0]
    load = loadings(days_left(run.futures.listed, 0.0))
    run.futures.mix = month_mix(
        run.futures.listed, days_left(run.futures.listed, 0.0), run.setting.scenario.basis
    )
    assert run.futures.mix[0].min() > LEAST_SHARE
    wanted = 0.6 * 2.0 * -0.01 * load * np.exp(-0.8 * run.setting.dt)
    np.testing.assert_allclose(moved(run, 0.0, flow), wanted)
    run.prices.depth[:] = 0.25  # half as deep for futures: the root
    np.testing.assert_allclose(moved(run, 0.0, flow), 2 * wanted)


def test_arbitrage_stops_when_the_stocks_are_locked(run: Run) -> None:
    free = moved(run, -0.02).copy()
    run.prices.locked_share[:, 1] = 0.5
    stuck = moved(run, -0.02).copy()
    assert (stuck < free).all()
    closed = np.log(free / stuck)
    terms = run.setting.scenario.basis
    share = np.exp(-0.5 * terms.arbitrage_lock)
    np.testing.assert_allclose(closed, -0.8 * run.setting.dt * (1 - share))


@pytest.mark.parametrize("flow", [-1e13, 1e13])
def test_futures_stop_at_ten_percent(run: Run, flow: float) -> None:
    run.futures.gap[:], run.futures.flow[:] = 0.0, flow
    wanted = (1.0 + 0.1 * np.sign(flow)) * run.futures.previous_settle
    np.testing.assert_allclose(move(run), wanted)


def test_carry_goes_as_the_hedgers_leave(run: Run) -> None:
    def basis() -> float:
        run.futures.gap[:] = 0.0
        run.futures.flow[:] = 0.0
        points = move(run)
        main = points[:, :, run.futures.listed.main]
        return float(np.log(main / spot(run.prices, run.setting))[0, 1])

    days = days_left(run.futures.listed, 0.0)[run.futures.listed.main]
    full = basis()
    assert full == pytest.approx(days / 365 * run.setting.carry[1])
    hedged = run.ledger.hedge_mix.any(axis=1)
    run.ledger.units[:, hedged] = 0.0
    assert basis() == pytest.approx(0.35 * full)


HELD = (
    "agents.neutral.enabled = true", "agents.neutral.cost = false",
    "agents.neutral.profit_taking = false", "agents.neutral.rotation = false",
    "agents.neutral.cut_rate = 0.0", "channels.futures_transfer = false",
)  # fmt: skip


def held_only(folder: Path, *words: str) -> pl.DataFrame:
    """Return the books of neutral funds that hold still, IM-hedged ones."""
    lines = [f"agents.{name}.enabled = false" for name in AGENTS if name != "neutral"]
    scenario = invented_scenario(folder, *lines, *HELD, *words, moves=CRASH, days=3, assimilated=3)
    frames = simulate(setting(invented_market(every=2), scenario, 1), first_path=0, paths=1)
    books = frames.tables["agents"].filter(pl.col("cell").str.ends_with("-im"))
    daily = frames.tables["daily"].select("date", "csi1000_return", "csi1000_close")
    basis = frames.tables["futures"].filter(pl.col("underlying") == "im")
    held = [
        (day, float(hedgers_mix(day) @ part["basis"].to_numpy()))
        for (day,), part in basis.group_by("date")
    ]
    mixed = pl.DataFrame(held, schema=["date", "basis"], orient="row")
    return books.join(daily, on="date").join(mixed, on="date").sort("cell", "date")


def hedgers_mix(day: object) -> Float64:
    """Return how hedged books spread over the listed months at a close, (M,)."""
    assert isinstance(day, date)
    return month_mix(listing(day), listing(day).days, Basis())[1]


def test_profit_of_a_short_is_split_into_index_and_basis(tmp_path: Path) -> None:
    """The index part is the short times the fall; the basis part what the discount did to it."""
    books = held_only(tmp_path, "basis.carry_im = -0.3", "basis.discount_decay = 5.0")
    before = books.with_columns(
        pl.col("futures_im").shift(1).over("cell").alias("short"),
        pl.col("basis").diff().over("cell").alias("basis_change"),
        pl.col("csi1000_close").alias("index"),
    ).drop_nulls(["short"])
    assert before.height > 0
    for row in before.iter_rows(named=True):
        assert row["short"] < 0.0
        assert row["pnl_futures"] == pytest.approx(row["short"] * row["csi1000_return"], rel=0.03)
        units = row["short"] / (row["index"] / (1 + row["csi1000_return"]))
        basis = units * row["basis_change"] * row["index"]
        assert row["pnl_basis"] == pytest.approx(basis, rel=0.1, abs=2e-4 * abs(row["short"]))
        assert row["stock_sold"] == 0.0
        assert row["pnl_costs"] == pytest.approx(0.0, abs=1.0)


def test_futures_limit_holds_every_month_of_the_tables(market: Market, tmp_path: Path) -> None:
    """A flood of orders can't carry a close further than its limit from the last settlement."""
    words = ("basis.impact = 10.0", "agents.trend_shorts.trend = 0.5",
             "agents.trend_shorts.speed = 1.0", "agents.front_runners.size = 2.0")  # fmt: skip
    scenario = invented_scenario(tmp_path, *words, moves=CRASH, days=4, assimilated=4)
    futures = simulate(setting(market, scenario, 1), first_path=0, paths=1).tables["futures"]
    months = (
        futures.sort("contract", "date")
        .with_columns(pl.col("settle").shift(1).over("contract").alias("last"))
        .drop_nulls("last")
    )
    assert months["contract"].n_unique() == 8
    moves = months["close"] / months["last"] - 1.0
    assert moves.abs().max() <= 0.1 + 1e-9  # type: ignore[operator]
