"""Snowball notes: autocallables on an index that lose their protection at the knock-in.

Terms only; ``pricing`` values them. Levels are fractions of the initial price, amounts fractions of
notional, coupons per year. The Chinese names of the variants are in ``products.variants``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from crowdfall.errors import TermsError
from crowdfall.products.schedule import Schedule, ideal
from crowdfall.products.timetable import Payoff, Timetable, pieces
from crowdfall.types import Float64

KnockIn = Literal["daily", "maturity", "never"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Knock-out level and coupon from the month after ``after`` on; None keeps what is in force."""

    after: int
    knock_out: float | None = None
    coupon: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Snowball:
    """Terms of one snowball; the defaults are the contract of design:snowball 2.

    ``lockup``: month of the first knock-out observation. ``step_down``: fall of the knock-out level
    a month. ``last_knock_out``: level at maturity (parachute). ``bonus``: coupon paid at maturity
    without any knock; None means the coupon in force. ``stages`` switch levels and coupons; a
    stage's coupon is a number of its own and not part of the headline coupon that a fair coupon
    solves for. A knocked-in note pays ``1 - max(0, strike - S)`` at maturity, at least ``floor``.
    ``margin``: share of notional paid in; below 1 the note pays gains and losses only, the buyer
    owing no more than the margin unless ``recourse``. ``lag``: sessions until payment.

    >>> Snowball(coupon=0.15, knock_in=0.8).timetable().last
    504
    """

    coupon: float = 0.20
    months: int = 24
    lockup: int = 3
    knock_in: float = 0.75
    knock_out: float = 1.03
    knock_in_observed: KnockIn = "daily"
    step_down: float = 0.0
    last_knock_out: float | None = None
    bonus: float | None = None
    stages: tuple[Stage, ...] = ()
    strike: float = 1.0
    floor: float = 0.0
    margin: float = 1.0
    recourse: bool = True
    lag: int = 0

    def __post_init__(self) -> None:
        """Refuse terms that contradict each other; raises TermsError."""
        check_coupon(self.coupon)
        for stage in self.stages:
            if stage.coupon is not None:
                check_coupon(stage.coupon)
        if not 1 <= self.lockup <= self.months <= 120:
            raise TermsError("months_wrong", lockup=self.lockup, months=self.months)
        levels = knock_out_levels(self)[self.lockup : self.months]
        lowest = float(min(levels, default=self.knock_out))
        if self.knock_in_observed != "never" and not 0 < self.knock_in < lowest:
            raise TermsError("barriers_wrong", knock_in=self.knock_in, knock_out=lowest)
        if lowest < 0.2 or self.knock_out > 100:
            raise TermsError("knock_out_wrong", knock_out=lowest)
        if not (0 <= self.floor <= 1 and 0 < self.strike <= 2 and self.floor <= self.strike):
            raise TermsError("strike_wrong", strike=self.strike, floor=self.floor)
        if not 0 < self.margin <= 1:
            raise TermsError("margin_wrong", margin=self.margin)

    def timetable(self, schedule: Schedule | None = None) -> Timetable:
        """Return levels and amounts by session; without a schedule on idealised months."""
        schedule = schedule or ideal(self.months)
        days = schedule.last + 1
        seen = schedule.observed[self.lockup :]
        knock_out = np.full(days, np.inf)
        knock_out[seen] = knock_out_levels(self)[self.lockup :]
        redemption = np.zeros((days, 2))
        redemption[seen] = self._redemptions(schedule)[self.lockup :]
        knock_in = np.zeros(days)
        if self.knock_in_observed == "daily":
            knock_in[1:] = self.knock_in
        elif self.knock_in_observed == "maturity":
            knock_in[-1] = self.knock_in
        return Timetable(
            knock_out=knock_out,
            knock_in=knock_in,
            redemption=redemption,
            coupon_level=np.full(days, np.inf),
            coupon_amount=np.zeros((days, 2)),
            survived=self._survived(schedule),
            lost=self._lost(),
            year=schedule.year,
            lag=self.lag,
        )

    def _principal(self) -> float:
        return 1.0 if self.margin == 1.0 else 0.0

    def _redemptions(self, schedule: Schedule) -> Float64:
        amounts = np.zeros((self.months + 1, 2))
        amounts[:, 0] = self._principal()
        for month in range(1, self.months + 1):
            amounts[month] += np.multiply(coupon_in_force(self, month), schedule.accrual[month])
        return amounts

    def _survived(self, schedule: Schedule) -> Payoff:
        fixed, linear = coupon_in_force(self, self.months)
        if self.bonus is not None:
            fixed, linear = self.bonus, 0.0
        years = float(schedule.accrual[-1])
        return pieces((np.inf, self._principal() + fixed * years, linear * years, 0.0))

    def _lost(self) -> Payoff:
        gone = 1.0 - self._principal()
        floor = self.floor
        if self.margin < 1.0 and not self.recourse:
            floor = max(floor, 1.0 - self.margin)
        knee = max(0.0, floor - 1.0 + self.strike)
        return pieces(
            (knee, floor - gone, 0.0, 0.0),
            (self.strike, 1.0 - self.strike - gone, 0.0, 1.0),
            (np.inf, 1.0 - gone, 0.0, 0.0),
        )


def knock_out_levels(terms: Snowball) -> Float64:
    """Return the knock-out level by month, shape (months + 1,); the lock-up is not cut out."""
    months = np.arange(terms.months + 1)
    levels = terms.knock_out - terms.step_down * np.maximum(months - terms.lockup, 0)
    for stage in terms.stages:
        if stage.knock_out is not None:
            since = months - stage.after - 1
            levels = np.where(
                since >= 0, stage.knock_out - terms.step_down * np.maximum(since, 0), levels
            )
    if terms.last_knock_out is not None:
        levels[-1] = terms.last_knock_out
    return np.asarray(levels)


def coupon_in_force(terms: Snowball, month: int) -> tuple[float, float]:
    """Return the coupon of a knock-out in ``month`` as (fixed, per headline coupon)."""
    fixed, linear = 0.0, 1.0
    for stage in terms.stages:
        if stage.coupon is not None and month > stage.after:
            fixed, linear = stage.coupon, 0.0
    return fixed, linear


def check_coupon(coupon: float) -> None:
    """Refuse a coupon that is no fraction a year; raises TermsError."""
    if not -1.0 <= coupon <= 1.5:
        raise TermsError("coupon_percent", coupon=coupon)
