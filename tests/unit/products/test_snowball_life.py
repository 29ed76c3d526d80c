"""Schedules on the session calendar and lives of notes along paths worked out by hand."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from crowdfall.data import calendar
from crowdfall.errors import DataError, TermsError
from crowdfall.products.lifecycle import live
from crowdfall.products.phoenix import Phoenix
from crowdfall.products.schedule import add_months, dated, ideal
from crowdfall.products.snowball import Snowball, Stage, knock_out_levels
from crowdfall.types import Float64

NOTE = Snowball(coupon=0.12, months=6, lockup=3)
TABLE = NOTE.timetable()


def path(**closes: float) -> Float64:
    """Return 126 sessions at 0.95, with other closes on sessions like s63=1.05."""
    prices = np.full(127, 0.95)
    for session, close in closes.items():
        prices[int(session[1:])] = close
    return prices


def test_ideal_months_have_21_sessions() -> None:
    assert ideal(24).observed.tolist() == [21 * month for month in range(25)]
    assert TABLE.last == 126
    assert np.flatnonzero(np.isfinite(TABLE.knock_out)).tolist() == [63, 84, 105, 126]


def test_observation_on_a_holiday_moves_to_the_next_session() -> None:
    start = date(2023, 11, 10)  # three months later lies in the new-year holiday of 2024
    sessions = calendar.sessions(start, date(2024, 12, 31))
    schedule = dated(start, 6, sessions)
    assert schedule.dates[schedule.observed[3]] == date(2024, 2, 19)
    assert schedule.accrual[3] == pytest.approx((date(2024, 2, 19) - start).days / 365)
    assert Snowball(months=6).timetable(schedule).knock_out[schedule.observed[3]] == 1.03


def test_observation_past_the_months_end_moves_back() -> None:
    start = date(2024, 5, 31)  # 31 August 2024 is a Saturday, the next session is in September
    sessions = calendar.sessions(start, date(2025, 7, 31))
    schedule = dated(start, 3, sessions)
    assert schedule.dates[-1] == date(2024, 8, 30)


def test_start_must_be_a_session_and_the_calendar_long_enough() -> None:
    sessions = calendar.sessions(date(2024, 1, 2), date(2024, 6, 28))
    with pytest.raises(TermsError, match="no trading session"):
        dated(date(2024, 2, 12), 3, sessions)
    with pytest.raises(TermsError, match="ends on 2024-06-28"):
        dated(date(2024, 4, 1), 3, sessions)


def test_adding_months_keeps_within_the_month() -> None:
    assert add_months(date(2024, 1, 31), 1) == date(2024, 2, 29)
    assert add_months(date(2023, 12, 15), 2) == date(2024, 2, 15)
    assert add_months(date(2024, 1, 1) + timedelta(days=29), 13) == date(2025, 2, 28)


def test_knock_out_pays_the_accrued_coupon() -> None:
    life = live(TABLE, 0.12, path(s84=1.03))
    assert (life.state, life.ended, life.knocked_in) == ("knocked_out", 84, None)
    assert life.paid == pytest.approx(1 + 0.12 * 84 / 252)


def test_a_high_close_between_observations_or_in_the_lockup_does_nothing() -> None:
    life = live(TABLE, 0.12, path(s42=1.10, s85=1.10))
    assert life.state == "matured"
    assert life.paid == pytest.approx(1.06)


def test_knock_in_is_inclusive_and_remembered() -> None:
    life = live(TABLE, 0.12, path(s10=0.75)[:50])
    assert (life.state, life.knocked_in, life.session) == ("knocked_in", 10, 49)
    assert live(TABLE, 0.12, path(s10=0.7501)[:50]).state == "alive"


def test_knocked_in_note_pays_the_index_but_never_more_than_par() -> None:
    assert live(TABLE, 0.12, path(s10=0.70, s126=0.80)).paid == pytest.approx(0.80)
    assert live(TABLE, 0.12, path(s10=0.70, s126=1.02)).paid == pytest.approx(1.0)


def test_knock_out_on_the_last_day_saves_a_knocked_in_note() -> None:
    life = live(TABLE, 0.12, path(s10=0.70, s126=1.03))
    assert (life.state, life.knocked_in, life.ended) == ("knocked_out", 10, 126)
    assert life.paid == pytest.approx(1.06)


def test_knock_in_on_a_knock_out_day_counts() -> None:
    life = live(TABLE, 0.12, path(s63=0.74, s126=0.90))
    assert (life.state, life.knocked_in, life.paid) == ("matured", 63, pytest.approx(0.90))


def test_knock_in_on_the_last_day_counts_at_once() -> None:
    life = live(TABLE, 0.12, path(s126=0.75))
    assert (life.state, life.knocked_in, life.paid) == ("matured", 126, pytest.approx(0.75))


def test_phoenix_pays_coupons_month_by_month() -> None:
    note = Phoenix(coupon=0.12, months=6)
    life = live(note.timetable(), 0.12, path(s21=0.74, s42=0.76, s63=1.03))
    assert life.coupons == (42,)
    assert (life.state, life.ended) == ("knocked_out", 63)
    assert life.paid == pytest.approx(1.01)


def test_history_with_a_gap_is_refused() -> None:
    with pytest.raises(DataError, match="session 5"):
        live(TABLE, 0.12, path(s5=float("nan")))


def test_stages_switch_levels_and_coupons() -> None:
    note = Snowball(
        months=36, coupon=0.19,
        stages=(Stage(after=12, knock_out=1.0, coupon=0.06), Stage(after=24, knock_out=0.97)),
    )  # fmt: skip
    levels = knock_out_levels(note)
    assert levels[[12, 13, 24, 25]].tolist() == [1.03, 1.0, 1.0, 0.97]
    table = note.timetable()
    assert table.redemption[252].tolist() == pytest.approx([1.0, 1.0])
    assert table.redemption[273].tolist() == pytest.approx([1 + 0.06 * 13 / 12, 0.0])


def test_margin_form_pays_gains_and_losses_only() -> None:
    note = Snowball(months=6, margin=0.25, recourse=False)
    table = note.timetable()
    assert live(table, 0.2, path(s84=1.03)).paid == pytest.approx(0.2 * 84 / 252)
    assert live(table, 0.2, path(s10=0.7, s126=0.60)).paid == pytest.approx(-0.25)
    full = Snowball(months=6, margin=0.25).timetable()
    assert live(full, 0.2, path(s10=0.7, s126=0.60)).paid == pytest.approx(-0.40)


def test_families_differ_by_terms_but_not_by_coupon() -> None:
    assert Snowball(coupon=0.1).timetable().digest == Snowball(coupon=0.2).timetable().digest
    assert Snowball(knock_in=0.8).timetable().digest != Snowball().timetable().digest
