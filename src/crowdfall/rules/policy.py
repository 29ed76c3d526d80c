"""What regulators, exchanges and the state did, by date (design:system B.8)."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import Final, Literal, get_args

from crowdfall.errors import RuleError
from crowdfall.i18n import Language, language

PolicyKind = Literal[
    "tax", "programme_trading", "short_selling", "dma", "derivatives", "state_support", "monetary",
    "market", "supervision", "margin", "trading_restriction", "national_team", "personnel",
]  # fmt: skip
POLICY_KINDS: Final[tuple[PolicyKind, ...]] = get_args(PolicyKind)
_KEYS: Final = {"date", "kind", "title", "title_zh", "source"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyEvent:
    """One announcement or measure, on the day the public learned of it."""

    date: date
    kind: PolicyKind
    title: str
    title_zh: str
    source: str

    def label(self, lang: Language | None = None) -> str:
        """Return the title in a language, by default the user's."""
        return self.title_zh if (lang or language()) == "zh" else self.title


def events(start: date, end: date, kinds: tuple[str, ...] | None = None) -> tuple[PolicyEvent, ...]:
    """Return the events from ``start`` to ``end``, both included, in order of date.

    ``kinds`` keeps some of POLICY_KINDS only; RuleError for a kind that is none of them. Empty
    where nothing happened, or outside the timeline (August 2023 to October 2024).

    >>> [event.kind for event in events(date(2024, 2, 7), date(2024, 2, 20))]
    ['personnel', 'trading_restriction']
    """
    for kind in kinds or ():
        if kind not in POLICY_KINDS:
            near = difflib.get_close_matches(kind, POLICY_KINDS, n=1, cutoff=0.0)
            raise RuleError("rule_policy_kind", kind=kind, suggestion=near[0])
    return tuple(
        event
        for event in _timeline()
        if start <= event.date <= end and (kinds is None or event.kind in kinds)
    )


@cache
def _timeline() -> tuple[PolicyEvent, ...]:
    text = files("crowdfall.rules").joinpath("policy.toml").read_text(encoding="utf-8")
    return parse_events(text)


def parse_events(text: str) -> tuple[PolicyEvent, ...]:
    """Return the events of a timeline file, sorted; RuleError says which entry is wrong."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError("rule_file", path="policy", reason=str(error).splitlines()[0]) from error
    listed = raw.get("events")
    if set(raw) != {"events"} or not isinstance(listed, list):
        raise RuleError("rule_file", path="policy", reason="wants a list of events only")
    made = [_event(f"policy.events[{number}]", body) for number, body in enumerate(listed)]
    return tuple(sorted(made, key=lambda event: event.date))


def _event(path: str, body: object) -> PolicyEvent:
    if not isinstance(body, dict) or set(body) != _KEYS:
        raise RuleError("rule_file", path=path, reason=f"wants the keys {sorted(_KEYS)}")
    day, kind = body["date"], body["kind"]
    if not isinstance(day, date) or isinstance(day, datetime):
        raise RuleError("rule_file", path=path, reason=f"date was {day!r}, wants a date")
    if kind not in POLICY_KINDS:
        raise RuleError("rule_file", path=path, reason=f"kind was {kind!r}")
    for key in ("title", "title_zh", "source"):
        if not isinstance(body[key], str) or not body[key].strip():
            raise RuleError("rule_file", path=path, reason=f"{key} is empty")
    return PolicyEvent(**body)
