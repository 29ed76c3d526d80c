"""What of a session becomes an event: what moves a price, a basis or a book by enough to notice.

Thresholds are judgement: each is the size from which a reader would call it an event. They decide
what is told, never what happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.agents.protocol import GROUP_OF, UNDERLYINGS
from crowdfall.engine.crowd import Member
from crowdfall.engine.rules import observed
from crowdfall.engine.run_state import Run
from crowdfall.engine.trail import Trail
from crowdfall.engine.witness import SIZES, Sight
from crowdfall.market.snapshot import GROUPS
from crowdfall.scenarios.policies import takes_effect
from crowdfall.sums import over_last
from crowdfall.types import Bool, Float64

Places = list[list[list[int]]]
FALL: Final = 0.01
"""Daily move of a size group, log, from which it falls or rises (assumption, 0.005-0.03)."""
NEWS: Final = 0.005
"""Move of a group by the market factor, or by its own factor, from which it is news
(assumption, 0.003-0.02)."""
MOVED: Final = 0.002
"""Move of a group's price, or of a basis, that makes the trades of a participant an event
(assumption, 0.001-0.005)."""
GAP: Final = 0.008
"""Change of the main contract's basis within a session (assumption, 0.005-0.02)."""
LOCK: Final = 0.10
"""Share of a group closing at its lower limit (assumption, 0.05-0.3)."""
LOCKED_OUT: Final = 0.5
"""Share of a book's orders left unfilled (assumption, 0.3-0.8)."""
MARKET: Final = "market"
RULE: Final = "rule"
"""Whose policies rules are: those of a scenario's dates are of ``policy``."""


def start_events(run: Run, trail: Trail) -> None:
    """Write the root of what the first positions and prices bring about."""
    for p in range(run.paths):
        trail.write(p, 0, 0, MARKET, "all", "start", 0.0)


def policy_events(run: Run, trail: Trail, day: int) -> None:
    """Write the policies that take effect this session."""
    today = run.setting.days[day]
    for event in run.setting.scenario.policy:
        session, bar = takes_effect(event, run.setting.bars)
        if session == today:
            size = max(event.shares.values(), default=0.0)
            for p in range(run.paths):
                trail.write(p, day, bar, "policy", event.title, "policy", size)


def rule_events(run: Run, trail: Trail, day: int) -> None:
    """Write the rules that fire at this close, with what they saw."""
    for firing in run.setting.fired:
        if firing.day == day:
            rule = run.setting.scenario.rule[firing.rule]
            for p, seen in enumerate(observed(run, rule).tolist()):
                trail.write(p, day, run.setting.bars, RULE, rule.title, "policy", abs(seen))


def shock_events(run: Run, trail: Trail, day: int) -> None:
    """Write the sales from outside that the scenario puts into this session."""
    for entry in run.setting.scenario.shock:
        if entry.date == run.setting.days[day] and entry.yuan > 0.0:
            for p in range(run.paths):
                bar = entry.bar or 0
                trail.write(p, day, bar, "outside_seller", entry.group, "shock", entry.yuan)


def session_events(run: Run, trail: Trail, day: int, sight: Sight) -> None:
    """Write the events of the bars, then those that are seen at the close."""
    _news(run, trail, day, sight)
    if run.members:
        _trades_of_all(run, trail, day, sight)
    _gaps(trail, day, sight)
    _index_moves(run, trail, day, sight)
    _locks(run, trail, day)
    _locked_out(run, trail, day)


def _news(run: Run, trail: Trail, day: int, sight: Sight) -> None:
    whole = sight.news[np.arange(run.paths), np.abs(sight.news).argmax(axis=1)]
    for p in np.flatnonzero(np.abs(whole) >= NEWS).tolist():
        kind = "news" if whole[p] < 0.0 else "good_news"
        trail.write(p, day, 0, MARKET, "all", kind, abs(float(whole[p])))
    for p, g in _where(np.abs(sight.group_news) >= NEWS):
        move = float(sight.group_news[p, g])
        trail.write(p, day, 0, GROUPS[g], "all", "news" if move < 0.0 else "good_news", abs(move))


def _trades_of_all(run: Run, trail: Trail, day: int, sight: Sight) -> None:
    told = _trades(run, sight)
    for m, member in enumerate(run.members):
        if member.name == "national_team":
            _rescue(trail, day, sight, m)
        else:
            _stock_trades(run, trail, day, sight, m, told)
        _futures_trades(trail, day, sight, m, member, told)


@dataclass(frozen=True, kw_only=True)
class _Trades:
    """What members traded on the day that is worth telling, found for all of them at once.

    ``free`` and ``bought`` (P, M): stock sold unforced and bought, yuan. The others list by member
    where: ``forced`` (path, row), ``sales`` and ``purchases`` (path,), ``futures`` (path, u).
    """

    free: Float64
    bought: Float64
    forced: Places
    sales: Places
    purchases: Places
    futures: Places


