"""A premium is closed by money that can run out, a discount by few baskets, slowly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stage import Stage, on_stage

from crowdfall.engine.record import Record
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import play_day
from invented_market import invented_market, invented_scenario
from random_scenarios import AGENTS

QUIET = (
    *(f"agents.{name}.enabled = false" for name in AGENTS if name != "arbitrageurs"),
    "basis.premium_decay = 0.0", "basis.discount_decay = 0.05", "basis.impact = 1.5",
    "channels.futures_transfer = false", "channels.locked_arbitrage = false",
    "channels.group_impact = false", "channels.stock_impact = false",
)  # fmt: skip


def after(folder: Path, gap: float, days: int, *words: str) -> float:
    """Return the gap of IM left after some sessions that began with the same gap in all months."""
    scenario = invented_scenario(
        folder, *QUIET, *(f"agents.arbitrageurs.{word}" for word in words), days=4, assimilated=4
    )
    run: Run = open_run(setting(invented_market(every=2), scenario, 1), 0, 1, None)
    run.futures.gap[:] = gap
    record = Record()
    for day in range(days):
        play_day(run, record, day)
    return float(run.futures.main_gap[0, 1])


def test_premium_larger_than_the_capital_stays(tmp_path: Path) -> None:
    broke = after(tmp_path, 0.04, 3, "capital = 0.0", "borrow = 0.0")
    few = after(tmp_path, 0.04, 3, "capital = 5e9", "borrow = 0.0")
    assert broke == pytest.approx(0.04, rel=0.06)  # maturity alone moves it
    # 2.2 bn an index after margin, over some 100 bn of open interest at impact 1.5.
    assert 0.5 * broke < few < broke - 0.005


def test_premium_closes_fast_with_huge_capital(tmp_path: Path) -> None:
    left = after(tmp_path, 0.04, 1, "capital = 5000e9", "borrow = 0.0")
    assert left < 0.008  # most of what lies beyond the cost of 0.4%
    assert after(tmp_path, 0.04, 1, "capital = 5000e9", "enabled = false") > 0.035


def test_discount_closes_slower_than_a_premium_of_the_same_size(tmp_path: Path) -> None:
    closed = 0.04 - after(tmp_path, 0.04, 1, "capital = 30e9", "borrow = 30e9")
    filled = after(tmp_path, -0.04, 1, "capital = 30e9", "borrow = 30e9") + 0.04
    assert 0.0 < filled < 0.5 * closed
    assert after(tmp_path, -0.04, 1, "borrow = 0.0") + 0.04 < filled


@pytest.fixture
def desk(tmp_path: Path) -> Stage:
    return on_stage(tmp_path, "arbitrageurs", "capital = 20e9", "borrow = 4e9")


def test_desk_opens_hedged(desk: Stage) -> None:
    np.testing.assert_allclose(desk.first.futures[:, 0], -2e9)
    assert desk.look(basis=0.0).orders().futures == pytest.approx(0.0, abs=1.0)


def test_premium_buys_baskets_and_sells_the_same_of_futures(desk: Stage) -> None:
    orders = desk.look(basis=0.02).orders()
    assert orders.buy is not None
    assert orders.futures is not None
    bought = orders.buy[:, 0, 1:3]
    assert (bought > 0.0).all()
    np.testing.assert_allclose(orders.futures[:, 0], -bought, rtol=1e-9)
    pace = desk.setting.open_interest / 8
    assert (bought <= 4.0 * pace * 0.016 + 1.0).all()
    assert (desk.look(basis=0.5).orders().buy.sum(axis=(1, 2)) < 20e9 / 1.15).all()  # type: ignore[union-attr]


def test_stock_bought_today_is_not_sold_today(desk: Stage) -> None:
    desk.look(basis=0.5).orders()
    held = desk.own(group_value=np.array([0.0, 6e9, 6e9, 0.0, 0.0, 0.0]), futures=-6e9, cash=1e9)
    desk.state.fresh[:] = 4e9
    sold = held.look(basis=-0.5).orders().sell
    assert sold is not None
    assert (sold <= 2e9 + 1.0).all()
    desk.plans()
    again = held.look(basis=-0.5).orders().sell
    assert again is not None
    assert again.max() > 2e9


def test_locked_stocks_stop_the_sale(desk: Stage) -> None:
    sold = desk.look(basis=-0.03, locked=1.0).orders().sell
    assert sold is not None
    np.testing.assert_allclose(sold, 0.0)
