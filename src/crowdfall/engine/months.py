"""Contract months of the index futures: which are listed, how gaps load on them, who holds which.

Books keep one position per underlying. Its months are a rule of the calendar that holds for all
books of a sort, so that a position is ``units x mix``: traders hold months as open interest does,
hedged books lean to the quarters. A mix moves as months near their expiry: that is the roll.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final

import numpy as np

from crowdfall.market.impact import Basis
from crowdfall.rules.futures import contract_months, last_trading_day, price_limit
from crowdfall.types import Bool, Float64

SORTS: Final = ("traders", "hedgers")
"""Sorts of books, which hold different months: hedgers are those with a ``hedge_mix``."""
MAIN_DAYS: Final = 10
"""Least calendar days left of the main contract: the nearest quarter that has them (assumption,
3-30)."""
LOADING_DAYS: Final = (0.0, 25.0, 53.0, 150.0)
LOADING: Final = (0.0, 0.76, 1.0, 1.12)
"""Loading of a month's gap on that of a 53-day contract, by calendar days to its last trading day:
daily changes of 2,068 IC and IM contract-days, January 2023 to 2 February 2024, of which one common
gap explains 96% (scripts/fit_futures.py). Nothing is left on the last day."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The four listed months of a session, nearest first; ``main`` is the one participants watch.

    ``days`` (M,): calendar days to the last trading day; ``limit`` (M,): daily price limit.
    """

    codes: tuple[str, ...]
    lasts: tuple[date, ...]
    days: Float64
    quarterly: Bool
    limit: Float64
    main: int

    @property
    def expires(self) -> bool:
        """Return whether the front month trades for the last time."""
        return bool(self.days[0] == 0.0)


@cache
def listing(on: date) -> Listing:
    """Return what is listed on a session.

    >>> listing(date(2024, 1, 22)).codes, listing(date(2024, 1, 22)).main
    (('2402', '2403', '2406', '2409'), 1)
    """
    months = contract_months(on)
    lasts = tuple(last_trading_day(*month) for month in months)
    days = np.array([float((last - on).days) for last in lasts])
    quarterly = np.array([month.month % 3 == 0 for month in months])
    return Listing(
        codes=tuple(month.code for month in months),
        lasts=lasts,
        days=days,
        quarterly=quarterly,
        limit=np.array([price_limit(month, on) for month in months]),
        main=int(np.argmax(quarterly & (days >= MAIN_DAYS))),
    )


NO_LISTING: Final = Listing(
    codes=("", "", "", ""),
    lasts=(date.max,) * 4,
    days=np.array([30.0, 60.0, 90.0, 180.0]),
    quarterly=np.array([False, False, True, True]),
    limit=np.ones(4),
    main=2,
)
"""Where no index futures are listed: nobody trades these months, and no table shows them."""


def days_left(listed: Listing, progress: float) -> Float64:
    """Return calendar days to expiry, (M,), when ``progress`` of the session has passed."""
    return np.asarray(listed.days + 1.0 - progress)


def loadings(days: Float64) -> Float64:
    """Return the loading of months on the common gap, (M,); zero at the close of the last day."""
    return np.interp(days, LOADING_DAYS, LOADING)


def month_mix(listed: Listing, days: Float64, terms: Basis) -> Float64:
    """Return how a position spreads over months, by sort of book, (2, M), rows summing to one.

    Weight: ``exp(-days / oi_life)``, times ``quarter_weight`` in a quarter (hedgers times
    ``hedger_quarters`` more), times ``days / roll_days`` within the last ``roll_days``.
    """
    ramp = np.minimum(1.0, np.maximum(days, 0.0) / terms.roll_days)
    mass = ramp * np.exp(-days / terms.oi_life)
    quarters = np.array([terms.quarter_weight, terms.quarter_weight * terms.hedger_quarters])
    spread = mass * np.where(listed.quarterly, quarters[:, None], 1.0)
    return np.asarray(spread / spread.sum(axis=1, keepdims=True))
