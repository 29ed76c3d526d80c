"""The national team (国家队): ETF purchases by schedule and by rule, bought as index baskets.

The schedule is one of net creations, so it buys the baskets in its bar. By rule the team buys an
ETF; the market maker that sold it creates it by buying the basket one bar later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from crowdfall.agents.dealers import empty_book
from crowdfall.agents.protocol import Opening, Orders, Positions, View
from crowdfall.parameters import parameter
from crowdfall.types import Float64

RESCUED: Final = ("csi300", "csi500", "csi1000", "csi2000")


@dataclass(frozen=True, kw_only=True)
class RescueRule:
    """Buy the ETFs of ``index`` for ``daily`` yuan a session once it fell ``fall`` in ``days``.

    ``total``: most that this rule spends, yuan.
    """

    index: Literal["csi300", "csi500", "csi1000", "csi2000"]
    fall: float = parameter(
        0.05, "fall of the index that starts it", source="scenario", low=0.001, high=0.9
    )
    days: float = parameter(
        5.0, "sessions over which the fall is measured", unit="sessions", source="scenario",
        low=1.0, high=60.0,
    )  # fmt: skip
    daily: float = parameter(
        10e9, "budget a session", unit="yuan", source="scenario", low=0.0, high=200e9
    )
    total: float = parameter(
        100e9, "budget of the rule", unit="yuan", source="scenario", low=0.0, high=1000e9
    )


@dataclass(kw_only=True)
class RescueState:
    """Yuan to buy by session, bar and group, (T, K, G), and what the rules do.

    ``daily`` (P, J): what rule j spends today; ``spent`` (P, J); ``created`` (P, G): ETFs bought
    in the last bar, whose baskets are bought in this one; ``closes``: past levels, (P, G) each.
    """

    schedule: Float64
    daily: Float64
    spent: Float64
    created: Float64
    closes: list[Float64] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class NationalTeam:
    """Terms of the rescue: schedule and rules are the scenario's, each index has a switch."""

    enabled: bool = True
    buy_csi300: bool = True
    buy_csi500: bool = True
    buy_csi1000: bool = True
    buy_csi2000: bool = True
    rules: tuple[RescueRule, ...] = ()
    scale: float = parameter(1.0, "multiple of the schedule", source="scenario", low=0.0, high=20.0)

    def open(self, opening: Opening) -> tuple[Positions, RescueState]:
        """Return one book with the cash that schedule and rules need."""
        schedule = opening.schedule * self._on() * self.scale
        book = empty_book(opening)
        total = float(schedule.sum()) + sum(rule.total for rule in self.rules)
        book.cash = np.full((opening.paths, 1), total)
        book.buys = True
        book.capital = np.full((opening.paths, 1), total)
        rules = np.zeros((opening.paths, len(self.rules)))
        start = np.ones((opening.paths, len(opening.group_float)))
        return book, RescueState(
            schedule=schedule, daily=rules, spent=rules.copy(), created=0.0 * start, closes=[start]
        )

    def _on(self) -> Float64:
        indices = [self.buy_csi300, self.buy_csi500, self.buy_csi1000, self.buy_csi2000]
        return np.array([*indices, False, False], float)

    def decide(self, view: View, state: RescueState) -> Orders | None:
        """Buy what the schedule says for this bar, and the baskets of ETFs just created."""
        amount = state.created + state.schedule[view.session, view.bar]
        state.created = np.zeros_like(state.created)
        for j, rule in enumerate(self.rules):
            state.created[:, RESCUED.index(rule.index)] += state.daily[:, j] * view.dt
        state.spent = state.spent + state.daily * view.dt
        if not amount.any():
            return None
        return Orders(buy=amount[:, None, :])

    def plan(self, view: View, state: RescueState) -> None:
        """Let each rule look at the close and set its budget for the next session."""
        state.closes = [*state.closes, view.level.copy()][-61:]
        for j, rule in enumerate(self.rules):
            k = RESCUED.index(rule.index)
            before = state.closes[max(len(state.closes) - 1 - int(rule.days), 0)][:, k]
            fallen = view.level[:, k] <= (1.0 - rule.fall) * before
            left = np.maximum(rule.total - state.spent[:, j], 0.0)
            budget = np.minimum(rule.daily, left) * self._on()[k]
            state.daily[:, j] = np.where(fallen, budget, 0.0)
