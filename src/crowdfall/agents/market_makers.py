"""Market makers and intraday reversal traders: they lean against a bar, with finite inventory.

They fade in stress: the more of a group is locked, the less they quote. What they sell short
within the day they borrow, so a stop of stock lending takes that side away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.agents.protocol import Opening, Orders, Positions, View
from crowdfall.agents.retail import one_book
from crowdfall.parameters import parameter
from crowdfall.types import Float64


@dataclass(kw_only=True)
class MakerState:
    """Most inventory by group, yuan, (G,); the groups' levels at the last bar, (P, G)."""

    limit: Float64
    last: Float64


@dataclass(frozen=True, kw_only=True)
class MarketMakers:
    """Terms of the money that buys a falling bar and sells a rising one."""

    enabled: bool = True
    inventory: float = parameter(
        0.02, "most inventory over a day's turnover", source="assumption (0.01-0.05)",
        low=0.0, high=0.3,
    )  # fmt: skip
    lean: float = parameter(
        0.2, "share of the inventory limit traded on a bar of 1%", source="assumption (0.05-0.5)",
        low=0.0, high=2.0,
    )  # fmt: skip
    borrowed: float = parameter(
        0.5, "share of the sales that needs borrowed stock", source="assumption (0.2-0.8)",
        low=0.0, high=1.0,
    )  # fmt: skip
    fade: float = parameter(
        4.0, "loss of quotes per locked share of the group, and per 10% of three-day fall",
        source="assumption (2-10); market makers withdrew from 8 August 2007 (Khandani and Lo)",
        low=0.0, high=50.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, MakerState]:
        """Return one book with half its inventory and the cash for the other half."""
        stocks = opening.market.stocks
        adv = np.bincount(stocks.group, weights=stocks.adv, minlength=len(opening.group_float))
        limit = np.asarray(self.inventory * adv, np.float64)
        book = one_book(opening, limit / 2, float(limit.sum()) / 2, buys=True)
        state = MakerState(limit=limit, last=np.ones((opening.paths, len(limit))))
        return book, state

    def decide(self, view: View, state: MakerState) -> Orders:
        """Lean against the last bar and go back to half the inventory, as far as stress lets."""
        move = np.log(view.level / state.last)
        state.last = view.level.copy()
        stress = self.fade * (view.locked + np.maximum(0.0, -view.memory - 0.02) / 0.1)
        quotes = state.limit * np.maximum(0.0, 1.0 - stress)
        held = view.own.group_value[:, 0]
        order = -self.lean * quotes * np.minimum(np.maximum(move / 0.01, -2.0), 2.0)
        order = order + 0.5 * view.dt * (state.limit / 2 - held)
        buy = np.minimum(np.maximum(order, 0.0), np.maximum(state.limit - held, 0.0))
        cash = np.maximum(view.own.cash, 0.0)
        buy = buy * np.minimum(1.0, cash / np.maximum(buy.sum(axis=1, keepdims=True), 1.0))
        lent = 1.0 - self.borrowed * (1.0 - view.policy.lending)
        sell = np.maximum(-order, 0.0) * lent
        return Orders(buy=buy[:, None, :], sell=sell[:, None, :])

    def plan(self, view: View, state: MakerState) -> None:
        """Decide nothing overnight."""
