"""The impact law found again in days that were made with it, and not in days without."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from crowdfall.experiments import impact_law as law
from crowdfall.experiments.impact_law import Panel


def panel(impact: float, exponent: float = 0.6, seed: int = 1) -> Panel:
    """Days whose flow is drawn apart from their noise, and moves prices by the law."""
    rng = np.random.default_rng(seed)
    shape = (60, 1500)
    turnover = np.exp(0.5 * rng.standard_normal(shape))
    flow = rng.uniform(-1.0, 1.0, shape) * turnover
    push = law.shaped(flow, np.array([exponent]))[0]
    no = np.zeros(shape, bool)
    return Panel(
        days=tuple(date(2023, 1, 2) + timedelta(days=k) for k in range(60)),
        move=impact * push + rng.standard_normal(shape), flow=flow, turnover=turnover, down=no,
        at_limit=no,
    )  # fmt: skip


@pytest.mark.parametrize("fades", [False, True])
def test_prefactor_and_exponent_are_found(fades: bool) -> None:
    own = panel(0.5)
    found = law.fit(own, "own", np.ones_like(own.down), seed=1, fades=fades)
    low, middle, high = found.at_engine
    assert low < 0.5 < high
    assert middle == pytest.approx(0.5, abs=0.02 if not fades else 0.12)
    assert found.exponent_low - 0.02 <= 0.6 <= found.exponent_high + 0.02


def test_no_impact_is_no_impact() -> None:
    own = panel(0.0)
    for fades in (False, True):
        low, _, high = law.fit(own, "own", ~own.down, seed=1, fades=fades).at_engine
        assert low < 0.02
        assert high > -0.02


def test_the_proxy_sees_impact_in_a_random_walk_but_not_in_its_fade() -> None:
    walk = law.placebo(panel(0.0), seed=2)
    rows = np.ones_like(walk.down)
    assert law.fit(walk, "walk", rows, seed=1).at_engine[0] > 0.3  # why same day is no measurement
    low, _, high = law.fit(walk, "walk", rows, seed=1, fades=True).at_engine
    assert low < 0.03
    assert high > -0.03


def test_volume_that_fades_gives_back_part_of_its_move() -> None:
    flow = np.array([[1.0], [0.0], [0.0]])
    change = law.shaped(flow, np.array([0.6]))[0, :, 0]
    assert change[0] == 1.0
    assert change[1] == pytest.approx(np.exp(-0.6 / law.LIFE) - 1.0)
    left = law.shaped(flow, np.array([0.6]), fades=True)[0, :, 0]
    np.testing.assert_allclose(left[1:], change[1:])  # nobody else traded either
