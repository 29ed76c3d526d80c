from __future__ import annotations

import warnings
from datetime import date
from importlib.resources import files

import pytest

from crowdfall.data import calendar
from crowdfall.errors import DataError


def test_the_friday_before_the_spring_festival_of_2024_was_no_session() -> None:
    assert not calendar.is_session(date(2024, 2, 9))
    assert calendar.next_session(date(2024, 2, 8)) == date(2024, 2, 19)
    assert calendar.previous_session(date(2024, 2, 19)) == date(2024, 2, 8)


def test_a_working_saturday_is_no_session() -> None:
    assert not calendar.is_session(date(2024, 2, 4))
    assert not calendar.is_session(date(2024, 2, 18))


def test_counts_between_dates_leave_out_the_first_and_take_in_the_last() -> None:
    assert calendar.sessions_between(date(2024, 2, 5), date(2024, 2, 8)) == 3
    assert calendar.sessions_between(date(2024, 2, 8), date(2024, 2, 5)) == -3
    assert calendar.sessions_between(date(2024, 2, 8), date(2024, 2, 18)) == 0


def test_an_empty_range_has_no_sessions() -> None:
    assert calendar.sessions(date(2024, 2, 9), date(2024, 2, 18)) == []
    assert calendar.sessions(date(2024, 2, 8), date(2024, 2, 1)) == []
    assert calendar.sessions(date(1980, 1, 1), date(1990, 12, 18)) == []


def test_before_the_exchange_opened_there_is_an_error_with_a_sentence() -> None:
    assert not calendar.is_session(date(1990, 12, 18))
    assert calendar.shift(date(1980, 1, 1), 0) == date(1990, 12, 19)
    with pytest.raises(DataError, match="1990-12-19"):
        calendar.previous_session(date(1990, 12, 19))


def test_past_the_end_weekdays_count_and_one_warning_says_so() -> None:
    calendar._warn_past_end.cache_clear()
    with pytest.warns(calendar.CalendarWarning, match="2027-12-31"):
        assert calendar.is_session(date(2030, 10, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not calendar.is_session(date(2030, 10, 5))
        assert calendar.next_session(date(2030, 10, 4)) == date(2030, 10, 7)


def test_after_the_last_date_there_is_an_error_with_a_sentence() -> None:
    with pytest.raises(DataError, match="9999"):
        calendar.shift(date(2024, 1, 2), 10**7)


def test_2027_is_marked_as_provisional() -> None:
    assert calendar.status(date(2024, 2, 5)) == "final"
    assert calendar.status(date(2027, 6, 1)) == "provisional"
    assert calendar.status(date(2028, 6, 1)) == "rule"
    assert "not yet announced" in calendar.source(2027)


def test_every_year_names_its_source_and_the_table_is_small() -> None:
    assert all(calendar.source(year) for year in range(1990, 2028))
    assert calendar.source(2028) == ""
    table = files("crowdfall.data").joinpath("sessions.csv").read_bytes()
    assert len(table) < 20_000


def test_new_york_has_its_own_sessions() -> None:
    assert calendar.is_session(date(2007, 10, 1), "new_york")
    assert not calendar.is_session(date(2007, 10, 1))
    assert not calendar.is_session(date(2007, 1, 2), "new_york")
    assert calendar.sessions_between(date(2007, 8, 6), date(2007, 8, 17), "new_york") == 9
    with pytest.raises(DataError, match="2006-01-03"):
        calendar.previous_session(date(2006, 1, 3), "new_york")
