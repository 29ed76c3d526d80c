"""Airbag 安全气囊: a share in the rise, protected from a fall until the knock-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from crowdfall.errors import TermsError
from crowdfall.products.schedule import Schedule, ideal
from crowdfall.products.timetable import Timetable, pieces


@dataclass(frozen=True, kw_only=True, slots=True)
class Airbag:
    """Terms of an airbag, fully paid in; there is no knock-out and no coupon.

    At maturity it pays 1 + ``share`` x max(0, S - strike) while protected; once knocked in
    1 + ``share_after`` x (S - strike) above the strike and 1 - ``loss_share`` x (strike - S) below.
    """

    months: int = 12
    knock_in: float = 0.70
    strike: float = 1.0
    share: float = 0.70
    share_after: float = 1.0
    loss_share: float = 1.0
    knock_in_observed: Literal["daily", "maturity"] = "daily"
    coupon: float = 0.0
    lag: int = 0

    def __post_init__(self) -> None:
        """Refuse terms that contradict each other; raises TermsError."""
        if not 1 <= self.months <= 120:
            raise TermsError("months_wrong", lockup=1, months=self.months)
        if not 0 < self.knock_in < self.strike <= 2:
            raise TermsError("barriers_wrong", knock_in=self.knock_in, knock_out=self.strike)
        shares = (self.share, self.share_after, self.loss_share)
        if not all(0 <= share <= 5 for share in shares):
            raise TermsError("share_wrong", shares=shares)

    def timetable(self, schedule: Schedule | None = None) -> Timetable:
        """Return levels and amounts by session; without a schedule on idealised months."""
        schedule = schedule or ideal(self.months)
        days = schedule.last + 1
        knock_in = np.zeros(days)
        knock_in[1 if self.knock_in_observed == "daily" else -1 :] = self.knock_in
        nothing = np.zeros((days, 2))
        up = (np.inf, 1.0 - self.share * self.strike, 0.0, self.share)
        after = (np.inf, 1.0 - self.share_after * self.strike, 0.0, self.share_after)
        down = (self.strike, 1.0 - self.loss_share * self.strike, 0.0, self.loss_share)
        return Timetable(
            knock_out=np.full(days, np.inf),
            knock_in=knock_in,
            redemption=nothing,
            coupon_level=np.full(days, np.inf),
            coupon_amount=nothing,
            survived=pieces((self.strike, 1.0, 0.0, 0.0), up),
            lost=pieces(down, after),
            year=schedule.year,
            lag=self.lag,
        )
