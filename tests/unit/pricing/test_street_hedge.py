"""The street's hedge as the engine reads it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdfall.pricing.marks import Marks
from crowdfall.pricing.street import Street, street_hedge
from crowdfall.pricing.value import Standing, present_value
from crowdfall.products.snowball import Snowball


def test_street_hedge_is_the_average_of_exact_hedges() -> None:
    street = Street(cap=10.0)
    table = street_hedge(street)
    for ratio in (0.7, 0.9, 1.01, 1.1, 1.25):
        for lost in (False, True):
            if not lost and ratio < 1:
                continue
            exact = []
            for knock_in in street.knock_ins:
                terms = Snowball(coupon=0.12, knock_in=knock_in, knock_out=1.02)
                for age in street.ages:
                    where = Standing(spot=ratio * knock_in, age=age, knocked_in=lost)
                    delta = present_value(terms.timetable(), 0.12, Marks(vol=0.18), where)[1]
                    exact.append(delta * ratio * knock_in)
            read = table.hedge(np.array([np.log(ratio)]), np.array([lost]))[0]
            assert read == pytest.approx(np.mean(exact), abs=2e-3)


def test_alive_hedge_is_capped_and_jumps_down_at_the_knock_in() -> None:
    table = street_hedge()
    assert table.alive.max() == pytest.approx(1.45)
    near = np.zeros(1)
    alive, gone = (table.hedge(near, np.array([lost]))[0] for lost in (False, True))
    assert alive > gone + 0.3


def test_re_marking_changes_the_hedge() -> None:
    street = Street()
    calm, wild = street_hedge(street), street_hedge(replace(street, vol=0.35, q=0.15))
    assert not np.allclose(calm.alive, wild.alive, atol=0.02)
    assert (np.diff(calm.log_ratio) > 0).all()
