"""Terms that change during a run: words like those of ``--set``, effective at a session's open.

A fork is a scenario with one more change; nothing before its date can know of it.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from functools import cache
from typing import Any, Final

from crowdfall.errors import ScenarioError
from crowdfall.scenarios.read import build
from crowdfall.scenarios.schema import PARTICIPANTS, Change, Policy, Rule, Scenario

PARTS: Final = ("agents", "channels", "impact", "basis", "noise")
RESCUE: Final = ("inputs.rescue_first", "inputs.rescue_first_amount")
"""What may change beside the parts: the rescue is scheduled anew from that session on."""
SCHEDULED: Final = "national_team"
"""Whose terms at the start make a schedule, which a change makes again."""


def override(text: str) -> dict[str, Any]:
    """Return the table that a word like ``agents.dma.enabled=false`` stands for."""
    key, sign, value = text.partition("=")
    if not sign or not key.strip():
        raise ScenarioError("bad_override", text=text)
    for words in (f"{key} = {value}", f"{key} = {json.dumps(value.strip())}"):
        try:
            return tomllib.loads(words)
        except tomllib.TOMLDecodeError:
            continue
    raise ScenarioError("bad_override", text=text)


def merge(base: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with ``words`` put over it, tables within tables."""
    out = dict(base)
    for key, value in words.items():
        old = out.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        out[key] = merge(old, value) if both and old is not None else value
    return out


def keys_of(words: Mapping[str, Any], where: str = "") -> list[str]:
    """Return the keys of a table with dots, down to its values."""
    out: list[str] = []
    for key, value in words.items():
        path = f"{where}.{key}".lstrip(".")
        out += keys_of(value, path) if isinstance(value, Mapping) else [path]
    return out


def changed(scenario: Scenario, words: Sequence[str]) -> Scenario:
    """Return the scenario with some terms changed; places of its files stay."""
    table = scenario.model_dump()
    for text in words:
        table = merge(table, override(text))
    made = build(Scenario, table)
    return replace(
        made, folder=scenario.folder, base_folder=scenario.base_folder, origin=scenario.origin
    )


def words_on(changes: Sequence[Change], day: date) -> tuple[str, ...]:
    """Return the words that hold on a session, those of later changes last."""
    held = [c for c in changes if c.start <= day and (c.end is None or day <= c.end)]
    return tuple(text for each in sorted(held, key=lambda c: c.start) for text in each.set)


def fork(
    scenario: Scenario, at: date, words: Sequence[str],
    policies: Sequence[Mapping[str, Any]] = (), rules: Sequence[Mapping[str, Any]] = (),
) -> Scenario:  # fmt: skip
    """Return the scenario that goes on under other terms from session ``at``.

    It reads the factors of the scenario it forks from. ``policies`` and ``rules``: more entries of
    ``policy`` and ``rule``, none of which begins before the fork. ScenarioError where ``at`` is no
    session of the run.
    """
    days = scenario.sessions[1:]
    if at not in days:
        raise ScenarioError("fork_outside", at=at, first=days[0], last=days[-1])
    table = scenario.model_dump()
    table["policy"] = [*table["policy"], *policies]
    table["rule"] = [*table["rule"], *({"start": at, **rule} for rule in rules)]
    made = build(Scenario, table)
    more: list[Policy | Rule] = [*made.policy[len(scenario.policy) :]]
    for event in [*more, *made.rule[len(scenario.rule) :]]:
        if event.start is not None and event.start < at:
            raise ScenarioError("policy_before_fork", title=event.title, start=event.start, at=at)
    clock = replace(made.clock, factors="base") if made.clock.mode == "replay" else made.clock
    changes = (*made.changes, Change(start=at, set=tuple(words))) if words else made.changes
    return replace(
        made, clock=clock, changes=changes, folder=scenario.folder,
        base_folder=scenario.base_folder, origin=scenario.factor_base,
    )  # fmt: skip


def check_changes(scenario: Scenario) -> None:
    """Raise ScenarioError for a change that can't be made, or that would do nothing."""
    days = scenario.sessions[1:]
    now = scenario
    for each in sorted(scenario.changes, key=lambda change: change.start):
        if each.start not in days:
            raise ScenarioError("fork_outside", at=each.start, first=days[0], last=days[-1])
        if each.end is not None and each.end < each.start:
            raise ScenarioError("change_end", start=each.start, end=each.end)
        check_words(now, each.set)
        after = changed(scenario, words_on(scenario.changes, each.start))
        for name in after.agents.enabled:
            if name not in scenario.agents.enabled:
                raise ScenarioError("joins_late", name=name, at=each.start)
        now = after


def check_words(scenario: Scenario, words: Sequence[str]) -> None:
    """Raise ScenarioError for words that can't change during a run, or would do nothing."""
    for text in words:
        for key in keys_of(override(text)):
            _check_key(scenario, key)


def _check_key(scenario: Scenario, key: str) -> None:
    part, _, rest = key.partition(".")
    if part not in PARTS and key not in RESCUE:
        raise ScenarioError("fixed_at_start", key=key, parts=", ".join((*PARTS, *RESCUE)))
    name, _, term = rest.partition(".")
    if part != "agents" or name == SCHEDULED or name not in PARTICIPANTS:
        return
    kind: Any = type(getattr(scenario.agents, name))
    if term in opening_terms(kind):
        raise ScenarioError("read_at_start", key=key)


@cache
def opening_terms(kind: type) -> frozenset[str]:
    """Return the terms of a participant that only ``open`` reads: to change them does nothing."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    methods = {n.name: _own_names(n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    terms = {item.name for item in fields(kind)}
    later = _reached(methods, ("decide", "plan"))
    return frozenset((_reached(methods, ("open",)) - later) & terms)


def _own_names(method: ast.FunctionDef) -> set[str]:
    return {
        node.attr
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def _reached(methods: Mapping[str, set[str]], first: Sequence[str]) -> set[str]:
    found: set[str] = set()
    pending = [name for name in first if name in methods]
    seen = set(pending)
    while pending:
        names = methods[pending.pop()]
        found |= names
        more = [name for name in names if name in methods and name not in seen]
        seen |= set(more)
        pending += more
    return found
