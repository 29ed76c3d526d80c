"""The one interface of all sources of observed facts."""

from __future__ import annotations

from datetime import date
from typing import Protocol

import polars as pl


class Source(Protocol):
    """Deliver canonical tables (``data.schema``); a range includes both its ends.

    A table has exactly the columns of the schema and is sorted by its key. Raises DataError where
    nothing can be delivered.
    """

    def stock_list(self) -> pl.DataFrame:
        """Return one row per stock."""
        ...

    def stock_bars(self, start: date, end: date) -> pl.DataFrame:
        """Return one row per stock and session on which it traded."""
        ...

    def index_bars(
        self, start: date, end: date, names: tuple[str, ...] | None = None
    ) -> pl.DataFrame:
        """Return one row per index and session; ``names`` None means all that the source has."""
        ...

    def futures_bars(self, start: date, end: date) -> pl.DataFrame:
        """Return one row per index futures contract and session."""
        ...
