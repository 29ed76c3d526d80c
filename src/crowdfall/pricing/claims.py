"""A note told as claims: its value in both states, and its chances and expected life."""

from __future__ import annotations

import math

import numpy as np

from crowdfall.pricing.sweeps import Claims, payoff_rows, strips_of
from crowdfall.products.timetable import Timetable
from crowdfall.types import Float64

APART = np.eye(2)
"""Mix that keeps the fixed part and the part per coupon as two claims."""


def together(coupon: float) -> Float64:
    """Return the mix of the whole note at a coupon, shape (2, 1)."""
    return np.array([[1.0], [coupon]])


def note(table: Timetable, rate: float, mix: Float64) -> tuple[Claims, Claims]:
    """Return the note once knocked in, and what its protection adds while it lasts."""
    count = mix.shape[1]
    late = math.exp(-rate * table.lag / table.year)
    mix = mix * late
    out, low = float(table.knock_out[-1]), float(table.knock_in[-1])
    rows = payoff_rows(table.lost, 0.0, out, mix)
    if out < math.inf:
        rows.append((out, math.inf, table.redemption[-1] @ mix, np.zeros(count)))
    gain = payoff_rows(table.survived, low, out, mix)
    gain += payoff_rows(table.lost, low, out, mix, -1.0)
    rates = np.full(count, rate)
    nothing = np.zeros((table.last + 1, count))
    held = Claims(
        redeemed=table.redemption @ mix,
        coupons=table.coupon_amount @ mix,
        end=strips_of(_coupon_at_end(table, mix) + rows),
        rate=rates,
        shielded=False,
    )
    if not gain:
        gain = [(low, max(out, low), np.zeros(count), np.zeros(count))]
    shield = Claims(
        redeemed=nothing, coupons=nothing, end=strips_of(gain), rate=rates, shielded=True
    )
    return held, shield


def _coupon_at_end(table: Timetable, mix: Float64) -> list[tuple[float, float, Float64, Float64]]:
    level, out = float(table.coupon_level[-1]), float(table.knock_out[-1])
    if level >= out:
        return []
    return [(level, out, table.coupon_amount[-1] @ mix, np.zeros(mix.shape[1]))]


def chances(table: Timetable) -> tuple[Claims, Claims]:
    """Return undiscounted claims: (knock-out, life) and (never knocked, not knocked in first).

    The second pair is worth one where the note ends without any knock, and where it ends without
    a knock-in before. Life is counted in years from the issue.
    """
    years = np.arange(table.last + 1) / table.year
    out, low = float(table.knock_out[-1]), float(table.knock_in[-1])
    flat = np.zeros(2)
    ends = [(0.0, out, np.array([0.0, years[-1]]), flat)]
    kept = [(low, max(low, out), np.ones(2), flat)]
    if out < math.inf:
        ends.append((out, math.inf, np.array([1.0, years[-1]]), flat))
        kept.append((out, math.inf, np.array([0.0, 1.0]), flat))
    nothing = np.zeros((table.last + 1, 2))
    free = Claims(
        redeemed=np.stack([np.ones_like(years), years], axis=1),
        coupons=nothing, end=strips_of(ends), rate=flat, shielded=False,
    )  # fmt: skip
    shielded = Claims(
        redeemed=np.tile([0.0, 1.0], (table.last + 1, 1)),
        coupons=nothing, end=strips_of(kept), rate=flat, shielded=True,
    )  # fmt: skip
    return free, shielded
