"""What each kind of policy does, the number it wants, and from which session it holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from crowdfall.data.calendar import is_session, next_session
from crowdfall.errors import ScenarioError
from crowdfall.i18n import Language, translate
from crowdfall.market.snapshot import GROUPS
from crowdfall.scenarios.schema import Policy, PolicyKind, Scenario
from crowdfall.types import Float64

MOST_EFFECT: Final = 0.10
"""Largest effect of an announcement, log price (assumption: an index's daily limit)."""


@dataclass(frozen=True, slots=True)
class Lever:
    """What ``value`` means for a kind of policy: range and unit; ``default`` None: must be given.

    ``one_day``: without an end it lasts one session instead of for good.
    """

    meaning: str
    low: float = 0.0
    high: float = 1.0
    default: float | None = 1.0
    one_day: bool = False


LEVERS: Final[dict[PolicyKind, Lever]] = {
    "sell_ban": Lever("suspends the shares named of the participants' sales", one_day=True),
    "no_new_shorts": Lever("refuses the shares named of new short futures"),
    "net_sell_limit": Lever("no net sales in the first and last eighth", one_day=True),
    "dma_leverage_cap": Lever("highest stock value over equity of DMA books", 1.0, 10.0, None),
    "dma_no_new_money": Lever("no client money enters DMA"),
    "dma_notional_cap": Lever("DMA notional may not grow"),
    "stamp_duty": Lever("stamp duty on sales, fraction", 0.0, 0.01, None),
    "liquidation_lines": Lever("multiple of every liquidation line", 0.0, 1.0, None),
    "top_up_time": Lever("sessions added to top-up deadlines", 0.0, 60.0, None),
    "lending_stop": Lever("share of stock lending that stops"),
    "ipo_pause": Lever("share of new listings that pause"),
    "notice": Lever("dates the story"),
}


def first_session(event: Policy) -> date:
    """Return the session at which a policy takes effect: its day, or the next session.

    It is the next one for a day without a session, and for what became known after the close.
    """
    late = event.after_close or not is_session(event.start)
    return next_session(event.start) if late else event.start


def takes_effect(event: Policy, bars: int = 8) -> tuple[date, int]:
    """Return the session and the bar from which a policy works."""
    first = first_session(event)
    return first, -(-event.start_bar * bars // 8) if first == event.start else 0


def news(scenario: Scenario, days: Sequence[date]) -> Float64:
    """Return the log price that announcements are worth, by session, bar and group, (T, K, G)."""
    out = np.zeros((len(days), scenario.clock.bars, len(GROUPS)))
    for event in scenario.policy:
        day, bar = takes_effect(event, scenario.clock.bars)
        if event.effect and day in days:
            out[days.index(day), bar] += [event.effect.get(name, 0.0) for name in GROUPS]
    return out


@dataclass(frozen=True, slots=True)
class Span:
    """From an eighth (0-7) of a first session to the end of the last; None for no end."""

    first: date
    begins: int
    last: date | None

    def holds(self, day: date, eighth: int) -> bool:
        """Say whether an eighth of a session lies within."""
        begun = day > self.first or (day == self.first and eighth >= self.begins)
        return begun and (self.last is None or day <= self.last)


def span(event: Policy) -> Span:
    """Return when a policy is in effect."""
    first = first_session(event)
    begins = event.start_bar if first == event.start else 0  # the hour was that of another day
    last = event.end
    if last is None and LEVERS[event.kind].one_day:
        last = first
    return Span(first, begins, last)


def in_effect(event: Policy, day: date, eighth: int) -> bool:
    """Say whether a policy holds in an eighth (0-7) of a session."""
    return span(event).holds(day, eighth)


def level(event: Policy) -> float:
    """Return the lever's number, by default that of its kind."""
    if event.value is not None:
        return event.value
    default = LEVERS[event.kind].default
    return 1.0 if default is None else default


def moved(scenario: Scenario) -> tuple[tuple[Policy, date], ...]:
    """Return the policies dated on a day without a session, and the session they wait for."""
    return tuple(
        (event, first_session(event)) for event in scenario.policy if not is_session(event.start)
    )


def remarks(scenario: Scenario, lang: Language) -> list[str]:
    """Return a sentence for every policy that waits because its day is no session."""
    return [
        translate(
            "cli.policy_moved", lang, title=event.title, title_zh=event.title_zh or event.title,
            start=event.start, first=first,
        )
        for event, first in moved(scenario)
    ]  # fmt: skip


def check_policies(scenario: Scenario, names: tuple[str, ...]) -> None:
    """Raise ScenarioError for a policy that can't be played; ``names``: known participants."""
    for event in scenario.policy:
        if event.end is not None and event.end < first_session(event):
            raise ScenarioError(
                "policy_end", title=event.title, start=first_session(event), end=event.end
            )
        if not 0 <= event.start_bar < 8:
            raise ScenarioError(
                "out_of_range", key="policy.start_bar", value=event.start_bar, low=0, high=7,
                unit="eighth of a session",
            )  # fmt: skip
        check_lever(event.kind, event.value, event.title)
        check_shares(event.shares, names, "policy")
        _check_effect(event)


def check_lever(kind: PolicyKind, value: float | None, title: str) -> None:
    """Raise ScenarioError for a missing value, or one that the kind does not allow."""
    lever = LEVERS[kind]
    if value is None and lever.default is None:
        raise ScenarioError(
            "policy_value", title=title, kind=kind, low=lever.low, high=lever.high
        )  # fmt: skip
    if value is not None and not lever.low <= value <= lever.high:
        raise ScenarioError(
            "out_of_range", key="policy.value", value=value, low=lever.low, high=lever.high,
            unit=lever.meaning,
        )  # fmt: skip


def _check_effect(event: Policy) -> None:
    for name, worth in event.effect.items():
        if name not in GROUPS:
            raise ScenarioError("effect_group", name=name, known=", ".join(GROUPS))
        if not abs(worth) <= MOST_EFFECT:  # NaN fails too
            raise ScenarioError(
                "out_of_range", key=f"policy.effect.{name}", value=worth, low=-MOST_EFFECT,
                high=MOST_EFFECT, unit="log price",
            )  # fmt: skip
    if event.effect and not event.effect_source:
        raise ScenarioError("effect_source", title=event.title)


def check_shares(shares: Mapping[str, float], names: tuple[str, ...], part: str) -> None:
    """Raise ScenarioError for a participant that is none, or a share that is none."""
    for name, share in shares.items():
        if name not in names:
            raise ScenarioError("unknown_agent", name=name, known=", ".join(names))
        if not 0.0 <= share <= 1.0:
            raise ScenarioError(
                "out_of_range", key=f"{part}.shares.{name}", value=share, low=0, high=1,
                unit="fraction",
            )  # fmt: skip
