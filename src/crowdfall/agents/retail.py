"""The broad flows: trend and panic money, margin accounts, style switchers, followers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.agents.baskets import float_shares
from crowdfall.agents.dealers import empty_book
from crowdfall.agents.protocol import Opening, Orders, Positions, View
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.types import Float64

BALANCE_SHARE: Final = (0.40, 0.22, 0.20, 0.14, 0.025, 0.015)
"""Margin balance by size group (assumption, design:model 1 a.4)."""


@dataclass(kw_only=True)
class FloatState:
    """Free float by group, yuan, (G,)."""

    group_float: Float64


def _one_book(opening: Opening, worth: Float64, cash: float, buys: bool = False) -> Positions:
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
    held: float = parameter(
        0.25, "share of free float in such hands", source="assumption (0.2-0.4)", low=0.0, high=0.6
    )

    def open(self, opening: Opening) -> tuple[Positions, FloatState]:
        """Return one book with its share of every group."""
        book = _one_book(opening, self.held * opening.group_float, 0.0)
        return book, FloatState(group_float=opening.group_float)

    def decide(self, view: View, state: FloatState) -> Orders:
        """Sell with the fall, less where a rescue is believed."""
        fall = np.maximum(0.0, -view.memory - 0.02) * view.calm
        return Orders(sell=(self.outflow * fall * state.group_float * view.dt)[:, None, :])

    def plan(self, view: View, state: FloatState) -> None:
        """Decide nothing overnight."""


@dataclass(frozen=True, kw_only=True)
class MarginAccounts:
    """Margin-financed accounts (两融), which repay as their stocks fall."""

    enabled: bool = True
    balance: float = parameter(
        1579e9, "financing balance", unit="yuan", source="exchanges, end of December 2023",
        low=0.0, high=5000e9,
    )  # fmt: skip
    maintenance: float = parameter(
        2.26, "stock over balance", source="CSRC, 5 February 2024: 226% on average",
        low=1.3, high=5.0,
    )  # fmt: skip
    repay: float = parameter(
        0.25, "share of the balance repaid a day per unit of fall", source="assumption",
        low=0.0, high=2.0,
    )  # fmt: skip
    rate: float = parameter(
        0.06, "interest", unit="per year", source="assumption (0.05-0.08)", low=0.0, high=0.15
    )

    def open(self, opening: Opening) -> tuple[Positions, FloatState]:
        """Return one book of pledged stock and its debt."""
        balance = self.balance * np.array(BALANCE_SHARE)
        book = _one_book(opening, balance * self.maintenance, -self.balance)
        book.financing = self.rate
        return book, FloatState(group_float=balance)

    def decide(self, view: View, state: FloatState) -> Orders:
        """Sell with the three-day fall of each group."""
        amount = self.repay * np.maximum(0.0, -view.memory) * state.group_float * view.dt
        return Orders(sell=amount[:, None, :])

    def plan(self, view: View, state: FloatState) -> None:
        """Decide nothing overnight."""


@dataclass(frozen=True, kw_only=True)
class StyleSwitchers:
    """Money that follows the rescue of large caps out of everything smaller."""

    enabled: bool = True
    switch: float = parameter(
        0.30, "yuan moved per yuan of CSI 300 rescue", source=PROTOTYPE, low=0.0, high=2.0
    )
    held: float = parameter(
        0.05, "share of the smaller groups' free float in such hands",
        source="assumption (0.02-0.1)", low=0.0, high=0.3,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, FloatState]:
        """Return one book in the five smaller groups."""
        worth = self.held * opening.group_float
        worth[0] = 0.0
        small = opening.group_float.copy()
        small[0] = 0.0
        return _one_book(opening, worth, 0.0, buys=True), FloatState(group_float=small)

    def decide(self, view: View, state: FloatState) -> Orders:
        """Sell smaller groups by float; buy CSI 300 with what the last bar brought in."""
        amount = self.switch * view.rescue[:, 0]
        share = state.group_float / state.group_float.sum()
        buy = np.zeros((len(amount), 1, len(share)))
        buy[:, 0, 0] = np.maximum(view.own.cash[:, 0], 0.0)
        return Orders(sell=amount[:, None, None] * share, buy=buy)

    def plan(self, view: View, state: FloatState) -> None:
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
        book = _one_book(opening, np.zeros(6), self.capital, buys=True)
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
