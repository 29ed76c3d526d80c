"""Arbitrage desks: baskets of stock against index futures, with capital that can run out.

On a premium a desk buys the basket and sells futures (cash and carry) until its money is spent; on
a discount it can only sell baskets that it holds or has borrowed, and those are few. Stock bought
today is sold tomorrow at the earliest (T+1), so a desk can't turn round within the day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.agents.baskets import float_shares
from crowdfall.agents.dealers import empty_book
from crowdfall.agents.protocol import GROUP_OF, UNDER, Opening, Orders, Positions, View
from crowdfall.parameters import parameter
from crowdfall.types import Float64


@dataclass(kw_only=True)
class ArbitrageState:
    """Open interest (U,), baskets wanted when nothing is to be gained (U,), bought today (P, U)."""

    open_interest: Float64
    base: Float64
    fresh: Float64


@dataclass(frozen=True, kw_only=True)
class Arbitrageurs:
    """Terms of the desks: one hedged book on both indices."""

    enabled: bool = True
    capital: float = parameter(
        30e9, "money for baskets and margin against a premium", unit="yuan",
        source="assumption (5-60 bn)", low=0.0, high=10_000e9,
    )  # fmt: skip
    borrow: float = parameter(
        6e9, "baskets held or borrowed that can be sold against a discount, half on each index",
        unit="yuan", source="assumption (0-20 bn; stock borrow is scarce)", low=0.0, high=500e9,
    )  # fmt: skip
    cost: float = parameter(
        0.004, "gap that pays for fees, stamp duty, slippage and margin on a premium",
        source="assumption (0.002-0.01)", low=0.0, high=0.1,
    )  # fmt: skip
    borrow_cost: float = parameter(
        0.010, "the same on a discount, with the fee for stock", source="assumption (0.005-0.02)",
        low=0.0, high=0.1,
    )  # fmt: skip
    speed: float = parameter(
        4.0, "trade against a premium, of open interest per log gap beyond the cost",
        unit="per day", source="design:model 1 a.3 (decay of a premium)", low=0.0, high=50.0,
    )  # fmt: skip
    unwind_speed: float = parameter(
        1.0, "unwinding of baskets, of open interest per log discount", unit="per day",
        source="assumption (0.3-4)", low=0.0, high=50.0,
    )  # fmt: skip
    borrow_speed: float = parameter(
        0.5, "the same against a discount", unit="per day", source="assumption (0.1-1)",
        low=0.0, high=50.0,
    )  # fmt: skip
    margin: float = parameter(
        0.15, "margin of the short futures", source="CFFEX notice of July 2022: IM 15%",
        low=0.0, high=1.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, ArbitrageState]:
        """Return one book: baskets hedged by short futures, and money for more."""
        base = np.full(len(GROUP_OF), self.borrow / len(GROUP_OF))
        worth = np.zeros((1, 6))
        worth[0, GROUP_OF] = base
        wide = (opening.paths, 1)
        book = empty_book(opening)
        book.shares = float_shares(opening, worth)
        book.cash = np.full(wide, self.capital)
        book.futures = np.broadcast_to(-base, (*wide, len(base))).copy()
        book.capital = np.full(wide, self.capital + self.borrow)
        book.buys = True
        fresh = np.zeros((opening.paths, len(base)))
        return book, ArbitrageState(open_interest=opening.open_interest, base=base, fresh=fresh)

    def decide(self, view: View, state: ArbitrageState) -> Orders:
        """Trade baskets by the gap, and hold futures against all of them."""
        held = view.own.group_value[:, 0, UNDER]
        short = view.own.futures[:, 0]
        pace = state.open_interest * view.dt
        gain, loss = view.basis - self.cost, -view.basis - self.borrow_cost
        rebuild = np.where(view.basis > -self.cost, state.base - held, 0.0)
        wanted = np.minimum(
            np.maximum(self.speed * pace * np.maximum(gain, 0.0), rebuild * view.dt),
            np.where(gain > 0.0, np.inf, np.maximum(state.base - held, 0.0)),
        )
        free = view.own.cash - self.margin * np.abs(short).sum(axis=1, keepdims=True)
        buy = self._within(np.maximum(wanted, 0.0), np.maximum(free, 0.0) / (1 + self.margin))
        unwind = np.minimum(
            self.unwind_speed * pace * np.maximum(-view.basis, 0.0),
            np.maximum(held - state.base, 0.0),
        )
        against = np.minimum(self.borrow_speed * pace * np.maximum(loss, 0.0), held)
        open_names = 1.0 - view.locked[:, UNDER]
        old = np.maximum(held - state.fresh, 0.0)
        sell = np.minimum(np.maximum(unwind, against) * open_names, old)
        state.fresh = state.fresh + buy
        baskets = np.zeros((2, len(held), 1, 6))
        baskets[0, :, 0, UNDER] = sell
        baskets[1, :, 0, UNDER] = buy
        futures = -(held + buy - sell) - short
        return Orders(sell=baskets[0], buy=baskets[1], futures=futures[:, None, :])

    def _within(self, wanted: Float64, money: Float64) -> Float64:
        """Scale purchases (P, U) down to the money there is, (P, 1)."""
        total = wanted.sum(axis=1, keepdims=True)
        return np.asarray(wanted * np.minimum(1.0, money / np.maximum(total, 1.0)))

    def plan(self, view: View, state: ArbitrageState) -> None:
        """Stock bought today can be sold tomorrow."""
        state.fresh = np.zeros_like(state.fresh)
