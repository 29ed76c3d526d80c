"""Which contracts really traded on which days, against the contract rules."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

from crowdfall.data.sources.files import FilesSource
from crowdfall.rules.futures import contract_months, contract_symbols, last_trading_day
from crowdfall.rules.price_limits import BOARDS, board_of, price_limit


def test_the_contracts_of_every_day_since_2019_are_the_listed_ones(real_data: Path) -> None:
    bars = FilesSource(real_data).futures_bars(date(2019, 1, 2), date(2024, 2, 2))
    traded = bars.group_by("date", "underlying").agg("symbol").rows()
    assert len(traded) > 4_000
    wrong = [
        (day, product)
        for day, product, symbols in traded
        if set(symbols) != set(contract_symbols(product, day))
    ]
    assert wrong == []


def test_every_contract_since_2019_trades_last_on_its_last_trading_day(real_data: Path) -> None:
    end = date(2024, 2, 2)
    bars = FilesSource(real_data).futures_bars(date(2019, 1, 2), end)
    for symbol, seen in bars.group_by("symbol").agg(pl.col("date").max()).rows():
        due = last_trading_day(2000 + int(symbol[2:4]), int(symbol[4:6]))
        assert seen == min(due, end), symbol


def test_no_contract_since_2015_is_outside_the_listed_months(real_data: Path) -> None:
    """But for the first two days of IC and IH, which began without the expiring April contract."""
    closes = pl.read_csv(
        real_data / "futures" / "contract_closes_2015_2024.csv.gz", try_parse_dates=True
    ).filter(pl.col("date") > date(2015, 4, 17))
    traded = closes.group_by("date").agg(pl.col("symbol").str.slice(2).unique()).rows()
    for day, codes in traded:
        assert set(codes) <= {month.code for month in contract_months(day)}, day


def test_closes_of_january_2024_reach_the_price_limits_and_stay_within(real_data: Path) -> None:
    """Leaves out first sessions; adjusted prices distort changes by up to 1.3 points."""
    bars = FilesSource(real_data).stock_bars(date(2023, 12, 1), date(2024, 2, 2))
    start = date(2024, 1, 2)
    old = bars.filter(pl.col("date") < date(2023, 12, 15)).select("symbol").unique()
    boards = old.with_columns(board=pl.col("symbol").map_elements(board_of, pl.String))
    limits = {board: price_limit(board, False, start) for board in BOARDS}
    moves = (
        bars.filter(pl.col("date") >= start)
        .join(boards, on="symbol")
        .with_columns(excess=pl.col("change").abs() - pl.col("board").replace_strict(limits))
    )
    assert moves.height > 100_000
    assert moves["excess"].max() < 0.015
    assert moves.filter(pl.col("excess") > 0.01 / pl.col("close")).height < moves.height / 1_000
    reached = moves.filter(pl.col("excess").abs() < 0.004)["board"].value_counts()
    assert set(reached.filter(pl.col("count") >= 5)["board"]) == set(BOARDS)
