"""Daily bars as matrices of sessions by stocks, up to the date of a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from crowdfall.data.sources.base import Source
from crowdfall.errors import MarketError
from crowdfall.types import Bool, Float64, Text

RECENT: Final = 60
"""Sessions of the statistics called recent: on 29 December 2023 exactly the fourth quarter."""
LEAST: Final = 40
"""Sessions that a statistic needs (design:model 1 a.1)."""
_EXCHANGES: Final = r"\.(SH|SZ)$"
_BARS: Final = ("close", "amount", "turnover", "volume")
_LIST: Final = ("total_shares", "float_shares", "is_st")


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Shanghai and Shenzhen stocks in order of symbol; the last session is the snapshot's.

    Matrices have shape (T, N) and are NaN where a stock didn't trade. ``close`` is adjusted as the
    source does, money in yuan, ``turnover`` a fraction of float, ``volume`` in shares (all NaN
    where the source has none). ``index`` holds the closes of CSI 300, shape (T,). The share counts
    are of the source's own, maybe later, vintage.
    """

    dates: tuple[date, ...]
    symbol: Text
    close: Float64
    amount: Float64
    turnover: Float64
    volume: Float64
    index: Float64
    total_shares: Float64
    float_shares: Float64
    is_st: Bool

    @property
    def traded(self) -> Bool:
        """Return whether a stock has a price on a session, shape (T, N)."""
        return ~np.isnan(self.close)


def read_panel(source: Source, start: date, on: date) -> Panel:
    """Return the panel from ``start`` to ``on``.

    Stocks without a trade in the last RECENT sessions, without positive share counts or absent
    from the stock list are left out. Raises MarketError where ``on`` has no bars or the panel is
    too short for statistics, DataError for what is wrong with the tables themselves.
    """
    bars = _known(source.stock_bars(start, on), "stock_bars", ("date", "symbol", *_BARS))
    listed = _known(source.stock_list(), "stock_list", ("symbol", *_LIST))
    bars = bars.filter(pl.col("symbol").str.contains(_EXCHANGES) & _positive("close"))
    dates = _sessions(bars, on)
    recent = bars.filter(pl.col("date") >= dates[-min(RECENT, len(dates))])
    listed = (
        listed.filter(_positive("total_shares") & _positive("float_shares"))
        .join(recent.select("symbol").unique(), on="symbol", how="semi")
        .unique("symbol", keep="first")
        .sort("symbol")
    )
    if not listed.height:
        raise MarketError("market_no_stocks", on=on)
    return Panel(
        dates=tuple(dates),
        symbol=listed["symbol"].to_numpy().astype(np.str_),
        index=_index(source, dates),
        total_shares=listed["total_shares"].to_numpy(),
        float_shares=listed["float_shares"].to_numpy(),
        is_st=listed["is_st"].fill_null(value=False).to_numpy(),
        **_scatter(bars, dates, listed["symbol"]),
    )


def _known(table: pl.DataFrame, name: str, columns: tuple[str, ...]) -> pl.DataFrame:
    for column in columns:
        if column not in table.columns:
            raise MarketError("market_no_column", table=name, column=column)
    return table.select(columns)


def _positive(name: str) -> pl.Expr:
    return pl.col(name).is_finite() & (pl.col(name) > 0)


def _sessions(bars: pl.DataFrame, on: date) -> list[date]:
    dates: list[date] = bars["date"].unique().sort().to_list()
    if not dates or dates[-1] != on:
        raise MarketError("market_no_bars", on=on, last=dates[-1] if dates else "-")
    if len(dates) < LEAST:
        raise MarketError("market_short_panel", on=on, count=len(dates), least=LEAST)
    return dates


def _index(source: Source, dates: list[date]) -> Float64:
    held = source.index_bars(dates[0], dates[-1], ("csi300",))
    closes = dict(held.select("date", "close").iter_rows())
    missing = [day for day in dates if day not in closes]
    if missing:
        raise MarketError("market_no_index", index="csi300", on=missing[0])
    return np.array([closes[day] for day in dates])


def _scatter(bars: pl.DataFrame, dates: list[date], symbols: pl.Series) -> dict[str, Float64]:
    """Return a matrix per column. By integer codes: a pivot of this size takes seconds."""
    rows = pl.DataFrame({"date": dates}).with_row_index("row")
    columns = symbols.to_frame("symbol").with_row_index("column")
    coded = bars.join(columns, on="symbol").join(rows, on="date")
    row, column = coded["row"].to_numpy(), coded["column"].to_numpy()
    matrices = {}
    for name in _BARS:
        matrix = np.full((len(dates), len(symbols)), np.nan)
        values = coded[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        # What can't be an amount, a rate or a price counts as unknown.
        matrix[row, column] = np.where(np.isfinite(values) & (values >= 0), values, np.nan)
        matrices[name] = matrix
    return matrices
