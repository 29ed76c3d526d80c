"""An invented source of bars: enough stocks and sessions to build a market, all by formula."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from crowdfall.data.calendar import sessions
from crowdfall.data.schema import FUTURES_BARS, INDEX_BARS, INDEX_SYMBOLS, STOCK_BARS, Table
from crowdfall.rules.futures import contract_months

ON = date(2023, 12, 29)
DAYS = 80
COUNT = 3000


@dataclass
class TableSource:
    """The four canonical tables as they are; a test changes one and builds."""

    bars: pl.DataFrame
    listed: pl.DataFrame
    indices: pl.DataFrame
    futures: pl.DataFrame

    def stock_list(self) -> pl.DataFrame:
        return self.listed

    def stock_bars(self, start: date, end: date) -> pl.DataFrame:
        return _between(self.bars, start, end)

    def index_bars(
        self, start: date, end: date, names: tuple[str, ...] | None = None
    ) -> pl.DataFrame:
        held = _between(self.indices, start, end)
        return held.filter(pl.col("index").is_in(names)) if names else held

    def futures_bars(self, start: date, end: date) -> pl.DataFrame:
        return _between(self.futures, start, end)


def invented_source(count: int = COUNT, days: int = DAYS) -> TableSource:
    """Return a source of ``count`` stocks, the first the largest, with ``days`` sessions."""
    dates = sessions(date(2023, 1, 1), ON)[-days:]
    rng = np.random.default_rng(7)
    market = 0.008 * rng.standard_normal(days)
    betas = np.linspace(1.2, 0.6, count)
    moves = market[:, None] * betas + 0.015 * rng.standard_normal((days, count))
    close = 10.0 * np.exp(np.cumsum(moves, axis=0))
    shares = np.geomspace(2e10, 5e7, count)
    symbols = np.array([f"{600000 + k}.SH" for k in range(count)])
    turnover = np.full((days, count), 0.01)
    volume = turnover * shares * 0.8
    bars = pl.DataFrame(
        {
            "date": np.repeat(np.array(dates, "datetime64[D]"), count),
            "symbol": np.tile(symbols, days),
            "close": close.ravel(),
            "volume": volume.ravel(),
            "amount": (volume * close).ravel(),
            "turnover": turnover.ravel(),
        }
    )
    listed = pl.DataFrame(
        {
            "symbol": symbols,
            "name": symbols,
            "total_shares": shares,
            "float_shares": 0.8 * shares,
            "is_st": np.arange(count) % 50 == 49,
        }
    )
    return TableSource(shaped(bars, STOCK_BARS), listed, _indices(dates, market), _futures())


def shaped(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return all columns of a canonical table; what the rows lack is null."""
    return rows.select(
        (pl.col(one.name) if one.name in rows.columns else pl.lit(None))
        .cast(getattr(pl, one.kind))
        .alias(one.name)
        for one in table.columns
    )


def _indices(dates: list[date], market: np.ndarray) -> pl.DataFrame:
    closes = 3000.0 * np.exp(np.cumsum(market))
    parts = [
        pl.DataFrame({"date": dates, "index": name, "close": closes * (1 + k)})
        for k, name in enumerate(INDEX_SYMBOLS)
    ]
    return shaped(pl.concat(parts), INDEX_BARS)


def _futures() -> pl.DataFrame:
    rows = [
        {
            "date": ON, "symbol": f"{product.upper()}{month.code}.CFE", "underlying": product,
            "close": 5000.0 - 20.0 * k, "spot_close": 5000.0, "volume": 1e4, "open_interest": 5e4,
        }
        for product in ("ic", "im")
        for k, month in enumerate(contract_months(ON))
    ]  # fmt: skip
    return shaped(pl.DataFrame(rows), FUTURES_BARS)


def _between(table: pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    if "date" not in table.columns:
        return table
    return table.filter(pl.col("date").is_between(start, end))
