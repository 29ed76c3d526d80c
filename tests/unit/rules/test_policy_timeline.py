from __future__ import annotations

from datetime import date

import pytest

from crowdfall.errors import RuleError
from crowdfall.rules.policy import POLICY_KINDS, events, parse_events

ALL = events(date(2023, 1, 1), date(2025, 12, 31))


def test_the_timeline_runs_from_the_stamp_duty_cut_to_the_programme_trading_rules() -> None:
    assert (ALL[0].date, ALL[0].kind) == (date(2023, 8, 27), "tax")
    assert (ALL[-1].date, ALL[-1].kind) == (date(2024, 10, 8), "programme_trading")
    assert [event.date for event in ALL] == sorted(event.date for event in ALL)
    assert {event.kind for event in ALL} == set(POLICY_KINDS)


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        (date(2023, 11, 8), "dma"),
        (date(2024, 1, 28), "short_selling"),
        (date(2024, 2, 5), "trading_restriction"),
        (date(2024, 2, 5), "margin"),
        (date(2024, 2, 6), "national_team"),
        (date(2024, 2, 7), "personnel"),
        (date(2024, 2, 20), "trading_restriction"),
        (date(2024, 2, 28), "dma"),
    ],
)
def test_the_measures_of_the_crisis_stand_on_their_days(day: date, kind: str) -> None:
    assert kind in [event.kind for event in events(day, day)]


def test_every_event_has_a_title_in_both_languages_and_a_source() -> None:
    for event in ALL:
        assert event.source
        assert event.label("en") != event.label("zh")
        assert any(letter >= "一" for letter in event.label("zh"))


def test_kinds_and_both_ends_of_the_range_select() -> None:
    chosen = events(date(2023, 11, 8), date(2024, 2, 28), ("dma",))
    assert [event.date for event in chosen] == [date(2023, 11, 8), date(2024, 2, 28)]
    assert events(date(2024, 2, 8), date(2024, 2, 19)) == ()


def test_an_unknown_kind_is_answered_with_the_nearest() -> None:
    with pytest.raises(RuleError, match="did you mean monetary"):
        events(date(2024, 1, 1), date(2024, 2, 1), ("money",))


EVENT = """
[[events]]
date = 2024-01-01
kind = "tax"
title = "a"
title_zh = "甲"
source = "b"
"""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("[[events]]", "[[event]]", "events"),
        ("[[events]]", "[[events", "can't be read"),
        ("date = 2024-01-01", 'date = "2024"', "date"),
        ('kind = "tax"', 'kind = "taxes"', "kind"),
        ('title = "a"\n', "", "keys"),
        ('source = "b"', 'source = ""', "source"),
    ],
)
def test_each_fault_of_a_timeline_is_named(old: str, new: str, reason: str) -> None:
    assert len(parse_events(EVENT)) == 1
    with pytest.raises(RuleError, match=reason):
        parse_events(EVENT.replace(old, new))
