"""Notes that pay their coupon month by month: phoenix, FCN and DCN."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from crowdfall.errors import TermsError
from crowdfall.products.schedule import Schedule, ideal
from crowdfall.products.snowball import check_coupon
from crowdfall.products.timetable import Timetable, pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class Phoenix:
    """Terms of a phoenix 凤凰; levels over the initial price, the coupon per year.

    Every month from the first on, a close at or above ``coupon_level`` pays that month's coupon,
    knocked in or not; 0 pays it always. A knock-out, possible from month ``lockup`` on, pays
    notional and the month's coupon. A DCN is observed for knock-in at maturity only; an FCN is a
    DCN that always pays. Coupons missed are not made up for later.
    """

    coupon: float = 0.10
    months: int = 24
    lockup: int = 3
    knock_in: float = 0.75
    knock_out: float = 1.03
    step_down: float = 0.0
    coupon_level: float = 0.75
    knock_in_observed: Literal["daily", "maturity"] = "daily"
    strike: float = 1.0
    lag: int = 0

    def __post_init__(self) -> None:
        """Refuse terms that contradict each other; raises TermsError."""
        check_coupon(self.coupon)
        if not 1 <= self.lockup <= self.months <= 120:
            raise TermsError("months_wrong", lockup=self.lockup, months=self.months)
        lowest = self.knock_out - self.step_down * (self.months - self.lockup)
        if not 0 < self.knock_in < lowest:
            raise TermsError("barriers_wrong", knock_in=self.knock_in, knock_out=lowest)
        if not 0 <= self.coupon_level <= lowest:
            raise TermsError("coupon_level_wrong", level=self.coupon_level, knock_out=lowest)
        if not 0 < self.strike <= 2:
            raise TermsError("strike_wrong", strike=self.strike, floor=0.0)

    def timetable(self, schedule: Schedule | None = None) -> Timetable:
        """Return levels and amounts by session; without a schedule on idealised months."""
        schedule = schedule or ideal(self.months)
        days = schedule.last + 1
        seen = schedule.observed[1:]
        step = np.zeros((days, 2))
        step[seen, 1] = np.diff(schedule.accrual)
        late = schedule.observed[self.lockup :]
        knock_out = np.full(days, np.inf)
        knock_out[late] = self.knock_out - self.step_down * np.arange(len(late))
        redemption = np.zeros((days, 2))
        redemption[late] = step[late] + [1.0, 0.0]
        coupon_level = np.full(days, np.inf)
        coupon_level[seen] = self.coupon_level
        knock_in = np.zeros(days)
        knock_in[1 if self.knock_in_observed == "daily" else -1 :] = self.knock_in
        return Timetable(
            knock_out=knock_out,
            knock_in=knock_in,
            redemption=redemption,
            coupon_level=coupon_level,
            coupon_amount=step,
            survived=pieces((np.inf, 1.0, 0.0, 0.0)),
            lost=pieces((self.strike, 1.0 - self.strike, 0.0, 1.0), (np.inf, 1.0, 0.0, 0.0)),
            year=schedule.year,
            lag=self.lag,
        )
