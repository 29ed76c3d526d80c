"""What it costs to sell a position: the table of Almgren et al. and the schedule of Almgren-Chriss.

``cost`` prices one trade from volume, shares and volatility (Almgren, Thum, Hauptmann and Li 2005).
``schedule`` spreads a position over days so that expected cost plus a price on its variance is
least (Almgren and Chriss 2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.errors import TermsError
from crowdfall.parameters import parameter
from crowdfall.types import Float64

ALMGREN = "Almgren, Thum, Hauptmann and Li (2005), US institutional orders"


@dataclass(frozen=True, kw_only=True)
class CostLaw:
    """Coefficients of permanent and temporary impact, in daily volatilities."""

    permanent: float = parameter(
        0.314, "permanent impact per traded share of the day", source=ALMGREN, low=0.0, high=5.0
    )
    temporary: float = parameter(
        0.142, "temporary impact at one day's volume a day", source=ALMGREN, low=0.0, high=5.0
    )
    exponent: float = parameter(
        0.6, "exponent of the rate of trading", source=ALMGREN, low=0.1, high=1.0
    )
    turnover: float = parameter(
        0.25, "exponent of shares outstanding over volume", source=ALMGREN, low=0.0, high=1.0
    )


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Fractions of the price: ``permanent`` move, ``temporary`` cost, ``total`` paid on average."""

    permanent: float
    temporary: float
    total: float


def cost(
    shares: float,
    days: float,
    *,
    adv: float,
    outstanding: float,
    volatility: float,
    law: CostLaw | None = None,
) -> Cost:
    """Return the cost of trading ``shares`` evenly over ``days``.

    I / sigma = gamma (X / V) (Theta / V)^(1/4); K / sigma = eta (X / (V T))^0.6; paid: I / 2 + K.
    ``adv`` V and ``outstanding`` Theta in shares, ``volatility`` a day. TermsError: a number not
    above zero (``shares`` may be 0).

    >>> paid = cost(656_100, 0.1, adv=6_561_000, outstanding=1_728e6, volatility=0.0157)
    >>> round(1e4 * paid.total, 2)  # basis points
    32.22
    """
    said = law or CostLaw()
    _positive(days=days, adv=adv, outstanding=outstanding, volatility=volatility)
    if not 0.0 <= shares < np.inf:
        raise TermsError("theory_least", name="shares", value=f"{shares:g}", low="0")
    size = shares / adv
    lasting = said.permanent * volatility * size * (outstanding / adv) ** said.turnover
    passing = said.temporary * volatility * (size / days) ** said.exponent
    return Cost(permanent=lasting, temporary=passing, total=0.5 * lasting + passing)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Terms of a liquidation: ``shares`` over ``days`` in ``trades`` equal intervals.

    ``volatility``: price units per day^0.5; ``half_spread``: price units; ``permanent``: price
    units per share; ``temporary``: price units per share a day. TermsError: a number not above
    zero (spread and impacts may be 0), or a temporary impact too small for the intervals.
    """

    shares: float
    days: float
    trades: int
    volatility: float
    half_spread: float
    permanent: float
    temporary: float

    def __post_init__(self) -> None:
        _positive(days=self.days, trades=self.trades, volatility=self.volatility)
        for name in ("shares", "half_spread", "permanent"):
            value = getattr(self, name)
            if not 0.0 <= value < np.inf:
                raise TermsError("theory_least", name=name, value=f"{value:g}", low="0")
        _positive(temporary=self.temporary)
        if self.slope <= 0.0:
            raise TermsError(
                "execution_slope", temporary=f"{self.temporary:g}",
                least=f"{0.5 * self.permanent * self.interval:g}",
            )  # fmt: skip

    @property
    def interval(self) -> float:
        """Return the days between two trades."""
        return self.days / self.trades

    @property
    def slope(self) -> float:
        """Return the temporary impact net of the permanent one of the same trade."""
        return self.temporary - 0.5 * self.permanent * self.interval

    def expected(self, trades: ArrayLike) -> float:
        """Return the expected cost, money, of selling ``trades`` (N,) shares one after the other.

        E = gamma X^2 / 2 + eps sum|n| + (eta - gamma tau / 2) / tau sum n^2.
        """
        sold = np.asarray(trades, dtype=float)
        fixed = 0.5 * self.permanent * sold.sum() ** 2 + self.half_spread * np.abs(sold).sum()
        return float(fixed + self.slope / self.interval * (sold**2).sum())

    def deviation(self, trades: ArrayLike) -> float:
        """Return the sd of that cost: sigma (tau sum x^2)^0.5 over what is left after each."""
        sold = np.asarray(trades, dtype=float)
        left = sold.sum() - np.cumsum(sold)
        return float(self.volatility * np.sqrt(self.interval * (left**2).sum()))


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Trades (N,) in shares, money expected to be lost, its sd, and urgency kappa per day."""

    trades: Float64
    expected_cost: float
    sd: float
    urgency: float


def schedule(terms: Terms, risk_aversion: float) -> Schedule:
    """Return the trades with the least expected cost + risk_aversion x variance.

    x_j = X sinh(kappa (T - t_j)) / sinh(kappa T), with 2 / tau^2 (cosh(kappa tau) - 1) =
    risk_aversion sigma^2 / slope. A risk aversion of 0 trades evenly. TermsError where it is
    negative.

    >>> terms = Terms(shares=1e6, days=5, trades=5, volatility=0.95, half_spread=0.0625,
    ...               permanent=2.5e-7, temporary=2.5e-6)
    >>> schedule(terms, 1e-6).trades.round(1)
    array([458044.4, 252101.3, 141956.7,  85755.7,  62141.8])
    """
    if not 0.0 <= risk_aversion < np.inf:
        raise TermsError("theory_least", name="risk_aversion", value=f"{risk_aversion:g}", low="0")
    tau, times = terms.interval, np.linspace(0.0, terms.days, terms.trades + 1)
    pull = risk_aversion * terms.volatility**2 / terms.slope
    urgency = float(np.arccosh(0.5 * pull * tau**2 + 1.0) / tau)
    if urgency * terms.days < 1e-6:
        left = 1.0 - times / terms.days
    else:
        # sinh(k (T - t)) / sinh(k T), in a form that doesn't overflow
        ahead = terms.days - times
        left = np.exp(-urgency * times) * np.expm1(-2 * urgency * ahead)
        left = left / np.expm1(-2 * urgency * terms.days)
    trades = -np.diff(terms.shares * left)
    return Schedule(
        trades=trades, expected_cost=terms.expected(trades), sd=terms.deviation(trades),
        urgency=urgency,
    )  # fmt: skip


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0.0 < value < np.inf:
            raise TermsError("theory_above", name=name, value=f"{value:g}", low="0")
