"""Our sessions against exchange_calendars and against the dates of real series."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import exchange_calendars
import polars as pl
import pytest

from crowdfall.data import calendar

# Days on which our table and exchange_calendars differ, with the reason. None is known.
DIFFERENCES: dict[date, str] = {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pandas")
def test_all_sessions_equal_those_of_exchange_calendars() -> None:
    theirs = exchange_calendars.get_calendar("XSHG", start="1990-12-19")
    known = {stamp.date() for stamp in theirs.sessions}
    ours = set(calendar.sessions(min(known), max(known)))
    assert min(known) == calendar.FIRST_SESSION
    assert max(known) >= date(2026, 12, 31)
    assert known ^ ours == set(DIFFERENCES)


def test_the_sse_composite_has_a_close_on_every_session(real_data: Path) -> None:
    closes = pl.read_csv(
        real_data / "index" / "long_history_closes.csv.gz", infer_schema=False
    ).filter(pl.col("1.000001").is_not_null())
    dates = closes["date"].str.to_date().to_list()
    assert dates == calendar.sessions(dates[0], dates[-1])
    assert dates[0] == calendar.FIRST_SESSION


@pytest.mark.parametrize("name", ["csi300", "csi1000", "csi2000", "wind_microcap"])
def test_index_files_have_a_row_on_every_session(real_data: Path, name: str) -> None:
    frame = pl.read_csv(real_data / "index" / f"{name}.csv.gz", try_parse_dates=True)
    dates = frame["date"].to_list()
    assert dates == calendar.sessions(date(2018, 1, 2), date(2024, 2, 2))


def test_sessions_of_new_york_equal_those_of_exchange_calendars() -> None:
    first, last = date(2006, 1, 3), date(2008, 12, 31)
    theirs = exchange_calendars.get_calendar("XNYS", start=str(first), end=str(last))
    ours = calendar.sessions(first, last, "new_york")
    assert ours == [day.date() for day in theirs.sessions]
