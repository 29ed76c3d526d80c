"""What has become of a note, given the closes so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from crowdfall.errors import DataError
from crowdfall.products.timetable import Timetable
from crowdfall.types import Float64

State = Literal["alive", "knocked_in", "knocked_out", "matured"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """State of a note after its latest close; sessions count from the issue.

    ``knocked_in``, ``ended``: session of the event, None where it has not come. ``paid``: what the
    end paid per unit of notional, ``coupons``: sessions on which a running coupon was paid.
    """

    state: State
    session: int
    knocked_in: int | None = None
    ended: int | None = None
    paid: float | None = None
    coupons: tuple[int, ...] = ()


def live(table: Timetable, coupon: float, prices: Float64) -> Life:
    """Return a note's life along closes over the initial price, shape (T + 1,), issue day first.

    The knock-out is tested before the knock-in, both inclusive; closes after the end are not read.
    Raises DataError for a close that is missing or not positive.
    """
    knocked_in: int | None = None
    coupons: list[int] = []
    for session, price in enumerate(prices.tolist()):
        if not (np.isfinite(price) and price > 0):
            raise DataError("close_missing", session=session, value=price)
        if session == 0:
            continue
        if price >= table.knock_out[session]:
            fixed, linear = table.redemption[session]
            return Life(
                state="knocked_out", session=session, knocked_in=knocked_in, ended=session,
                paid=float(fixed + coupon * linear), coupons=tuple(coupons),
            )  # fmt: skip
        if knocked_in is None and price <= table.knock_in[session]:
            knocked_in = session
        if price >= table.coupon_level[session]:
            coupons.append(session)
        if session == table.last:
            payoff = table.survived if knocked_in is None else table.lost
            return Life(
                state="matured", session=session, knocked_in=knocked_in, ended=session,
                paid=float(payoff.value(np.array(price), coupon)), coupons=tuple(coupons),
            )  # fmt: skip
    return Life(
        state="alive" if knocked_in is None else "knocked_in",
        session=len(prices) - 1,
        knocked_in=knocked_in,
        coupons=tuple(coupons),
    )
