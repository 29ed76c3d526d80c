"""Dated values of law and custom, each with its unit, its first day, a title and a source.

The values stand in ``rules/values/*.toml``; ``price_limits.main_board`` is the table ``main_board``
of ``price_limits.toml``. A value holds from its date until the next one. Files are checked when
they are first read: an unknown key, a missing unit or dates out of order are errors.
"""

from __future__ import annotations

import difflib
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Final

from crowdfall.errors import RuleError

_NEEDED: Final = ("from", "value", "title", "href")
_ALLOWED: Final = (*_NEEDED, "from_memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One value from one day on.

    ``href`` is a link or the publisher's name; ``from_memory`` says that the value itself was not
    checked against a document.
    """

    path: str
    value: float | str
    unit: str
    since: date
    title: str
    href: str
    from_memory: bool = False


def value(path: str, on: date) -> Rule:
    """Return the rule in force on a day.

    Raises RuleError for an unknown path, and for a day before the first value.

    >>> rule = value("price_limits.chinext", date(2024, 2, 5))
    >>> rule.value, rule.unit, rule.since.isoformat()
    (0.2, 'fraction of the previous close', '2020-08-24')
    """
    rules = history(path)
    place = bisect_right([rule.since for rule in rules], on)
    if not place:
        raise RuleError("rule_too_early", path=path, on=on, since=rules[0].since)
    return rules[place - 1]


def number(path: str, on: date) -> float:
    """Return the value of a rule that is a number.

    Raises RuleError as ``value`` does, and where the value is a word.

    >>> number("costs.stamp_duty_sell", date(2023, 8, 27))
    0.001
    """
    rule = value(path, on)
    if isinstance(rule.value, str):
        raise RuleError("rule_not_a_number", path=path, value=rule.value)
    return rule.value


def history(path: str) -> tuple[Rule, ...]:
    """Return all values of one rule, oldest first; RuleError for an unknown path."""
    known = _all_rules()
    if path not in known:
        near = difflib.get_close_matches(path, known, n=1, cutoff=0.0)
        raise RuleError("rule_unknown", path=path, suggestion=near[0])
    return known[path]


def paths() -> tuple[str, ...]:
    """Return the path of every rule, sorted."""
    return tuple(sorted(_all_rules()))


@cache
def _all_rules() -> dict[str, tuple[Rule, ...]]:
    rules: dict[str, tuple[Rule, ...]] = {}
    for path in files("crowdfall.rules").joinpath("values").iterdir():
        name, dot, kind = path.name.partition(".")
        if dot and kind == "toml":
            rules |= parse_values(path.read_text(encoding="utf-8"), name)
    return rules


def parse_values(text: str, name: str) -> dict[str, tuple[Rule, ...]]:
    """Return the rules of one file; ``name`` is the first part of their paths.

    Raises RuleError that says which key of which rule is wrong.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError("rule_file", path=name, reason=str(error).splitlines()[0]) from error
    return {f"{name}.{key}": _rule(f"{name}.{key}", body) for key, body in raw.items()}


def _rule(path: str, body: object) -> tuple[Rule, ...]:
    if not isinstance(body, dict) or set(body) != {"unit", "values"}:
        raise RuleError("rule_file", path=path, reason="wants exactly the keys unit and values")
    unit, listed = body["unit"], body["values"]
    if not isinstance(unit, str) or not unit.strip():
        raise RuleError("rule_file", path=path, reason="unit is empty")
    if not isinstance(listed, list) or not listed:
        raise RuleError("rule_file", path=path, reason="values is empty")
    rules = tuple(_dated(path, unit, one) for one in listed)
    days = [rule.since for rule in rules]
    if any(later <= earlier for earlier, later in pairwise(days)):
        raise RuleError("rule_file", path=path, reason="from must rise from value to value")
    return rules


def _dated(path: str, unit: str, body: object) -> Rule:
    if not isinstance(body, dict):
        raise RuleError("rule_file", path=path, reason="a value is not a table")
    for key in body:
        if key not in _ALLOWED:
            raise RuleError("rule_file", path=path, reason=f"unknown key {key}")
    for key in _NEEDED:
        if key not in body:
            raise RuleError("rule_file", path=path, reason=f"no key {key}")
    since, worth, memory = body["from"], body["value"], body.get("from_memory", False)
    if not isinstance(since, date) or isinstance(since, datetime):
        raise RuleError("rule_file", path=path, reason=f"from was {since!r}, wants a date")
    if isinstance(worth, bool) or not isinstance(worth, int | float | str):
        raise RuleError("rule_file", path=path, reason=f"value was {worth!r}")
    if not isinstance(memory, bool):
        raise RuleError("rule_file", path=path, reason=f"from_memory was {memory!r}")
    for key in ("title", "href"):
        if not isinstance(body[key], str) or not body[key].strip():
            raise RuleError("rule_file", path=path, reason=f"{key} is empty")
    return Rule(
        path=path,
        value=worth if isinstance(worth, str) else float(worth),
        unit=unit,
        since=since,
        title=body["title"],
        href=body["href"],
        from_memory=memory,
    )
