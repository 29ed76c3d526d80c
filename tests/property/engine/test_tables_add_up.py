"""The tables of a run tell one story: flows, books, profits and pinned indices agree."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.engine import simulate
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import step
from crowdfall.market.snapshot import GROUPS
from crowdfall.scenarios.schema import Scenario
from invented_market import CALM, CRASH, closes, invented_scenario, play_days
from random_scenarios import market, scenarios

Tables = dict[str, pl.DataFrame]
BOOK = ["path", "kind", "cell"]
SHORT = settings(
    max_examples=30, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def run(scenario: Scenario, seed: int = 1) -> tuple[Tables, Run]:
    """Return the tables of two paths, and the state after the last bar."""
    kept: list[Run] = []

    def keep(state: Run, day: int, bar: int) -> None:
        step(state, day, bar)
        kept[:] = [state]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "step", keep)
        result = simulate.simulate(setting(market(), scenario, seed), first_path=0, paths=2)
    return result.tables, kept[0]


def worst(frame: pl.DataFrame, left: pl.Expr, right: pl.Expr, scale: pl.Expr) -> float:
    """Return the largest difference over its scale, 0 for an empty frame."""
    error = frame.select(((left - right).abs() / (scale.abs() + 1.0)).max()).item()
    return 0.0 if error is None else float(error)


def changes(agents: pl.DataFrame) -> pl.DataFrame:
    """Add the change of cash and equity since the session before; the first session drops out."""
    ordered = agents.sort(*BOOK, "date")
    return ordered.with_columns(
        pl.col("cash").diff().over(BOOK).alias("cash_change"),
        pl.col("equity").diff().over(BOOK).alias("equity_change"),
    ).drop_nulls(["cash_change", "equity_change"])


@SHORT
@given(data=st.data())
def test_flows_are_the_sums_of_what_books_traded(tmp_path: Path, data: st.DataObject) -> None:
    tables, _ = run(data.draw(scenarios(tmp_path)))
    flows = tables["flows"].filter(pl.col("place").is_in(GROUPS))
    by_kind = flows.group_by("path", "date", "kind").agg(pl.col("bought", "sold").sum())
    books = (
        tables["agents"]
        .group_by("path", "date", "kind")
        .agg(pl.col("stock_bought", "stock_sold").sum())
    )
    participants = by_kind.filter(pl.col("kind") != "background")
    both = participants.join(books, on=["path", "date", "kind"], how="inner")
    assert len(both) == len(participants) == len(books)
    for side in ("bought", "sold"):
        mine, other = pl.col(side), pl.col(f"stock_{side}")
        assert worst(both, mine, other, mine) < 1e-9


@SHORT
@given(data=st.data())
def test_every_yuan_bought_is_sold_by_somebody(tmp_path: Path, data: st.DataObject) -> None:
    tables, _ = run(data.draw(scenarios(tmp_path)))
    total = (
        tables["flows"]
        .group_by("path", "date", "place")
        .agg(pl.col("bought", "sold", "wanted_bought", "wanted_sold").sum())
    )
    assert worst(total, pl.col("bought"), pl.col("sold"), pl.col("sold")) < 1e-9
    wanted = tables["flows"].filter(pl.col("kind") != "background")
    for side in ("bought", "sold"):
        over = wanted.filter(pl.col(side) > pl.col(f"wanted_{side}") * (1 + 1e-9) + 1.0)
        assert over.is_empty()


@SHORT
@given(data=st.data())
def test_books_add_up_day_by_day(tmp_path: Path, data: st.DataObject) -> None:
    tables, _ = run(data.draw(scenarios(tmp_path)))
    agents = tables["agents"]
    c = pl.col
    assert worst(agents, c("equity"), c("stock_value") + c("cash"), c("gross")) < 1e-9

    moved = changes(agents)
    gains = c("pnl_futures") + c("pnl_basis")
    paid = c("pnl_financing") + c("pnl_costs") + c("capital_flow")
    scale = c("cash").abs() + c("gross")
    cash = c("stock_sold") - c("stock_bought") + gains + paid
    assert worst(moved, c("cash_change"), cash, scale) < 1e-6

    profit = c("pnl_stock") + gains + c("pnl_financing") + c("pnl_costs")
    assert worst(moved, profit, c("equity_change") - c("capital_flow"), scale) < 1e-6


@SHORT
@given(data=st.data())
def test_futures_gains_of_all_sum_to_zero(tmp_path: Path, data: st.DataObject) -> None:
    """What the background's cash did not get for stocks, it lost on the others' futures."""
    tables, state = run(data.draw(scenarios(tmp_path)))
    c = pl.col
    sums = (
        tables["agents"]
        .group_by("path")
        .agg(
            (c("stock_bought") - c("stock_sold")).sum().alias("stock"),
            (c("pnl_futures") + c("pnl_basis")).sum().alias("gain"),
            (c("pnl_futures").abs() + c("pnl_basis").abs() + c("stock_bought") + c("stock_sold"))
            .sum()
            .alias("scale"),
        )
    )
    for row in sums.iter_rows(named=True):
        background = float(state.ledger.background_cash[row["path"]])
        assert abs(background - (row["stock"] - row["gain"])) <= 1e-9 * (row["scale"] + 1.0)


@SHORT
@given(data=st.data())
def test_daily_agrees_with_books_flows_and_events(tmp_path: Path, data: st.DataObject) -> None:
    tables, _ = run(data.draw(scenarios(tmp_path)))
    c = pl.col
    daily, flows, events = tables["daily"], tables["flows"], tables["events"]
    for index in ("csi300", "csi500", "csi1000", "csi2000"):
        rescue = flows.filter((c("kind") == "national_team") & (c("place") == index))
        joined = daily.join(rescue, on=["path", "date"], how="left").fill_null(0.0)
        assert worst(joined, c(f"rescue_{index}"), c("bought"), c("bought")) < 1e-9
    for u in ("ic", "im"):
        dealers = tables["agents"].filter(c("kind") == "snowball_dealers")
        held = dealers.group_by("path", "date").agg(c(f"futures_{u}").sum().alias("held"))
        joined = daily.join(held, on=["path", "date"], how="left").fill_null(0.0)
        assert worst(joined, c(f"dealer_futures_{u}"), c("held"), c("held")) < 1e-9
    for kind, column in (("margin_call", "margin_calls"), ("forced_sale", "forced_sales")):
        what = pl.len().cast(pl.Float64) if kind == "margin_call" else c("amount").sum()
        told = events.filter(c("kind") == kind).group_by("path", "date").agg(what.alias("told"))
        joined = daily.join(told, on=["path", "date"], how="left").fill_null(0.0)
        assert worst(joined, c(column), c("told"), c("told")) < 1e-9
    shares = pl.sum_horizontal(f"turnover_share_{g}" for g in GROUPS)
    assert worst(daily, shares, pl.lit(1.0), pl.lit(0.0)) < 1e-12


@SHORT
@given(data=st.data(), seed=st.integers(0, 2**64 - 1))
def test_csi300_follows_its_path_whatever_else_happens(
    tmp_path: Path, data: st.DataObject, seed: int
) -> None:
    scenario = data.draw(scenarios(tmp_path))
    tables, _ = run(scenario, seed)
    path = pl.read_csv(tmp_path / "path.csv", try_parse_dates=True)
    both = tables["daily"].join(path, on="date", suffix="_input")
    assert len(both) == len(tables["daily"])
    assert worst(both, pl.col("csi300_close"), pl.col("csi300_close_input"), pl.lit(0.0)) < 1e-9


@pytest.mark.parametrize("moves", [CALM, CRASH], ids=["calm", "crash"])
@pytest.mark.parametrize("assimilated", [0, 2, 4])
def test_assimilated_indices_equal_their_inputs_until_the_date(
    tmp_path: Path, moves: dict[str, tuple[float, ...]], assimilated: int
) -> None:
    scenario = invented_scenario(tmp_path, moves=moves, days=5, assimilated=assimilated)
    daily = run(scenario)[0]["daily"]
    levels, days = closes(moves, 5), play_days(5)
    for index, wanted in levels.items():
        pinned = days if index == "csi300" else days[:assimilated]
        for row in daily.iter_rows(named=True):
            day: date = row["date"]
            exact = row[f"{index}_close"] == pytest.approx(wanted[days.index(day) + 1], rel=1e-9)
            assert exact == (day in pinned), (index, day)
