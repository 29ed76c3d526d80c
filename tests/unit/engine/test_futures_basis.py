"""Order flow opens the basis, arbitrage closes it, limits hold it, and its profit has a name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.engine.futures import curve, move_basis, spot, term_loading
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.market.snapshot import Market
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


def moved(run: Run, gap: float, flow: float = 0.0) -> float:
    run.futures.gap[:], run.futures.flow[:] = gap, flow
    move_basis(run.futures, run.ledger, run.prices, run.setting, run.setting.tenor)
    return float(run.futures.gap[0, 0])


def test_first_price_is_the_quoted_one(run: Run, market: Market) -> None:
    for u, name in enumerate(("ic", "im")):
        main = market.contracts(name)[2]  # the quarterly month that outlives the run
        assert run.futures.price[0, u] == pytest.approx(main.close)


def test_discount_fades_slowly_and_premium_fast(run: Run) -> None:
    dt = run.setting.dt
    assert moved(run, -0.02) == pytest.approx(-0.02 * np.exp(-0.8 * dt))
    assert moved(run, 0.02) == pytest.approx(0.02 * np.exp(-4.0 * dt))


def test_sales_open_a_discount_in_proportion_to_open_interest(run: Run) -> None:
    flow = -0.01 * run.setting.open_interest[0]
    wanted = 0.6 * 2.0 * -0.01 * np.exp(-0.8 * run.setting.dt)
    assert moved(run, 0.0, flow) == pytest.approx(wanted)
    run.prices.depth[:] = 0.25  # half as deep for futures: the root
    assert moved(run, 0.0, flow) == pytest.approx(2 * wanted)


@pytest.mark.parametrize("flow", [-1e13, 1e13])
def test_futures_stop_at_ten_percent(run: Run, flow: float) -> None:
    run.futures.gap[:], run.futures.flow[:] = 0.0, flow
    points = move_basis(run.futures, run.ledger, run.prices, run.setting, 0.2)
    wanted = (1.0 + 0.1 * np.sign(flow)) * run.futures.previous_settle
    np.testing.assert_allclose(points, wanted)


def test_carry_goes_as_the_hedgers_leave(run: Run) -> None:
    run.futures.gap[:] = 0.0

    def basis() -> float:
        run.futures.flow[:] = 0.0
        points = move_basis(run.futures, run.ledger, run.prices, run.setting, 0.25)
        return float(np.log(points / spot(run.prices, run.setting))[0, 1])

    full = basis()
    assert full == pytest.approx(0.25 * run.setting.carry[1])
    hedged = run.ledger.hedge_mix.any(axis=1)
    run.ledger.units[:, hedged] = 0.0
    assert basis() == pytest.approx(0.35 * full)


def test_month_on_its_last_day_has_no_basis(run: Run) -> None:
    run.futures.gap[:] = -0.05
    run.futures.price = spot(run.prices, run.setting) * np.exp(
        run.setting.carry * run.setting.tenor - 0.05
    )
    today = run.setting.scenario.clock.start
    lasts = [today, date(2024, 2, 19), date(2024, 3, 15), date(2024, 6, 21)]
    index = spot(run.prices, run.setting)
    basis = curve(run.futures, run.ledger, run.setting, index, today, lasts)
    np.testing.assert_allclose(basis[:, :, 0], 0.0, atol=1e-12)
    assert (np.diff(basis, axis=2) < 0.0).all()  # later months lie deeper
    np.testing.assert_allclose(basis[:, :, 2], run.futures.price / index - 1.0)


def test_loading_of_a_month_grows_with_its_days() -> None:
    days = np.linspace(0.0, 260.0, 60)
    for main in (5.0, 20.0, 53.0, 90.0):
        loading = [term_loading(d, main) for d in days]
        assert np.all(np.diff(loading) >= 0.0)
        assert loading[0] == 0.0
        assert max(loading) < 3.0
    assert term_loading(53.0, 53.0) == 1.0


HELD = (
    "agents.neutral.enabled = true", "agents.neutral.discount_unwind = false",
    "agents.neutral.cut_rate = 0.0", "channels.futures_transfer = false",
)  # fmt: skip


def held_only(folder: Path, *words: str) -> pl.DataFrame:
    """Return the books of neutral funds that hold still, IM-hedged ones."""
    lines = [f"agents.{name}.enabled = false" for name in AGENTS if name != "neutral"]
    scenario = invented_scenario(folder, *lines, *HELD, *words, moves=CRASH, days=3, assimilated=3)
    frames = simulate(setting(invented_market(every=2), scenario, 1), first_path=0, paths=1)
    books = frames.tables["agents"].filter(pl.col("cell").str.ends_with("-im"))
    daily = frames.tables["daily"].select("date", "csi1000_return", "csi1000_close",
                                          "basis_quarter_im")  # fmt: skip
    return books.join(daily, on="date").sort("cell", "date")


def test_profit_of_a_short_is_split_into_index_and_basis(tmp_path: Path) -> None:
    """The index part is the short times the fall; the basis part what the discount did to it."""
    books = held_only(tmp_path, "basis.carry_im = -0.3", "basis.discount_decay = 5.0")
    before = books.with_columns(
        pl.col("futures_im").shift(1).over("cell").alias("short"),
        pl.col("basis_quarter_im").diff().over("cell").alias("basis_change"),
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
        assert row["pnl_costs"] == 0.0


def test_futures_limit_holds_every_month_of_the_tables(market: Market, tmp_path: Path) -> None:
    """A flood of orders can't carry a settled price further than its limit from the last one."""
    words = ("basis.impact = 10.0", "agents.trend_shorts.trend = 0.5",
             "agents.trend_shorts.speed = 1.0", "agents.front_runners.size = 2.0")  # fmt: skip
    scenario = invented_scenario(tmp_path, *words, moves=CRASH, days=4, assimilated=4)
    futures = simulate(setting(market, scenario, 1), first_path=0, paths=1).tables["futures"]
    main = (
        futures.filter(pl.col("rank") == "quarter")
        .sort("contract", "date")
        .with_columns(pl.col("settle").shift(1).over("contract").alias("last"))
        .drop_nulls("last")
    )
    moves = main["close"] / main["last"] - 1.0
    assert moves.abs().max() <= 0.1 + 1e-9  # type: ignore[operator]
