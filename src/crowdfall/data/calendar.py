"""Sessions of the Shanghai exchange, and of New York where an episode needs them.

``sessions.csv`` lists, year by year and with its source, the weekdays on which Shanghai did not
open; no weekend day ever was a session. The exchanges of Shenzhen and Beijing and the futures
exchange keep the same days in the range where they matter here. After a table's end every weekday
counts as a session and one warning says so; dates before its first session have none.
``sessions_new_york.csv`` is the same for the New York exchange, 2006 to 2008.
"""

from __future__ import annotations

import csv
import warnings
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from crowdfall.errors import DataError
from crowdfall.i18n import translate

Status = Literal["final", "provisional", "rule"]
Exchange = Literal["shanghai", "new_york"]
FIRST_SESSION: Final = date(1990, 12, 19)
_FRIDAY: Final = 4
_TABLES: Final[dict[Exchange, tuple[str, date]]] = {
    "shanghai": ("sessions.csv", FIRST_SESSION),
    "new_york": ("sessions_new_york.csv", date(2006, 1, 3)),
}
"""File of each exchange and its first session."""


class CalendarWarning(UserWarning):
    """A date lies where the calendar is only a rule."""


@dataclass(frozen=True, slots=True)
class _Year:
    year: int
    status: Status
    closed: frozenset[int]  # ordinals of weekdays without a session
    source: str


@dataclass(frozen=True, slots=True)
class _Table:
    years: dict[int, _Year]
    sessions: list[int]  # ordinals, ascending
    first: date
    end: int  # ordinal of the last day that the table covers

    @property
    def last_monday(self) -> int:
        """The Monday of the week in which the table ends: the rule counts from there."""
        return self.end - date.fromordinal(self.end).weekday()

    @property
    def offset(self) -> int:
        """Place of that Monday, were all weekdays after it sessions."""
        return len(self.sessions) - min(self.end - self.last_monday + 1, 5)


def is_session(day: date, exchange: Exchange = "shanghai") -> bool:
    """Return whether the exchange trades on that day.

    >>> is_session(date(2024, 2, 8)), is_session(date(2024, 2, 9))
    (True, False)
    >>> is_session(date(2007, 8, 7), "new_york"), is_session(date(2007, 9, 3), "new_york")
    (True, False)
    """
    place = _position(day.toordinal(), exchange)
    return _position(day.toordinal() + 1, exchange) > place


def sessions(start: date, end: date, exchange: Exchange = "shanghai") -> list[date]:
    """Return the sessions from ``start`` to ``end``, both included; empty if there is none."""
    first, last = (_position(n, exchange) for n in (start.toordinal(), end.toordinal() + 1))
    return [_at(place, exchange) for place in range(first, last)]


def next_session(day: date, exchange: Exchange = "shanghai") -> date:
    """Return the first session after ``day``.

    >>> next_session(date(2024, 2, 8)).isoformat()
    '2024-02-19'
    """
    return _at(_position(day.toordinal() + 1, exchange), exchange)


def previous_session(day: date, exchange: Exchange = "shanghai") -> date:
    """Return the last session before ``day``; DataError where none was."""
    return _at(_position(day.toordinal(), exchange) - 1, exchange)


def shift(day: date, count: int) -> date:
    """Return the session ``count`` sessions after ``day``, or before where it is negative.

    A day without a session counts as lying between its neighbours, so one step forward from it is
    the next session; zero steps give the day itself or the next session.

    >>> shift(date(2024, 2, 8), 1).isoformat(), shift(date(2024, 2, 10), -1).isoformat()
    ('2024-02-19', '2024-02-08')
    """
    place = _position(day.toordinal())
    between = count > 0 and not is_session(day)
    return _at(place + count - between)


def sessions_between(start: date, end: date, exchange: Exchange = "shanghai") -> int:
    """Return the number of sessions after ``start`` up to and including ``end``.

    Negative where ``end`` lies before ``start``.

    >>> sessions_between(date(2024, 2, 5), date(2024, 2, 19))
    4
    """
    first, last = (_position(day.toordinal() + 1, exchange) for day in (start, end))
    return last - first


def status(day: date) -> Status:
    """Return how sure the calendar is of a day: final, provisional, or a mere rule."""
    found = _table().years.get(day.year)
    return found.status if found else ("final" if day < FIRST_SESSION else "rule")


def source(year: int) -> str:
    """Return where the sessions of a year come from; empty outside the table."""
    found = _table().years.get(year)
    return found.source if found else ""


def _position(ordinal: int, exchange: Exchange = "shanghai") -> int:
    """Return the number of sessions before a day."""
    table = _table(exchange)
    if ordinal <= table.end + 1:
        return bisect_left(table.sessions, ordinal)
    _warn_past_end(date.fromordinal(table.end).isoformat())
    weeks, rest = divmod(ordinal - table.last_monday, 7)
    return table.offset + 5 * weeks + min(rest, 5)


def _at(place: int, exchange: Exchange = "shanghai") -> date:
    """Return the session that has ``place`` sessions before it."""
    table = _table(exchange)
    if place < 0:
        raise DataError("calendar_start", first=table.first)
    if place < len(table.sessions):
        return date.fromordinal(table.sessions[place])
    _warn_past_end(date.fromordinal(table.end).isoformat())
    weeks, rest = divmod(place - table.offset, 5)
    try:
        return date.fromordinal(table.last_monday + 7 * weeks + rest)
    except (ValueError, OverflowError) as error:
        raise DataError("calendar_end", last=date.max) from error


@cache
def _warn_past_end(end: str) -> None:
    warnings.warn(translate("data.calendar_past_end", end=end), CalendarWarning, stacklevel=4)


@cache
def _table(exchange: Exchange = "shanghai") -> _Table:
    name, first = _TABLES[exchange]
    text = files("crowdfall.data").joinpath(name).read_text(encoding="utf-8")
    years = {int(row["year"]): _year(row) for row in csv.DictReader(text.splitlines())}
    end = date(max(years), 12, 31)
    open_days = []
    day = first
    while day <= end:
        if day.weekday() <= _FRIDAY and day.toordinal() not in years[day.year].closed:
            open_days.append(day.toordinal())
        day += timedelta(days=1)
    return _Table(years, open_days, first, end.toordinal())


def _year(row: dict[str, str]) -> _Year:
    year = int(row["year"])
    closed = frozenset(
        date(year, int(text[:2]), int(text[2:])).toordinal()
        for text in row["closed_weekdays"].split()
    )
    certain: Status = "final" if row["status"] == "final" else "provisional"
    return _Year(year, certain, closed, row["source"])
