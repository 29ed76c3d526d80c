"""What a note pays, session by session: the one form in which pricing reads every product.

Prices are fractions of the initial price, amounts fractions of notional. Every amount is a pair
(fixed, per coupon): the note is worth ``fixed + coupon x per coupon``, so that the coupon's size is
not part of the family and a fair coupon is one division.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crowdfall.types import Float64, Int64


@dataclass(frozen=True, kw_only=True)
class Payoff:
    """A payoff at maturity that is linear in the price S between knots.

    Piece k pays ``fixed[k] + coupon * per_coupon[k] + slope[k] * S`` for low[k] < S <= high[k];
    all arrays have shape (K,), the pieces touch and reach from 0 to infinity.
    """

    low: Float64
    high: Float64
    fixed: Float64
    per_coupon: Float64
    slope: Float64

    def value(self, price: Float64, coupon: float) -> Float64:
        """Return what is paid at each price; NaN stays NaN."""
        k = np.clip(np.searchsorted(self.low, price, side="left") - 1, 0, len(self.low) - 1)
        return np.asarray(self.fixed[k] + coupon * self.per_coupon[k] + self.slope[k] * price)


def pieces(*rows: tuple[float, float, float, float]) -> Payoff:
    """Return the payoff of rows (high, fixed, per_coupon, slope), lowest prices first.

    >>> float(pieces((1.0, 0.0, 0.0, 1.0), (np.inf, 1.0, 0.0, 0.0)).value(np.array(1.2), 0.1))
    1.0
    """
    kept = []
    low = 0.0
    for high, fixed, per_coupon, slope in rows:
        if high > low:
            kept.append((low, high, fixed, per_coupon, slope))
            low = high
    table = np.array(kept, dtype=np.float64)
    return Payoff(
        low=table[:, 0], high=table[:, 1], fixed=table[:, 2],
        per_coupon=table[:, 3], slope=table[:, 4],
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """Levels and amounts of a note on sessions 0 to N; arrays have shape (N + 1,) or (N + 1, 2).

    A close at or above ``knock_out`` ends the note and pays ``redemption``; it is tested before
    ``knock_in``, at or below which the note loses its protection for good. A close at or above
    ``coupon_level`` pays ``coupon_amount`` and the note goes on. Unobserved sessions hold infinity
    (knock-out, coupon) or zero (knock-in). At maturity ``survived`` or ``knocked_in`` is paid.
    ``year``: sessions that make a year; ``lag``: sessions from an observation to its payment.
    """

    knock_out: Float64
    knock_in: Float64
    redemption: Float64
    coupon_level: Float64
    coupon_amount: Float64
    survived: Payoff
    lost: Payoff
    year: int
    lag: int = 0

    @property
    def last(self) -> int:
        """Return the session number of maturity."""
        return len(self.knock_out) - 1

    @cached_property
    def watched(self) -> float:
        """Return the knock-in level observed before maturity; 0 where there is none."""
        return float(self.knock_in[:-1].max())

    @cached_property
    def kinds(self) -> tuple[Int64, Int64]:
        """Return the first session of each distinct set of levels, and each session's set.

        Maturity is left out; shapes (K,) and (N,).
        """
        levels = np.stack([self.knock_in, self.knock_out, self.coupon_level], axis=1)[:-1]
        _, first, which = np.unique(levels, axis=0, return_index=True, return_inverse=True)
        return first.astype(np.int64), which.ravel().astype(np.int64)

    @cached_property
    def digest(self) -> str:
        """Return a hash that is equal for notes of one family: all but the coupon's size."""
        digest = hashlib.sha256(f"{self.year} {self.lag}".encode())
        for array in (
            self.knock_out, self.knock_in, self.redemption, self.coupon_level, self.coupon_amount,
        ):  # fmt: skip
            digest.update(array.tobytes())
        for payoff in (self.survived, self.lost):
            digest.update(repr([vars(payoff)[key].tolist() for key in vars(payoff)]).encode())
        return digest.hexdigest()[:16]
