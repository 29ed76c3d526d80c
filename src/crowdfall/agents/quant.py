"""All-market quant funds (全市场选股): long only, no benchmark, tilted to small names.

Their clients watch the drawdown: beyond a tolerance they redeem, and the fund sells everything
pro rata.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.agents.baskets import ENHANCED_1000, HEDGED_HIGH, fund_shares, tilted
from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.parameters import parameter
from crowdfall.types import Bool, Float64

TILTS: Final = (0.2, 0.6)
"""Size tilts of the two books (assumption): between CSI 1000 and micro-caps."""


@dataclass(kw_only=True)
class QuantState:
    """Rate of redemption a day and whether clients redeem, (P, R)."""

    cells: tuple[str, ...]
    rate: Float64
    redeeming: Bool


@dataclass(frozen=True, kw_only=True)
class Quant:
    """Terms of the all-market quant funds: 2 cells."""

    enabled: bool = True
    assets: float = parameter(
        80e9, "stock held", unit="yuan",
        source="published 46 bn at the end of 2024 (design:system B.5), more a year before",
        low=0.0, high=500e9,
    )  # fmt: skip
    tolerance: float = parameter(
        0.08, "drawdown that clients bear", source="assumption (0.05-0.2)", low=0.0, high=0.9
    )
    redemption: float = parameter(
        0.05, "share redeemed a day per unit of drawdown beyond it",
        source="assumption (0.01-0.2)", low=0.0, high=1.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, QuantState]:
        """Return 2 fully invested books."""
        cells = tuple(f"tilt{t:.1f}" for t in TILTS)
        value = np.full(len(cells), self.assets / len(cells))
        weights = tilted(ENHANCED_1000[0], HEDGED_HIGH, TILTS)
        wide = (opening.paths, len(cells))
        positions = Positions(
            cells=cells,
            shares=fund_shares(opening, tuple("quant/" + c for c in cells), weights, value),
            cash=np.zeros(wide),
            futures=np.zeros((*wide, 2)),
            capital=np.broadcast_to(value, wide).copy(),
            hedge_mix=np.zeros((len(cells), 2)),
            capped=True,
        )
        return positions, QuantState(
            cells=cells, rate=np.zeros(wide), redeeming=np.zeros(wide, bool)
        )

    def decide(self, view: View, state: QuantState) -> Orders | None:
        """Sell everything pro rata for the redemptions of the day."""
        if not state.rate.any():
            return None
        share = 1.0 - np.exp(-state.rate * view.dt)
        return Orders(sell_share=np.repeat(share[:, :, None], view.memory.shape[1], axis=2))

    def plan(self, view: View, state: QuantState) -> Plan:
        """Pay out what was sold; let tomorrow's redemptions follow the drawdown."""
        paid = np.maximum(view.own.cash, 0.0)
        state.rate = self.redemption * np.maximum(view.own.drawdown - self.tolerance, 0.0)
        fresh = (state.rate > 0.0) & ~state.redeeming
        state.redeeming = state.rate > 0.0
        asked = state.rate * view.own.stock_value
        notices = [
            Notice(path=int(p), cell=state.cells[r], kind="redemption", amount=float(asked[p, r]))
            for p, r in zip(*np.nonzero(fresh), strict=True)
        ]
        return Plan(flow=-paid, notices=notices)
