"""The US panel of 2006 to 2008: daily bars of survivors of the S&P 500, as arrays.

One Parquet file of split-adjusted bars, no shares or caps. Its rows are read, never shipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from crowdfall.errors import DataError
from crowdfall.types import Float64, Text

FILE: Final = "sp500_quantquote_daily_20060103_20081231.parquet"
FOLDER: Final = "us2007"
COLUMNS: Final = ("date", "ticker", "close", "volume")


@dataclass(frozen=True, kw_only=True)
class UsPanel:
    """Bars to a date: ``close`` and ``amount`` (close x volume) in dollars, (T, N), NaN: no bar."""

    dates: tuple[date, ...]
    symbol: Text
    close: Float64
    amount: Float64


class Us2007Source:
    """The panel of one folder: the data folder, or its ``us2007``."""

    name: Final = "us2007"

    def __init__(self, folder: Path) -> None:
        """Find the file; DataError where it is missing."""
        places = [folder / FOLDER / FILE, folder / FILE]
        found = [place for place in places if place.is_file()]
        if not found:
            raise DataError("us_no_file", folder=folder, file=f"{FOLDER}/{FILE}")
        self.file: Final = found[0]

    def panel(self, on: date) -> UsPanel:
        """Return all bars up to ``on``; DataError where it is no session of the panel."""
        try:
            bars = pl.read_parquet(self.file, columns=list(COLUMNS)).with_columns(
                pl.col("date").cast(pl.Date), pl.col("close", "volume").cast(pl.Float64)
            )
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError("unreadable_file", file=self.file, reason=reason) from error
        dates = bars["date"].unique().sort().to_list()
        if on not in dates:
            raise DataError("us_no_session", on=on, first=dates[0], last=dates[-1])
        bars = bars.filter(pl.col("date") <= on)
        symbol = bars["ticker"].unique().sort()
        days = bars["date"].unique().sort()
        row = bars["date"].replace_strict(days, np.arange(len(days))).to_numpy()
        column = bars["ticker"].replace_strict(symbol, np.arange(len(symbol))).to_numpy()
        wide = np.full((2, len(days), len(symbol)), np.nan)
        wide[0, row, column] = bars["close"].to_numpy()
        wide[1, row, column] = (bars["close"] * bars["volume"]).to_numpy()
        names = symbol.to_numpy().astype(np.str_)
        return UsPanel(dates=tuple(days.to_list()), symbol=names, close=wide[0], amount=wide[1])
