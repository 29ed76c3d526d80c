"""Leveraged neutral books on brokers' swap desks (DMA): margin, stop-loss, forced sale.

A book holds stocks worth up to four times its margin and is short index futures of the same
value. At each settlement its margin ratio is equity over stock value; under the top-up line the
client is called, tops up half-heartedly once, and the broker sells the rest down.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np

from crowdfall.agents.baskets import HEDGED_HIGH, HEDGED_LOW, fund_shares, tilted
from crowdfall.agents.leverage import kept_share
from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.types import Bool, Float64

TILTS: Final = (-0.35, -0.12, 0.12, 0.35)
HEDGES: Final = {"im": 0.65, "ic": 0.15, "mix": 0.20}
"""Spread of the cells and their weights (assumption, design:model 10)."""
STARTS: Final = {
    "25": (0.25, 0.22),
    "25-patient": (0.25, 0.18),
    "28": (0.28, 0.35),
    "36": (0.36, 0.25),
}
"""Starting margin and weight (assumption; the mean of design:model 10). Managers differ in
patience: a patient book has no stop-loss worth the name and sits until its broker calls."""
MIX: Final = {"ic": (1.0, 0.0), "im": (0.0, 1.0), "mix": (0.5, 0.5)}
"""How a book's short is split over IC and IM."""


@dataclass(kw_only=True)
class DmaState:
    """Daily selling rates (P, R) and what the broker has done, by path and book."""

    cells: tuple[str, ...]
    stop: Float64  # drawdown that starts the voluntary cut, (R,)
    voluntary: Float64
    forced: Float64
    called: Bool
    topped_up: Bool
    broker_paid: Float64  # into swaps under zero, so far


