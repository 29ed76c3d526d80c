"""Which event led to which: one rule for every kind of event, derived from what was looked at.

A rule offers candidates with weights in one unit (log price, yuan); the heaviest one that stands
before the event in time is its cause. ``RULES`` is the whole table: a new kind of event needs one
entry, under its kind or under (kind, participant) where that participant looks at something else.
Where no rule finds anything, the latest fall or news is named, and at last the start of the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import exp
from typing import Final

import numpy as np

from crowdfall.agents.neutral import Neutral, NeutralState
from crowdfall.agents.protocol import GROUP_OF, UNDERLYINGS
from crowdfall.agents.traders import TrendShorts
from crowdfall.engine.causes_of_prices import (
    first,
    heaviest_move,
    largest,
    one,
    price_parts,
    side,
)
from crowdfall.engine.causes_of_rules import rescue_of_a_rule, what_it_observed
from crowdfall.engine.crowd import Member
from crowdfall.engine.happenings import MARKET, RULE, group_of
from crowdfall.engine.scene import MEMORY, Candidate, Rule, Scene
from crowdfall.engine.trail import Event, Trail
from crowdfall.engine.witness import SIZES
from crowdfall.market.snapshot import GROUPS

LOSERS: Final = (
    *(("index_fall", group) for group in GROUPS),
    *(("index_rise", GROUPS[g]) for g in GROUP_OF),
    *(("basis_back", name) for name in UNDERLYINGS),
)
"""What a hedged book may lose on, in the order of ``Sight.losses``."""


def find_causes(scene: Scene, events: Iterable[Event]) -> None:
    """Set the cause of events; roots keep None."""
    for event in events:
        rule = RULES.get((event.kind, event.agent), RULES.get(event.kind, remembered_falls))
        found = _heaviest(rule(scene, event), event)
        event.cause = found or (None if rule in OUTSIDE else _latest(scene.trail, event))


def _heaviest(candidates: Iterable[Candidate], event: Event) -> Event | None:
    most, best = 0.0, None
    for weight, found in candidates:
        if weight > most and found is not None and found.is_before(event):
            most, best = weight, found
    return best


def _latest(trail: Trail, event: Event) -> Event | None:
    found: Event | None = None
    names = [("news", MARKET), *(("index_fall", group) for group in GROUPS), ("start", MARKET)]
    for kind, agent in names:
        for _, other in trail.recent(event.path, event.day, kind, agent):
            if other.is_before(event) and (found is None or found.is_before(other)):
                found = other
    return found or trail.last(event.path, "start", MARKET)


def root(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer nothing: the event comes from outside."""
    return iter(())