def _trades(run: Run, sight: Sight) -> _Trades:
    sold, bought = over_last(sight.sold[:, :, :SIZES]), over_last(sight.bought[:, :, :SIZES])
    forced = run.tally.forced
    free = sold - np.add.reduceat(forced, run.witness.starts, axis=1)
    part = free / np.maximum(sold, 1.0)
    moved = np.abs(sight.basis_push) >= MOVED
    sells = (part * -sight.stock_push.min(axis=2) >= MOVED) & (free > 0.0)
    buys = (sight.stock_push.max(axis=2) >= MOVED) & (bought > 0.0)
    return _Trades(
        free=free,
        bought=bought,
        forced=_of_rows(run, forced > 0.0),
        sales=_of_members(sells),
        purchases=_of_members(buys),
        futures=_of_members(moved),
    )


def _of_members(flags: Bool) -> Places:
    """Return where flags (P, M, ...) are set, by member: path and what follows."""
    found: Places = [[] for _ in range(flags.shape[1])]
    for m, *place in np.argwhere(flags.swapaxes(0, 1)).tolist():
        found[m].append(place)
    return found


def _of_rows(run: Run, flags: Bool) -> Places:
    """Return where flags of books (P, R) are set, by member: path and row."""
    found: Places = [[] for _ in run.members]
    places = np.argwhere(flags)
    members = np.searchsorted(run.witness.starts, places[:, 1], side="right") - 1
    for m, place in zip(members.tolist(), places.tolist(), strict=True):
        found[m].append(place)
    return found


def _stock_trades(run: Run, trail: Trail, day: int, sight: Sight, m: int, told: _Trades) -> None:
    member, forced = run.members[m], run.tally.forced
    for p, row in told.forced[m]:
        bar, cell = sight.began.item(p, m, 0), member.cells[row - member.rows.start]
        trail.write(p, day, bar, member.name, cell, "forced_sale", forced.item(p, row))
    for (p,) in told.sales[m]:
        bar = sight.began.item(p, m, 0)
        trail.write(p, day, bar, member.name, "all", "sale", told.free.item(p, m))
    for (p,) in told.purchases[m]:
        bar = sight.began_buying.item(p, m, 0)
        trail.write(p, day, bar, member.name, "all", "purchase", told.bought.item(p, m))


def _futures_trades(
    trail: Trail, day: int, sight: Sight, m: int, member: Member, told: _Trades
) -> None:
    for p, u in told.futures[m]:
        net = sight.bought.item(p, m, SIZES + u) - sight.sold.item(p, m, SIZES + u)
        bar = (sight.began if net < 0.0 else sight.began_buying).item(p, m, 1 + u)
        kind = "futures_sale" if net < 0.0 else "futures_purchase"
        trail.write(p, day, bar, member.name, UNDERLYINGS[u], kind, abs(net))


def _rescue(trail: Trail, day: int, sight: Sight, m: int) -> None:
    for p, g in _where(sight.bought[:, m, :SIZES] > 0.0):
        bar = int(sight.began_buying[p, m, 0])
        amount = float(sight.bought[p, m, g])
        trail.write(p, day, bar, "national_team", GROUPS[g], "rescue", amount)


def _gaps(trail: Trail, day: int, sight: Sight) -> None:
    change = sight.basis - sight.basis[0]
    opened = (change <= -GAP) & (sight.basis < 0.0)
    for p, u in _where(opened.any(axis=0)):
        bar = int(opened[:, p, u].argmax()) - 1
        widest = float(-sight.basis[:, p, u].min())
        trail.write(p, day, bar, UNDERLYINGS[u], "all", "basis_gap", widest)
    back = change >= GAP
    for p, u in _where(back.any(axis=0)):
        bar = int(back[:, p, u].argmax()) - 1
        trail.write(p, day, bar, UNDERLYINGS[u], "all", "basis_back", float(change[:, p, u].max()))


def _index_moves(run: Run, trail: Trail, day: int, sight: Sight) -> None:
    for p, g in _where(np.abs(sight.returns) >= FALL):
        move = float(np.expm1(sight.returns[p, g]))
        kind = "index_fall" if move < 0.0 else "index_rise"
        trail.write(p, day, run.setting.bars, GROUPS[g], "all", kind, abs(move))


def _locks(run: Run, trail: Trail, day: int) -> None:
    for p, g in _where(run.prices.locked_share >= LOCK):
        share = float(run.prices.locked_share[p, g])
        trail.write(p, day, run.setting.bars, GROUPS[g], "all", "limit_lock", share)


def _locked_out(run: Run, trail: Trail, day: int) -> None:
    left = over_last(run.tally.left)
    wanted = left + over_last(run.tally.sold)
    where = _of_rows(run, (left > LOCKED_OUT * wanted) & (wanted > 1e6))
    for member, places in zip(run.members, where, strict=True):
        for p, row in places:
            cell, amount = member.cells[row - member.rows.start], left.item(p, row)
            trail.write(p, day, run.setting.bars, member.name, cell, "locked_out", amount)


def _where(flags: Bool) -> list[tuple[int, int]]:
    first, second = np.nonzero(flags)
    return list(zip(first.tolist(), second.tolist(), strict=True))


def group_of(underlying: str) -> int:
    """Return the size group under a future."""
    return GROUP_OF[UNDERLYINGS.index(underlying)]
