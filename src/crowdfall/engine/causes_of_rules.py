"""What led to the firing of a rule on an observable, and what the firing led to."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from typing import Final

from crowdfall.engine.happenings import RULE
from crowdfall.engine.scene import MEMORY, Candidate, Scene
from crowdfall.engine.trail import Event
from crowdfall.market.snapshot import GROUPS
from crowdfall.scenarios.rules import purchases_of

OBSERVED: Final[dict[str, tuple[str, str]]] = {
    "index_return": ("index_fall", "index_rise"),
    "drawdown": ("index_rise", "index_fall"),
    "three_day_fall": ("index_rise", "index_fall"),
    "limit_down_share": ("index_rise", "limit_lock"),
    "basis": ("basis_gap", "basis_back"),
    "knocked_in_share": ("knock_in", "knock_in"),
}
"""The events that bring an observable below a level, and above it."""


def what_it_observed(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the latest events of the kind that a rule of the scenario looks at, by their size."""
    rule = next(r for r in scene.run.setting.scenario.rule if r.title == event.cell)
    kind = OBSERVED[rule.observable][rule.above is not None]
    agents = GROUPS if rule.of == "all" else (rule.of,)
    if kind == "knock_in":
        agents = ("snowball_dealers",)
    for agent in agents:
        for age, found in scene.trail.recent(event.path, event.day, kind, agent):
            is_looked_at = age < rule.over or rule.observable != "index_return"
            if is_looked_at and (kind != "knock_in" or found.cell == rule.of):
                yield found.amount * exp(-age / MEMORY), found


def rescue_of_a_rule(scene: Scene, event: Event) -> Iterator[Candidate]:
    """Offer the rules whose lever buys this index today; the schedule comes from outside."""
    setting = scene.run.setting
    for firing in setting.fired:
        rule = setting.scenario.rule[firing.rule]
        bought = purchases_of(setting.scenario, [firing], setting.days)[event.day]
        amount = float(bought[:, GROUPS.index(event.cell)].sum())
        yield amount, scene.trail.last(event.path, "policy", RULE, rule.title)
