"""Accuracy over 500 random contracts, many within 0.2% of a barrier, against a dense quadrature."""

from __future__ import annotations

import math

import numpy as np
from dense_quadrature import snowball

from crowdfall.pricing.book import Book, mark
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.value import Standing, present_value
from crowdfall.products.snowball import Snowball

CONTRACTS = 500


def draw(rng: np.random.Generator) -> tuple[Snowball, Marks, Standing]:
    terms = Snowball(
        coupon=float(rng.uniform(0.05, 0.4)),
        knock_in=float(rng.choice([0.70, 0.75, 0.80, 0.85])),
        knock_out=float(rng.choice([1.00, 1.03, 1.05])),
        months=int(rng.choice([12, 24])),
    )
    age = int(rng.integers(0, terms.months * 21))
    near = rng.uniform()
    if near < 0.25:
        spot = terms.knock_in * (1 + rng.uniform(-0.002, 0.002))
    elif near < 0.40:
        spot = terms.knock_out * (1 + rng.uniform(-0.002, 0.002))
    else:
        spot = rng.uniform(0.60, 1.30)
    if spot >= terms.knock_out and age % 21 == 0 and age >= 63:
        age += 1  # it would have ended at that close
    marks = Marks(vol=float(rng.uniform(0.10, 0.40)), q=float(rng.uniform(-0.02, 0.15)))
    lost = bool(spot <= terms.knock_in or rng.uniform() < 0.3)
    return terms, marks, Standing(spot=float(spot), age=age, knocked_in=lost)


def from_tables(terms: Snowball, marks: Marks, standing: Standing) -> float:
    book = Book(
        tables=(terms.timetable(),), family=np.zeros(1, np.int64), name=np.array(["N"]),
        underlying=np.array(["csi500"]), coupon=np.array([terms.coupon]), initial=np.ones(1),
        notional=np.ones(1), age=np.array([standing.age]),
        knocked_in=np.array([standing.knocked_in]),
    )  # fmt: skip
    return float(mark(book, marks).hedge("csi500", np.array([standing.spot]))[0, 0])


def test_exact_route_and_tables_agree_with_dense_quadrature() -> None:
    rng = np.random.default_rng(20240205)
    value_worst, delta_worst, table_worst, excused = [], [], [], []
    for _ in range(CONTRACTS):
        terms, marks, standing = draw(rng)
        pv, delta, _ = present_value(terms.timetable(), terms.coupon, marks, standing)
        wanted, slope = snowball(
            standing.spot, standing.age, standing.knocked_in, vol=marks.vol, q=marks.q,
            coupon=terms.coupon, knock_in=terms.knock_in, knock_out=terms.knock_out,
            months=terms.months,
        )  # fmt: skip
        what = (round(marks.vol, 3), standing)
        value_worst.append((abs(pv - wanted), what))
        delta_worst.append((abs(delta - slope) / max(1, abs(slope)), what))
        off = abs(from_tables(terms, marks, standing) - standing.spot * slope)
        gap = min(abs(math.log(standing.spot / b)) for b in (terms.knock_in, terms.knock_out))
        late = terms.months * 21 - standing.age <= 20
        (excused if late and gap < 0.002 else table_worst).append((off, what))
    for name, rows in (
        ("value per 100", value_worst), ("delta over max(1, delta)", delta_worst),
        ("table hedge", table_worst), ("table hedge, excused", excused),
    ):  # fmt: skip
        rows.sort(key=lambda row: -row[0])
        print(f"worst {name}:", *(f"\n  {error:.1e} {what}" for error, what in rows[:3]))
    assert value_worst[0][0] < 1e-3
    assert delta_worst[0][0] < 1e-3
    assert table_worst[0][0] < 2e-3
