"""Finite differences for a volatility that depends on the index: skew and smile.

Crank-Nicolson in log price, several substeps a session, the first of them as two implicit halves
that damp what an event left behind; events act on cell averages, so a barrier need not be a node
(design:snowball 5). Errors fall with the square of both steps, so two grids are extrapolated
(Richardson). With a flat volatility it agrees with the exact sweep, which is far faster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dgttrf, dgttrs

from crowdfall.errors import TermsError
from crowdfall.pricing.value import Standing, settle
from crowdfall.products.timetable import Timetable
from crowdfall.types import Float64

RANGE = 5.0
"""Standard deviations of the remaining life, at the level's volatility, that the grid spans."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Smile:
    """Local volatility ``level + skew x + curve x^2`` of x = ln(S / initial), kept within bounds.

    ``skew`` is negative where falls are more volatile; index options in China showed -0.1 to -0.5
    (assumption). ``rate`` and ``q`` as in ``Marks``.
    """

    level: float = 0.20
    skew: float = 0.0
    curve: float = 0.0
    low: float = 0.05
    high: float = 0.80
    rate: float = 0.02
    q: float = 0.06

    def __post_init__(self) -> None:
        """Refuse bounds that do not hold the level; raises TermsError."""
        if not 0.01 <= self.low <= self.level <= self.high <= 2.0:
            raise TermsError("vol_wrong", vol=self.level)

    def at(self, x: Float64) -> Float64:
        """Return the local volatility at log prices over the initial one."""
        wanted = self.level + self.skew * x + self.curve * x**2
        return np.asarray(np.clip(wanted, self.low, self.high))


def value_with_smile(
    table: Timetable, coupon: float, smile: Smile, standing: Standing | None = None,
    nodes_a_deviation: float = 3.0,
) -> tuple[float, float, float]:  # fmt: skip
    """Return value, delta and gamma under a local volatility, per 100 as in ``pricing.value``.

    ``nodes_a_deviation``: grid nodes per daily standard deviation on the coarser of two grids.
    Raises TermsError where the note has ended.
    """
    standing = settle(table, standing or Standing())
    if standing.age == table.last:
        raise TermsError("matured", age=standing.age, last=table.last)
    coarse = _solve(table, coupon, smile, standing, (nodes_a_deviation, 2))
    fine = _solve(table, coupon, smile, standing, (2 * nodes_a_deviation, 4))
    value, first, second = (4 * fine - coarse) / 3
    spot = standing.spot
    return 100 * float(value), float(first) / spot, float(second - first) / (100 * spot**2)


def _solve(
    table: Timetable, coupon: float, smile: Smile, standing: Standing, mesh: tuple[float, int]
) -> Float64:
    """Return value and two derivatives; mesh: nodes a deviation, substeps a session."""
    density, parts = mesh
    left = table.last - standing.age
    deviation = smile.level / math.sqrt(table.year)
    here = math.log(standing.spot)
    reach = RANGE * deviation * math.sqrt(left) + 0.3
    count = math.ceil(reach / deviation * density)
    x = here + reach * np.arange(-count, count + 1) / count  # the index itself is a node
    late = math.exp(-smile.rate * table.lag / table.year)
    values = _maturity(table, coupon, x) * late
    steps = _Steps(x, smile, 1.0 / table.year, parts)
    for session in range(table.last, standing.age, -1):
        if session < table.last:
            values = _observe(table, coupon, x, values, session, late)
        values = steps.back(values)
    own = values[:, 0 if standing.knocked_in else 1]
    h, k = x[1] - x[0], count
    first = (own[k - 2] - 8 * own[k - 1] + 8 * own[k + 1] - own[k + 2]) / (12 * h)
    second = (
        -own[k - 2] + 16 * own[k - 1] - 30 * own[k] + 16 * own[k + 1] - own[k + 2]
    ) / (12 * h**2)  # fmt: skip
    return np.array([own[k], first, second])


