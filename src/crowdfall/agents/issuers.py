"""New listings: their subscribers pay with sales of names like them (design:system 14, 48).

New companies are not stocks of the market snapshot. What is felt of them is the money they take:
subscribers sell existing names, by turnover, so mostly small ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.agents.protocol import Opening, Orders, Plan, Positions, View
from crowdfall.agents.retail import one_book
from crowdfall.parameters import parameter
from crowdfall.types import Float64


@dataclass(kw_only=True)
class IssueState:
    """Where subscribers sell: shares by group, (G,)."""

    share: Float64


@dataclass(frozen=True, kw_only=True)
class Issuers:
    """Terms of the supply of new listings."""

    enabled: bool = True
    daily: float = parameter(
        0.5e9, "raised a day", unit="yuan",
        source="assumption (0.2-1.5 bn): about 356 bn in 2023, from memory; slower since 27 August",
        low=0.0, high=10e9,
    )  # fmt: skip
    stock: float = parameter(
        100.0, "days of subscriptions that subscribers hold in stock", unit="days",
        source="assumption (60-250)", low=1.0, high=500.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, IssueState]:
        """Return one book: what subscribers can sell."""
        stocks = opening.market.stocks
        adv = np.bincount(stocks.group, weights=stocks.adv, minlength=len(opening.group_float))
        share = adv / adv.sum()
        return one_book(opening, self.daily * self.stock * share, 0.0), IssueState(share=share)

    def decide(self, view: View, state: IssueState) -> Orders:
        """Sell what the day's listings take, less where listings pause."""
        amount = self.daily * view.policy.listings * view.dt * state.share
        sell = np.empty((len(view.memory), 1, len(amount)))
        sell[:] = amount
        return Orders(sell=sell)

    def plan(self, view: View, state: IssueState) -> Plan:
        """Pay the issuers with what was sold."""
        return Plan(flow=-np.maximum(view.own.cash, 0.0))
