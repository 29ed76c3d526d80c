"""What stress, rescues and announcements leave behind: sign and size of each mechanism."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine.belief import announce, believe, recognise, remember
from crowdfall.engine.depth import calm, panic, set_depth
from crowdfall.engine.dislocation import dislocate, settle, size_kernel
from crowdfall.engine.setting import Setting, setting
from crowdfall.engine.simulate import simulate
from crowdfall.engine.state import Prices, first_prices
from crowdfall.errors import ScenarioError
from crowdfall.i18n import LANGUAGES
from crowdfall.market.snapshot import GROUPS, Market
from crowdfall.scenarios.policies import remarks, takes_effect
from crowdfall.scenarios.schema import Policy
from crowdfall.types import Float64
from invented_market import invented_market, invented_scenario

TERMS = (
    "impact.multiplier = 4.0", "impact.depth_floor = 0.1", "impact.depth_return = 0.5",
    "impact.depth_lock = 2.0", "impact.depth_life = 2.0", "impact.depth_volatility = 0.2",
    "impact.depth_drawdown = 2.0", "impact.spill = 0.5", "impact.rescue_spill = 0.1",
    "impact.fast_share = 0.6", "impact.slow_life = 20.0", "impact.value_scale = 0.2",
    "impact.value_resistance = 0.5", "impact.value_capital = 0.1", "impact.capital_life = 40.0",
    "impact.backstop_fade = 10.0", "impact.expectation_calm = 0.2", "impact.expectation_life = 5.0",
    "impact.backstop_relief = 0.5",
)  # fmt: skip
NO_FUTURES = np.zeros((2, 2))
NEWS = """[[policy]]
kind = "notice"
title = "support"
source = "invented"
start = {start}
effect = {{ csi300 = 0.01, microcap = 0.03 }}
effect_source = "invented"
"""


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


def flow(group: int, yuan: float) -> Float64:
    net = np.zeros((2, 6))
    net[:, group] = yuan
    return net


def test_the_high_is_forgotten_with_its_life(prices: Prices, constants: Setting) -> None:
    prices.level[:], prices.peak[:] = 0.8, 1.0
    for _ in range(60 * constants.bars):
        remember(prices, constants, np.zeros_like(prices.level))
    np.testing.assert_allclose(np.log(prices.peak / 0.8), np.log(1.0 / 0.8) / np.e)
    prices.level[:] = 1.5
    remember(prices, constants, np.zeros_like(prices.level))
    np.testing.assert_allclose(prices.peak, 1.5)


def test_depth_is_lost_at_once_and_comes_back_with_its_life(
    prices: Prices, constants: Setting
) -> None:
    prices.memory[0, 3] = -0.08
    set_depth(prices, constants)
    assert prices.depth[0, 3] == pytest.approx(np.exp(-0.5))
    prices.memory[0, 3] = 0.0
    for _ in range(constants.bars):
        set_depth(prices, constants)
    assert prices.depth[0, 3] == pytest.approx(np.exp(-0.5 * np.exp(-1 / 2.0)))
    set_depth(prices, switched(constants, slow_liquidity=False))
    assert prices.depth[0, 3] == 1.0


def test_volatility_beyond_normal_and_drawdown_cost_depth(
    prices: Prices, constants: Setting
) -> None:
    prices.variance[0] = (3.0 * constants.calm_volatility) ** 2
    prices.level[1], prices.peak[1] = 0.7, 1.0
    set_depth(prices, constants)
    np.testing.assert_allclose(prices.depth[0], np.exp(-0.2 * 2.0))
    np.testing.assert_allclose(prices.depth[1], np.exp(-2.0 * 0.2))
    fresh = first_prices(constants, 0, 2)
    fresh.variance[:] = prices.variance
    set_depth(fresh, switched(constants, volatility_withdrawal=False))
    np.testing.assert_array_equal(fresh.depth, 1.0)


def test_realised_volatility_settles_at_the_size_of_the_moves(
    prices: Prices, constants: Setting
) -> None:
    daily = 0.02
    for k in range(60 * constants.bars):
        remember(prices, constants, np.full((2, 6), daily * np.sqrt(constants.dt) * (-1) ** k))
    np.testing.assert_allclose(np.sqrt(prices.variance), daily, rtol=1e-3)


def test_rescue_is_felt_by_what_is_bought_and_hardly_below(
    prices: Prices, constants: Setting
) -> None:
    bought = flow(1, 10e9)
    calm_move = sum(dislocate(prices, constants, bought, NO_FUTURES))
    rescued = sum(dislocate(prices, constants, bought, NO_FUTURES, bought))
    np.testing.assert_allclose(rescued[0] / calm_move[0], 0.2 ** np.abs(np.arange(6) - 1.0))
    off = sum(
        dislocate(prices, switched(constants, rescue_split=False), bought, NO_FUTURES, bought)
    )
    np.testing.assert_allclose(off, calm_move)
    mixed = bought + flow(5, -1e9)  # others' sales keep the ordinary spill
    both = sum(dislocate(prices, constants, mixed, NO_FUTURES, bought))
    alone = sum(dislocate(prices, constants, flow(5, -1e9), NO_FUTURES))
    np.testing.assert_allclose(both, rescued + alone)


def test_size_kernel_falls_with_the_distance_of_log_caps(constants: Setting) -> None:
    kernel = size_kernel(switched(constants, size_kernel=True), 0.5)
    np.testing.assert_array_equal(np.diag(kernel), 1.0)
    np.testing.assert_allclose(kernel, kernel.T)
    caps = np.log(constants.market.stocks.total_cap)
    centre = np.array([caps[constants.market.stocks.group == g].mean() for g in range(6)])
    step = np.abs(np.diff(centre)).mean()
    assert kernel[0, 3] == pytest.approx(0.5 ** (abs(centre[0] - centre[3]) / step))
    ranked = size_kernel(constants, 0.5)
    np.testing.assert_allclose(ranked[0], 0.5 ** np.arange(6.0))


def test_a_larger_group_feels_a_smaller_one_by_its_size(constants: Setting) -> None:
    scenario = constants.scenario
    sized = replace(scenario, impact=replace(scenario.impact, spill_size=0.5))
    kernel = size_kernel(replace(constants, scenario=sized), 0.5)
    held = constants.group_float
    large, small = int(held.argmax()), int(held.argmin())
    steps = abs(large - small)
    assert kernel[large, small] == pytest.approx(0.5**steps * (held[small] / held[large]) ** 0.5)
    assert kernel[small, large] == pytest.approx(0.5**steps)
    np.testing.assert_array_equal(np.diag(kernel), 1.0)


def test_value_buyers_resist_deepening_until_their_capital_is_used_up(
    prices: Prices, constants: Setting
) -> None:
    alone = switched(constants, spill=False)
    prices.slow[:] = -0.2
    net = flow(2, -0.01 * constants.group_float[2])

    def felt(now: Setting, flows: Float64) -> float:
        moved = np.array(dislocate(prices, now, flows, NO_FUTURES))
        still = np.array(dislocate(prices, now, 0 * flows, NO_FUTURES))
        return float((moved - still).sum(axis=0)[0, 2])

    assert felt(alone, net) == pytest.approx(-0.04 / 1.5)
    assert felt(alone, -net) == pytest.approx(0.04)  # a recovery meets no resistance
    assert felt(switched(alone, value_resistance=False), net) == pytest.approx(-0.04)
    settle(prices, alone, net, NO_FUTURES)
    used = (0.04 - 0.04 / 1.5) / 0.1
    np.testing.assert_allclose(prices.capital[0], [1, 1, 1 - used, 1, 1, 1], rtol=1e-9)
    for _ in range(40 * constants.bars):
        settle(prices, alone, 0 * net, NO_FUTURES)
    assert prices.capital[0, 2] == pytest.approx(1 - used * np.exp(-1.0))
    prices.capital[:] = 0.0
    prices.slow[:] = -0.2
    assert felt(alone, net) == pytest.approx(-0.04)


def test_resistance_makes_the_way_back_slower(prices: Prices, constants: Setting) -> None:
    def rate(now: Setting) -> float:
        prices.slow[:] = -0.4
        _, slow = dislocate(prices, now, np.zeros((2, 6)), NO_FUTURES)
        return float(-np.log(slow[0, 0] / -0.4) / constants.dt)

    assert rate(constants) == pytest.approx((1 + 0.5 * 4) / 20.0)
    assert rate(switched(constants, value_resistance=False)) == pytest.approx((1 + 4) / 20.0)


def test_belief_in_a_rescue_fades_with_its_life(prices: Prices, constants: Setting) -> None:
    believe(prices, constants, flow(1, 1e12))
    recognise(prices)
    first = prices.backstop[0, 1]
    for _ in range(10 * constants.bars):
        remember(prices, constants, np.zeros((2, 6)))
    assert prices.backstop[0, 1] == pytest.approx(first * np.exp(-1.0))
    kept = prices.backstop.copy()
    remember(prices, switched(constants, backstop_fade=False), np.zeros((2, 6)))
    np.testing.assert_array_equal(prices.backstop, kept)


def test_announcement_calms_at_once_and_fades(
    market: Market, prices: Prices, tmp_path: Path
) -> None:
    scenario = invented_scenario(tmp_path, *TERMS, NEWS.format(start="2024-01-03"))
    told = setting(market, scenario, 1)
    announce(prices, told, 0, 0)
    assert not prices.expected.any()
    announce(prices, told, 1, 0)
    np.testing.assert_allclose(prices.expected[0], [0.01, 0, 0, 0, 0, 0.03])
    np.testing.assert_allclose(panic(prices, told)[0], [0.8, 1, 1, 1, 1, 0.4])
    prices.memory[:] = -0.08
    set_depth(prices, told)
    assert prices.depth[0, 5] == pytest.approx(np.exp(-0.5 * 0.4))
    np.testing.assert_array_equal(panic(prices, switched(told, expectations=False)), 1.0)
    for _ in range(5 * told.bars):
        remember(prices, told, np.zeros((2, 6)))
    np.testing.assert_allclose(prices.expected[0, 5], 0.03 * np.exp(-1.0))
    prices.backstop[:] = 1.0
    assert calm(prices, told)[0, 1] == pytest.approx(0.5)


def test_replay_keeps_the_pin_and_moves_other_groups_by_the_effect_net_of_it(
    market: Market, tmp_path: Path
) -> None:
    words = [f"agents.{name}.enabled = false" for name in (
        "snowball_dealers", "front_runners", "trend_shorts", "harvesters", "neutral", "dma",
        "enhanced", "trend_retail", "margin_accounts", "style_switchers", "followers",
    )]  # fmt: skip
    quiet = invented_scenario(tmp_path, *words, assimilated=0)
    told = invented_scenario(tmp_path, *words, NEWS.format(start="2024-01-03"), assimilated=0)
    daily = [
        simulate(setting(market, scenario, 1), first_path=0, paths=1).tables["daily"]
        for scenario in (quiet, told)
    ]
    gap = {
        name: np.log(1 + daily[1][f"{name}_return"][1]) - np.log(1 + daily[0][f"{name}_return"][1])
        for name in ("csi300", "csi500", "microcap")
    }
    left = np.exp(-1 / 5.0 * 7 / 8)  # the close lies seven bars after the open
    loading = setting(market, told, 1).targets.mean_slope
    assert gap["csi300"] == pytest.approx(0.0, abs=1e-9)
    for name, worth in (("csi500", 0.0), ("microcap", 0.03)):
        net = worth - 0.01 * loading[GROUPS.index(name)] / loading[0]
        assert gap[name] == pytest.approx(left * net, abs=1.5e-3)


def test_free_mode_opens_with_the_gap(market: Market, tmp_path: Path) -> None:
    free = "clock.mode = 'free'"
    quiet = invented_scenario(tmp_path, free)
    told = invented_scenario(tmp_path, free, NEWS.format(start="2024-01-03"))
    runs = [
        simulate(setting(market, scenario, 1), first_path=0, paths=1).tables["daily"]
        for scenario in (quiet, told)
    ]
    assert runs[0]["microcap_close"][0] == runs[1]["microcap_close"][0]
    jump = np.log(runs[1]["microcap_close"][1] / runs[0]["microcap_close"][1])
    assert jump == pytest.approx(0.03 * np.exp(-7 / 40), rel=0.2)


def test_policy_on_a_day_without_a_session_waits_and_says_so(tmp_path: Path) -> None:
    scenario = invented_scenario(tmp_path, NEWS.format(start="2024-01-06"))
    event = scenario.policy[0]
    assert takes_effect(event) == (date(2024, 1, 8), 0)
    for lang in LANGUAGES:
        assert "2024-01-08" in remarks(scenario, lang)[0]
    assert remarks(invented_scenario(tmp_path, NEWS.format(start="2024-01-05")), "en") == []


@pytest.mark.parametrize(
    ("start", "bar", "late", "bars", "when"),
    [
        (date(2024, 1, 5), 4, False, 8, (date(2024, 1, 5), 4)),
        (date(2024, 1, 5), 3, False, 4, (date(2024, 1, 5), 2)),
        (date(2024, 1, 5), 4, True, 8, (date(2024, 1, 8), 0)),
        (date(2024, 1, 7), 4, False, 8, (date(2024, 1, 8), 0)),
    ],
)
def test_news_takes_effect_in_its_bar_or_at_the_next_open(
    start: date, bar: int, late: bool, bars: int, when: tuple[date, int]
) -> None:
    event = Policy(
        kind="notice", start=start, title="t", source="s", start_bar=bar, after_close=late
    )
    assert takes_effect(event, bars) == when


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("microcap = 0.03", "nanocap = 0.03", "nanocap, which is no size group"),
        ("microcap = 0.03", "microcap = 0.3", "policy.effect.microcap was 0.3"),
        ('effect_source = "invented"', "", "no effect_source"),
    ],
)
def test_wrong_effect_is_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(ScenarioError, match=sentence):
        invented_scenario(tmp_path, NEWS.format(start="2024-01-03").replace(old, new))
