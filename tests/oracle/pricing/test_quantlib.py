"""Twenty contracts against QuantLib's finite-difference toolkit, two meshes extrapolated."""

from __future__ import annotations

import numpy as np
import pytest

from crowdfall.pricing.marks import Marks
from crowdfall.pricing.value import Standing, present_value
from crowdfall.products.snowball import Snowball

pytest.importorskip("QuantLib", reason="QuantLib is not installed")


def test_values_agree_with_quantlib_on_twenty_contracts() -> None:
    from quantlib_notes import snowball

    rng = np.random.default_rng(7)
    misses = []
    for _ in range(20):
        terms = Snowball(
            months=12, coupon=float(rng.uniform(0.05, 0.3)),
            knock_in=float(rng.choice([0.70, 0.75, 0.80])),
            knock_out=float(rng.choice([1.00, 1.03])),
        )  # fmt: skip
        age, spot = int(rng.integers(0, 230)), float(rng.uniform(0.82, 0.99))
        marks = Marks(vol=float(rng.uniform(0.12, 0.35)), q=float(rng.uniform(0.0, 0.12)))
        asked = {
            "vol": marks.vol, "rate": marks.rate, "q": marks.q, "coupon": terms.coupon,
            "knock_in": terms.knock_in, "knock_out": terms.knock_out, "months": 12,
        }  # fmt: skip
        coarse = snowball(spot, age, **asked, density=5.0, steps=3)
        fine = snowball(spot, age, **asked, density=10.0, steps=6)
        standing = Standing(spot=spot, age=age)
        ours, _, _ = present_value(terms.timetable(), terms.coupon, marks, standing)
        misses.append(abs(ours - (4 * fine - coarse) / 3))
    print(f"worst against QuantLib: {max(misses):.1e} per 100, median {np.median(misses):.1e}")
    assert max(misses) < 5e-3
    assert np.median(misses) < 2e-3
