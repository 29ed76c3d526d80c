"""Public funds (公募): they sell what their clients redeem, and clients redeem after losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.agents.retail import one_book
from crowdfall.parameters import parameter
from crowdfall.types import Bool, Float64

HELD_SHARE: Final = (0.62, 0.18, 0.13, 0.065, 0.004, 0.001)
"""Stock of active public funds by size group (assumption: large caps, few micro-caps)."""


@dataclass(kw_only=True)
class FundState:
    """Rate of redemption a day and whether clients redeem, (P, 1)."""

    rate: Float64
    redeeming: Bool


@dataclass(frozen=True, kw_only=True)
class PublicFunds:
    """Terms of the active public equity funds."""

    enabled: bool = True
    assets: float = parameter(
        3000e9, "stock held", unit="yuan",
        source="from memory: active equity funds of 3-4 tn yuan at the end of 2023",
        low=0.0, high=5000e9,
    )  # fmt: skip
    tolerance: float = parameter(
        0.05, "loss from the high that clients bear", source="assumption (0.03-0.15)",
        low=0.0, high=0.9,
    )  # fmt: skip
    redemption: float = parameter(
        0.004, "share redeemed a day per unit of loss beyond it", source="assumption (0-0.02)",
        low=0.0, high=0.5,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, FundState]:
        """Return one fully invested book."""
        book = one_book(opening, self.assets * np.array(HELD_SHARE), 0.0)
        flat = (opening.paths, 1)
        return book, FundState(rate=np.zeros(flat), redeeming=np.zeros(flat, bool))

    def decide(self, view: View, state: FundState) -> Orders | None:
        """Sell all holdings pro rata for the redemptions of the day."""
        if not state.rate.any():
            return None
        share = 1.0 - np.exp(-state.rate * view.dt)
        return Orders(sell_share=np.repeat(share[:, :, None], view.memory.shape[1], axis=2))

    def plan(self, view: View, state: FundState) -> Plan:
        """Pay out what was sold; let tomorrow's redemptions follow the loss."""
        paid = np.maximum(view.own.cash, 0.0)
        loss = view.own.drawdown
        state.rate = self.redemption * np.maximum(loss - self.tolerance, 0.0)
        fresh = (state.rate > 0.0) & ~state.redeeming
        state.redeeming = state.rate > 0.0
        asked = state.rate * view.own.stock_value
        notices = [
            Notice(path=int(p), cell="all", kind="redemption", amount=float(asked[p, 0]))
            for p, _ in zip(*np.nonzero(fresh), strict=True)
        ]
        return Plan(flow=-paid, notices=notices)
