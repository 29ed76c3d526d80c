"""Index-enhanced funds: long only, measured against CSI 500 or CSI 1000.

When the excess return turns bad, or the tracking error grows beyond its limit, they sell what is
off the benchmark and buy benchmark names with the proceeds in the next bar: small caps fall for
them, the benchmark is held up by them. Public ones keep 80% in the benchmark. Clients redeem on a
negative excess.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from crowdfall.agents.baskets import ENHANCED_500, ENHANCED_1000, fund_shares, tilted
from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.types import Bool, Float64
from crowdfall.units import TRADING_DAYS_A_YEAR

BENCHMARKS: Final = {"csi500": 0.66, "csi1000": 0.34}
TILTS: Final = {0.1: 0.40, 0.35: 0.35, 0.7: 0.25}
"""Benchmarks, tilts (times 0.8 of the general tilt) and their weights (assumption, model 10)."""


CONSTITUENTS: Final = 0.80
"""Least share of a public enhanced fund in its benchmark (seed 001: 80/20; design:system 66)."""


@dataclass(kw_only=True)
class EnhancedState:
    """Which groups are off the benchmark, (R, G); rates a day and money owed, (P, R)."""

    cells: tuple[str, ...]
    off_benchmark: Bool
    public: Bool  # (R,)
    rate: Float64
    redeem: Float64
    owed: Float64
    excess: list[Float64] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Enhanced:
    """Terms of the index-enhanced funds: 8 cells = 2 benchmarks x (3 tilts and the public ones)."""

    enabled: bool = True
    eighty_twenty: bool = True
    tracking_control: bool = True
    redemptions: bool = True
    assets: float = parameter(
        692e9, "stock held", unit="yuan",
        source=PROTOTYPE + "; published 342 + 174 bn at the end of 2024, more a year before",
        low=0.0, high=1500e9,
    )  # fmt: skip
    public_share: float = parameter(
        0.2, "share of them in public funds, bound to 80% in the benchmark",
        source="assumption (0.1-0.35)", low=0.0, high=1.0,
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
    tracking_limit: float = parameter(
        0.08, "tracking error over 20 sessions that starts it too", unit="per year",
        source="assumption (0.05-0.12): contracts of enhanced funds name 8%", low=0.005, high=1.0,
    )  # fmt: skip
    tracking_rate: float = parameter(
        0.01, "sale of off-benchmark stock at twice that limit", unit="per day",
        source="assumption (0-0.05)", low=0.0, high=1.0,
    )  # fmt: skip
    redemption: float = parameter(
        0.02, "share redeemed a day per unit of shortfall beyond the tolerance",
        source="assumption (0-0.1)", low=0.0, high=1.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, EnhancedState]:
        """Return 8 long books, fully invested."""
        cells, value, weights, groups = [], [], [], []
        for (name, share), (low, high), group in zip(
            BENCHMARKS.items(), (ENHANCED_500, ENHANCED_1000), (1, 2), strict=True
        ):
            tilts = tuple(0.8 * self.tilt * t for t in TILTS)
            private = tilted(low, high, tilts)
            weights += [private, _public(private.mean(axis=0), group)]
            own = self.assets * share
            value += [own * (1.0 - self.public_share) * w for w in TILTS.values()]
            value.append(own * self.public_share)
            cells += [*(f"{name}-tilt{t:.2f}" for t in TILTS), f"{name}-public"]
            groups += [group] * (len(TILTS) + 1)
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
        public = np.array([cell.endswith("public") for cell in cells])
        return positions, EnhancedState(
            cells=tuple(cells), off_benchmark=off, public=public, rate=np.zeros(wide),
            redeem=np.zeros(wide), owed=np.zeros(wide),
        )  # fmt: skip

    def decide(self, view: View, state: EnhancedState) -> Orders | None:
        """Sell off-benchmark names at the day's rate, everything for redemptions; reinvest."""
        buy = np.maximum(view.own.cash - state.owed, 0.0)
        if not (state.rate.any() or state.redeem.any() or (buy > 1.0).any()):
            return None
        redeemed = state.redeem * view.dt
        state.owed = state.owed + redeemed * view.own.stock_value
        rate = (state.rate * view.dt)[:, :, None] * state.off_benchmark + redeemed[:, :, None]
        return Orders(
            sell_share=1.0 - np.exp(-rate), buy=buy[:, :, None] * (~state.off_benchmark)[None]
        )

    def plan(self, view: View, state: EnhancedState) -> Plan:
        """Set tomorrow's rates from excess, tracking error and benchmark share; pay clients."""
        own = view.own
        short = -own.excess - self.tolerance
        state.rate = self.detilt_rate * np.clip(short / 0.04, 0.0, 3.0)
        if self.tracking_control:
            above = np.clip(self._tracking(own.excess, state) / self.tracking_limit - 1.0, 0.0, 2.0)
            state.rate = state.rate + self.tracking_rate * above
        if self.eighty_twenty:
            state.rate = np.maximum(state.rate, self._excess_off(own.group_value, state))
        return self._redeem(view, short, state)

    def _tracking(self, excess: Float64, state: EnhancedState) -> Float64:
        """Return the yearly tracking error of the last 20 sessions, zero before there are 5."""
        state.excess = [*state.excess, excess.copy()][-21:]
        if len(state.excess) < 6:
            return np.zeros_like(excess)
        moves = np.diff(np.stack(state.excess), axis=0)
        return np.asarray(moves.std(axis=0) * np.sqrt(TRADING_DAYS_A_YEAR))

    def _excess_off(self, value: Float64, state: EnhancedState) -> Float64:
        """Return the rate that brings public funds back to 80% in the benchmark within a day."""
        off = (value * state.off_benchmark).sum(axis=2)
        allowed = (1.0 - CONSTITUENTS) * value.sum(axis=2)
        left = np.where(off > allowed * (1.0 + 1e-6), allowed / np.maximum(off, 1.0), 1.0)
        return np.asarray(np.where(state.public, -np.log(np.maximum(left, 1e-3)), 0.0))

    def _redeem(self, view: View, short: Float64, state: EnhancedState) -> Plan:
        paid = np.minimum(state.owed, np.maximum(view.own.cash, 0.0))
        state.owed = state.owed - paid
        before = state.redeem > 0.0
        rate = self.redemption * np.maximum(short, 0.0)
        state.redeem = rate if self.redemptions else np.zeros_like(rate)
        asked = state.redeem * view.own.stock_value
        notices = [
            Notice(path=int(p), cell=state.cells[r], kind="redemption", amount=float(asked[p, r]))
            for p, r in zip(*np.nonzero((state.redeem > 0.0) & ~before), strict=True)
        ]
        return Plan(flow=-paid, notices=notices)


def _public(weights: Float64, group: int) -> Float64:
    """Return the weights of a public fund: 80% in its benchmark, the rest as the private ones."""
    rest = weights.copy()
    rest[group] = 0.0
    out = (1.0 - CONSTITUENTS) * rest / rest.sum()
    out[group] = CONSTITUENTS
    return np.asarray(out[None, :])
