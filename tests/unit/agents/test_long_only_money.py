"""Enhanced funds, retail money, the national team and who follows it; and what books hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stage import Stage, on_stage

from crowdfall.agents import baskets
from crowdfall.agents.baskets import tilted
from crowdfall.market.snapshot import GROUPS


def test_every_table_of_group_weights_sums_to_one() -> None:
    tables = [
        baskets.HEDGED_LOW, baskets.HEDGED_HIGH, *baskets.ENHANCED_500, *baskets.ENHANCED_1000,
    ]  # fmt: skip
    for table in tables:
        assert len(table) == len(GROUPS)
        assert sum(table) == pytest.approx(1.0)


def test_tilt_lies_between_its_ends() -> None:
    weights = tilted((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0, 0.25, 1.0, 7.0))
    np.testing.assert_allclose(weights[:, 1], [0.0, 0.0, 0.25, 1.0, 1.0])
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)


@pytest.fixture
def enhanced(tmp_path: Path) -> Stage:
    return on_stage(tmp_path, "enhanced", "assets = 100e9", "tilt = 0.5", "detilt_rate = 0.1",
                    "tolerance = 0.02", "redemptions = false")  # fmt: skip


def test_enhanced_books_hold_their_assets_in_part_of_the_names(enhanced: Stage) -> None:
    worth = enhanced.first.shares * enhanced.setting.market.stocks.close
    assert worth.sum() == pytest.approx(2 * 100e9)
    held = (enhanced.first.shares > 0.0).mean(axis=2)
    assert ((held > 0.4) & (held < 0.8)).all()
    assert set(enhanced.first.benchmark) == {1, 2}
    np.testing.assert_allclose(enhanced.first.capital, worth.sum(axis=2))


def test_books_choose_their_names_by_themselves(enhanced: Stage) -> None:
    chosen = enhanced.first.shares > 0.0
    assert not (chosen[0, 0] == chosen[1, 0]).all()  # paths differ
    assert not (chosen[0, 0] == chosen[0, 1]).all()  # books differ


def test_good_excess_leaves_enhanced_books_alone(enhanced: Stage) -> None:
    enhanced.own(excess=-0.02).plans()
    assert enhanced.orders().sell_share is None


def test_bad_excess_sells_what_is_off_the_benchmark(enhanced: Stage) -> None:
    enhanced.own(excess=-0.06).plans()
    share = enhanced.orders().sell_share
    assert share is not None
    for book, benchmark in enumerate(enhanced.first.benchmark):
        assert (share[:, book, benchmark] == 0.0).all()
        others = np.delete(share[:, book], benchmark, axis=1)
        np.testing.assert_allclose(others, 1.0 - np.exp(-0.1 * enhanced.seen.dt))
    enhanced.own(excess=-0.9).plans()
    assert enhanced.state.rate.max() == pytest.approx(0.3)  # three times the rate at most


def test_proceeds_go_into_the_benchmark_in_the_next_bar(enhanced: Stage) -> None:
    buy = enhanced.own(cash=5e9).orders().buy
    assert buy is not None
    for book, benchmark in enumerate(enhanced.first.benchmark):
        assert (buy[:, book, benchmark] == 5e9).all()
        assert buy[:, book].sum() == pytest.approx(2 * 5e9)
    assert enhanced.own(cash=-1.0).orders().buy is None


@pytest.mark.parametrize(("memory", "share"), [(0.1, 0.0), (-0.02, 0.0), (-0.12, 0.1)])
def test_trend_money_leaves_with_the_fall(tmp_path: Path, memory: float, share: float) -> None:
    stage = on_stage(tmp_path, "trend_retail", "outflow = 0.05", "held = 0.2")
    sell = stage.look(memory=memory).orders().sell
    assert sell is not None
    wanted = 0.05 * share * stage.setting.group_float * stage.seen.dt
    np.testing.assert_allclose(sell[:, 0], np.tile(wanted, (2, 1)))
    calmed = stage.look(memory=memory, calm=0.5).orders().sell
    assert calmed is not None
    np.testing.assert_allclose(calmed, sell / 2)


def test_margin_accounts_hold_pledged_stock_and_repay_as_it_falls(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "margin_accounts", "balance = 500e9", "maintenance = 2.5",
                     "repay = 0.2", "repay_after = 0.02")  # fmt: skip
    worth = (stage.first.shares * stage.setting.market.stocks.close).sum(axis=2)
    np.testing.assert_allclose(worth, 2.5 * 500e9)
    np.testing.assert_allclose(stage.first.cash, -500e9)
    sell = stage.look(memory=-0.1).orders().sell
    assert sell is not None
    assert sell[0].sum() == pytest.approx(0.2 * 0.08 * 500e9 * stage.seen.dt)
    stage.state.debt /= 2.0  # what is repaid is not repaid again
    half = stage.look(memory=-0.1).orders().sell
    assert half is not None
    np.testing.assert_allclose(half, sell / 2.0)
    for small in (0.1, -0.015):
        none = stage.look(memory=small).orders().sell
        assert none is None or not none.any()


def test_style_switchers_sell_small_and_buy_large_with_what_came_in(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "style_switchers", "switch = 0.5", "held = 0.1")
    assert stage.first.shares[:, 0, stage.setting.market.stocks.group == 0].sum() == 0.0
    seen = stage.look(rescue=[10e9, 0, 0, 0, 0, 0]).own(cash=3e9)
    orders = seen.orders()
    assert orders.sell is not None
    assert orders.buy is not None
    assert orders.sell[0].sum() == pytest.approx(5e9)
    assert (orders.sell[:, 0, 0] == 0.0).all()
    np.testing.assert_allclose(orders.buy[:, 0], np.tile([3e9, 0, 0, 0, 0, 0], (2, 1)))
    after = stage.own(cash=2e9).orders()  # the last proceeds are not forgotten
    assert after.buy is not None
    assert after.buy[0, 0, 0] == pytest.approx(2e9)


def test_rescue_of_the_middle_is_paid_by_what_is_smaller(tmp_path: Path) -> None:
    """Money that follows CSI 500 and 1000 comes out of what is not bought, small caps first."""
    stage = on_stage(tmp_path, "style_switchers", "switch = 0.5", "small_bias = 0.3")
    orders = stage.look(rescue=[0, 6e9, 4e9, 0, 0, 0]).own(cash=1e9).orders()
    assert orders.sell is not None
    assert orders.buy is not None
    assert (orders.sell[:, 0, :3] == 0.0).all()
    assert orders.sell[0].sum() == pytest.approx(5e9)
    over_float = orders.sell[0, 0, 3:] / stage.setting.group_float[3:]
    assert (np.diff(over_float) > 0.0).all()
    np.testing.assert_allclose(orders.buy[0, 0], [0, 0.6e9, 0.4e9, 0, 0, 0])


def test_followers_buy_what_the_team_bought_as_far_as_cash_goes(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "followers", "follow = 0.5", "capital = 10e9")
    rescue = [10e9, 4e9, 0, 0, 0, 0]
    buy = stage.look(rescue=rescue).orders().buy
    assert buy is not None
    np.testing.assert_allclose(buy[0, 0], 0.5 * np.array(rescue))
    poor = stage.look(rescue=rescue).own(cash=1e9).orders().buy
    assert poor is not None
    assert poor[0].sum() == pytest.approx(1e9)
    broke = stage.look(rescue=rescue).own(cash=-1.0).orders().buy
    assert broke is None or not broke.any()
    none = on_stage(tmp_path, "followers", "follow = 0.0")
    assert none.look(rescue=rescue).orders().buy is None


def test_team_buys_its_schedule_bar_by_bar(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "national_team", "scale = 2.0", rescue=10.0)
    assert stage.orders().buy is None  # nothing on the first session
    bought = np.zeros((2, 6))
    for bar in range(8):
        buy = stage.look(session=2, bar=bar).orders().buy
        bought += 0.0 if buy is None else buy[:, 0]
    np.testing.assert_allclose(bought, np.tile(20e9 * np.array([1, 1, 1, 1, 0, 0]), (2, 1)))
    np.testing.assert_allclose(stage.first.cash, 2 * 4 * 20e9)


@pytest.mark.parametrize("index", ["csi300", "csi500", "csi1000", "csi2000"])
def test_each_index_of_the_rescue_has_its_switch(tmp_path: Path, index: str) -> None:
    stage = on_stage(tmp_path, "national_team", f"buy_{index} = false", rescue=10.0)
    buy = stage.look(session=2, bar=7).orders().buy
    assert buy is not None
    g = GROUPS.index(index)
    assert (buy[:, 0, g] == 0.0).all()
    assert (np.delete(buy[0, 0, :4], g) > 0.0).all()
