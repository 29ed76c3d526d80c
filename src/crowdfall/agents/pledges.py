"""Share pledges (股权质押): two thirds near their line (design:system X11), sold slowly if at all.

Controlling holders may sell 1% of a company in 90 days, lenders wait, and the regulator asks them
to: what is sold is a trickle, but it comes out of small companies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.agents.protocol import Opening, Orders, Positions, View
from crowdfall.agents.retail import one_book
from crowdfall.parameters import parameter
from crowdfall.types import Float64

PLEDGED_SHARE: Final = (0.30, 0.20, 0.24, 0.20, 0.04, 0.02)
"""Pledged value by size group (assumption: as total capitalisation, tilted to smaller firms)."""
ROUNDING: Final = 1e-12
"""Falls below this are none."""


@dataclass(kw_only=True)
class PledgeState:
    """Share of each group's pledges whose lender sells, (P, G)."""

    due: Float64


@dataclass(frozen=True, kw_only=True)
class Pledges:
    """Terms of the pledges that lenders may sell."""

    enabled: bool = True
    sellable: float = parameter(
        50e9, "pledged stock that may be sold within the reduction rules", unit="yuan",
        source="assumption (20-100 bn): 1% in 60 sessions of 2.6 tn pledged, 3.38% of market value"
        " (China News, 5 February 2024), twice",
        low=0.0, high=300e9,
    )  # fmt: skip
    near_line: float = parameter(
        0.667, "share of pledges at their line", source="seed 002: two thirds", low=0.0, high=1.0
    )
    fall: float = parameter(
        0.2, "fall since the start that puts all of them under it", source="assumption (0.1-0.4)",
        low=0.02, high=0.9,
    )  # fmt: skip
    forbearance: float = parameter(
        20.0, "time that lenders wait", unit="days", source="assumption (10-60)",
        low=1.0, high=250.0,
    )  # fmt: skip
    pace: float = parameter(
        1 / 60, "sale of what is due", unit="per day",
        source="reduction rules: 1% of the company in 90 calendar days", low=0.0, high=0.2,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, PledgeState]:
        """Return one book of what may be sold."""
        book = one_book(opening, self.sellable * np.array(PLEDGED_SHARE), 0.0)
        return book, PledgeState(due=np.zeros((opening.paths, len(PLEDGED_SHARE))))

    def decide(self, view: View, state: PledgeState) -> Orders | None:
        """Sell at the pace of the rules what lenders no longer carry."""
        if not state.due.any():
            return None
        amount = self.pace * state.due * view.own.group_value[:, 0] * view.dt
        return Orders(sell=amount[:, None, :], forced=np.ones((len(amount), 1)))

    def plan(self, view: View, state: PledgeState) -> None:
        """Let the share due follow the fall; a longer top-up time holds it, lower lines cut it."""
        fall = np.clip((1.0 - view.level) / self.fall, 0.0, 1.0)
        fall = np.where(fall > ROUNDING, fall, 0.0)  # a level that stands still is off by an ulp
        under = self.near_line * fall * view.policy.lines
        grow = 0.0 if view.policy.extra_days else 1.0 / self.forbearance
        state.due = np.where(under > state.due, state.due + grow * (under - state.due), under)
