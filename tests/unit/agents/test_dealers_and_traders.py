"""Dealers, those who run ahead of them, trend shorts and harvesters: futures orders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stage import MARKET, Stage, on_stage

from crowdfall.agents.protocol import KnockInMap
from crowdfall.types import Float64

SPOT = np.array([MARKET.levels["csi500"], MARKET.levels["csi1000"]])


@pytest.fixture
def dealers(tmp_path: Path) -> Stage:
    return on_stage(tmp_path, "snowball_dealers", "notional = 200e9", "speed = 0.35",
                    "in_futures = 0.85")  # fmt: skip


def wanted(stage: Stage, fall: float) -> Float64:
    """Return the hedge, futures and stock, wanted after a fall, (P, 2)."""
    return np.asarray(stage.terms._target(np.tile(SPOT * (1 - fall), (2, 1)), stage.state))


def test_map_holds_the_notional_by_bucket(dealers: Stage) -> None:
    notes = dealers.terms.knock_in_map()
    assert notes.notional.sum() == pytest.approx(200e9)
    both = notes.by_underlying(notes.notional[None, :])
    np.testing.assert_allclose(both, 100e9)
    for u in (0, 1):
        levels = np.sort(notes.level[notes.underlying == u])
        np.testing.assert_allclose(np.diff(levels), 50.0)


@pytest.mark.parametrize("paths", [1, 2, 7])
def test_sums_by_underlying_do_not_know_how_many_paths_there_are(paths: int) -> None:
    rng = np.random.default_rng(0)
    notes = KnockInMap(level=np.zeros(50), notional=np.ones(50), underlying=np.arange(50) % 2)
    amount = rng.random((7, 50))
    np.testing.assert_array_equal(
        notes.by_underlying(amount[:paths]), notes.by_underlying(amount)[:paths]
    )


def test_first_hedge_is_held_in_futures_and_stocks(dealers: Stage) -> None:
    target = wanted(dealers, 0.0)
    futures = dealers.first.futures[:, (0, 1), (0, 1)]
    stock = (dealers.first.shares * closes(dealers)).sum(axis=2)
    np.testing.assert_allclose(futures, 0.85 * target)
    np.testing.assert_allclose(stock, 0.15 * target)


def closes(stage: Stage) -> Float64:
    return stage.setting.market.stocks.close


def test_hedged_dealer_trades_nothing(dealers: Stage) -> None:
    orders = dealers.orders()
    assert orders.futures is not None
    assert np.abs(orders.futures).max() < 1e-3 * 200e9 * 0.01


def test_dealer_trades_its_share_of_the_gap(dealers: Stage) -> None:
    fallen = dealers.look(spot=SPOT * 0.99)
    gap = 0.85 * wanted(dealers, 0.01) - dealers.seen.own.futures[:, (0, 1), (0, 1)]
    orders = fallen.orders()
    assert orders.futures is not None
    np.testing.assert_allclose(orders.futures[:, (0, 1), (0, 1)], 0.35 * gap)
    assert (orders.futures[:, 0, 1] == 0.0).all()  # IC dealers trade IC
    assert orders.buy is not None
    assert orders.sell is not None
    assert ((orders.buy > 0.0) & (orders.sell > 0.0)).sum() == 0


def test_knock_in_at_the_close_makes_dealers_sell_next_morning(dealers: Stage) -> None:
    """Inside the day the hedge of notes below their level stays; the close takes it away."""
    fallen = dealers.look(spot=SPOT * 0.95)
    before = wanted(dealers, 0.05)
    plan = fallen.plans()
    assert {notice.kind for notice in plan.notices} == {"knock_in"}
    assert sum(notice.amount for notice in plan.notices) > 0.0
    after = wanted(dealers, 0.05)
    assert (after < before - 1e9).all()
    assert fallen.plans().notices == []  # each note knocks in once
    dealers.look(spot=SPOT * 1.2).plans()
    assert (dealers.state.knocked_in >= fallen.state.knocked_in).all()  # and stays knocked in


def test_a_fall_and_a_discount_move_the_marks_of_tomorrow(dealers: Stage) -> None:
    vol, q = dealers.state.vol.copy(), dealers.state.q.copy()
    dealers.look(spot=SPOT * 0.95, basis=np.full((2, 2), -0.05)).plans()
    assert (dealers.state.vol > vol).all()
    assert (dealers.state.q > q).all()


def test_dealers_without_re_marking_keep_their_tables(tmp_path: Path) -> None:
    fixed = on_stage(tmp_path, "snowball_dealers", "remark = false")
    tables = fixed.state.tables.copy()
    fixed.look(spot=SPOT * 0.95).plans()
    np.testing.assert_array_equal(fixed.state.tables, tables)


def test_notes_already_below_their_level_start_knocked_in(dealers: Stage) -> None:
    notes = dealers.state.notes
    above = notes.level >= SPOT[notes.underlying]
    np.testing.assert_array_equal(dealers.state.knocked_in, np.tile(above, (2, 1)))


@pytest.fixture
def runners(tmp_path: Path) -> Stage:
    return on_stage(tmp_path, "front_runners", "size = 0.2", "speed = 0.5")


def test_runners_wait_for_a_falling_market(runners: Stage) -> None:
    for memory in (0.0, 0.05, -0.02):
        orders = runners.look(memory=memory).orders()
        assert orders.futures is None or not orders.futures.any()


def test_runners_short_what_is_near_its_knock_in(runners: Stage) -> None:
    orders = runners.look(memory=-0.06).orders().futures
    notes = runners.state.notes
    ratio = notes.level / SPOT[notes.underlying]
    near = (ratio >= 0.95) & (ratio <= 1.02) & ~runners.state.knocked_in[0]
    short = -0.2 * notes.by_underlying((near * notes.notional)[None, :])[0]
    assert orders is not None
    np.testing.assert_allclose(orders[:, 0], np.tile(0.5 * short, (2, 1)))
    assert (short < 0.0).any()


def test_runners_cover_when_the_cluster_is_through(runners: Stage) -> None:
    short = runners.look(memory=-0.06, spot=SPOT * 0.9).own(futures=-1e9)
    short.plans()
    orders = short.look(memory=0.0).orders().futures
    assert orders is not None
    np.testing.assert_allclose(orders, 0.5e9)


@pytest.mark.parametrize(
    ("memory", "locked", "share"),
    [(0.0, 0.0, 0.0), (-0.03, 0.0, 0.0), (-0.06, 0.0, 0.05), (-0.5, 0.0, 0.1), (0.0, 0.5, 0.2),
     (-0.5, 1.0, 0.5)],
)  # fmt: skip
def test_trend_shorts_grow_with_the_fall_and_the_locks(
    tmp_path: Path, memory: float, locked: float, share: float
) -> None:
    stage = on_stage(tmp_path, "trend_shorts", "trend = 0.1", "hedge = 0.4", "speed = 0.25")
    orders = stage.look(memory=memory, locked_small=locked).orders().futures
    assert orders is not None
    np.testing.assert_allclose(
        orders[:, 0], np.tile(-0.25 * share * stage.setting.open_interest, (2, 1))
    )


@pytest.fixture
def harvesters(tmp_path: Path) -> Stage:
    return on_stage(tmp_path, "harvesters", "capital = 40e9", "speed = 0.2", "back = 0.25")


def test_harvesters_swap_their_basket_for_discounted_futures(harvesters: Stage) -> None:
    orders = harvesters.look(basis=[-0.038, 0.0]).orders()
    amount = 20e9 * 0.2 * harvesters.seen.dt
    assert orders.futures is not None
    assert orders.sell is not None
    np.testing.assert_allclose(orders.futures[:, 0], [[amount, 0.0]] * 2)
    np.testing.assert_allclose(orders.sell[:, 0, 1], amount)
    assert orders.sell.sum() == pytest.approx(2 * amount)


def test_harvesters_swap_back_when_the_discount_is_gone(harvesters: Stage) -> None:
    orders = harvesters.look(basis=0.0).own(futures=10e9).orders()
    amount = 10e9 * 0.25 * harvesters.seen.dt
    assert orders.futures is not None
    assert orders.buy is not None
    np.testing.assert_allclose(orders.futures, -amount)
    np.testing.assert_allclose(orders.buy[:, 0, [1, 2]], amount)


@pytest.mark.parametrize("basis", [-0.008, -0.006, -0.0041])
def test_harvesters_rest_between_the_two(harvesters: Stage, basis: float) -> None:
    orders = harvesters.look(basis=basis).own(futures=10e9).orders()
    assert orders.futures is None or not orders.futures.any()


def test_harvesters_stop_when_all_is_swapped(harvesters: Stage) -> None:
    orders = harvesters.look(basis=-0.1).own(futures=20e9).orders()
    assert orders.futures is None or not orders.futures.any()
