"""Turnover answers the day's move, and withdraws from locked stocks and thin markets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine.setting import Setting, setting
from crowdfall.engine.state import Prices, first_prices
from crowdfall.engine.volume import LARGEST, LAW, background_turnover
from invented_market import ADV, invented_market, invented_scenario


@pytest.fixture
def constants(tmp_path: Path) -> Setting:
    return setting(invented_market(), invented_scenario(tmp_path, "impact.volume_depth = 0.5"), 1)


@pytest.fixture
def prices(constants: Setting) -> Prices:
    return first_prices(constants, 0, 1)


def test_an_average_day_trades_about_average_turnover(prices: Prices, constants: Setting) -> None:
    total = np.zeros(6)
    steps = np.linspace(-2.5, 2.5, 101)
    weight = np.exp(-(steps**2) / 2) / np.exp(-(steps**2) / 2).sum()
    for z, w in zip(steps, weight, strict=True):
        prices.level[:] = np.exp(z * np.array(LAW)[:, 3])
        total += w * background_turnover(prices, constants)[0]
    np.testing.assert_allclose(total / np.array(ADV), 1.0, atol=0.06)


@pytest.mark.parametrize("group", range(6))
def test_large_moves_trade_more_and_rises_more_than_falls(
    prices: Prices, constants: Setting, group: int
) -> None:
    def traded(deviations: float) -> float:
        prices.level[:] = np.exp(deviations * LAW[group][3])
        return float(background_turnover(prices, constants)[0, group])

    assert traded(2.0) > traded(0.0)
    assert traded(2.0) > traded(-2.0)
    assert traded(3.0) / traded(0.0) == pytest.approx(np.exp(3 * (LAW[group][1] + LAW[group][2])))
    assert traded(40.0) == pytest.approx(traded(LARGEST))


def test_locked_stocks_do_not_trade_and_thin_markets_trade_less(
    prices: Prices, constants: Setting
) -> None:
    calm = background_turnover(prices, constants)[0]
    prices.locked_share[0, 5] = 0.75
    prices.depth[0, 5] = 0.64
    now = background_turnover(prices, constants)[0]
    assert now[5] == pytest.approx(calm[5] * 0.25 * 0.8)
    np.testing.assert_array_equal(now[:5], calm[:5])
    assert now[5] / now.sum() < calm[5] / calm.sum()


def test_without_the_law_turnover_is_average_less_locked(
    prices: Prices, constants: Setting
) -> None:
    scenario = constants.scenario
    off = replace(
        constants,
        scenario=replace(scenario, channels=replace(scenario.channels, volume_law=False)),
    )
    prices.level[:], prices.depth[:] = 0.9, 0.4
    prices.locked_share[0, 3] = 0.5
    wanted = np.array(ADV) * [1, 1, 1, 0.5, 1, 1]
    np.testing.assert_allclose(background_turnover(prices, off)[0], wanted)
