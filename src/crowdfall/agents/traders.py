"""Traders of the basis and of the trend: hedge shorts and discount harvesters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.agents.baskets import float_shares
from crowdfall.agents.dealers import empty_book
from crowdfall.agents.protocol import GROUP_OF, UNDER, Opening, Orders, Positions, View
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.types import Float64


@dataclass(kw_only=True)
class ShortState:
    """Open interest of the start, yuan, (U,)."""

    open_interest: Float64


@dataclass(frozen=True, kw_only=True)
class TrendShorts:
    """Trend followers, and holders of locked stocks who short futures instead of selling."""

    enabled: bool = True
    trend: float = parameter(
        0.15, "trend short over open interest", source=PROTOTYPE, low=0.0, high=0.5
    )
    hedge: float = parameter(
        0.20, "hedge short over open interest, all stocks locked", source=PROTOTYPE,
        low=0.0, high=1.5,
    )  # fmt: skip
    speed: float = parameter(
        0.12, "share of the gap traded a bar", source="design:model 1 a.4", low=0.01, high=1.0
    )

    def open(self, opening: Opening) -> tuple[Positions, ShortState]:
        """Return one empty book."""
        return empty_book(opening), ShortState(open_interest=opening.open_interest)

    def decide(self, view: View, state: ShortState) -> Orders:
        """Be short with the three-day fall and with the share of locked stocks."""
        fall = np.maximum(0.0, -view.memory[:, UNDER] - 0.03) / 0.06
        target = self.trend * np.minimum(1.0, fall) + self.hedge * view.locked_small[:, None]
        target = -(target * state.open_interest)[:, None, :]
        return Orders(futures=self.speed * (target - view.own.futures))

    def plan(self, view: View, state: ShortState) -> None:
        """Decide nothing overnight."""


@dataclass(frozen=True, kw_only=True)
class Harvesters:
    """Long-only money that sells its basket and holds discounted futures instead."""

    enabled: bool = True
    capital: float = parameter(
        30e9, "capital, half on each index", unit="yuan", source=PROTOTYPE, low=0.0, high=300e9
    )
    speed: float = parameter(
        0.2, "swap at a full discount", unit="per day", source="design:model 1 a.4",
        low=0.0, high=2.0,
    )  # fmt: skip
    back: float = parameter(
        0.25, "swap back when the discount is gone", unit="per day", source="design:model 1 a.4",
        low=0.0, high=2.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, None]:
        """Return one book that holds both index baskets."""
        worth = np.zeros((1, 6))
        worth[0, GROUP_OF] = self.capital / 2
        book = empty_book(opening)
        book.shares = float_shares(opening, worth)
        book.capital = np.full((opening.paths, 1), self.capital)
        book.buys = True
        return book, None

    def decide(self, view: View, state: None) -> Orders:
        """Swap on a discount beyond 0.8%, swap back within 0.4%."""
        limit = self.capital / 2
        swapped = np.maximum(view.own.futures[:, 0, :], 0.0)
        depth = np.minimum(1.0, (-view.basis - 0.008) / 0.03)
        into = np.where(view.basis < -0.008, limit * depth * self.speed * view.dt, 0.0)
        into = np.minimum(into, np.maximum(limit - swapped, 0.0))
        out = np.where(view.basis > -0.004, swapped * self.back * view.dt, 0.0)
        change = into - out
        sell, buy = np.zeros((2, len(change), 1, 6))
        sell[:, 0, UNDER] = into
        buy[:, 0, UNDER] = out
        return Orders(sell=sell, buy=buy, futures=change[:, None, :])

    def plan(self, view: View, state: None) -> None:
        """Decide nothing overnight."""
