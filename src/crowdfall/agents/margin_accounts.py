"""Margin-financed accounts (两融): they repay as stocks fall, and are sold out under 130%.

Accounts are told apart by size group and by maintenance ratio (stock over debt). One ledger book
holds them all; the state splits it into accounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.agents.retail import one_book
from crowdfall.parameters import parameter
from crowdfall.types import Float64, Int64

BALANCE_SHARE: Final = (0.40, 0.22, 0.20, 0.14, 0.025, 0.015)
"""Margin balance by size group (assumption, design:model 1 a.4)."""
STEPS: Final = 12
"""Accounts by maintenance ratio, each with the same debt."""


@dataclass(kw_only=True)
class MarginState:
    """Accounts by ratio and group, (P, K, G): share of the book's stock in the group, and debt.

    ``age``: closes below the line; ``force``: yuan to be sold for them next session; ``ordered``:
    what they ordered today.
    """

    part: Float64
    debt: Float64
    age: Int64
    force: Float64
    ordered: Float64
    cash: Float64  # (P,) at the last close


@dataclass(frozen=True, kw_only=True)
class MarginAccounts:
    """Terms of the margin-financed accounts."""

    enabled: bool = True
    forced_sale: bool = True
    balance: float = parameter(
        1579e9, "financing balance", unit="yuan", source="exchanges, end of December 2023",
        low=0.0, high=5000e9,
    )  # fmt: skip
    maintenance: float = parameter(
        2.26, "stock over balance, on average", source="CSRC, 5 February 2024: 226%",
        low=1.3, high=5.0,
    )  # fmt: skip
    spread: float = parameter(
        0.2, "spread of log maintenance ratios over accounts", source="assumption (0.1-0.35)",
        low=0.0, high=0.6,
    )  # fmt: skip
    line: float = parameter(
        1.3, "maintenance ratio that calls the client", source="CSRC, 5 February 2024: 130%",
        low=1.05, high=1.6,
    )  # fmt: skip
    restored: float = parameter(
        1.5, "maintenance ratio that a call restores", source="assumption (1.4-1.6)",
        low=1.1, high=3.0,
    )  # fmt: skip
    grace: float = parameter(
        1.0, "sessions between call and sale", unit="sessions",
        source="assumption (1-3): brokers' contracts give one or two days", low=0.0, high=20.0,
    )  # fmt: skip
    top_up_share: float = parameter(
        0.95, "share of calls that clients meet with money",
        source="assumption (0.8-0.99): forced sales of 0.9 bn since 1 January, CSRC, 5 February",
        low=0.0, high=1.0,
    )  # fmt: skip
    repay: float = parameter(
        0.25, "share of the debt repaid a day per unit of three-day fall beyond repay_after",
        source="exchanges' balances on CSI All Share, 2 November 2023 to 2 February 2024: "
        "0.250, standard error 0.025; 0.165 (0.053) before January", low=0.0, high=2.0,
    )  # fmt: skip
    repay_after: float = parameter(
        0.006, "three-day fall at which repayments outweigh new loans",
        source="the same regression: 0.16% of the balance a day is new", low=0.0, high=0.1,
    )  # fmt: skip
    rate: float = parameter(
        0.06, "interest", unit="per year", source="assumption (0.05-0.08)", low=0.0, high=0.15
    )

    def open(self, opening: Opening) -> tuple[Positions, MarginState]:
        """Return one book of pledged stock and its debt, split into accounts."""
        balance = self.balance * np.array(BALANCE_SHARE)
        normal = NormalDist()  # not scipy's: every worker would wait for that to be imported
        steps = [normal.inv_cdf((k + 0.5) / STEPS) for k in range(STEPS)]
        ratio = np.exp(self.spread * np.array(steps))
        ratio *= self.maintenance / ratio.mean()
        book = one_book(opening, balance * self.maintenance, -self.balance)
        book.financing = self.rate
        wide = (opening.paths, STEPS, len(balance))
        zero = np.zeros(wide)
        state = MarginState(
            part=np.broadcast_to((ratio / ratio.sum())[:, None], wide).copy(),
            debt=np.broadcast_to(balance / STEPS, wide).copy(),
            age=np.zeros(wide, np.int64), force=zero.copy(), ordered=zero.copy(),
            cash=np.full(opening.paths, -self.balance),
        )  # fmt: skip
        return book, state

    def decide(self, view: View, state: MarginState) -> Orders:
        """Sell with the three-day fall of each group, and what lenders force."""
        fall = np.maximum(0.0, -view.memory - self.repay_after)
        own = self.repay * fall * state.debt.sum(axis=1) * view.dt
        forced = state.force * view.dt
        state.ordered += own[:, None, :] * state.part + forced
        by_lender = forced.sum(axis=1)
        amount = own + by_lender
        share = by_lender.sum(axis=1) / np.maximum(amount.sum(axis=1), 1.0)
        return Orders(sell=amount[:, None, :], forced=share[:, None])

    def plan(self, view: View, state: MarginState) -> Plan:
        """Book repayments to accounts, call those below the line, sell out the unmet calls."""
        self._repaid(view, state)
        if not self.forced_sale:
            return Plan()
        value = state.part * view.own.group_value
        line = 1.0 + (self.line - 1.0) * view.policy.lines
        below = (state.debt > 1e4) & (value < line * state.debt)
        fresh = below & (state.age == 0)
        state.age = np.where(below, state.age + 1, 0)
        due = state.age > self.grace + view.policy.extra_days
        gap = np.where(due, np.maximum(state.debt - value / self.restored, 0.0), 0.0)
        paid = self.top_up_share * gap
        state.debt = state.debt - paid
        sale = (self.restored * state.debt - value) / max(self.restored - 1.0, 0.05)
        state.force = np.where(due, np.clip(sale, 0.0, value), 0.0)
        capital = paid.sum(axis=(1, 2))
        state.cash = state.cash + capital
        called = np.where(fresh, state.debt, 0.0).sum(axis=(1, 2))
        notices = [
            Notice(path=int(p), cell="all", kind=kind, amount=float(amount[p]))
            for kind, amount in (("margin_call", called), ("top_up", capital))
            for p in np.flatnonzero(amount > 1e6)
        ]
        return Plan(capital=capital[:, None], notices=notices)

    def _repaid(self, view: View, state: MarginState) -> None:
        """Give today's proceeds to the accounts that ordered, as debt repaid and stock gone."""
        proceeds = np.maximum(view.own.cash[:, 0] - state.cash, 0.0)
        state.cash = view.own.cash[:, 0].copy()
        total = state.ordered.sum(axis=(1, 2))
        share = state.ordered / np.maximum(total, 1.0)[:, None, None]
        sold = proceeds[:, None, None] * share
        state.debt = np.maximum(state.debt - sold, 0.0)
        before = view.own.group_value + sold.sum(axis=1, keepdims=True)
        left = np.maximum(state.part * before - sold, 0.0)
        whole = left.sum(axis=1, keepdims=True)
        state.part = np.where(whole > 0.0, left / np.maximum(whole, 1e-9), state.part)
        state.ordered[:] = 0.0
