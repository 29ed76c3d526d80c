"""The 21 reference rows and the grid of fair coupons of design:snowball 4.

They were worked out by quadrature, finite differences and Monte Carlo outside this project.
"""

from __future__ import annotations

import pytest

from crowdfall.pricing.marks import Marks
from crowdfall.pricing.value import Standing, fair_coupon, implied_discount, price
from crowdfall.products.snowball import Snowball, Stage

BASE = Marks(vol=0.20, rate=0.02, q=0.06)
A = Snowball()
ROWS = {
    "base": (
        A, BASE, Standing(),
        (98.20344, 0.667227, -0.048677, -0.70667, -0.95206,
         0.29435, 0.67785, 0.27879, 0.98353),
    ),
    "vol 18%": (
        A, Marks(vol=0.18), Standing(),
        (99.85749, 0.607944, -0.058049, -0.96080, -1.00741,
         0.27320, 0.66487, 0.26492, 1.00765),
    ),
    "vol 22%": (
        A, Marks(vol=0.22), Standing(),
        (96.98131, 0.690428, -0.041783, -0.52667, -0.89911,
         0.31136, 0.68767, 0.28642, 0.96485),
    ),
    "S=90": (
        A, BASE, Standing(spot=0.90),
        (89.10759, 1.137288, -0.039984, -0.64116, -1.53156,
         0.57251, 0.41068, 0.53439, 1.49582),
    ),
    "S=80": (
        A, BASE, Standing(spot=0.80),
        (76.22839, 1.381454, -0.006047, -0.07546, -1.66207,
         0.85819, 0.19473, 0.77845, 1.82005),
    ),
    "S=76": (
        A, BASE, Standing(spot=0.76),
        (70.69877, 1.367301, 0.031368, 0.19428, -1.56524,
         0.96208, 0.13441, 0.85801, 1.89052),
    ),
    "knocked in": (
        A, BASE, Standing(knocked_in=True),
        (96.04819, 0.788468, -0.042485, -0.16581, -0.96096,
         1, 0.67785, 0.32215, 0.98353),
    ),
    "knocked in, S=75": (
        A, BASE, Standing(spot=0.75, knocked_in=True),
        (69.19910, 1.118215, 0.009832, 0.28421, -1.52184,
         1, 0.12162, 0.87838, 1.90408),
    ),
    "age 300, S=85": (
        A, BASE, Standing(spot=0.85, age=300),
        (100.72666, 2.428946, -0.105893, -1.28794, -1.16674,
         0.55319, 0.15046, 0.54824, 0.76472),
    ),
    "age 300, S=76": (
        A, BASE, Standing(spot=0.76, age=300),
        (76.11176, 2.790931, 0.178630, 0.00861, -0.80205,
         0.93434, 0.03765, 0.91219, 0.80233),
    ),
    "age 480, S=80": (
        A, BASE, Standing(spot=0.80, age=480),
        (121.77257, 5.654682, -1.256207, -1.43643, -0.31587,
         0.27405, 0.00001, 0.27405, 0.09524),
    ),
    "step-down": (
        Snowball(step_down=0.005), BASE, Standing(),
        (99.19571, 0.586842, -0.046015, -0.49132, -0.87817,
         0.27223, 0.75159, 0.23664, 0.90181),
    ),
    "12 months, knock-in 80%": (
        Snowball(months=12, knock_in=0.80), BASE, Standing(),
        (99.21517, 0.631384, -0.055399, -0.74913, -0.53320,
         0.29081, 0.60210, 0.28269, 0.62700),
    ),
    "limited loss": (
        Snowball(knock_in=0.85, floor=0.80), BASE, Standing(),
        (99.34654, 0.499093, -0.028679, 0.05096, -0.61349,
         0.42110, 0.67785, 0.32121, 0.98353),
    ),
    "early profit": (
        Snowball(coupon=0.24, stages=(Stage(after=12, coupon=0.06),)), BASE, Standing(),
        (96.44844, 0.847384, -0.045860, -0.40222, -0.92045,
         0.29435, 0.67785, 0.27879, 0.98353),
    ),
    "parachute": (
        Snowball(last_knock_out=0.75), BASE, Standing(),
        (103.18847, 0.274554, -0.038722, -0.76843, -0.86318,
         0.29435, 0.81315, 0.18685, 0.98353),
    ),
    "European knock-in": (
        Snowball(knock_in_observed="maturity"), BASE, Standing(),
        (103.18847, 0.274554, -0.038722, -0.76843, -0.86318,
         0.18685, 0.67785, 0.18685, 0.98353),
    ),
    "strike 90%": (
        Snowball(strike=0.90), BASE, Standing(),
        (100.80758, 0.451675, -0.040973, -0.66225, -0.77403,
         0.29435, 0.67785, 0.27879, 0.98353),
    ),
    "no lock-up": (
        Snowball(lockup=1), BASE, Standing(),
        (97.93085, 0.596276, -0.061965, -0.57672, -0.78689,
         0.24816, 0.73068, 0.23465, 0.79782),
    ),
    "q=0": (
        A, Marks(q=0.0), Standing(),
        (102.94188, 0.287805, -0.040106, -0.75646, -0.62540,
         0.19692, 0.78195, 0.17858, 0.82807),
    ),
    "q=12%": (
        A, Marks(q=0.12), Standing(),
        (91.61745, 1.057127, -0.041755, -0.43702, -1.22918,
         0.40661, 0.56459, 0.39511, 1.14503),
    ),
}  # fmt: skip
NAMES = ("pv", "delta", "gamma", "vega", "dv_dq", "p_knock_in", "p_knock_out", "p_loss", "life")
TOLERANCE = (1e-3, 1e-4, 1e-4, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4, 1e-4)
COUPONS = {  # by volatility, at q = 0, 3, 6, 9, 12%
    0.16: (8.244, 11.436, 16.104, 22.965, 33.144),
    0.18: (10.887, 14.803, 20.305, 28.061, 39.054),
    0.20: (13.625, 18.152, 24.307, 32.689, 44.130),
    0.22: (16.275, 21.259, 27.850, 36.566, 48.093),
    0.25: (19.865, 25.249, 32.124, 40.893, 52.061),
}


@pytest.mark.parametrize("name", ROWS)
def test_row_agrees_with_the_reference(name: str) -> None:
    terms, marks, standing, expected = ROWS[name]
    value = price(terms.timetable(), terms.coupon, marks, standing)
    near = abs(standing.spot / terms.knock_in - 1) < 0.02
    for field, target, tolerance in zip(NAMES, expected, TOLERANCE, strict=True):
        allowed = 1e-3 if field == "gamma" and near else tolerance
        assert getattr(value, field) == pytest.approx(target, abs=allowed), field


@pytest.mark.parametrize("vol", COUPONS)
def test_fair_coupons_agree_with_the_reference(vol: float) -> None:
    table = A.timetable()
    for q, percent in zip((0.0, 0.03, 0.06, 0.09, 0.12), COUPONS[vol], strict=True):
        assert 100 * fair_coupon(table, Marks(vol=vol, q=q)) == pytest.approx(percent, abs=6e-4)


def test_implied_discount_finds_the_q_of_a_fair_coupon() -> None:
    assert implied_discount(A.timetable(), 0.20305, Marks(vol=0.18)) == pytest.approx(
        0.06, abs=1e-4
    )


def test_month_of_the_first_observation_matters_as_published() -> None:
    values = [price(Snowball(lockup=month).timetable(), 0.20, BASE).pv for month in (1, 2, 3, 4)]
    assert values == pytest.approx([97.931, 98.029, 98.203, 98.417], abs=1e-3)
