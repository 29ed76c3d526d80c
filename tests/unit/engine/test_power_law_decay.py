"""The power-law decay of the dislocation: off by default, a sum over what was traded when on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine.propagation import faded, keep_parts, open_parts
from crowdfall.engine.setting import Setting, setting
from crowdfall.engine.state import Prices, first_prices
from invented_market import invented_market, invented_scenario


@pytest.fixture
def constants(tmp_path: Path) -> Setting:
    return setting(invented_market(), invented_scenario(tmp_path), 1)


def with_exponent(constants: Setting, exponent: float) -> tuple[Setting, Prices]:
    scenario = constants.scenario
    impact = replace(scenario.impact, decay_exponent=exponent)
    changed = replace(constants, scenario=replace(scenario, impact=impact))
    prices = first_prices(changed, 0, 2)
    prices.parts = open_parts(changed, 2)
    return changed, prices


def test_off_it_keeps_no_memory_and_fades_at_one_rate(constants: Setting) -> None:
    off, prices = with_exponent(constants, 0.0)
    assert prices.parts.size == 0
    prices.fast[:] = -0.1
    keep_parts(prices, off)
    assert prices.parts.size == 0
    expected = -0.1 * np.exp(-off.dt / off.scenario.impact.fast_life)
    np.testing.assert_allclose(faded(prices, off), expected)


def test_two_trades_fade_each_by_its_own_age(constants: Setting) -> None:
    on, prices = with_exponent(constants, 0.5)
    first, second = np.full((2, 6), -0.02), np.full((2, 6), -0.01)
    second[0, 3] = 0.0
    prices.fast = first.copy()
    keep_parts(prices, on)
    for _ in range(3):
        prices.fast = faded(prices, on)
        keep_parts(prices, on)
    prices.fast = faded(prices, on) + second
    keep_parts(prices, on)
    # A bar later the first is five bars old and the second one.
    expected = first * 6.0**-0.5 + second * 2.0**-0.5
    np.testing.assert_allclose(faded(prices, on), expected, rtol=1e-3)


def test_looking_ahead_changes_nothing(constants: Setting) -> None:
    on, prices = with_exponent(constants, 0.3)
    prices.fast[:] = -0.02
    keep_parts(prices, on)
    before = prices.parts.copy()
    ahead = faded(prices, on)
    np.testing.assert_array_equal(prices.parts, before)
    assert (np.abs(ahead) < 0.02).all()
