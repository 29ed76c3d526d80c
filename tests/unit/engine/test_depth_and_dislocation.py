"""Liquidity withdraws in falls and locks, flows move groups, value and rescue bring them back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine.belief import believe, recognise
from crowdfall.engine.depth import calm, locked_small, set_depth
from crowdfall.engine.dislocation import dislocate
from crowdfall.engine.setting import Setting, setting
from crowdfall.engine.state import Prices, first_prices
from crowdfall.market.snapshot import Market
from crowdfall.types import Float64
from invented_market import invented_market, invented_scenario

TERMS = (
    "impact.multiplier = 4.0", "impact.depth_floor = 0.1", "impact.depth_return = 0.5",
    "impact.depth_lock = 2.0", "impact.spill = 0.5", "impact.fast_share = 0.6",
    "impact.fast_life = 2.0", "impact.slow_life = 20.0", "impact.value_scale = 0.2",
    "impact.backstop_reversion = 6.0", "impact.backstop_scale = 0.002",
    "impact.backstop_relief = 0.5", "basis.transfer = 0.4", "impact.value_resistance = 0.0",
)  # fmt: skip


@pytest.fixture(scope="module")
def market() -> Market:
    return invented_market()


@pytest.fixture
def constants(market: Market, tmp_path: Path) -> Setting:
    return setting(market, invented_scenario(tmp_path, *TERMS), 1)


@pytest.fixture
def prices(constants: Setting) -> Prices:
    return first_prices(constants, 0, 2)


def switched(constants: Setting, **channels: bool) -> Setting:
    scenario = constants.scenario
    changed = replace(scenario, channels=replace(scenario.channels, **channels))
    return replace(constants, scenario=changed)


def flows(group: int, yuan: float) -> Float64:
    net = np.zeros((2, 6))
    net[:, group] = yuan
    return net


NO_FUTURES = np.zeros((2, 2))


def test_calm_market_has_full_depth(prices: Prices, constants: Setting) -> None:
    prices.memory[:] = -0.03  # falls up to 3% in three days are calm
    set_depth(prices, constants)
    np.testing.assert_array_equal(prices.depth, 1.0)


def test_fall_of_five_percent_beyond_three_costs_its_share_of_depth(
    prices: Prices, constants: Setting
) -> None:
    prices.memory[0, 3] = -0.08
    set_depth(prices, constants)
    assert prices.depth[0, 3] == pytest.approx(np.exp(-0.5))
    assert prices.depth[0, 2] == prices.depth[1, 3] == 1.0


def test_locked_stocks_cost_depth_in_all_small_groups(prices: Prices, constants: Setting) -> None:
    prices.locked_share[0, 5] = 0.5
    small = locked_small(prices, constants)[0]
    count = np.diff(constants.edges)
    assert small == pytest.approx(0.5 * count[5] / count[2:].sum())
    set_depth(prices, constants)
    assert prices.depth[0, 5] == pytest.approx(np.exp(-2.0 * (0.6 * 0.5 + 0.4 * small)))
    assert prices.depth[0, 2] == pytest.approx(np.exp(-2.0 * 0.4 * small))


def test_depth_has_a_floor_and_a_switch(prices: Prices, constants: Setting) -> None:
    prices.memory[:] = -0.9
    set_depth(prices, constants)
    np.testing.assert_allclose(prices.depth, 0.1)
    set_depth(prices, switched(constants, liquidity_withdrawal=False))
    np.testing.assert_array_equal(prices.depth, 1.0)


def test_believed_rescue_takes_half_of_the_stress_away(prices: Prices, constants: Setting) -> None:
    prices.memory[:], prices.backstop[:] = -0.08, 1.0
    set_depth(prices, constants)
    np.testing.assert_allclose(prices.depth, np.exp(-0.25))
    assert (calm(prices, constants) == 0.5).all()
    assert (calm(prices, switched(constants, backstop=False)) == 1.0).all()


def test_sale_moves_its_group_by_the_multiplier_and_neighbours_by_the_spill(
    prices: Prices, constants: Setting
) -> None:
    size = 0.01 * constants.group_float[3]
    fast, slow = dislocate(prices, constants, flows(3, -size), NO_FUTURES)
    wanted = -4.0 * 0.01 * 0.5 ** np.abs(np.arange(6) - 3.0)
    np.testing.assert_allclose((fast + slow)[0], wanted)
    np.testing.assert_allclose(fast, 0.6 * (fast + slow))


def test_thin_market_moves_further(prices: Prices, constants: Setting) -> None:
    net = flows(4, -1e9)
    calm_move = sum(dislocate(prices, constants, net, NO_FUTURES))
    prices.depth[:] = 0.25
    np.testing.assert_allclose(sum(dislocate(prices, constants, net, NO_FUTURES)), 4 * calm_move)


def test_futures_sales_are_felt_as_spot_supply(prices: Prices, constants: Setting) -> None:
    order = np.array([[-10e9, 0.0], [0.0, -10e9]])
    moved = sum(dislocate(prices, constants, np.zeros((2, 6)), order))
    assert (moved < 0.0).all()
    assert moved[0].argmin() == 1  # IC on CSI 500
    assert moved[1].argmin() == 2  # IM on CSI 1000
    off = sum(
        dislocate(prices, switched(constants, futures_transfer=False), np.zeros((2, 6)), order)
    )
    np.testing.assert_array_equal(off, 0.0)


@pytest.mark.parametrize("group", range(6))
def test_more_selling_never_raises_a_price(prices: Prices, constants: Setting, group: int) -> None:
    rng = np.random.default_rng(group)
    net, order = 1e10 * rng.standard_normal((2, 6)), 1e10 * rng.standard_normal((2, 2))
    prices.fast[:], prices.slow[:] = 0.1 * rng.standard_normal((2, 2, 6))
    prices.depth[:] = rng.uniform(0.2, 1.0, (2, 6))
    before = sum(dislocate(prices, constants, net, order))
    after = sum(dislocate(prices, constants, net + flows(group, -1e9), order))
    assert (after < before).all()


def test_group_impact_off_leaves_only_the_fading(prices: Prices, constants: Setting) -> None:
    prices.fast[:] = -0.1
    off = switched(constants, group_impact=False)
    fast, slow = dislocate(prices, off, flows(3, -1e12), NO_FUTURES)
    np.testing.assert_allclose(fast, -0.1 * np.exp(-constants.dt / 2.0))
    np.testing.assert_array_equal(slow, 0.0)


def test_deep_discount_draws_value_buyers(prices: Prices, constants: Setting) -> None:
    def rate(depth: float, now: Setting) -> float:
        prices.slow[:] = depth
        _, slow = dislocate(prices, now, np.zeros((2, 6)), NO_FUTURES)
        return float(-np.log(slow[0, 0] / depth) / constants.dt)

    assert rate(-1e-6, constants) == pytest.approx(1 / 20.0)
    assert rate(-0.2, constants) == pytest.approx(2 / 20.0)
    assert rate(-0.4, constants) == pytest.approx(5 / 20.0)
    assert rate(-0.4, switched(constants, value_demand=False)) == pytest.approx(1 / 20.0)
    prices.backstop[:] = 1.0
    assert rate(-1e-6, constants) == pytest.approx(7 / 20.0)
    assert rate(-1e-6, switched(constants, backstop=False)) == pytest.approx(1 / 20.0)


def test_first_rescue_of_a_kind_is_believed_at_the_close(
    prices: Prices, constants: Setting
) -> None:
    size = 0.002 * constants.group_float[1]
    believe(prices, constants, flows(1, size))
    assert not prices.backstop.any()
    recognise(prices)
    assert prices.backstop[0] == pytest.approx([0, 1 - np.exp(-1.0), 0, 0, 0, 0])
    believe(prices, constants, flows(1, size))  # the next day at once
    assert prices.backstop[0, 1] == pytest.approx(1 - np.exp(-2.0))
    recognise(prices)
    assert prices.backstop[0, 1] == pytest.approx(1 - np.exp(-2.0))


def test_rescue_of_csi2000_is_believed_below_it_too(prices: Prices, constants: Setting) -> None:
    believe(prices, constants, flows(3, 0.002 * constants.group_float[3]))
    recognise(prices)
    np.testing.assert_allclose(prices.backstop[0], [0, 0, 0] + 3 * [1 - np.exp(-1.0)])
    assert (prices.backstop <= 1.0).all()
