"""A snowball on QuantLib's finite-difference toolkit: its operator and its backward solver.

QuantLib rolls both states back between closes; this file applies the contract at each close.
"""

from __future__ import annotations

import math

import numpy as np
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray

Grid = NDArray[np.float64]


class Toolkit:
    """A mesh in ln(S / initial) and the solver of one volatility, rate and q."""

    def __init__(self, spot: float, last: int, age: int, *, vol: float, rate: float, q: float, density: float) -> None:  # fmt: skip  # noqa: E501
        reach = 5 * vol * math.sqrt((last - age) / 252) + 0.3
        half = math.ceil(reach / (vol / math.sqrt(252)) * density)
        here = math.log(spot)
        today = ql.Date(1, 1, 2024)
        ql.Settings.instance().evaluationDate = today
        count = ql.Actual365Fixed()
        curve = [ql.YieldTermStructureHandle(ql.FlatForward(today, r, count)) for r in (q, rate)]
        sigma = ql.BlackVolTermStructureHandle(
            ql.BlackConstantVol(today, ql.NullCalendar(), vol, count)
        )
        process = ql.BlackScholesMertonProcess(
            ql.QuoteHandle(ql.SimpleQuote(spot)), curve[0], curve[1], sigma
        )
        mesher = ql.FdmMesherComposite(ql.Uniform1dMesher(here - reach, here + reach, 2 * half + 1))
        self.x = np.linspace(here - reach, here + reach, 2 * half + 1)
        self.middle = half
        op = ql.FdmBlackScholesOp(mesher, process, 1.0)
        self.solver = ql.FdmBackwardSolver(
            op, ql.FdmBoundaryConditionSet(),
            ql.FdmStepConditionComposite(ql.DoubleVector(), ql.FdmStepConditionVector()),
            ql.FdmSchemeDesc.CrankNicolson(),
        )  # fmt: skip

    def back(self, values: Grid, steps: int) -> Grid:
        array = ql.Array(values.tolist())
        self.solver.rollback(array, 1 / 252, 0.0, steps, 1)
        return np.array(list(array))


def joined(x: Grid, below: Grid, above: Grid, level: float) -> Grid:
    """Return below under the level and above over it; the level's own cell is averaged."""
    h, cut = x[1] - x[0], math.log(level)
    out = np.where(x > cut, above, below)
    k = round((cut - x[0]) / h)
    at = cut - x[k]
    share = 0.5 + at / h
    low = below[k] + (below[k + 1] - below[k - 1]) / (2 * h) * (at - h / 2) / 2
    high = above[k] + (above[k + 1] - above[k - 1]) / (2 * h) * (at + h / 2) / 2
    out[k] = share * low + (1 - share) * high
    return out


def snowball(
    spot: float, age: int, *, vol: float, rate: float, q: float, coupon: float, knock_in: float,
    knock_out: float, months: int, density: float = 3.0, steps: int = 2,
) -> float:  # fmt: skip
    """Return the value per 100 of the standard contract, alive, on one mesh."""
    last = 21 * months
    tool = Toolkit(spot, last, age, vol=vol, rate=rate, q=q, density=density)
    x = tool.x
    lost = joined(x, np.exp(x), np.ones_like(x), 1.0)
    kept = joined(x, lost, np.full_like(x, 1 + coupon * last / 252), knock_in)
    for day in range(last, age, -1):
        if day < last:
            kept = joined(x, lost, kept, knock_in)
        if day % 21 == 0 and day >= 63:
            paid = np.full_like(x, 1 + coupon * day / 252)
            lost, kept = joined(x, lost, paid, knock_out), joined(x, kept, paid, knock_out)
        lost, kept = tool.back(lost, steps), tool.back(kept, steps)
    return 100 * float(kept[tool.middle])
