"""What the street's snowball dealers hold, as one function of the distance to the knock-in.

The engine knows a book by knock-in level only. Its hedge per yuan of notional is an average over
typical notes, tabulated by ln(index / knock-in level) for both states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.parameters import parameter
from crowdfall.pricing.claims import note, together
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.sweeps import Sweep, grid_for
from crowdfall.products.snowball import Snowball
from crowdfall.types import Bool, Float64

_PUBLISHED: Final = "typical terms as quoted by dealers (design:system B.4)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Street:
    """The typical notes outstanding at the end of 2023, averaged with equal weights."""

    knock_ins: tuple[float, ...] = (0.75, 0.80)  # published barriers (design:system B.4)
    # Sessions since issue, most notes being of February to April 2023 (design:model a.4).
    ages: tuple[int, ...] = (170, 215, 260)
    months: int = 24  # one to two years are published, two years usual (design:system B.4)
    coupon: float = parameter(
        0.12, "coupon a year", unit="fraction", source=_PUBLISHED, low=0.05, high=0.30
    )
    knock_out: float = parameter(
        1.02, "knock-out level over initial price", source="between the usual 100% and 103% "
        "(design:model a.4)", low=0.95, high=1.10,
    )  # fmt: skip
    cap: float = parameter(
        1.45, "largest hedge per notional before the knock-in: desks do not trade the peak",
        source="assumption, desks cap delta (design:model a.4)", low=1.0, high=10.0,
    )  # fmt: skip
    vol: float = parameter(
        0.18, "volatility a year the desks mark with", unit="fraction",
        source="reconciles coupons of 8-16% with the observed basis (design:snowball 4)",
        low=0.05, high=0.60,
    )  # fmt: skip
    q: float = parameter(
        0.06, "dividends and annual futures discount", unit="fraction",
        source="futures discount at the end of 2023 (design:model a.4)", low=-0.1, high=0.6,
    )  # fmt: skip
    rate: float = parameter(
        0.02, "interest a year", unit="fraction", source="assumption (design:snowball 2)",
        low=0.0, high=0.1,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class HedgeTable:
    """Futures held per yuan of notional, at even steps of ln(index / knock-in level).

    ``log_ratio``, ``alive``, ``knocked_in`` have shape (K,); a note that is alive below its level
    (the close has not come yet) keeps the hedge of a note about to be observed.
    """

    log_ratio: Float64
    alive: Float64
    knocked_in: Float64

    def hedge(self, log_ratio: Float64, is_knocked_in: Bool) -> Float64:
        """Return the hedge per yuan of notional, of the shape of both arguments.

        Linear between the table's points (error below 1e-4), constant beyond its ends; NaN in,
        NaN out.
        """
        alive = np.interp(log_ratio, self.log_ratio, self.alive)
        gone = np.interp(log_ratio, self.log_ratio, self.knocked_in)
        return np.where(is_knocked_in, gone, alive)


def street_hedge(street: Street | None = None, *, points: int = 1601) -> HedgeTable:
    """Return the street's hedge between 0.45 and 2.2 times the knock-in level.

    Call it again with other marks (``dataclasses.replace(street, vol=..., q=...)``) to re-mark the
    book for a day's volatility and basis; it takes about 30 ms once compiled.
    """
    street = street or Street()
    marks = Marks(vol=street.vol, rate=street.rate, q=street.q)
    log_ratio = np.linspace(np.log(0.45), np.log(2.2), points)
    alive, gone = np.zeros(points), np.zeros(points)
    for knock_in in street.knock_ins:
        terms = Snowball(
            coupon=street.coupon, months=street.months, knock_in=knock_in,
            knock_out=street.knock_out,
        )  # fmt: skip
        table = terms.timetable()
        at = log_ratio + np.log(knock_in)
        grid = grid_for(table, marks, float(np.exp(at[0])), float(np.exp(at[-1])))
        held, shield = note(table, marks.rate, together(street.coupon))
        one, other = Sweep(table, held, grid), Sweep(table, shield, grid)
        for age in street.ages:
            slope = one.interpolate(age, at)[1, 0]
            gone += slope
            alive += slope + other.interpolate(age, at)[1, 0]
    count = len(street.knock_ins) * len(street.ages)
    return HedgeTable(
        log_ratio=log_ratio,
        alive=np.minimum(alive / count, street.cap),
        knocked_in=gone / count,
    )