def _join(x: Float64, below: Float64, above: Float64, level: float) -> Float64:
    """Return cell averages of one function below a price and another from it on.

    In the cell that holds the level each function is averaged over its own part, its slope
    included: the error is of third order, wherever in the cell the level lies.
    """
    if level == math.inf:
        return below
    if level <= 0:
        return above
    h = x[1] - x[0]
    cut = math.log(level)
    out = np.where((x > cut)[:, None], above, below)
    k = round((cut - x[0]) / h)
    if not 0 < k < len(x) - 1:
        return out
    at = cut - x[k]
    share = 0.5 + at / h
    lower = below[k] + (below[k + 1] - below[k - 1]) / (2 * h) * 0.5 * (at - 0.5 * h)
    upper = above[k] + (above[k + 1] - above[k - 1]) / (2 * h) * 0.5 * (at + 0.5 * h)
    out[k] = share * lower + (1 - share) * upper
    return out


def _maturity(table: Timetable, coupon: float, x: Float64) -> Float64:
    """Return cell averages of what maturity pays, shape (nodes, 2): knocked in, alive."""
    h = x[1] - x[0]
    fine = x[:, None] + h * ((np.arange(128) + 0.5) / 128 - 0.5)
    price = np.exp(fine)
    lost = table.lost.value(price, coupon)
    kept = np.where(price <= table.knock_in[-1], lost, table.survived.value(price, coupon))
    both = np.stack([lost, kept], axis=2)
    both += np.where(price >= table.coupon_level[-1], table.coupon_amount[-1] @ [1, coupon], 0)[
        :, :, None
    ]
    out = price >= table.knock_out[-1]
    both[out] = table.redemption[-1] @ [1, coupon]
    return np.asarray(both.mean(axis=1))


def _observe(
    table: Timetable, coupon: float, x: Float64, values: Float64, session: int, late: float
) -> Float64:
    amounts = np.array([1.0, coupon])
    coupons = values + table.coupon_amount[session] @ amounts * late
    values = _join(x, values, coupons, float(table.coupon_level[session]))
    fallen = np.repeat(values[:, :1], 2, axis=1)
    level = float(table.knock_in[session])
    values = _join(x, fallen, values, level) if level > 0 else values
    redeemed = np.full_like(values, table.redemption[session] @ amounts * late)
    return _join(x, values, redeemed, float(table.knock_out[session]))


class _Steps:
    """One session backwards: two implicit halves of a substep, then Crank-Nicolson substeps."""

    def __init__(self, x: Float64, smile: Smile, session: float, parts: int) -> None:
        h = x[1] - x[0]
        half = 0.5 * smile.at(x) ** 2
        drift = smile.rate - smile.q - half
        self.low = half / h**2 - drift / (2 * h)
        self.high = half / h**2 + drift / (2 * h)
        self.middle = -2 * half / h**2 - smile.rate
        # Linear in price beyond the ends: V(x - h) follows from the two outermost nodes.
        grow = math.exp(h)
        self.middle[0] += self.low[0] * (1 + 1 / grow)
        self.high[0] -= self.low[0] / grow
        self.middle[-1] += self.high[-1] * (1 + grow)
        self.low[-1] -= self.high[-1] * grow
        self.parts, self.dt = parts, 0.5 * session / parts
        own = (-self.dt * self.low[1:], 1 - self.dt * self.middle, -self.dt * self.high[:-1])
        self.factors = dgttrf(*own)[:-1]

    def _implicit(self, values: Float64) -> Float64:
        solved, _ = dgttrs(*self.factors, values)
        return np.asarray(solved)

    def back(self, values: Float64) -> Float64:
        """Return the values a session earlier."""
        values = self._implicit(self._implicit(values))
        for _ in range(self.parts - 1):
            slope = self.middle[:, None] * values
            slope[1:] += self.low[1:, None] * values[:-1]
            slope[:-1] += self.high[:-1, None] * values[1:]
            values = self._implicit(values + self.dt * slope)
        return values
