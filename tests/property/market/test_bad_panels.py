"""Bad input to a build: one clear sentence, whatever is wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.errors import CrowdfallError, MarketError
from crowdfall.market.build import build
from crowdfall.market.panel import read_panel
from invented_bars import ON, TableSource, invented_source

SOURCE = invented_source()
NEEDED = {
    "bars": ("date", "symbol", "close", "amount", "turnover", "volume"),
    "listed": ("symbol", "total_shares", "float_shares", "is_st"),
}


@pytest.mark.parametrize(
    ("table", "column"), [(t, c) for t, columns in NEEDED.items() for c in columns]
)
def test_a_missing_column_is_named(table: str, column: str) -> None:
    held = getattr(SOURCE, table)
    if (table, column) == ("bars", "date"):
        held = held.rename({"date": "day"})
        broken = replace(SOURCE, bars=held)
        with pytest.raises(MarketError, match="stock_bars has no column date"):
            read_panel(broken, ON, ON)
        return
    broken = replace(SOURCE, **{table: held.drop(column)})
    with pytest.raises(MarketError, match=f"has no column {column}"):
        build(broken, ON)


def test_a_day_without_bars_names_the_last_that_has_some() -> None:
    with pytest.raises(MarketError, match=r"no stock bars on 2023-12-30 .* of 2023-12-29"):
        build(SOURCE, date(2023, 12, 30))


def test_an_empty_panel_and_a_short_one_are_told() -> None:
    with pytest.raises(MarketError, match="no stock bars"):
        build(replace(SOURCE, bars=SOURCE.bars.clear()), ON)
    short = SOURCE.bars.filter(pl.col("date") > date(2023, 12, 1))
    with pytest.raises(MarketError, match="bars of 20 sessions, but statistics need at least 40"):
        build(replace(SOURCE, bars=short), ON)


def test_a_list_of_other_stocks_is_told() -> None:
    other = SOURCE.listed.with_columns(pl.lit("000001.SZ").alias("symbol"))
    with pytest.raises(MarketError, match="No Shanghai or Shenzhen stock has both"):
        build(replace(SOURCE, listed=other), ON)


def test_an_index_without_a_day_is_told() -> None:
    gap = SOURCE.indices.filter(pl.col("date") != date(2023, 12, 1))
    with pytest.raises(MarketError, match="The index csi300 has no close on 2023-12-01"):
        build(replace(SOURCE, indices=gap), ON)
    gap = SOURCE.indices.filter((pl.col("date") != ON) | (pl.col("index") != "csi2000"))
    with pytest.raises(MarketError, match="The index csi2000 has no close on 2023-12-29"):
        build(replace(SOURCE, indices=gap), ON)


def test_beijing_stocks_stay_out() -> None:
    beijing = SOURCE.bars.head(5).with_columns(symbol=pl.lit("830799.BJ"), date=pl.lit(ON))
    with_them = replace(SOURCE, bars=pl.concat([SOURCE.bars, beijing.head(1)]))
    assert len(build(with_them, ON).stocks) == len(build(SOURCE, ON).stocks)


def test_a_market_whose_turnover_is_unknown_is_refused() -> None:
    silent = SOURCE.bars.with_columns(
        turnover=pl.lit(None, pl.Float64), amount=pl.lit(None, pl.Float64)
    )
    with pytest.raises(MarketError, match="can't be told, not even from their size group"):
        build(replace(SOURCE, bars=silent), ON)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    column=st.sampled_from(["close", "amount", "turnover", "volume"]),
    value=st.sampled_from([None, float("nan"), 0.0, -1.0, float("inf")]),
    stocks=st.lists(st.integers(0, len(SOURCE.listed) - 1), min_size=1, max_size=40),
    last=st.integers(1, 80),
)
def test_holes_in_the_bars_never_reach_the_market(
    column: str, value: float | None, stocks: list[int], last: int
) -> None:
    names = SOURCE.listed["symbol"].gather(stocks).to_list()
    since = SOURCE.bars["date"].unique().sort()[-last]
    hit = pl.col("symbol").is_in(names) & (pl.col("date") >= since)
    holed = SOURCE.bars.with_columns(
        pl.when(hit).then(pl.lit(value, pl.Float64)).otherwise(pl.col(column)).alias(column)
    )
    _sound(replace(SOURCE, bars=holed))


def _sound(source: TableSource) -> None:
    """Either one clear error, or a market in which every number is finite and caps are positive."""
    told = ""
    try:
        market = build(source, ON)
    except CrowdfallError as error:
        told = str(error)
    if told:
        assert "error." not in told
        return
    stocks, weights = market.stocks, market.weights
    assert np.isfinite(stocks.close).all()
    for values in (stocks.total_cap, stocks.float_cap, stocks.free_float_cap, stocks.adv):
        assert np.isfinite(values).all()
        assert (values > 0).all()
    assert np.isfinite(stocks.beta).all()
    for values in (stocks.volatility, stocks.residual_volatility, stocks.turnover):
        assert np.isfinite(values).all()
        assert (values > 0).all()
    for weight in weights.values():
        assert abs(weight.sum() - 1.0) < 1e-9
        assert (weight >= 0).all()
