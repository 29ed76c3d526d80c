"""When a note is observed: session numbers of its months, idealised or on a real calendar.

Session 0 is the day of issue, session ``last`` the day of maturity. The clock that diffuses and
discounts counts sessions; ``year`` says how many make a year. Coupons accrue on ``accrual``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from crowdfall.errors import TermsError
from crowdfall.types import Float64, Int64
from crowdfall.units import CALENDAR_DAYS_A_YEAR, TRADING_DAYS_A_YEAR

IDEAL_MONTH: Final = 21
"""Sessions in an idealised month, 12 of which make a year (design:snowball 2)."""
IDEAL_YEAR: Final = 252


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Observation days of a note of M months.

    ``observed`` has shape (M + 1,): the session of each month's observation, from the issue on;
    ``accrual`` (M + 1,): the year fraction a coupon has accrued there. ``dates`` holds the date of
    every session from issue to maturity, or nothing where months are idealised.
    """

    observed: Int64
    accrual: Float64
    year: int
    dates: tuple[date, ...] = ()

    @property
    def last(self) -> int:
        """Return the session number of maturity."""
        return int(self.observed[-1])


def ideal(months: int) -> Schedule:
    """Return the schedule of 21-session months and 252-session years.

    >>> ideal(24).last
    504
    """
    observed = IDEAL_MONTH * np.arange(months + 1, dtype=np.int64)
    return Schedule(observed=observed, accrual=observed / IDEAL_YEAR, year=IDEAL_YEAR)


def add_months(day: date, months: int) -> date:
    """Return the same day of a later month, or that month's last day where it is shorter.

    >>> add_months(date(2023, 11, 30), 3)
    datetime.date(2024, 2, 29)
    """
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    for number in range(day.day, 27, -1):
        try:
            return date(year, month, number)
        except ValueError:
            continue
    return date(year, month, day.day)


def dated(start: date, months: int, sessions: Sequence[date]) -> Schedule:
    """Return the schedule on a session calendar, modified following, coupons actual/365.

    ``sessions`` is sorted and reaches from the start to the session after maturity. An observation
    day that is no session moves to the next session, unless that lies in the next month: then to
    the session before. A year counts 242 sessions, as the exchanges hold about that many.

    Raises TermsError where the start is no session or the calendar ends before maturity.
    """
    numbers = {day: k for k, day in enumerate(sessions)}
    if start not in numbers:
        raise TermsError("start_not_session", start=start)
    first = numbers[start]
    days = np.array(sessions, dtype="datetime64[D]")
    observed = [0]
    for month in range(1, months + 1):
        wanted = add_months(start, month)
        k = int(np.searchsorted(days, np.datetime64(wanted)))
        if k == len(sessions):
            raise TermsError("calendar_too_short", start=start, needed=wanted, last=sessions[-1])
        if sessions[k].month != wanted.month:
            k -= 1
        observed.append(k - first)
    whole = tuple(sessions[first : first + observed[-1] + 1])
    accrual = [(whole[k] - start).days / CALENDAR_DAYS_A_YEAR for k in observed]
    return Schedule(
        observed=np.array(observed, dtype=np.int64),
        accrual=np.array(accrual),
        year=TRADING_DAYS_A_YEAR,
        dates=whole,
    )