@dataclass(frozen=True, kw_only=True)
class Dma:
    """Terms of the DMA books: 48 cells = 4 tilts x 3 hedges x 4 starts."""

    enabled: bool = True
    margin_rules: bool = True
    gross: float = parameter(
        196e9, "stock held", unit="yuan", source=PROTOTYPE + "; published 100-350 bn",
        low=0.0, high=600e9,
    )  # fmt: skip
    tilt: float = parameter(
        0.75, "mean size tilt, 0 = CSI 1000-like, 1 = micro-cap", source=PROTOTYPE,
        low=0.0, high=1.0,
    )  # fmt: skip
    leverage_cap: float = parameter(
        4.0, "highest stock value over equity at the start; equity stays",
        source="swap terms: initial margin at least 25%", low=1.0, high=10.0,
    )  # fmt: skip
    cut_rate: float = parameter(
        0.14, "voluntary cut", unit="per day", source=PROTOTYPE, low=0.0, high=1.0
    )
    cut_drawdown: float = parameter(
        0.10, "drawdown that starts it", source=PROTOTYPE, low=0.01, high=1.0
    )
    patience: float = parameter(
        4.0, "multiple of that drawdown in patient books", source="assumption (1-10)",
        low=1.0, high=50.0,
    )  # fmt: skip
    top_up_line: float = parameter(
        0.15, "margin ratio that calls the client", source="swap terms: 15% top-up line",
        low=0.0, high=0.5,
    )  # fmt: skip
    warning_line: float = parameter(
        0.19, "margin ratio under which the client cuts by himself", source="assumption",
        low=0.0, high=0.6,
    )  # fmt: skip
    initial_margin: float = parameter(
        0.25, "margin ratio that brokers restore", source="swap terms: initial margin 25%",
        low=0.05, high=1.0,
    )  # fmt: skip
    top_up_share: float = parameter(
        0.25, "share of the gap that the client tops up, once", source="assumption",
        low=0.0, high=1.0,
    )  # fmt: skip
    hopeless_line: float = parameter(
        0.08, "margin ratio under which nobody tops up", source="assumption", low=0.0, high=0.3
    )
    liquidation_line: float = parameter(
        0.06, "margin ratio under which the broker sells all", source="assumption",
        low=-1.0, high=0.3,
    )  # fmt: skip
    urgency: float = parameter(
        0.96, "speed of forced sale, per 1.5 log gap and day", source=PROTOTYPE, low=0.0, high=3.0
    )
    financing: float = parameter(
        0.04, "rate on what the broker lends", unit="per year",
        source="from memory: 3-5% (design:system B.11)", low=0.0, high=0.15,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, DmaState]:
        """Return 48 hedged books; equity is fixed by the starting margins, gross by leverage."""
        grid = list(product(TILTS, HEDGES, STARTS))
        cells = tuple(f"tilt{t:+.2f}-{h}-{s}" for t, h, s in grid)
        weight = np.array([HEDGES[h] * STARTS[s][1] / len(TILTS) for _, h, s in grid])
        margin = np.array([STARTS[s][0] for _, _, s in grid])
        equity = self.gross * weight * margin
        margin = np.maximum(margin, 1.0 / self.leverage_cap)
        value = equity / margin
        weights = tilted(HEDGED_LOW, HEDGED_HIGH, tuple(self.tilt + t for t, _, _ in grid))
        shares = fund_shares(opening, tuple("dma/" + c for c in cells), weights, value)
        mix = np.array([MIX[h] for _, h, _ in grid])
        wide = (opening.paths, len(grid))
        positions = Positions(
            cells=cells,
            shares=shares,
            cash=np.broadcast_to(equity - value, wide).copy(),
            futures=np.broadcast_to(-value[:, None] * mix, (*wide, mix.shape[1])).copy(),
            capital=np.broadcast_to(equity, wide).copy(),
            hedge_mix=mix,
            capped=True,
            financing=self.financing,
        )
        none = np.zeros(wide)
        state = DmaState(
            cells=cells, stop=self._stop(margin, [s for _, _, s in grid]),
            voluntary=none.copy(), forced=none.copy(),
            called=np.zeros(wide, bool), topped_up=np.zeros(wide, bool), broker_paid=none.copy(),
        )  # fmt: skip
        return positions, state

    def decide(self, view: View, state: DmaState) -> Orders | None:
        """Sell a share of every name that can be sold, at the faster of the two rates."""
        rate = np.maximum(state.voluntary, state.forced)
        if not rate.any():
            return None
        share = 1.0 - np.exp(-rate * view.dt)
        forced = state.forced > state.voluntary
        groups = view.memory.shape[1]
        return Orders(
            sell_share=np.repeat(share[:, :, None], groups, axis=2),
            follow_wanted=np.where(forced, 0.35, 0.15),
            forced=forced.astype(float),
        )

    def plan(self, view: View, state: DmaState) -> Plan:
        """Compare the margin ratio with the lines; set the next session's selling rates."""
        own = view.own
        held = own.stock_value > 1.0
        ratio = np.where(held, own.equity / np.maximum(own.stock_value, 1.0), np.inf)
        state.voluntary = self._voluntary(own.drawdown, ratio, state)
        broker = _borne(own.equity, state)
        notices = _notices(broker > 0.0, "broker_shortfall", broker, state.cells)
        if not self.margin_rules:
            return Plan(broker=broker, notices=notices)
        called = held & (ratio < self.top_up_line)
        top_up = called & ~state.topped_up & (ratio > self.hopeless_line)
        gap = self.initial_margin * own.stock_value - own.equity
        capital = np.where(top_up, self.top_up_share * np.maximum(gap, 0.0), 0.0)
        state.topped_up |= top_up
        kept = kept_share(own.equity + capital, own.stock_value, 1.0 / self.initial_margin)
        left = np.clip(np.where(ratio < self.liquidation_line, 0.0, kept), 0.01, 1.0)
        state.forced = np.where(called, -1.5 * self.urgency * np.log(left), 0.0)
        notices += _notices(called & ~state.called, "margin_call", gap, state.cells)
        notices += _notices(top_up, "top_up", capital, state.cells)
        state.called = called
        status = np.where(~held, "closed", np.where(called, "called", "open"))
        status = np.where((state.forced > 0) & held, "forced", status)
        return Plan(capital=capital, broker=broker, notices=notices, status=status.tolist())

    def _stop(self, margin: Float64, starts: list[str]) -> Float64:
        patient = np.array([start.endswith("patient") for start in starts])
        drawdown = self.cut_drawdown * (0.6 + 1.6 * margin)
        return np.asarray(drawdown * np.where(patient, self.patience, 1.0))

    def _voluntary(self, drawdown: Float64, ratio: Float64, state: DmaState) -> Float64:
        rate = self.cut_rate * np.minimum(2.0, drawdown / state.stop - 0.4)
        rate = np.where(drawdown > state.stop, np.maximum(rate, 0.0), 0.0)
        near = (ratio > self.top_up_line) & (ratio < self.warning_line) & self.margin_rules
        return np.where(near, np.maximum(rate, self.cut_rate), rate)


def _borne(equity: Float64, state: DmaState) -> Float64:
    """Return what the broker pays into swaps under zero, or takes back of it, (P, R)."""
    paid = np.where(equity < 0.0, -equity, -np.minimum(equity, state.broker_paid))
    state.broker_paid = np.maximum(state.broker_paid + paid, 0.0)
    return np.asarray(paid)


def _notices(where: Bool, kind: str, amount: Float64, cells: tuple[str, ...]) -> list[Notice]:
    return [
        Notice(path=int(p), cell=cells[r], kind=kind, amount=float(amount[p, r]))
        for p, r in zip(*np.nonzero(where), strict=True)
    ]
