"""The exact value of one note with its greeks, chances and expected life.

Units are those of the market (design:snowball 2): per 100 of notional, the index told as 100 x S /
initial. ``delta`` and ``gamma`` are per point of that; ``vega`` and ``dv_dq`` the slope, told per
percentage point; ``theta`` per session at an unchanged index, between observations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crowdfall.errors import TermsError
from crowdfall.pricing.claims import APART, chances, note, together
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.sweeps import Claims, Sweep, grid_for
from crowdfall.products.snowball import check_coupon
from crowdfall.products.timetable import Timetable
from crowdfall.types import Float64

POINT: Final = 0.01
BUMP: Final = 0.001
"""A tenth of a point either side: the slope to 1e-4, far above rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """Where a note stands: index over initial price, sessions since issue, knocked in or not.

    The session's own observation is over. An index at or below a daily knock-in is knocked in.
    """

    spot: float = 1.0
    age: int = 0
    knocked_in: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """A note's value, greeks, chances and expected remaining life in years; units above."""

    pv: float
    delta: float
    gamma: float
    vega: float
    dv_dq: float
    theta: float
    p_knock_in: float
    p_knock_out: float
    p_loss: float
    life: float


def settle(table: Timetable, standing: Standing) -> Standing:
    """Return the standing with what its own index level implies; raises TermsError if ended."""
    age, spot = standing.age, standing.spot
    if not (math.isfinite(spot) and 1e-3 <= spot <= 1e3):
        raise TermsError("spot_wrong", spot=spot)
    if not 0 <= age <= table.last:
        raise TermsError("matured", age=age, last=table.last)
    if spot >= table.knock_out[age] and age < table.last:
        raise TermsError("knocked_out_already", spot=spot, level=float(table.knock_out[age]))
    below = spot <= (table.knock_in[age] if age else table.watched)
    return replace(standing, knocked_in=standing.knocked_in or below)


def present_value(
    table: Timetable, coupon: float, marks: Marks, standing: Standing | None = None
) -> tuple[float, float, float]:
    """Return value, delta and gamma; raises TermsError where the note has ended."""
    standing = settle(table, standing or Standing())
    value, first, second = (
        float(order) for order in _parts(table, together(coupon), marks, standing)[:, 0]
    )
    spot = standing.spot
    return 100.0 * value, first / spot, (second - first) / (100.0 * spot**2)


def price(table: Timetable, coupon: float, marks: Marks, standing: Standing | None = None) -> Value:
    """Return the exact value of a note with all greeks; raises TermsError where it has ended.

    >>> from crowdfall.products.snowball import Snowball
    >>> round(price(Snowball().timetable(), 0.20, Marks()).pv, 3)
    98.203
    """
    standing = settle(table, standing or Standing())
    pv, delta, gamma = present_value(table, coupon, marks, standing)
    slopes = []
    for name in ("vol", "q"):
        ends = [
            present_value(
                table, coupon, replace(marks, **{name: getattr(marks, name) + bump}), standing
            )[0]
            for bump in (-BUMP, BUMP)
        ]
        slopes.append((ends[1] - ends[0]) / (2 * BUMP) * POINT)
    spot = 100.0 * standing.spot
    carry = (marks.rate - marks.q) * spot * delta
    theta = marks.rate * pv - carry - 0.5 * marks.vol**2 * spot**2 * gamma
    knock_in, knock_out, loss, life = probabilities(table, marks, standing)
    return Value(
        pv=pv, delta=delta, gamma=gamma,
        vega=slopes[0], dv_dq=slopes[1],
        theta=theta / table.year if standing.age < table.last else 0.0,
        p_knock_in=knock_in, p_knock_out=knock_out, p_loss=loss, life=life,
    )  # fmt: skip


def probabilities(
    table: Timetable, marks: Marks, standing: Standing
) -> tuple[float, float, float, float]:
    """Return the chances of knock-in (before a knock-out), knock-out, loss, and life in years."""
    standing = settle(table, standing)
    at, age = np.array([math.log(standing.spot)]), standing.age
    if age == table.last:
        out = float(standing.spot >= table.knock_out[-1])
        return float(standing.knocked_in), out, float(standing.knocked_in) * (1.0 - out), 0.0
    grid = grid_for(table, marks, standing.spot, standing.spot, age)
    free, shielded = chances(table)
    out, end = (float(x) for x in Sweep(table, free, grid, age + 1).read(age, at)[0, :, 0])
    never, kept = 0.0, 0.0
    if not standing.knocked_in:
        read = Sweep(table, shielded, grid, age + 1).read(age, at)[0, :, 0]
        never, kept = (float(x) for x in read)
    return 1.0 - kept, out, max(0.0, 1.0 - out - never), end - age / table.year


def fair_coupon(table: Timetable, marks: Marks, standing: Standing | None = None) -> float:
    """Return the headline coupon a year at which the note is worth par (nothing, on margin).

    The value is linear in it, so this is one division. Raises TermsError where no coupon is paid.
    """
    standing = settle(table, standing or Standing())
    fixed, per_coupon = _parts(table, APART, marks, standing)[0]
    if per_coupon <= 0.0:
        raise TermsError("no_coupon")
    return float((par(table) - fixed) / per_coupon)


def par(table: Timetable) -> float:
    """Return what the note costs at issue: notional, or nothing where only margin is paid in."""
    knocked = np.isfinite(table.knock_out)
    if not knocked.any():
        return 1.0
    return float(table.redemption[knocked][0, 0] > 0.5)


def implied_discount(
    table: Timetable, coupon: float, marks: Marks, low: float = -0.2, high: float = 0.6
) -> float:
    """Return the q a year at which a quoted coupon is fair; raises TermsError outside low..high."""
    from scipy.optimize import brentq  # slow to import, and only needed here

    check_coupon(coupon)

    def miss(q: float) -> float:
        return fair_coupon(table, replace(marks, q=q)) - coupon

    ends = miss(low), miss(high)
    if ends[0] * ends[1] > 0:
        raise TermsError(
            "no_implied_discount", coupon=coupon, low=low, high=high,
            least=ends[0] + coupon, most=ends[1] + coupon,
        )  # fmt: skip
    return float(brentq(miss, low, high, xtol=1e-7))


def _parts(table: Timetable, mix: Float64, marks: Marks, standing: Standing) -> Float64:
    """Return value, first and second derivative in log price by claim, shape (3, claims)."""
    at, age = np.array([math.log(standing.spot)]), standing.age
    held, shield = note(table, marks.rate, mix)
    both: tuple[Claims, ...] = (held,) if standing.knocked_in else (held, shield)
    if age == table.last:
        return np.asarray(np.sum([_at_end(claims, float(at[0])) for claims in both], axis=0))
    grid = grid_for(table, marks, standing.spot, standing.spot, age)
    reads = [Sweep(table, claims, grid, age + 1).read(age, at)[:, :, 0] for claims in both]
    return np.asarray(np.sum(reads, axis=0))


def _at_end(claims: Claims, at: float) -> Float64:
    """Return what maturity pays, with derivatives; at a level itself the side above counts."""
    end = claims.end
    inside = (end.low <= at) & (at < end.high)
    tilt = (end.slope[inside] * math.exp(at)).sum(axis=0)
    return np.array([end.fixed[inside].sum(axis=0) + tilt, tilt, tilt])
