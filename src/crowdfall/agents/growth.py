"""The loop of excess return, inflow and leverage (design:system 22-23, 119).

A trailing excess return brings client money; the broker lends on it; the purchases lift what the
books hold, and so the excess. It is off unless a scenario switches it on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from crowdfall.parameters import parameter
from crowdfall.types import Float64


@dataclass(kw_only=True)
class Trail:
    """Closing navs so far, each (P, R), oldest first; leverage wanted, (P, R)."""

    leverage: Float64
    navs: list[Float64] = field(default_factory=list)

    def excess(self, nav: Float64, sessions: int) -> Float64:
        """Return the nav's rise over the last sessions, and remember today's."""
        self.navs = [*self.navs, nav.copy()][-(sessions + 1) :]
        return np.asarray(nav / np.maximum(self.navs[0], 1e-9) - 1.0)


@dataclass(frozen=True, kw_only=True)
class Growth:
    """How clients and brokers answer a trailing excess return."""

    enabled: bool = False
    inflow: float = parameter(
        0.1, "client money a day per unit of trailing excess, share of equity",
        source="assumption (0.02-0.3)", low=0.0, high=2.0,
    )  # fmt: skip
    most: float = parameter(
        0.01, "highest inflow", unit="share of equity a day", source="assumption (0.005-0.03)",
        low=0.0, high=0.2,
    )  # fmt: skip
    window: float = parameter(
        20.0, "sessions over which the excess trails", unit="sessions",
        source="assumption (5-60)", low=2.0, high=250.0,
    )  # fmt: skip
    leverage_speed: float = parameter(
        0.05, "share of the gap to the leverage allowed that a good excess closes",
        unit="per day", source="assumption (0.01-0.1)", low=0.0, high=1.0,
    )  # fmt: skip
    pace: float = parameter(
        0.02, "most bought a day, share of what is held", unit="per day",
        source="assumption (0.005-0.05): from 100 to above 200 bn within 2023", low=0.0, high=1.0,
    )  # fmt: skip
    quota: float = parameter(
        2.5, "most held, multiple of the first notional: brokers' swap lines",
        source="assumption (1.5-4)", low=1.0, high=20.0,
    )  # fmt: skip

    def flow(self, trailing: Float64, equity: Float64) -> Float64:
        """Return the client money that comes in tonight, yuan (P, R)."""
        share = np.clip(self.inflow * trailing, 0.0, self.most)
        return np.asarray(share * np.maximum(equity, 0.0))

    def lever(self, trail: Trail, trailing: Float64, allowed: float) -> None:
        """Move the leverage wanted towards what is allowed where the excess was good."""
        gap = np.maximum(allowed - trail.leverage, 0.0) * (trailing > 0.0)
        trail.leverage = np.minimum(trail.leverage + self.leverage_speed * gap, allowed)

    def purchase(self, held: Float64, target: Float64, first: Float64) -> Float64:
        """Return what is bought tomorrow towards a target, yuan (P, R).

        Without a pace and a quota a rise would be levered up within a day, and the purchases
        would lift what is held without end.
        """
        wanted = np.minimum(target, self.quota * first) - held
        return np.asarray(np.clip(wanted, 0.0, self.pace * np.maximum(held, 0.0)))
