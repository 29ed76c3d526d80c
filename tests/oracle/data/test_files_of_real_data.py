"""The files source on the real folder, against facts known from elsewhere."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crowdfall.data.sources.files import FilesSource


@pytest.fixture(scope="module")
def source(real_data: Path) -> FilesSource:
    return FilesSource(real_data)


def test_closes_of_the_end_of_2023_are_the_published_ones(source: FilesSource) -> None:
    bars = source.index_bars(date(2023, 12, 29), date(2023, 12, 29))
    closes = dict(zip(bars["index"], bars["close"], strict=True))
    assert closes["csi1000"] == pytest.approx(5887.24, abs=0.01)
    assert set(closes) == {
        "csi300", "csi500", "csi1000", "csi2000", "sse50", "cni2000", "csi_all", "microcap",
    }  # fmt: skip


def test_amounts_of_stocks_add_up_to_that_of_the_whole_index(source: FilesSource) -> None:
    day = date(2024, 2, 2)
    stocks = source.stock_bars(day, day).filter(~pl.col("symbol").str.ends_with(".BJ"))
    whole = source.index_bars(day, day, ("csi_all",))["amount"][0]
    assert stocks["amount"].sum() == pytest.approx(whole, rel=0.05)


def test_both_stock_files_have_one_panel(source: FilesSource) -> None:
    bars = source.stock_bars(date(2023, 5, 29), date(2023, 6, 2))
    by_day = bars.group_by("date").agg(pl.len(), pl.col("high").null_count().alias("holes"))
    assert by_day["len"].min() > 4_900
    slim = pl.col("date") < date(2023, 6, 1)
    assert by_day.filter(slim).select((pl.col("holes") == pl.col("len")).all()).item()
    assert by_day.filter(~slim)["holes"].sum() == 0


def test_the_list_marks_st_and_keeps_all_three_exchanges(source: FilesSource) -> None:
    stocks = source.stock_list()
    assert stocks["is_st"].sum() == 128
    assert set(stocks["symbol"].str.slice(7).unique()) == {"SH", "SZ", "BJ"}


def test_nearly_all_bars_are_of_stocks_in_the_list(source: FilesSource) -> None:
    """The list is some weeks younger than the bars: stocks delisted between are not in it."""
    bars = source.stock_bars(date(2024, 1, 2), date(2024, 2, 2))
    unlisted = bars.join(source.stock_list(), on="symbol", how="anti")
    assert unlisted["symbol"].n_unique() < 10


def test_the_discount_of_22_january_is_the_published_one(source: FilesSource) -> None:
    bars = source.futures_bars(date(2024, 1, 22), date(2024, 1, 22))
    basis = bars.with_columns(basis=pl.col("close") / pl.col("spot_close") - 1)
    march = dict(zip(basis["symbol"], basis["basis"], strict=True))
    assert march["IM2403.CFE"] == pytest.approx(-0.054, abs=0.0005)
    assert march["IC2403.CFE"] == pytest.approx(-0.044, abs=0.0005)


def test_the_known_gaps_are_reported_and_nothing_is_an_error(source: FilesSource) -> None:
    source.futures_bars(date(2019, 1, 2), date(2024, 2, 2))
    assert [(one.code, one.where) for one in source.warnings["futures_bars"]] == [
        ("check_missing_session", "2021-09-16 ic"), ("check_missing_session", "2021-09-16 ih"),
    ]  # fmt: skip
