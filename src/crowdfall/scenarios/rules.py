"""Rules on observables: what they may look at, when their levers hold, and what they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from crowdfall.errors import ScenarioError
from crowdfall.market.snapshot import GROUPS
from crowdfall.scenarios.changes import changed, check_words
from crowdfall.scenarios.inputs import RESCUED, bar_shares
from crowdfall.scenarios.policies import check_lever, check_shares
from crowdfall.scenarios.schema import Change, Observable, Policy, Rule, Scenario
from crowdfall.types import Float64

PLACES: Final[dict[Observable, tuple[str, ...]]] = {
    "index_return": GROUPS,
    "drawdown": GROUPS,
    "three_day_fall": GROUPS,
    "limit_down_share": ("all", *GROUPS),
    "basis": ("ic", "im"),
    "knocked_in_share": ("csi500", "csi1000"),
}
"""What each observable may be of."""
LEVELS: Final[dict[Observable, tuple[float, float]]] = {
    "index_return": (-1.0, 10.0),
    "drawdown": (0.0, 1.0),
    "three_day_fall": (-1.0, 1.0),
    "limit_down_share": (0.0, 1.0),
    "basis": (-1.0, 1.0),
    "knocked_in_share": (0.0, 1.0),
}
"""The levels that each may be compared with, fractions."""
MOST_SESSIONS: Final = 1000


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule, by its place in the scenario, fired at the close of a session, by its number."""

    rule: int
    day: int


def span(rule: Rule, firing: Firing, days: Sequence[date]) -> tuple[date, date]:
    """Return the first and the last session of the lever that a firing starts."""
    last = len(days) - 1
    if rule.sessions is not None:
        last = min(last, firing.day + rule.sessions)
    return days[firing.day + 1], days[last]


def policies_of(
    scenario: Scenario, fired: Sequence[Firing], days: Sequence[date]
) -> tuple[Policy, ...]:
    """Return the policies that firings put in force."""
    made = []
    for firing in fired:
        rule = scenario.rule[firing.rule]
        if rule.kind is not None:
            start, end = span(rule, firing, days)
            made.append(
                Policy(
                    kind=rule.kind, start=start, end=end, title=rule.title, source=rule.source,
                    title_zh=rule.title_zh, value=rule.value, shares=rule.shares,
                )
            )  # fmt: skip
    return tuple(made)


def changes_of(
    scenario: Scenario, fired: Sequence[Firing], days: Sequence[date]
) -> tuple[Change, ...]:
    """Return the changes of terms that firings make."""
    made = []
    for firing in fired:
        rule = scenario.rule[firing.rule]
        if rule.set:
            start, end = span(rule, firing, days)
            made.append(Change(start=start, end=end, set=rule.set))
    return tuple(made)


def purchases_of(scenario: Scenario, fired: Sequence[Firing], days: Sequence[date]) -> Float64:
    """Return what firings let the national team buy, yuan by session, bar and group, (T, K, G).

    A session's budget is spread over its bars as the schedule is. Earlier firings spend first.
    """
    out = np.zeros((len(days), scenario.clock.bars, len(GROUPS)))
    spent = [0.0] * len(scenario.rule)
    for firing in sorted(fired, key=lambda each: each.day):
        rescue = scenario.rule[firing.rule].rescue
        if rescue is None:
            continue
        start, end = span(scenario.rule[firing.rule], firing, days)
        for t, day in enumerate(days):
            if start <= day <= end:
                amount = min(rescue.daily, rescue.total - spent[firing.rule])
                spent[firing.rule] += amount
                out[t, :, RESCUED.index(rescue.index)] += amount * bar_shares(scenario, day)
    return out


def check_rules(scenario: Scenario, names: tuple[str, ...]) -> None:
    """Raise ScenarioError for a rule that can't be played, or that could do nothing."""
    titles = [rule.title for rule in scenario.rule]
    for rule in scenario.rule:
        if titles.count(rule.title) > 1:
            raise ScenarioError("rule_twice", title=rule.title)
        _check_observable(rule)
        if rule.sessions is not None and not 1 <= rule.sessions <= MOST_SESSIONS:
            raise ScenarioError(
                "out_of_range", key="rule.sessions", value=rule.sessions, low=1,
                high=MOST_SESSIONS, unit="sessions",
            )  # fmt: skip
        _check_levers(scenario, rule, names)


def _check_observable(rule: Rule) -> None:
    known = PLACES[rule.observable]
    if rule.of not in known:
        raise ScenarioError(
            "not_a_choice", key="rule.of", value=rule.of, choices=", ".join(known)
        )  # fmt: skip
    if (rule.above is None) == (rule.below is None):
        raise ScenarioError("rule_level", title=rule.title)
    side = "above" if rule.below is None else "below"
    value = rule.above if rule.below is None else rule.below
    low, high = LEVELS[rule.observable]
    if value is None or not low <= value <= high:  # NaN fails too
        raise ScenarioError(
            "out_of_range", key=f"rule.{side}", value=value, low=low, high=high, unit="fraction"
        )


def _check_levers(scenario: Scenario, rule: Rule, names: tuple[str, ...]) -> None:
    if rule.kind in (None, "notice") and not rule.set and rule.rescue is None:
        raise ScenarioError("rule_without_lever", title=rule.title)
    if rule.kind is None and (rule.value is not None or rule.shares):
        raise ScenarioError("rule_without_kind", title=rule.title)
    if rule.kind is not None:
        check_lever(rule.kind, rule.value, rule.title)
        if rule.kind == "sell_ban" and not rule.shares:
            raise ScenarioError("rule_ban_of_nobody", title=rule.title)
        check_shares(rule.shares, names, "rule")
    if rule.rescue is not None and not scenario.agents.national_team.enabled:
        raise ScenarioError("rule_without_team", title=rule.title)
    check_words(scenario, rule.set)
    after = changed(scenario, rule.set)
    for name in after.agents.enabled:
        if name not in scenario.agents.enabled:
            raise ScenarioError("rule_joins", title=rule.title, name=name)
