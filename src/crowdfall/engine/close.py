"""The close of a session: settlement, interest, decisions for the next one, events."""

from __future__ import annotations

import numpy as np

from crowdfall.agents.protocol import Plan
from crowdfall.engine.belief import recognise
from crowdfall.engine.crowd import Member, account
from crowdfall.engine.futures import settlement
from crowdfall.engine.gauges import day_returns
from crowdfall.engine.ledger import pay_interest, value_books
from crowdfall.engine.margin import SMALL, settle_deposits
from crowdfall.engine.policies import in_force
from crowdfall.engine.record import Record
from crowdfall.engine.run_state import Run
from crowdfall.engine.step import view
from crowdfall.engine.styles import close_styles
from crowdfall.errors import RunError
from crowdfall.sums import over_last
from crowdfall.types import Float64

LEAST_NAV = 0.05
"""Units are not sold below this nav: money into a wiped-out product would own all of it."""


def close_day(run: Run, record: Record, day: int, days_since: float) -> None:
    """Settle the session and let every participant plan the next.

    1. Futures settle at the mean of the last hour; margin runs on it. 2. Interest. 3. Books are
    marked; participants plan; capital moves. 4. A rescue seen for the first time is recognised.
    5. The session is recorded; every event of it names its cause.
    """
    futures, ledger = run.futures, run.ledger
    settle = settlement(futures, run.setting)
    run.tally.interest += pay_interest(ledger, days_since)
    before = ledger.stock_value
    ledger.free_purchases()
    every = np.arange(ledger.cash.shape[1], dtype=np.int64)
    value_books(ledger, run.prices.price, run.setting, every)
    ledger.stock_value = over_last(ledger.group_value)
    np.minimum(run.tally.left, np.maximum(ledger.group_value, 0.0), out=run.tally.left)
    everything = run.accounts(settle)
    if not (np.isfinite(everything.equity).all() and np.isfinite(run.prices.level).all()):
        raise RunError("not_finite", date=run.setting.days[day])
    ledger.peak_nav = np.maximum(ledger.peak_nav, everything.nav)
    record.see_session(run, day)
    _futures_accounts(run, record, settle, day)
    public = view(run, day, run.setting.bars, everything)
    navs = run.accounts().nav
    for member in run.members:
        rules = in_force(run.setting, day, run.setting.bars - 1, member.name)
        seen = public.of(account(member, everything), rules)
        plan = member.terms.plan(seen, member.state) if member.terms.enabled else None
        _apply(run, record, member, plan, day, navs[:, member.rows])
    recognise(run.prices)
    futures.previous_settle = settle
    run.closes.append(run.prices.level.copy())
    record.close(run, day, before, settle)
    run.last_returns = day_returns(run.prices)
    close_styles(run)
    run.tally.clear()
    run.calls[:] = 0


def _futures_accounts(run: Run, record: Record, settle: Float64, day: int) -> None:
    """Settle the futures accounts; say which shorts brokers closed, and which books are called."""
    if not run.setting.scenario.channels.futures_margin:
        return
    accounts, bars = run.deposits, run.setting.bars
    covered = accounts.covered.copy()
    called = settle_deposits(run, settle)
    for kind, bar, amount in (
        ("forced_cover", accounts.due_bar, covered), ("futures_call", bars, called),
    ):  # fmt: skip
        if not (amount > SMALL).any():
            continue
        for member in run.members:
            for p, r in zip(*np.nonzero(amount[:, member.rows] > SMALL), strict=True):
                size = float(amount[p, member.rows][r])
                record.event(int(p), day, bar, member.name, member.cells[r], kind, size)


def _apply(
    run: Run, record: Record, member: Member, plan: Plan | None, day: int, nav: Float64
) -> None:
    statuses = None
    if plan is not None:
        _move_money(run, member.rows, plan, nav)
        for notice in plan.notices:
            run.calls[notice.path] += notice.kind == "margin_call"
            record.event(
                notice.path, day, run.setting.bars, member.name, notice.cell, notice.kind,
                notice.amount,
            )  # fmt: skip
        statuses = plan.status
    record.status(member.rows, statuses)


def _move_money(run: Run, rows: slice, plan: Plan, nav: Float64) -> None:
    ledger, tally = run.ledger, run.tally
    if plan.flow is not None:
        # Units are bought and sold at the nav: money in or out moves no one's return.
        worth = np.maximum(nav, LEAST_NAV)
        ledger.cash[:, rows] += plan.flow
        ledger.capital[:, rows] += plan.flow / worth
        ledger.outside += plan.flow.sum(axis=1)
        tally.capital[:, rows] += plan.flow
    if plan.capital is not None:
        ledger.cash[:, rows] += plan.capital
        ledger.capital[:, rows] += plan.capital
        ledger.outside += plan.capital.sum(axis=1)
        tally.capital[:, rows] += plan.capital
    if plan.broker is not None:
        ledger.cash[:, rows] += plan.broker
        ledger.broker_paid[:, rows] += plan.broker
        tally.capital[:, rows] += plan.broker
