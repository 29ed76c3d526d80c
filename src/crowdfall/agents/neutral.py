"""Market-neutral funds without leverage: stocks against short futures.

They leave when the discount makes the hedge too dear (its cost and the profit on the short are
the same trade), and when the drawdown breaks their stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from crowdfall.agents.baskets import HEDGED_HIGH, HEDGED_LOW, fund_shares, tilted
from crowdfall.agents.dma import MIX
from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.types import Bool, Float64

TILTS: Final = (-0.2, 0.1)
HEDGES: Final = {"im": 0.45, "ic": 0.30, "mix": 0.25}
"""Spread of the cells and their weights (assumption, design:model 10)."""


@dataclass(kw_only=True)
class NeutralState:
    """Daily stop-loss rates and who is stopping, (P, R)."""

    cells: tuple[str, ...]
    mix: Float64
    stop: Float64
    stopping: Bool


@dataclass(frozen=True, kw_only=True)
class Neutral:
    """Terms of the neutral funds: 6 cells = 2 tilts x 3 hedges."""

    enabled: bool = True
    discount_unwind: bool = True
    gross: float = parameter(
        198e9, "stock held", unit="yuan", source=PROTOTYPE + "; published 90-200 bn",
        low=0.0, high=600e9,
    )  # fmt: skip
    tilt: float = parameter(
        0.75, "mean size tilt of hedged books", source=PROTOTYPE, low=0.0, high=1.0
    )
    invested: float = parameter(0.8, "stock over equity", source="assumption", low=0.3, high=1.5)
    unwind_rate: float = parameter(
        0.05, "cut on a deep discount", unit="per day",
        source="assumption (the K targets leave it open)", low=0.0, high=0.5,
    )  # fmt: skip
    stop_drawdown: float = parameter(
        0.03, "drawdown that starts the stop-loss", source="design:model 1 a.4", low=0.005, high=0.5
    )
    cut_rate: float = parameter(
        0.14, "stop-loss sale", unit="per day", source=PROTOTYPE, low=0.0, high=1.0
    )

    def open(self, opening: Opening) -> tuple[Positions, NeutralState]:
        """Return 6 hedged books with the equity that their gross needs."""
        grid = list(product(TILTS, HEDGES))
        cells = tuple(f"tilt{t:+.2f}-{h}" for t, h in grid)
        value = self.gross * np.array([HEDGES[h] / len(TILTS) for _, h in grid])
        weights = tilted(HEDGED_LOW, HEDGED_HIGH, tuple(0.6 * self.tilt + t for t, _ in grid))
        shares = fund_shares(opening, tuple("neutral/" + c for c in cells), weights, value)
        mix = np.array([MIX[h] for _, h in grid])
        wide = (opening.paths, len(grid))
        equity = value / self.invested
        positions = Positions(
            cells=cells,
            shares=shares,
            cash=np.broadcast_to(equity - value, wide).copy(),
            futures=np.broadcast_to(-value[:, None] * mix, (*wide, mix.shape[1])).copy(),
            capital=np.broadcast_to(equity, wide).copy(),
            hedge_mix=mix,
            capped=True,
        )
        state = NeutralState(
            cells=cells, mix=mix, stop=np.zeros(wide), stopping=np.zeros(wide, bool)
        )
        return positions, state

    def decide(self, view: View, state: NeutralState) -> Orders | None:
        """Unwind on the discount of the hedge actually held, and on the stop-loss."""
        rate = state.stop
        if self.discount_unwind:
            own_basis = (view.basis[:, None, :] * state.mix).sum(axis=2)
            depth = np.minimum(2.0, np.maximum(0.0, -own_basis - 0.012) / 0.03)
            rate = rate + self.unwind_rate * depth
        if not rate.any():
            return None
        share = 1.0 - np.exp(-rate * view.dt)
        return Orders(
            sell_share=np.repeat(share[:, :, None], view.memory.shape[1], axis=2),
            follow_wanted=np.full(share.shape, 0.15),
        )

    def plan(self, view: View, state: NeutralState) -> Plan:
        """Start or end the stop-loss by the drawdown at the close."""
        drawdown = view.own.drawdown
        stopping = drawdown > self.stop_drawdown
        rate = self.cut_rate * np.minimum(2.0, drawdown / self.stop_drawdown - 0.5)
        state.stop = np.where(stopping, np.maximum(rate, 0.0), 0.0)
        fresh = stopping & ~state.stopping
        state.stopping = stopping
        notices = [
            Notice(
                path=int(p), cell=state.cells[r], kind="stop_loss",
                amount=float(view.own.stock_value[p, r]),
            )
            for p, r in zip(*np.nonzero(fresh), strict=True)
        ]  # fmt: skip
        return Plan(notices=notices)
