from __future__ import annotations

import warnings
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdfall.data import calendar

# Both sides of the table's end, where the rule takes over.
days = st.dates(date(1992, 1, 2), date(2035, 12, 31))
steps = st.integers(-200, 200)


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", calendar.CalendarWarning)
        yield


@given(days)
def test_a_day_is_a_session_if_and_only_if_it_stands_in_its_own_range(day: date) -> None:
    assert calendar.is_session(day) == (calendar.sessions(day, day) == [day])


@given(days)
def test_next_and_previous_enclose_the_day_with_nothing_between(day: date) -> None:
    after, before = calendar.next_session(day), calendar.previous_session(day)
    assert before < day < after
    between = calendar.sessions(before + timedelta(1), after - timedelta(1))
    assert between == ([day] if calendar.is_session(day) else [])


@given(days, steps)
def test_steps_forward_and_back_cancel_on_sessions(day: date, count: int) -> None:
    start = calendar.shift(day, 0)
    there = calendar.shift(start, count)
    assert calendar.shift(there, -count) == start
    assert calendar.sessions_between(start, there) == count


@given(days)
def test_one_step_is_the_neighbour_from_any_day(day: date) -> None:
    assert calendar.shift(day, 1) == calendar.next_session(day)
    assert calendar.shift(day, -1) == calendar.previous_session(day)


@given(days, days)
def test_counts_agree_with_lists_and_change_sign(start: date, end: date) -> None:
    count = calendar.sessions_between(start, end)
    assert count == -calendar.sessions_between(end, start)
    if start < end:
        assert count == len(calendar.sessions(start + timedelta(1), end))
