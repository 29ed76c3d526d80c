"""The national team (国家队): ETF purchases by schedule, bought as index baskets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.agents.dealers import empty_book
from crowdfall.agents.protocol import Opening, Orders, Positions, View
from crowdfall.parameters import parameter
from crowdfall.types import Float64


@dataclass(kw_only=True)
class RescueState:
    """Yuan to buy by session, bar and group, (T, K, G)."""

    schedule: Float64


@dataclass(frozen=True, kw_only=True)
class NationalTeam:
    """Terms of the rescue: the schedule is the scenario's, each index has a switch."""

    enabled: bool = True
    buy_csi300: bool = True
    buy_csi500: bool = True
    buy_csi1000: bool = True
    buy_csi2000: bool = True
    scale: float = parameter(1.0, "multiple of the schedule", source="scenario", low=0.0, high=20.0)

    def open(self, opening: Opening) -> tuple[Positions, RescueState]:
        """Return one book with the cash that the schedule needs."""
        on = np.array(
            [self.buy_csi300, self.buy_csi500, self.buy_csi1000, self.buy_csi2000, False, False]
        )
        schedule = opening.schedule * on * self.scale
        book = empty_book(opening)
        total = float(schedule.sum())
        book.cash = np.full((opening.paths, 1), total)
        book.buys = True
        book.capital = np.full((opening.paths, 1), total)
        return book, RescueState(schedule=schedule)

    def decide(self, view: View, state: RescueState) -> Orders | None:
        """Buy what the schedule says for this bar."""
        amount = state.schedule[view.session, view.bar]
        if not amount.any():
            return None
        return Orders(buy=np.broadcast_to(amount, (len(view.memory), 1, 6)).copy())

    def plan(self, view: View, state: RescueState) -> None:
        """Decide nothing overnight."""