def the_start(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the state at the start: what was refused was refused there."""
    yield 1.0, scene.trail.last(event.path, "start", MARKET)


def fall_of_price(scene: Scene, event: Event) -> Iterable[Candidate]:
    """Offer what pushed a group down in the session, each by its part of the log return."""
    return price_parts(scene, event, GROUPS.index(event.agent), -1.0)


def rise_of_price(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer what pushed a group up; what came back by itself goes to the rescue, or the fall."""
    g, p = GROUPS.index(event.agent), event.path
    yield from price_parts(scene, event, g, 1.0)
    back = float(scene.today.back[p, g])
    if scene.run.setting.scenario.channels.backstop:
        terms, prices = scene.run.setting.scenario.impact, scene.run.prices
        belief = terms.backstop_reversion * float(prices.backstop[p, g])
        pull = 1.0 + belief + (float(prices.slow[p, g]) / terms.value_scale) ** 2
        yield back * belief / pull, _last_rescue(scene.trail, p, g)
        back *= 1.0 - belief / pull
    yield back, scene.trail.last(p, "index_fall", GROUPS[g])


def _last_rescue(trail: Trail, path: int, group: int) -> Event | None:
    # Purchases of CSI 2000 are believed for the tail and the micro-caps as well.
    return trail.last(path, "rescue", "national_team", GROUPS[min(group, 3)])


def fall_of_basis(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the sales of the future by how far each pushed its basis."""
    return _basis_parts(scene, event, -1.0)


def rise_of_basis(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer purchases of the future; what faded by itself goes to the gap that had opened."""
    yield from _basis_parts(scene, event, 1.0)
    u = UNDERLYINGS.index(event.agent)
    moved = scene.today.basis[-1, event.path, u] - scene.today.basis[0, event.path, u]
    faded = float(moved - scene.today.basis_push[event.path, :, u].sum())
    yield faded, scene.trail.last(event.path, "basis_gap", event.agent)


def _basis_parts(scene: Scene, event: Event, sign: float) -> Iterator[Candidate]:
    u = UNDERLYINGS.index(event.agent)
    for m, member in enumerate(scene.run.members):
        for trade in scene.trail.of_day(event.path, event.day, side(sign), member.name):
            if trade.cell == event.agent:
                yield sign * float(scene.today.basis_push[event.path, m, u]), trade


def falls_at_the_close(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the falls of the index, the nearest first of all; without any, what pushed it."""
    for g in _groups_looked_at(scene, event):
        for age, fall in scene.trail.recent(event.path, event.day, "index_fall", GROUPS[g]):
            yield 1.0 + fall.amount * exp(-age / MEMORY), fall
        yield from price_parts(scene, event, g, -1.0)


def remembered_falls(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the falls that are remembered, and what pushes the same group today already."""
    for g in _groups_looked_at(scene, event):
        yield from heaviest_move(scene, event, g, -1.0)


def _groups_looked_at(scene: Scene, event: Event) -> list[int]:
    if event.agent in GROUPS:
        return [GROUPS.index(event.agent)]
    if event.cell in UNDERLYINGS:
        return [group_of(event.cell)]
    if event.cell in GROUPS:
        return [GROUPS.index(event.cell)]
    m = scene.member(event.agent)
    if m is None:
        return list(range(SIZES))
    return [int(scene.today.stock_push[event.path, m].argmin())]


def losses(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the price moves of the last sessions by what the book, or all books, lost on each.

    Only sessions count in which stocks and hedge lost together: a rise that costs the short less
    than it brings to the stocks is no loss. The session's loss is shared among what lost.
    """
    m, p, trail = scene.member(event.agent), event.path, scene.trail
    if m is None:
        return
    rows = _rows(scene.run.members[m], event.cell)
    for age, sight in enumerate(reversed(scene.sights)):
        day, lost = event.day - age, sight.losses(p, rows)
        gross = sum(amount for amount in lost if amount > 0.0)
        scale = sum(lost) / gross if gross > 0.0 else 0.0
        if scale <= 0.0:
            continue
        for amount, (kind, agent) in zip(lost, LOSERS, strict=True):
            if amount > 0.0:
                yield amount * scale, first(trail.of_day(p, day, kind, agent))


def losses_to_benchmark(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer falls by what the books held of a group times its fall beyond the benchmark's."""
    m, p = scene.member(event.agent), event.path
    if m is None or not scene.run.members[m].benchmark:
        return
    member = scene.run.members[m]
    rows = _rows(member, event.cell)
    start = rows.start - member.rows.start
    own = list(member.benchmark[start : start + rows.stop - rows.start])
    held = scene.run.witness.held[p, rows]
    for age, sight in enumerate(reversed(scene.sights)):
        beyond = held * (sight.returns[p, own][:, None] - sight.returns[p])
        for g, lost in enumerate(beyond.sum(axis=0).tolist()):
            fall = scene.trail.of_day(p, event.day - age, "index_fall", GROUPS[g])
            yield lost, first(fall)


def _rows(member: Member, cell: str) -> slice:
    if cell not in member.cells:
        return member.rows
    row = member.rows.start + member.cells.index(cell)
    return slice(row, row + 1)


def same_book(*kinds: str) -> Rule:
    """Return a rule that offers the latest event of some kinds of the same book."""

    def rule(scene: Scene, event: Event) -> Iterator[Candidate]:
        for kind in kinds:
            found = scene.trail.last(event.path, kind, event.agent, event.cell)
            yield 1.0 + found.day if found else 0.0, found

    return rule


def own_sales(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the stock sales of the same participant, today's and the day before's."""
    for kind in ("sale", "forced_sale"):
        for age in (0, 1):
            found = scene.trail.of_day(event.path, event.day - age, kind, event.agent)
            total = sum(sale.amount for sale in found)
            yield total * exp(-age), largest(found)


def locked_stocks(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the locked groups by what the book could not sell of each; then its own orders."""
    m = scene.member(event.agent)
    if m is None:
        return
    left = scene.run.tally.left[event.path, _rows(scene.run.members[m], event.cell)].sum(axis=0)
    for g, amount in enumerate(left.tolist()):
        yield amount, one(scene, event, "limit_lock", GROUPS[g])
    for _, sale in own_sales(scene, event):
        yield 1e-6, sale


def gaps(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the latest gaps of the basis by their width."""
    for name in UNDERLYINGS:
        found = scene.trail.last(event.path, "basis_gap", name)
        if found is not None:
            yield found.amount * exp(-(event.day - found.day) / MEMORY), found


def gaps_that_closed(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the latest days on which the basis came back."""
    for name in UNDERLYINGS:
        found = scene.trail.last(event.path, "basis_back", name)
        if found is not None:
            yield found.amount * exp(-(event.day - found.day) / MEMORY), found


def rescues(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the rescue's purchases of this session and the one before."""
    for age, found in scene.trail.recent(event.path, event.day, "rescue", "national_team"):
        if age <= 1:
            yield found.amount * exp(-age), found


def shocks(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the sales from outside of the session by their amount."""
    for found in scene.trail.of_day(event.path, event.day, "shock", event.agent):
        yield found.amount, found


def knock_ins(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer knock-ins of the last two sessions by notional, and moves of the index by the hedge.

    A dealer closes a share of its gap every bar, so what it trades goes back two sessions at most.
    """
    group = GROUPS[group_of(event.cell)] if event.cell in UNDERLYINGS else ""
    for age, found in scene.trail.recent(event.path, event.day, "knock_in", event.agent):
        if age <= 2 and group in ("", found.cell):
            yield found.amount * exp(-age), found
    held = float(np.abs(scene.run.witness.short[event.path, _dealer_rows(scene, event)]).sum())
    for name in [group] if group else list(GROUPS[1:3]):
        for age, found in scene.trail.recent(event.path, event.day, "index_rise", name):
            if age <= 1:
                yield held * found.amount * exp(-age), found


def _dealer_rows(scene: Scene, event: Event) -> slice:
    m = scene.member(event.agent)
    return scene.run.members[m].rows if m is not None else slice(0, 0)


def falls_and_locks(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer falls by the trend short that they call for, locks by the hedge of locked holders."""
    m, p = scene.member(event.agent), event.path
    terms: object = scene.run.members[m].terms if m is not None else None
    if not isinstance(terms, TrendShorts):
        yield from remembered_falls(scene, event)
        return
    for weight, found in remembered_falls(scene, event):
        yield terms.trend * weight / 0.06, found
    count = np.diff(scene.run.setting.edges)
    for g in range(2, SIZES):
        for age, found in scene.trail.recent(p, event.day, "limit_lock", GROUPS[g]):
            if age == 1:
                yield terms.hedge * found.amount * count[g] / count[2:].sum(), found


def discount_or_stop(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer stop-losses and gaps of the basis by the rate at which each makes a fund sell."""
    m, p = scene.member(event.agent), event.path
    member = scene.run.members[m] if m is not None else None
    if member is None or not isinstance(member.state, NeutralState):
        return
    terms: object = member.terms
    held = scene.run.witness.held[p, member.rows].sum(axis=1)
    stop = (member.state.stop[p] * held).tolist()
    for cell, weight in zip(member.cells, stop, strict=True):
        yield (
            sum(stop) if weight > 0.0 else 0.0,
            scene.trail.last(p, "stop_loss", event.agent, cell),
        )
    if not isinstance(terms, Neutral) or not terms.cost:
        return
    own = (scene.today.basis[:, p, None, :] * member.state.mix).sum(axis=2).min(axis=0)
    depth = np.minimum(2.0, np.maximum(0.0, -own - 0.012) / 0.03)
    weight = float((terms.unwind_rate * depth * held).sum())
    for name in UNDERLYINGS:
        gap = scene.trail.last(p, "basis_gap", name)
        if gap is not None:
            yield weight * exp(-(event.day - gap.day) / MEMORY), gap


def rises(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the rises that are remembered, and what lifts the same group today already."""
    for g in _groups_looked_at(scene, event):
        yield from heaviest_move(scene, event, g, 1.0)


OUTSIDE: Final = (root, rescue_of_a_rule)
"""Rules of what comes from outside where they offer nothing."""
RULES: Final[dict[str | tuple[str, str], Rule]] = {
    "start": root,
    "policy": root,
    ("policy", RULE): what_it_observed,
    "news": root,
    "good_news": root,
    "rescue": root,
    ("rescue", "national_team"): rescue_of_a_rule,
    "shock": root,
    "index_fall": fall_of_price,
    "limit_lock": fall_of_price,
    "index_rise": rise_of_price,
    "basis_gap": fall_of_basis,
    "basis_back": rise_of_basis,
    "knock_in": falls_at_the_close,
    "margin_call": losses,
    "stop_loss": losses,
    "redemption": losses,
    "broker_shortfall": same_book("margin_call"),
    "refused": the_start,
    ("forced_sale", "pledges"): remembered_falls,
    "futures_call": rises,
    "forced_cover": same_book("futures_call"),
    "top_up": same_book("margin_call"),
    "forced_sale": same_book("margin_call"),
    ("forced_sale", "outside_seller"): shocks,
    "locked_out": locked_stocks,
    "sale": remembered_falls,
    ("sale", "neutral"): discount_or_stop,
    ("sale", "dma"): losses,
    ("sale", "enhanced"): losses_to_benchmark,
    ("sale", "harvesters"): gaps,
    ("sale", "style_switchers"): rescues,
    ("sale", "snowball_dealers"): knock_ins,
    "futures_sale": remembered_falls,
    ("futures_sale", "snowball_dealers"): knock_ins,
    ("futures_sale", "trend_shorts"): falls_and_locks,
    ("futures_sale", "harvesters"): gaps_that_closed,
    "purchase": rescues,
    ("purchase", "enhanced"): own_sales,
    ("purchase", "harvesters"): gaps_that_closed,
    ("purchase", "snowball_dealers"): remembered_falls,
    "futures_purchase": rises,
    ("futures_purchase", "dma"): own_sales,
    ("futures_purchase", "neutral"): own_sales,
    ("futures_purchase", "harvesters"): gaps,
    ("futures_purchase", "snowball_dealers"): remembered_falls,
}
"""The rule of each kind; one under (kind, participant) goes first."""
