"""Books: the published synthetic book's hedge, the knock-in map, shocks, ladder, pins, policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from crowdfall.errors import TermsError
from crowdfall.pricing.book import MarkedBook, Policy, mark
from crowdfall.pricing.book_file import ideal_age, template
from crowdfall.pricing.exposure import (
    Place,
    by_instrument,
    knock_in_map,
    ladder,
    levels_around,
    pin_risk,
    shocks,
    totals,
)
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.surface import surface
from crowdfall.pricing.synthetic import published, synthetic_book
from crowdfall.pricing.value import Standing, present_value, price
from crowdfall.products.schedule import dated
from crowdfall.products.snowball import Snowball
from crowdfall.types import Float64

LEVELS = np.array([5600, 5400, 5200, 5100, 5000, 4900, 4800, 4700, 4600, 4400, 4200.0])
LOTS = np.array([116.5, 134.3, 146.9, 147.5, 143.3, 135.5, 126.5, 117.8, 111.7, 98.6, 88.9])
LOST = np.array([0, 0, 0, 0.06, 0.17, 0.33, 0.49, 0.63, 0.71, 0.87, 0.97])
PLACE = Place(underlying="csi500", level=5200.0, on=date(2024, 1, 18), open_interest=313_000)


@pytest.fixture(scope="module")
def marked() -> MarkedBook:
    return mark(synthetic_book(published()[0]), Marks(vol=0.18, q=0.06))


def lots(marked: MarkedBook, levels: Float64) -> Float64:
    return PLACE.lots(marked.hedge("csi500", levels)[0], levels)


def test_hedge_of_the_published_book_follows_the_table_of_the_design(marked: MarkedBook) -> None:
    held = lots(marked, LEVELS) / 1e3
    assert np.abs(held / LOTS - 1).max() < 0.10
    assert int(LEVELS[held.argmax()]) in (5100, 5200)
    assert held[3] - held[0] == pytest.approx(30, abs=5)  # bought from 5,600 to 5,100
    assert held[3] - held[7] == pytest.approx(30, abs=5)  # sold from 5,100 to 4,700
    book = marked.book
    lost = [book.notional[book.lost("csi500", level)].sum() / 106e9 for level in LEVELS]
    assert np.abs(np.array(lost) - LOST).max() <= 0.02


def test_map_holds_the_whole_book_once(marked: MarkedBook) -> None:
    rows = knock_in_map(marked, PLACE)
    assert sum(row.notional for row in rows) == pytest.approx(106e9)
    assert [row.level for row in rows] == sorted((row.level for row in rows), reverse=True)
    assert rows[-1].cumulative == pytest.approx(1.0)
    assert rows[0].notional == pytest.approx(11.13e9)
    assert rows[0].distance == pytest.approx(5100 / 5200 - 1)
    assert rows[0].open_interest_share == pytest.approx(rows[0].lots / 313_000)


def test_notes_already_passed_are_counted_but_not_mapped(marked: MarkedBook) -> None:
    rows = knock_in_map(marked, replace(PLACE, level=4900.0))
    assert max(row.level for row in rows) <= 4900
    assert rows[-1].cumulative == pytest.approx(1.0)
    assert rows[0].share < rows[0].cumulative


def test_knock_in_jump_makes_the_dealer_sell_futures(marked: MarkedBook) -> None:
    book = marked.book
    note = int(np.argmax(book.knock_in_level))
    level = float(book.knock_in_level[note])
    rows = np.ones(len(book), dtype=np.int64)
    rows[note] = 0
    just = marked.hedge("csi500", np.array([level * (1 + 1e-7), level]), rows=rows)[0]
    assert just[0] - just[1] == pytest.approx(marked.jumps("csi500")[note], rel=5e-3)
    assert just[0] > just[1]


def test_shocks_are_differences_of_the_hedge(marked: MarkedBook) -> None:
    down, up = shocks(marked, PLACE, (-0.05, 0.01))
    levels = np.array([5200.0, 5200 * 0.95, 5200 * 1.01])
    held = marked.hedge("csi500", levels)[0]
    assert (down.trade, up.trade) == pytest.approx((held[1] - held[0], held[2] - held[0]))
    assert down.trade < 0
    banded = shocks(marked, PLACE, (0.0005,), Policy(band=0.05))
    assert banded[0].trade == 0.0


def test_totals_agree_with_a_note_priced_exactly() -> None:
    book = synthetic_book(published()[0])
    kept = {
        name: getattr(book, name)[:1]
        for name in (
            "family",
            "name",
            "underlying",
            "coupon",
            "initial",
            "notional",
            "age",
            "knocked_in",
        )
    }
    one = replace(book, **kept)
    whole = totals(mark(one, Marks(vol=0.18)), PLACE)
    standing = Standing(spot=5200 / one.initial[0], age=int(one.age[0]))
    exact = price(one.tables[one.family[0]], 0.12, Marks(vol=0.18), standing)
    per = one.notional[0] / 100
    assert whole.value == pytest.approx(exact.pv * per, rel=1e-5)
    assert whole.delta == pytest.approx(exact.delta * standing.spot * one.notional[0], rel=1e-4)
    assert whole.vega == pytest.approx(exact.vega * per, rel=2e-2)
    assert whole.dv_dq == pytest.approx(exact.dv_dq * per, rel=2e-2)
    gamma = exact.gamma * (100 * standing.spot) ** 2 / 100 + exact.delta * standing.spot
    assert whole.gamma == pytest.approx(gamma * one.notional[0] / 100, rel=2e-2, abs=1e-4 * per)


def test_ladder_drops_notes_that_mature_or_are_called(marked: MarkedBook) -> None:
    levels = levels_around(PLACE)
    assert levels[0] == 5700
    assert levels[-1] == 4200
    grid = ladder(marked, PLACE, np.array([5200.0, 9000.0]), (0, 30, 600))
    assert grid[2].tolist() == [0.0, 0.0]
    assert abs(grid[1, 1]) < 1e-6 * 106e9  # every note meets an observation within 30 sessions


def test_pins_name_knock_ins_and_coming_knock_outs(marked: MarkedBook) -> None:
    pins = pin_risk(marked, PLACE, window=0.03, sessions=5)
    assert {pin.kind for pin in pins} <= {"knock_in", "knock_out"}
    assert all(abs(pin.distance) <= 0.04 for pin in pins)
    assert all(pin.jump <= 0 for pin in pins if pin.kind == "knock_in")
    inside = marked.book.knock_in_level >= 5200 * 0.97
    expected = marked.book.notional[inside].sum()
    assert sum(pin.notional for pin in pins if pin.kind == "knock_in") == pytest.approx(expected)


def test_policy_caps_ramps_and_splits_the_hedge(marked: MarkedBook) -> None:
    plain, capped = (
        marked.hedge("csi500", LEVELS, policy=policy)[0] for policy in (Policy(), Policy(cap=1.0))
    )
    assert (capped <= plain + 1).all()
    assert capped[2] <= 106e9 * 1.0001
    book = marked.book
    note = int(np.argmax(book.knock_in_level))
    level = book.knock_in_level[note]
    at = level * np.array([1.0, 0.985, 0.97, 0.95])
    rows = np.ones(len(book), dtype=np.int64)
    rows[note] = 0
    ramped = marked.hedge("csi500", at, policy=Policy(ramp=0.03), rows=rows)[0]
    straight = marked.hedge("csi500", at, rows=rows)[0]
    more = (ramped - straight) / marked.jumps("csi500")[note]
    assert more == pytest.approx([1.0, 0.5, 0.0, 0.0], abs=0.01)
    split = by_instrument(
        PLACE, 1.04e6, Policy(mix=(("ic", 0.5), ("im", 0.3), ("etf", 0.2))), {"csi1000": 5400.0}
    )
    assert split == pytest.approx({"ic": 0.5, "im": 0.312e6 / (5400 * 200), "etf": 0.208e6})
    with pytest.raises(TermsError, match="add up"):
        Policy(mix=(("ic", 0.5),))


def test_look_up_in_a_coarse_or_missing_underlying_is_refused(marked: MarkedBook) -> None:
    with pytest.raises(TermsError, match="csi50;"):
        marked.book.on("csi50")


def test_ideal_age_prices_a_dated_note_like_its_own_calendar() -> None:
    from crowdfall.data import calendar

    start, on = date(2023, 3, 15), date(2024, 1, 22)
    terms = Snowball(coupon=0.12, knock_in=0.8)
    schedule = dated(start, 24, calendar.sessions(start, date(2025, 6, 30)))
    age = schedule.dates.index(on)
    standing = Standing(spot=0.88, age=age)
    own = present_value(terms.timetable(schedule), 0.12, Marks(vol=0.18), standing)
    ideal = Standing(spot=0.88, age=ideal_age(start, on))
    mapped = present_value(terms.timetable(), 0.12, Marks(vol=0.18), ideal)
    assert mapped[0] == pytest.approx(own[0], abs=0.3)
    assert mapped[1] == pytest.approx(own[1], abs=0.03)


def test_surface_reads_like_the_exact_route() -> None:
    table = Snowball(coupon=0.12).timetable()
    shape = surface(table, Marks(vol=0.18))
    spots = np.array([0.62, 0.74, 0.78, 0.9, 1.0, 1.1])
    for age in (0, 126, 400):
        exact = [
            spot * present_value(table, 0.12, Marks(vol=0.18), Standing(spot=spot, age=age))[1]
            for spot in spots.tolist()
            if spot < 1.03 or age == 400
        ]
        read = shape.hedge_at(age, 0.12, np.log(spots))[: len(exact)]
        assert read == pytest.approx(exact, abs=5e-3)


def test_template_lists_three_notes() -> None:
    assert len(template()) == 3
