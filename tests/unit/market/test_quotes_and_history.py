"""Futures quotes and the joint history, from canonical tables."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from crowdfall.errors import MarketError
from crowdfall.market.futures import read_quotes
from crowdfall.market.history import read_history
from crowdfall.market.snapshot import GROUPS
from invented_bars import ON, invented_source

SOURCE = invented_source(count=5, days=80)
LEVELS = {"csi500": 4000.0, "csi1000": 4000.0}


def test_four_contracts_of_each_underlying_with_their_terms() -> None:
    quotes = read_quotes(SOURCE.futures, LEVELS, ON)
    assert [q.symbol for q in quotes if q.underlying == "im"] == [
        "IM2401", "IM2402", "IM2403", "IM2406",
    ]  # fmt: skip
    first = quotes[0]
    assert first.last_trading_day == date(2024, 1, 19)
    assert first.multiplier == 200.0
    assert first.basis == 0.0
    assert quotes[3].basis == pytest.approx(-60.0 / 5000.0)


def test_without_spot_close_the_index_level_counts() -> None:
    blind = SOURCE.futures.with_columns(spot_close=pl.lit(None, pl.Float64))
    assert read_quotes(blind, LEVELS, ON)[0].basis == pytest.approx(0.25)
    with pytest.raises(MarketError, match="IC2401 has no usable close"):
        read_quotes(blind, {}, ON)


def test_a_missing_contract_month_is_no_error_but_a_missing_underlying_is() -> None:
    three = SOURCE.futures.filter(pl.col("symbol") != "IM2402.CFE")
    assert len(read_quotes(three, LEVELS, ON)) == 7
    with pytest.raises(MarketError, match="No listed IM contract"):
        read_quotes(SOURCE.futures.filter(pl.col("underlying") == "ic"), LEVELS, ON)


def test_tail_history_is_the_mean_of_its_neighbours() -> None:
    history = read_history(SOURCE.indices, ON)
    g = {name: k for k, name in enumerate(GROUPS)}
    neighbours = history.returns[:, [g["csi2000"], g["microcap"]]].mean(axis=1)
    np.testing.assert_allclose(history.returns[:, g["tail"]], neighbours)
    assert history.last == ON
    assert len(history.returns) == 79


def test_history_names_the_index_that_is_absent_and_the_count_that_is_short() -> None:
    with pytest.raises(MarketError, match="The index csi2000 has no close"):
        read_history(SOURCE.indices.filter(pl.col("index") != "csi2000"), ON)
    short = SOURCE.indices.filter(pl.col("date") > date(2023, 12, 1))
    with pytest.raises(MarketError, match="have 19 returns in common"):
        read_history(short, ON)
