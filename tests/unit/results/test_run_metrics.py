"""Metrics against the same numbers worked out in plain numpy."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

import fake_run
from crowdfall.market.snapshot import GROUPS, INDICES
from crowdfall.results import metrics


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    parts = [fake_run.tables(path, 37, 3, False) for path in range(7)]
    return {name: pl.concat([part[name] for part in parts]) for name in parts[0]}


def grid(daily: pl.DataFrame, column: str) -> np.ndarray:
    return daily.sort("path", "date")[column].to_numpy().reshape(7, -1)


def test_bands_are_the_quantiles_over_paths(tables: dict[str, pl.DataFrame]) -> None:
    found = metrics.bands(tables["daily"], ["turnover", "limit_down_count"])
    for column in ("turnover", "limit_down_count"):
        values = grid(tables["daily"], column)
        for name, q in (("low", 5), ("median", 50), ("high", 95)):
            np.testing.assert_allclose(found[f"{column}_{name}"], np.percentile(values, q, axis=0))


def test_bands_leave_nulls_out_and_give_null_where_nothing_is_known() -> None:
    day, other = date(2024, 1, 2), date(2024, 1, 3)
    frame = pl.DataFrame({"date": [day, day, other], "x": [1.0, None, None]})
    found = metrics.bands(frame, ["x"])
    assert found["x_median"].to_list() == [1.0, None]


def test_change_since_start_compounds_the_returns(tables: dict[str, pl.DataFrame]) -> None:
    found = metrics.since_start(tables["daily"])
    for index in INDICES:
        compounded = np.cumprod(1 + grid(tables["daily"], f"{index}_return"), axis=1) - 1
        np.testing.assert_allclose(grid(found, index), compounded, atol=1e-12)


def test_drawdown_is_the_deepest_fall_from_the_highest_level(
    tables: dict[str, pl.DataFrame],
) -> None:
    found = metrics.drawdowns(tables["daily"])
    for index in INDICES:
        level = np.cumprod(1 + grid(tables["daily"], f"{index}_return"), axis=1)
        peak = np.maximum(np.maximum.accumulate(level, axis=1), 1.0)
        fall = 1 - level / peak
        mine = found.filter(pl.col("index") == index).sort("path")
        np.testing.assert_allclose(mine["drawdown"], fall.max(axis=1), atol=1e-12)
        days = tables["daily"]["date"].unique().sort()
        assert mine["date"].to_list() == [days[int(i)] for i in fall.argmax(axis=1)]


def test_typical_path_is_the_one_nearest_to_the_median() -> None:
    days = [date(2024, 1, d) for d in (2, 3, 4)]
    rows = []
    for path, drop in enumerate((0.0, 0.09, 0.05, 0.04, 0.4)):
        for t, day in enumerate(days):
            rows.append({"path": path, "date": day}
                        | {f"{i}_close": 100.0 * (1 - drop * t) for i in INDICES})  # fmt: skip
    assert metrics.typical_path(pl.DataFrame(rows)) == 2


def test_typical_path_of_equal_paths_is_the_first(tables: dict[str, pl.DataFrame]) -> None:
    one = tables["daily"].filter(pl.col("path") == 0)
    same = pl.concat([one.with_columns(pl.lit(p).cast(pl.Int64).alias("path")) for p in (5, 2, 8)])
    assert metrics.typical_path(same) == 2


def test_nav_of_a_kind_is_equity_over_invested_capital() -> None:
    day = date(2024, 1, 2)
    cells = pl.DataFrame({
        "path": [0] * 4, "date": [day] * 4, "kind": ["dma", "dma", "dma", "retail"],
        "cell": ["a", "b", "c", "all"], "equity": [50.0, 300.0, 7.0, 9.0],
        "nav": [0.5, 1.0, None, None],
    })  # fmt: skip
    found = metrics.nav_by_kind(cells)
    assert found.to_dicts() == [{"path": 0, "date": day, "kind": "dma", "nav": 350 / 400}]


def test_nav_of_a_cell_that_is_worth_nothing_keeps_its_capital() -> None:
    days = [date(2024, 1, 2), date(2024, 1, 3)]
    cells = pl.DataFrame({
        "path": [0] * 4, "date": [*days, *days], "kind": ["dma"] * 4, "cell": ["a", "a", "b", "b"],
        "equity": [80.0, 0.0, 100.0, 100.0], "nav": [0.8, 0.0, 1.0, 1.0],
    })  # fmt: skip
    assert metrics.nav_by_kind(cells)["nav"].to_list() == pytest.approx([0.9, 0.5])


def test_net_flows_of_every_place_sum_to_zero(tables: dict[str, pl.DataFrame]) -> None:
    net = metrics.net_flows(tables["flows"])
    rest = net.group_by("path", "date", "place").agg(pl.col("net").sum())["net"].abs()
    assert float(rest.max() or 0) < 1e-3
    assert set(net["place"]) == {*GROUPS, "ic", "im"}


def test_background_share_is_of_the_stock_that_changed_hands() -> None:
    day = date(2024, 1, 2)
    rows = [
        ("csi300", "dma", "retail", 60.0), ("csi300", "dma", "background", 30.0),
        ("csi500", "background", "dma", 10.0), ("im", "background", "dma", 500.0),
    ]  # fmt: skip
    table = pl.DataFrame(rows, schema=["place", "seller", "buyer", "yuan"], orient="row")
    table = table.with_columns(pl.lit(0).alias("path"), pl.lit(day).alias("date"))
    assert metrics.background_share(table) == pytest.approx((30 + 10) / (90 + 10))
    assert np.isnan(metrics.background_share(table.clear()))
    sides = metrics.exchanged(table).filter(pl.col("kind") == "dma").sort("place")
    assert sides.select("place", "bought", "sold").rows() == [
        ("csi300", 0.0, 90.0), ("csi500", 10.0, 0.0), ("im", 500.0, 0.0),
    ]  # fmt: skip


def test_exchanges_of_a_run_are_its_flows(tables: dict[str, pl.DataFrame]) -> None:
    key = ["path", "date", "kind", "place"]
    both = tables["flows"].join(metrics.exchanged(tables["exchanges"]), on=key, how="left")
    both = both.fill_null(0.0)
    for side in ("bought", "sold"):
        assert both[f"{side}_right"].to_list() == pytest.approx(both[side].to_list())


def test_events_are_counted_by_day_and_participant(tables: dict[str, pl.DataFrame]) -> None:
    found = metrics.events_by_day(tables["events"])
    assert found["count"].sum() == tables["events"].height
    assert found["amount"].sum() == pytest.approx(tables["events"]["amount"].sum())


def test_headline_names_falls_extremes_and_values(tables: dict[str, pl.DataFrame]) -> None:
    found = metrics.headline(tables["daily"], tables["agents"])
    rows = {row["name"]: row for row in found.iter_rows(named=True)}
    assert rows["limit_downs"]["median"] == np.median(
        grid(tables["daily"], "limit_down_count").max(axis=1)
    )
    assert rows["basis_im"]["high"] == pytest.approx(
        np.percentile(grid(tables["daily"], "basis_front_im").min(axis=1), 95)
    )
    assert rows["drawdown_microcap"]["median"] < rows["drawdown_csi300"]["median"] < 0
    assert 0 < rows["nav_dma"]["median"] < 1
    assert all(row["low"] <= row["median"] <= row["high"] for row in rows.values())


def test_crash_share_counts_paths_beyond_the_named_fall(tables: dict[str, pl.DataFrame]) -> None:
    falls = metrics.drawdowns(tables["daily"]).filter(pl.col("index") == "csi1000")["drawdown"]
    wanted = float((falls.to_numpy() > metrics.FALL_CALLED_CRASH).mean())
    assert metrics.crash_share(tables["daily"]) == wanted
