"""Exact identities of design:snowball 4, over random terms: no reference number is needed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from crowdfall.pricing.book import Book, mark
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.value import (
    Standing,
    fair_coupon,
    present_value,
    probabilities,
)
from crowdfall.products.snowball import Snowball
from crowdfall.products.variants import VARIANTS, terms_of

FEW = settings(max_examples=15, deadline=None)
marks = st.builds(
    Marks, vol=st.floats(0.10, 0.40), rate=st.floats(0.0, 0.05), q=st.floats(-0.02, 0.15)
)
terms = st.builds(
    Snowball,
    coupon=st.floats(0.02, 0.4),
    months=st.sampled_from([6, 12, 24]),
    lockup=st.sampled_from([1, 3]),
    knock_in=st.sampled_from([0.70, 0.75, 0.80, 0.85]),
    knock_out=st.sampled_from([1.0, 1.03]),
    step_down=st.sampled_from([0.0, 0.003]),
)
spots = st.floats(0.6, 1.25)


@FEW
@given(terms, marks, spots, st.floats(0, 0.99), st.booleans())
def test_parachute_at_the_knock_in_equals_a_knock_in_at_maturity(
    note: Snowball, mark_: Marks, spot: float, elapsed: float, knocked_in: bool
) -> None:
    age = 21 * int(elapsed * note.months)
    parachute = replace(note, last_knock_out=note.knock_in, knock_in_observed="daily")
    european = replace(note, knock_in_observed="maturity")
    if spot >= parachute.timetable().knock_out[age]:
        age += 1
    if spot <= note.knock_in:
        return
    where = Standing(spot=spot, age=age)
    one = present_value(parachute.timetable(), note.coupon, mark_, where)
    other = present_value(european.timetable(), note.coupon, mark_, where)
    assert one[0] == pytest.approx(other[0], abs=5e-4)


@FEW
@given(terms, marks, spots)
def test_knock_out_chance_ignores_knock_in_floor_and_coupon(
    note: Snowball, mark_: Marks, spot: float
) -> None:
    changed = replace(note, knock_in=0.6, floor=0.5, coupon=0.01)
    where = Standing(spot=spot)
    one = probabilities(note.timetable(), mark_, where)[1]
    other = probabilities(changed.timetable(), mark_, where)[1]
    assert one == pytest.approx(other, abs=1e-6)


@FEW
@given(terms, marks, spots, st.booleans())
def test_value_is_linear_in_the_coupon_and_par_at_the_fair_one(
    note: Snowball, mark_: Marks, spot: float, knocked_in: bool
) -> None:
    table, where = note.timetable(), Standing(spot=spot, knocked_in=knocked_in)
    low, middle, high = (present_value(table, c, mark_, where)[0] for c in (0.0, 0.1, 0.2))
    assert high - middle == pytest.approx(middle - low, abs=1e-9)
    if high - low > 1e-3:
        fair = fair_coupon(table, mark_, where)
        assert present_value(table, fair, mark_, where)[0] == pytest.approx(100.0, abs=1e-7)


@FEW
@given(terms, marks, st.floats(0.3, 0.999), st.floats(0, 0.99))
def test_at_or_below_the_knock_in_both_states_are_worth_the_same(
    note: Snowball, mark_: Marks, share: float, elapsed: float
) -> None:
    age = int(elapsed * 21 * note.months)
    spot = note.knock_in * share
    table = note.timetable()
    alive = present_value(table, note.coupon, mark_, Standing(spot=spot, age=age))
    gone = present_value(table, note.coupon, mark_, Standing(spot=spot, age=age, knocked_in=True))
    assert alive == gone


@FEW
@given(terms, marks, spots, st.booleans())
def test_at_maturity_the_value_is_the_payoff(
    note: Snowball, mark_: Marks, spot: float, knocked_in: bool
) -> None:
    table = note.timetable()
    value, _, _ = present_value(
        table, note.coupon, mark_, Standing(spot=spot, age=table.last, knocked_in=knocked_in)
    )
    if spot >= table.knock_out[-1] or not (knocked_in or spot <= note.knock_in):
        expected = 1 + note.coupon * note.months / 12
    else:
        expected = min(1.0, spot)
    assert value == pytest.approx(100 * expected, abs=1e-9)


@FEW
@given(marks, st.floats(0.7, 1.2), st.floats(0, 0.99))
def test_without_a_knock_out_a_knocked_in_note_is_par_less_a_put(
    mark_: Marks, spot: float, elapsed: float
) -> None:
    age = int(elapsed * 504)
    table = Snowball(knock_out=50.0).timetable()
    where = Standing(spot=spot, age=age, knocked_in=True)
    value, delta, _ = present_value(table, 0.2, mark_, where)
    years = (504 - age) / 252
    spread = mark_.vol * math.sqrt(years)
    d1 = (math.log(spot) + (mark_.rate - mark_.q + mark_.vol**2 / 2) * years) / spread
    paid, held = math.exp(-mark_.rate * years), math.exp(-mark_.q * years)
    put = paid * norm.cdf(spread - d1) - spot * held * norm.cdf(-d1)
    assert value == pytest.approx(100 * (paid - put), abs=2e-5)
    assert delta == pytest.approx(held * norm.cdf(-d1), abs=2e-6)


@FEW
@given(terms, marks, spots, st.floats(0.1, 20.0))
def test_scaling_index_and_initial_price_scales_nothing_else(
    note: Snowball, mark_: Marks, spot: float, scale: float
) -> None:
    def book(initial: float) -> Book:
        return Book(
            tables=(note.timetable(),), family=np.zeros(1, np.int64), name=np.array(["N"]),
            underlying=np.array(["csi500"]), coupon=np.array([note.coupon]),
            initial=np.array([initial]), notional=np.array([initial]),
            age=np.zeros(1, np.int64), knocked_in=np.zeros(1, np.bool_),
        )  # fmt: skip

    one = mark(book(100.0), mark_).value("csi500", np.array([100 * spot]))
    other = mark(book(100.0 * scale), mark_).value("csi500", np.array([100 * spot * scale]))
    assert other[0, 0] == pytest.approx(scale * one[0, 0], rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(VARIANTS)), marks, spots, st.integers(0, 200), st.booleans())
def test_delta_and_gamma_are_the_slopes_of_the_value(
    variant: str, mark_: Marks, spot: float, age: int, knocked_in: bool
) -> None:
    note = terms_of(variant)
    table = note.timetable()
    if spot >= table.knock_out[age]:
        age += 1
    if abs(spot / table.watched - 1) < 0.002 if table.watched else False:
        return
    step = 2e-4

    def at(shift: float) -> tuple[float, float, float]:
        where = Standing(spot=spot + shift, age=age, knocked_in=knocked_in)
        return present_value(table, note.coupon, mark_, where)

    down, here, up = at(-step), at(0.0), at(step)
    assert (up[0] - down[0]) / (200 * step) == pytest.approx(here[1], abs=2e-4)
    assert (up[1] - down[1]) / (200 * step) == pytest.approx(here[2], abs=2e-4)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(sorted(VARIANTS)), marks, st.floats(0.5, 1.4), st.integers(0, 250))
def test_chances_are_chances(variant: str, mark_: Marks, spot: float, age: int) -> None:
    table = terms_of(variant).timetable()
    if spot >= table.knock_out[age]:
        age += 1
    knock_in, out, loss, life = probabilities(table, mark_, Standing(spot=spot, age=age))
    for chance in (knock_in, out, loss):
        assert -1e-6 <= chance <= 1 + 1e-6
    assert out + loss <= 1 + 1e-6
    assert loss <= knock_in + 1e-6
    assert -1e-6 <= life <= (table.last - age) / table.year + 1e-6
