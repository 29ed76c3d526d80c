"""Spirals of one levered fund: leverage targeting, and losses with margins that rise.

The fund's rule is the one that levered participants use (``agents.leverage``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from crowdfall.errors import TermsError
from crowdfall.experiments.theory.arrays import number


@dataclass(frozen=True, kw_only=True)
class Targeting:
    """All rounds of one leverage-targeting fund: gain g, total return, total sale."""

    gain: float
    total_return: float
    sold: float


def leverage_targeting(assets: float, leverage: float, impact: float, shock: float) -> Targeting:
    """Return the sum of all rounds, to first order in the shock.

    A return r makes the fund sell (leverage - 1) x assets x |r|; the price falls by ``impact`` a
    unit of money, so each round is g = impact x assets x (leverage - 1) times the last: total
    shock / (1 - g). TermsError: g of 1 or more never ends; leverage of 1 or less; assets below 0.

    >>> round(leverage_targeting(100.0, 4.0, 1e-3, -0.01).sold, 6)
    4.285714
    """
    size = number("assets", assets)
    times = number("leverage", leverage, low=1.0, above=True)
    first = number("shock", shock, low=-1.0, high=1.0)
    gain = number("impact", impact) * size * (times - 1.0)
    if gain >= 1.0:
        raise TermsError("theory_unstable", radius=f"{gain:g}")
    total = first / (1.0 - gain)
    return Targeting(gain=gain, total_return=total, sold=-(times - 1.0) * size * total)


@dataclass(frozen=True, kw_only=True)
class Speculators:
    """A market of customers and of speculators who are short of margin capital.

    Brunnermeier and Pedersen (2009): customers sell ``slope`` x (price - value) units, speculators
    hold all that capital carries, W / margin. At the first price 1: ``margin`` per unit,
    ``margin_slope`` its change with the price (below 0 if brokers ask for more when prices fall),
    ``position`` held now and ``carried`` held before, which decides the loss on a fall.
    """

    slope: float = 1.0
    margin: float = 0.5
    margin_slope: float = 0.0
    position: float = 0.3
    carried: float = 0.0

    def multiplier(self) -> float:
        """Return dp / d(capital) = 1 / (slope m + m' x1 - x0); TermsError where it has no end."""
        room = self._room()
        return 1.0 / room

    def price(self, capital: float) -> float:
        """Return the price after ``capital`` more of speculators' money, first price 1.

        Solves margin(p) x supply(p) = capital(p) near the first price: the equilibrium whose slope
        ``multiplier`` is. TermsError where no equilibrium is left.
        """
        self._room()
        given = number("capital", capital, low=-1e6)
        # (m + m' z)(x1 + s z) = m x1 + x0 z + capital, z = p - 1
        a = self.margin_slope * self.slope
        b = self.slope * self.margin + self.margin_slope * self.position - self.carried
        root = b * b + 4.0 * a * given
        if root < 0.0:
            raise TermsError("theory_no_equilibrium", capital=f"{given:g}")
        return 1.0 + 2.0 * given / (b + math.sqrt(root))

    def _room(self) -> float:
        number("slope", self.slope, above=True)
        number("margin", self.margin, above=True)
        number("margin_slope", self.margin_slope, low=-1e6)
        number("position", self.position)
        number("carried", self.carried)
        room = self.slope * self.margin + self.margin_slope * self.position - self.carried
        if room <= 0.0:
            raise TermsError("theory_no_room", room=f"{room:g}")
        return room
