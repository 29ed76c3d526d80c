"""The broad flows: trend and panic money, style switchers, followers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.agents.baskets import float_shares
from crowdfall.agents.dealers import empty_book
from crowdfall.agents.protocol import Opening, Orders, Positions, View
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.types import Float64


@dataclass(kw_only=True)
class FloatState:
    """Free float by group, yuan, (G,)."""

    group_float: Float64


def one_book(opening: Opening, worth: Float64, cash: float, buys: bool = False) -> Positions:
    """Return one book that holds ``worth`` (G,) yuan of each group by float, and cash."""
    book = empty_book(opening)
    book.buys = buys
    book.shares = float_shares(opening, worth[None, :])
    book.cash = np.full((opening.paths, 1), cash)
    book.capital = np.full((opening.paths, 1), float(worth.sum()) + cash)
    return book


@dataclass(frozen=True, kw_only=True)
class TrendRetail:
    """Money that leaves a group after it has fallen more than 2% in three days."""

    enabled: bool = True
    outflow: float = parameter(
        0.043, "share of float sold a day per unit of fall beyond 2%", source=PROTOTYPE,
        low=0.0, high=0.5,
    )  # fmt: skip
    threshold: float = parameter(
        0.02, "fall in three days that such money takes calmly", source=PROTOTYPE,
        low=0.0, high=0.2,
    )  # fmt: skip
    held: float = parameter(
        0.25, "share of free float in such hands", source="assumption (0.2-0.4)", low=0.0, high=0.6
    )

    def open(self, opening: Opening) -> tuple[Positions, FloatState]:
        """Return one book with its share of every group."""
        book = one_book(opening, self.held * opening.group_float, 0.0)
        return book, FloatState(group_float=opening.group_float)

    def decide(self, view: View, state: FloatState) -> Orders:
        """Sell with the fall, less where a rescue is believed."""
        fall = np.maximum(0.0, -view.memory - self.threshold) * view.calm
        return Orders(sell=(self.outflow * fall * state.group_float * view.dt)[:, None, :])

    def plan(self, view: View, state: FloatState) -> None:
        """Decide nothing overnight."""


@dataclass(kw_only=True)
class SwitchState:
    """Free float by group, (G,), and where the last rescue went, shares (P, G)."""

    group_float: Float64
    bought: Float64


@dataclass(frozen=True, kw_only=True)
class StyleSwitchers:
    """Money that follows a rescue into what is bought, out of what is not, small caps first."""

    enabled: bool = True
    switch: float = parameter(
        0.30, "yuan moved per yuan of rescue", source=PROTOTYPE, low=0.0, high=2.0
    )
    small_bias: float = parameter(
        0.3, "log weight a size step smaller in what is sold",
        source="assumption (0-0.8): micro-caps fell 1.5% when mid caps rose, 23 January 2024",
        low=0.0, high=2.0,
    )  # fmt: skip
    held: float = parameter(
        0.05, "share of the smaller groups' free float in such hands",
        source="assumption (0.02-0.1)", low=0.0, high=0.3,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, SwitchState]:
        """Return one book in the five smaller groups."""
        worth = self.held * opening.group_float
        worth[0] = 0.0
        state = SwitchState(
            group_float=opening.group_float, bought=np.zeros((opening.paths, len(worth)))
        )
        return one_book(opening, worth, 0.0, buys=True), state

    def decide(self, view: View, state: SwitchState) -> Orders:
        """Sell what is not rescued, buy what is with what the last bar brought in."""
        rescue = view.rescue
        total = rescue.sum(axis=1, keepdims=True)
        state.bought = np.where(total > 0.0, rescue / np.maximum(total, 1.0), state.bought)
        size = np.exp(self.small_bias * np.arange(rescue.shape[1]))
        smaller = np.arange(rescue.shape[1]) > 0  # nobody leaves large caps for smaller ones
        weight = state.group_float * size * smaller * (state.bought <= 0.0)
        weight = weight / np.maximum(weight.sum(axis=1, keepdims=True), 1.0)
        cash = np.maximum(view.own.cash, 0.0)
        sell, buy = self.switch * total * weight, cash * state.bought
        return Orders(sell=sell[:, None, :], buy=buy[:, None, :])

    def plan(self, view: View, state: SwitchState) -> None:
        """Decide nothing overnight."""


@dataclass(frozen=True, kw_only=True)
class Followers:
    """Private money that buys what the national team buys."""

    enabled: bool = True
    follow: float = parameter(
        0.0, "yuan per yuan of rescue", source=PROTOTYPE + ": 0, range 0-2.5", low=0.0, high=5.0
    )
    capital: float = parameter(
        200e9, "cash", unit="yuan", source="assumption (100-500 bn)", low=0.0, high=2000e9
    )

    def open(self, opening: Opening) -> tuple[Positions, FloatState]:
        """Return one book of cash."""
        book = one_book(opening, np.zeros(6), self.capital, buys=True)
        return book, FloatState(group_float=opening.group_float)

    def decide(self, view: View, state: FloatState) -> Orders | None:
        """Buy the same groups one bar later, as far as the cash goes."""
        if self.follow <= 0.0:
            return None
        amount = self.follow * view.rescue
        cash = np.maximum(view.own.cash, 0.0)
        scale = np.minimum(1.0, cash / np.maximum(amount.sum(axis=1, keepdims=True), 1.0))
        return Orders(buy=(amount * scale)[:, None, :])

    def plan(self, view: View, state: FloatState) -> None:
        """Decide nothing overnight."""
