"""Market-neutral funds without leverage: stocks against short futures.

They leave by four doors (design:system X3), each with a switch: the discount makes the hedge too
dear (``cost``), the short has earned enough (``profit_taking``), the discount pays more than the
stocks (``rotation``), or the hedge may not be renewed (``no_new_shorts``). A stop-loss on the
drawdown stands beside them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Final

import numpy as np

from crowdfall.agents.baskets import HEDGED_HIGH, HEDGED_LOW, fund_shares, tilted
from crowdfall.agents.dma import MIX
from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.sums import over_last
from crowdfall.types import Bool, Float64

TILTS: Final = (-0.2, 0.1)
"""Spread of the cells (assumption, design:model 10)."""


def _hedges() -> dict[str, float]:
    """Return the weights of the hedges (assumption, design:model 10)."""
    return {"im": 0.45, "ic": 0.30, "mix": 0.25}


@dataclass(kw_only=True)
class NeutralState:
    """Daily stop-loss rates and who is stopping, (P, R); what the short was sold at.

    ``entry`` (P, U): futures price over its first, averaged over the hedge's life; ``rotated``
    (P, R, U): units of the futures held instead of stocks, yuan at the first price.
    """

    cells: tuple[str, ...]
    mix: Float64
    stop: Float64
    stopping: Bool
    first: Float64  # (P, U) log price of the futures at the start, from spot and gap
    entry: Float64
    rotated: Float64


@dataclass(frozen=True, kw_only=True)
class Neutral:
    """Terms of the neutral funds: 6 cells = 2 tilts x 3 hedges."""

    enabled: bool = True
    cost: bool = True
    profit_taking: bool = True
    rotation: bool = True
    no_new_shorts: bool = True
    hedges: dict[str, float] = field(default_factory=_hedges)
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
    profit_gain: float = parameter(
        0.06, "fall of the futures since the hedge was sold that is a profit to take",
        source="assumption (0.03-0.15): a year's excess return, design:system 57",
        low=0.005, high=0.5,
    )  # fmt: skip
    profit_rate: float = parameter(
        0.02, "cut on twice that profit", unit="per day", source="assumption (0-0.1)",
        low=0.0, high=0.5,
    )  # fmt: skip
    hedge_life: float = parameter(
        20.0, "sessions after which a hedge is rolled, and its entry price forgotten",
        unit="sessions", source="assumption (10-60): monthly to quarterly contracts",
        low=2.0, high=120.0,
    )  # fmt: skip
    rotation_gap: float = parameter(
        0.025, "discount beyond which futures pay more than the stocks",
        source="assumption (0.015-0.05): 10% a year, the excess of 2023", low=0.002, high=0.2,
    )  # fmt: skip
    rotation_rate: float = parameter(
        0.01, "stock swapped for futures at twice that discount", unit="per day",
        source="assumption (0-0.05)", low=0.0, high=0.5,
    )  # fmt: skip
    rotation_most: float = parameter(
        0.3, "most of the equity that may be held in futures instead",
        source="assumption (0.1-0.5)", low=0.0, high=1.0,
    )  # fmt: skip
    stop_drawdown: float = parameter(
        0.03, "drawdown that starts the stop-loss", source="design:model 1 a.4", low=0.005, high=0.5
    )
    cut_rate: float = parameter(
        0.14, "stop-loss sale", unit="per day", source=PROTOTYPE, low=0.0, high=1.0
    )

    def open(self, opening: Opening) -> tuple[Positions, NeutralState]:
        """Return 6 hedged books with the equity that their gross needs."""
        grid = list(product(TILTS, (h for h in MIX if h in self.hedges)))
        cells = tuple(f"tilt{t:+.2f}-{h}" for t, h in grid)
        value = self.gross * np.array([self.hedges[h] / len(TILTS) for _, h in grid])
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
        flat = (opening.paths, mix.shape[1])
        state = NeutralState(
            cells=cells, mix=mix, stop=np.zeros(wide), stopping=np.zeros(wide, bool),
            first=np.full(flat, np.nan), entry=np.ones(flat),
            rotated=np.zeros((*wide, mix.shape[1])),
        )  # fmt: skip
        return positions, state

    def decide(self, view: View, state: NeutralState) -> Orders | None:
        """Sell through every door that stands open, and by the stop-loss.

        The hedge follows the sales; the profit is taken by closing the short first, so there it
        follows what was wanted.
        """
        price = _price(view, state)
        basis = _held(view.basis, state)
        profit = self._profit_rate(price, state)
        rotate = self._rotation_rate(view, basis, state)
        stop = state.stop * view.own_panic
        other = stop + self._cost_rate(basis) + self._lapse_rate(view)
        rate = other + profit + rotate
        back = self._back(view, state, price)
        if not (rate.any() or back.any()):
            return None
        share = 1.0 - np.exp(-rate * view.dt)
        into = (rotate * view.dt * view.own.stock_value)[:, :, None] * state.mix
        state.rotated += into / price[:, None, :] - back / price[:, None, :]
        wanted = 0.15 * (other + rotate) + profit
        return Orders(
            sell_share=np.repeat(share[:, :, None], view.memory.shape[1], axis=2),
            futures=into - back,
            follow_wanted=wanted / np.maximum(rate, 1e-12),
            compelled=stop / np.maximum(rate, 1e-12),
        )

    def _cost_rate(self, basis: Float64) -> Float64:
        """Return the cut because rolling the short at this discount costs the year's excess."""
        if not self.cost:
            return np.zeros_like(basis)
        return np.asarray(
            self.unwind_rate * np.minimum(2.0, np.maximum(0.0, -basis - 0.012) / 0.03)
        )

    def _profit_rate(self, price: Float64, state: NeutralState) -> Float64:
        """Return the cut that locks in the profit of the short."""
        gain = _held(1.0 - price / state.entry, state)
        if not self.profit_taking:
            return np.zeros_like(gain)
        above = np.minimum(np.maximum(gain / self.profit_gain - 1.0, 0.0), 2.0)
        return np.asarray(self.profit_rate * above)

    def _rotation_rate(self, view: View, basis: Float64, state: NeutralState) -> Float64:
        """Return the share of stocks that goes into the discounted futures."""
        if not self.rotation:
            return np.zeros_like(basis)
        room = self.rotation_most * view.own.equity - over_last(state.rotated)
        depth = np.minimum(np.maximum(-basis / self.rotation_gap - 1.0, 0.0), 2.0)
        return np.asarray(self.rotation_rate * depth * (room > 0.0))

    def _lapse_rate(self, view: View) -> float:
        """Return the part of the hedge that falls due and may not be sold again."""
        refused = view.policy.no_new_shorts if self.no_new_shorts else 0.0
        return refused / self.hedge_life

    def _back(self, view: View, state: NeutralState, price: Float64) -> Float64:
        """Return the futures sold again because their discount is gone, yuan (P, R, U)."""
        gone = (view.basis > -0.004)[:, None, :]
        return np.asarray(0.25 * view.dt * gone * state.rotated * price[:, None, :])

    def plan(self, view: View, state: NeutralState) -> Plan:
        """Start or end the stop-loss by the drawdown at the close; age the hedge's entry."""
        price = _price(view, state)
        state.entry = state.entry + (price - state.entry) / self.hedge_life
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


def _held(values: Float64, state: NeutralState) -> Float64:
    """Return values by underlying, (P, U), as each book's hedge mixes them, (P, R)."""
    # A product a path: the order of the sums must not depend on the block size.
    return np.asarray((values[:, None, :] @ state.mix.T)[:, 0])


def _price(view: View, state: NeutralState) -> Float64:
    """Return the main contract over its first price, from spot and gap, (P, U)."""
    now = np.log(view.spot) + view.basis
    if np.isnan(state.first).any():
        state.first = now.copy()
    return np.exp(now - state.first)
