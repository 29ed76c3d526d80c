"""Index-enhanced funds: long only, measured against CSI 500 or CSI 1000.

When the excess return turns bad they sell what is off the benchmark and buy benchmark names with
the proceeds in the next bar: small caps fall for them, the benchmark is held up by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.agents.baskets import ENHANCED_500, ENHANCED_1000, fund_shares, tilted
from crowdfall.agents.protocol import Opening, Orders, Plan, Positions, View
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.types import Bool, Float64

BENCHMARKS: Final = {"csi500": 0.66, "csi1000": 0.34}
TILTS: Final = {0.1: 0.40, 0.35: 0.35, 0.7: 0.25}
"""Benchmarks, tilts (times 0.8 of the general tilt) and their weights (assumption, model 10)."""


@dataclass(kw_only=True)
class EnhancedState:
    """Which groups are off the benchmark, (R, G), and the daily de-tilting rate, (P, R)."""

    off_benchmark: Bool
    rate: Float64
    start_cash: Float64


@dataclass(frozen=True, kw_only=True)
class Enhanced:
    """Terms of the index-enhanced funds: 6 cells = 2 benchmarks x 3 tilts."""

    enabled: bool = True
    assets: float = parameter(
        692e9, "stock held", unit="yuan",
        source=PROTOTYPE + "; published 342 + 174 bn at the end of 2024, more a year before",
        low=0.0, high=1500e9,
    )  # fmt: skip
    tilt: float = parameter(0.75, "general size tilt", source=PROTOTYPE, low=0.0, high=1.0)
    detilt_rate: float = parameter(
        0.08, "sale of off-benchmark stock on a bad excess", unit="per day", source=PROTOTYPE,
        low=0.0, high=1.0,
    )  # fmt: skip
    tolerance: float = parameter(
        0.02, "shortfall against the benchmark that starts it", source="design:model 1 a.4",
        low=0.0, high=0.3,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, EnhancedState]:
        """Return 6 long books, fully invested."""
        cells, value, weights, groups = [], [], [], []
        for (name, share), (low, high), group in zip(
            BENCHMARKS.items(), (ENHANCED_500, ENHANCED_1000), (1, 2), strict=True
        ):
            tilts = tuple(0.8 * self.tilt * t for t in TILTS)
            weights.append(tilted(low, high, tilts))
            value += [self.assets * share * w for w in TILTS.values()]
            cells += [f"{name}-tilt{t:.2f}" for t in TILTS]
            groups += [group] * len(TILTS)
        names = tuple("enhanced/" + c for c in cells)
        worth = np.array(value)
        shares = fund_shares(opening, names, np.vstack(weights), worth)
        wide = (opening.paths, len(cells))
        off = np.ones((len(cells), 6), bool)
        off[np.arange(len(cells)), groups] = False
        positions = Positions(
            cells=tuple(cells),
            shares=shares,
            cash=np.zeros(wide),
            futures=np.zeros((*wide, 2)),
            capital=np.broadcast_to(worth, wide).copy(),
            hedge_mix=np.zeros((len(cells), 2)),
            capped=True,
            buys=True,
            benchmark=tuple(groups),
        )
        return positions, EnhancedState(
            off_benchmark=off, rate=np.zeros(wide), start_cash=np.zeros(wide)
        )

    def decide(self, view: View, state: EnhancedState) -> Orders | None:
        """Sell off-benchmark names at the day's rate; spend what the last bar brought in."""
        cash = view.own.cash - state.start_cash
        buy = np.maximum(cash, 0.0)
        if not state.rate.any() and not (buy > 1.0).any():
            return None
        share = 1.0 - np.exp(-state.rate * view.dt)
        into = (~state.off_benchmark)[None, :, :]
        return Orders(
            sell_share=share[:, :, None] * state.off_benchmark[None, :, :],
            buy=buy[:, :, None] * into,
        )

    def plan(self, view: View, state: EnhancedState) -> Plan:
        """Set the de-tilting rate from the excess return at the close."""
        short = (-view.own.excess - self.tolerance) / 0.04
        state.rate = self.detilt_rate * np.clip(short, 0.0, 3.0)
        return Plan()
