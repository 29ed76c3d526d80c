"""Dated policies at work: what binds whom in a bar, and what is taken off the orders.

Levers that act inside a participant reach it through ``View.policy``; bans act on its orders
here, after it has decided, because a ban takes away what was wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np

from crowdfall.agents.protocol import NO_POLICY, PolicyInForce
from crowdfall.engine.costs import Costs
from crowdfall.engine.crowd import Book, Member
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import Setting
from crowdfall.rules.loader import number
from crowdfall.scenarios.policies import level
from crowdfall.scenarios.schema import Policy

BANS: Final = ("sell_ban", "net_sell_limit", "no_new_shorts")
"""Kinds of policies that take something off the orders."""


def active(setting: Setting, day: int, bar: int) -> list[Policy]:
    """Return the policies that hold in a bar and whose channel is on."""
    return [setting.policies[k] for k in setting.in_effect[day][bar * 8 // setting.bars]]


def in_force(setting: Setting, day: int, bar: int, name: str) -> PolicyInForce:
    """Return the levers that bind a participant in a bar; the strictest of each kind holds."""
    key = (setting.in_effect[day][bar * 8 // setting.bars], name)
    found = setting.levers.get(key)
    if found is None:
        found = setting.levers[key] = _levers(active(setting, day, bar), name)
    return found


def _levers(policies: Iterable[Policy], name: str) -> PolicyInForce:
    rules = NO_POLICY
    for event in policies:
        share = _share(event, name)
        if share <= 0.0:
            continue
        at = level(event)
        if event.kind == "no_new_shorts":
            rules = replace(rules, no_new_shorts=max(rules.no_new_shorts, share))
        elif event.kind == "dma_leverage_cap":
            rules = replace(rules, leverage_cap=min(rules.leverage_cap, at))
        elif event.kind == "dma_no_new_money":
            rules = replace(rules, new_money=False)
        elif event.kind == "dma_notional_cap":
            rules = replace(rules, notional_capped=True)
        elif event.kind == "liquidation_lines":
            rules = replace(rules, lines=min(rules.lines, at))
        elif event.kind == "top_up_time":
            rules = replace(rules, extra_days=max(rules.extra_days, int(at)))
        elif event.kind == "lending_stop":
            rules = replace(rules, lending=min(rules.lending, 1.0 - at))
        elif event.kind == "ipo_pause":
            rules = replace(rules, listings=min(rules.listings, 1.0 - at))
    return rules


def _share(event: Policy, name: str) -> float:
    return event.shares.get(name, 0.0) if event.shares else 1.0


def restrict(run: Run, orders: Book, day: int, bar: int) -> None:
    """Take off the orders what bans in force do not let through, in place."""
    for event in active(run.setting, day, bar):
        if event.kind not in BANS:
            continue
        for member in run.members:
            share = _share(event, member.name)
            if share <= 0.0:
                continue
            if event.kind == "sell_ban":
                # A ban without names would stop the whole market: it binds those it names.
                left = 1.0 - (share if event.shares else 0.0)
                orders.share[:, member.rows] *= left
                orders.allowed[:, member.rows] *= left
            elif event.kind == "net_sell_limit" and bar in (0, run.setting.bars - 1):
                _no_net_sales(run, orders, member, share)
            elif event.kind == "no_new_shorts":
                _no_new_shorts(run, orders, member, share)


def _no_net_sales(run: Run, orders: Book, member: Member, share: float) -> None:
    rows = member.rows
    wanted = (orders.share[:, rows] * run.ledger.sellable[:, rows]).sum(axis=2)
    excess = np.maximum(wanted - orders.buy[:, rows].sum(axis=2), 0.0)
    keep = 1.0 - share * excess / np.maximum(wanted, 1.0)
    orders.share[:, rows] *= keep[:, :, None]


def _no_new_shorts(run: Run, orders: Book, member: Member, share: float) -> None:
    rows = member.rows
    held = run.ledger.units[:, rows] * run.futures.price[:, None, :]
    order = orders.futures[:, rows]
    allowed = np.maximum(order, -np.maximum(held, 0.0))  # longs may be sold, shorts not opened
    orders.futures[:, rows] = np.where(order < 0.0, order + share * (allowed - order), order)


def costs_in_force(setting: Setting, day: int) -> Costs:
    """Return the costs of the start, with a stamp duty that a policy has set since."""
    costs = setting.costs
    for event in active(setting, day, setting.bars - 1):
        if event.kind == "stamp_duty":
            old = number("costs.stamp_duty_sell", setting.scenario.clock.start)
            costs = replace(setting.costs, sell=setting.costs.sell - old + level(event))
    return costs
