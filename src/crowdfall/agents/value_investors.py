"""Slow value investors: they buy what has fallen far, with capital that ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.agents.protocol import Opening, Orders, Positions, View
from crowdfall.agents.retail import one_book
from crowdfall.parameters import parameter
from crowdfall.types import Float64


@dataclass(kw_only=True)
class ValueState:
    """Free float by group, (G,), and what the groups are held to be worth, index over start."""

    group_float: Float64
    worth: Float64  # (P, G)


@dataclass(frozen=True, kw_only=True)
class ValueInvestors:
    """Terms of long-only money that buys at a discount to a slow average of prices."""

    enabled: bool = True
    capital: float = parameter(
        50e9, "cash", unit="yuan", source="assumption (20-150 bn)", low=0.0, high=500e9
    )
    discount: float = parameter(
        0.12, "fall below the slow average that they buy", source="assumption (0.08-0.25)",
        low=0.01, high=0.9,
    )  # fmt: skip
    pace: float = parameter(
        0.05, "share of the capital spent a day at 20% more than that", unit="per day",
        source="assumption (0.02-0.2)", low=0.0, high=1.0,
    )  # fmt: skip
    life: float = parameter(
        60.0, "life of the slow average", unit="days",
        source="assumption (40-120); prices reverse over 40 days (Bian et al. 2018)",
        low=5.0, high=500.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, ValueState]:
        """Return one book of cash."""
        groups = len(opening.group_float)
        state = ValueState(group_float=opening.group_float, worth=np.ones((opening.paths, groups)))
        return one_book(opening, np.zeros(groups), self.capital, buys=True), state

    def decide(self, view: View, state: ValueState) -> Orders:
        """Buy by float what is cheap while cash lasts; sell slowly what is dear again."""
        fall = 1.0 - view.level / state.worth
        cheap = np.minimum(np.maximum((fall - self.discount) / 0.2, 0.0), 1.0)
        share = cheap * state.group_float
        share = share / np.maximum(share.sum(axis=1, keepdims=True), 1.0)
        spend = self.pace * self.capital * cheap.max(axis=1, keepdims=True) * view.dt
        buy = share * np.minimum(spend, np.maximum(view.own.cash, 0.0))
        sell = self.pace * view.own.group_value[:, 0] * (fall < 0.0) * view.dt
        return Orders(buy=buy[:, None, :], sell=sell[:, None, :])

    def plan(self, view: View, state: ValueState) -> None:
        """Let the slow average follow the close."""
        state.worth = state.worth + (view.level - state.worth) / self.life
