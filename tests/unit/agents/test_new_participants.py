"""Pledges, public and quant funds, value money, market makers, issuers, rules of the rescue."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from stage import MARKET, on_stage

from crowdfall.agents.book_map import book_map
from crowdfall.errors import DataError, ScenarioError
from crowdfall.pricing.book_file import template
from invented_market import invented_scenario


@pytest.mark.parametrize("name", ["quant", "public_funds"])
def test_clients_redeem_beyond_their_tolerance_and_are_paid_what_was_sold(
    tmp_path: Path, name: str
) -> None:
    stage = on_stage(tmp_path, name, "tolerance = 0.05", "redemption = 0.1")
    assert stage.own(drawdown=0.05, cash=0.0).plans().notices == []
    assert stage.orders().sell_share is None
    plan = stage.own(drawdown=0.15, cash=2e9).plans()
    assert {notice.kind for notice in plan.notices} == {"redemption"}
    assert plan.flow is not None
    np.testing.assert_allclose(plan.flow, -2e9)
    share = stage.orders().sell_share
    assert share is not None
    np.testing.assert_allclose(share, 1.0 - np.exp(-0.01 * stage.seen.dt))


def test_accounts_under_the_line_are_called_then_topped_up_or_sold(tmp_path: Path) -> None:
    stage = on_stage(
        tmp_path, "margin_accounts", "balance = 100e9", "grace = 1.0", "top_up_share = 0.5",
        "repay = 0.0",
    )  # fmt: skip
    debt = stage.state.debt.sum()
    calm = stage.plans()
    assert calm.notices == []
    fallen = stage.own(group_value=0.5 * stage.seen.own.group_value)
    assert {notice.kind for notice in fallen.plans().notices} == {"margin_call"}
    assert not stage.state.force.any()  # a session to top up
    held = replace(fallen.seen.policy, extra_days=3)
    fallen.look(policy=held).plans()
    assert not stage.state.force.any()  # a longer top-up time
    plan = fallen.plans()
    assert plan.capital is not None
    assert (plan.capital > 0.0).all()
    assert stage.state.debt.sum() == pytest.approx(debt - plan.capital.sum())
    assert stage.state.force.sum() > 0.0
    orders = fallen.orders()
    assert orders.forced is not None
    np.testing.assert_allclose(orders.forced, 1.0)
    assert orders.sell is not None
    np.testing.assert_allclose(orders.sell[:, 0], stage.state.force.sum(axis=1) * stage.seen.dt)


def test_proceeds_repay_the_accounts_that_sold(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "margin_accounts", "balance = 100e9", "repay = 1.0")
    debt = stage.state.debt.sum(axis=(1, 2))
    stage.look(memory=-0.1).orders()
    stage.own(cash=-95e9).plans()
    np.testing.assert_allclose(stage.state.debt.sum(axis=(1, 2)), debt - 5e9)
    np.testing.assert_allclose(stage.state.part.sum(axis=1), 1.0)


def test_pledges_are_sold_slowly_and_a_longer_top_up_time_holds_them(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "pledges", "sellable = 60e9", "forbearance = 10.0")
    stage.plans()
    assert stage.orders().sell is None  # nothing has fallen
    fallen = stage.look(level=0.8)
    held = fallen.look(policy=replace(stage.seen.policy, extra_days=3))
    held.plans()
    assert not stage.state.due.any()
    fallen.plans()
    np.testing.assert_allclose(stage.state.due, 0.667 / 10.0)
    sell = fallen.orders().sell
    assert sell is not None
    assert 0.0 < sell[0].sum() < 60e9 / 60
    lower = fallen.look(policy=replace(stage.seen.policy, lines=0.0))
    lower.plans()
    assert not stage.state.due.any()


def test_value_money_buys_far_falls_and_its_cash_ends(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "value_investors", "capital = 40e9", "discount = 0.1", "pace = 0.08")
    near = stage.look(level=0.95).orders().buy
    assert near is not None
    assert not near.any()
    buy = stage.look(level=[1.0, 1.0, 1.0, 1.0, 1.0, 0.6]).orders().buy
    assert buy is not None
    np.testing.assert_allclose(buy[:, 0, 5], 40e9 * 0.08 * stage.seen.dt)
    assert not buy[:, 0, :5].any()
    broke = stage.look(level=0.6).own(cash=0.0).orders().buy
    assert broke is not None
    assert not broke.any()
    sell = stage.look(level=1.1).own(group_value=1e9).orders().sell
    assert sell is not None
    np.testing.assert_allclose(sell, 1e9 * 0.08 * stage.seen.dt)


def test_makers_lean_against_the_bar_and_fade_in_stress(tmp_path: Path) -> None:
    words = ("inventory = 0.02", "lean = 0.2", "borrowed = 0.5", "fade = 4.0")
    half = on_stage(tmp_path, "market_makers", *words).state.limit / 2

    def orders(level: float, locked: float = 0.0, lending: float = 1.0) -> tuple[float, float]:
        stage = on_stage(tmp_path, "market_makers", *words).own(group_value=half, cash=1e12)
        rules = replace(stage.seen.policy, lending=lending)
        placed = stage.look(level=level, locked=locked, policy=rules).orders()
        assert placed.buy is not None
        assert placed.sell is not None
        return float(placed.buy[0].sum()), float(placed.sell[0].sum())

    size = 2 * half.sum()
    down, up = orders(np.exp(-0.01)), orders(np.exp(0.01))
    assert down == pytest.approx((0.2 * size, 0.0))
    assert up == pytest.approx((0.0, 0.2 * size))
    assert orders(np.exp(-0.01), locked=0.125)[0] == pytest.approx(down[0] / 2)
    assert orders(np.exp(-0.01), locked=0.5)[0] == 0.0
    assert orders(np.exp(0.01), lending=0.0)[1] == pytest.approx(up[1] / 2)


def test_listings_take_money_out_of_what_trades_and_a_pause_stops_them(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "issuers", "daily = 2e9")
    sell = stage.orders().sell
    assert sell is not None
    assert sell[0].sum() == pytest.approx(2e9 * stage.seen.dt)
    paused = stage.look(policy=replace(stage.seen.policy, listings=0.25)).orders().sell
    assert paused is not None
    np.testing.assert_allclose(paused, sell / 4)
    plan = stage.own(cash=1e9).plans()
    assert plan.flow is not None
    np.testing.assert_allclose(plan.flow, -1e9)  # it goes to the issuers


RULE = "rules = [{ index = 'csi500', fall = 0.05, days = 2, daily = 8e9, total = 10e9 }]"


def test_rule_buys_after_its_fall_one_bar_later_within_its_budget(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "national_team", RULE)
    assert stage.first.cash[0, 0] == pytest.approx(10e9)
    stage.look(level=0.96).plans()
    assert stage.orders().buy is None  # 4% is not enough
    stage.look(level=0.90).plans()
    assert stage.orders().buy is None  # the ETF first
    second = stage.orders().buy
    assert second is not None
    np.testing.assert_allclose(second[:, 0], np.tile([0, 1e9, 0, 0, 0, 0], (2, 1)))
    for _ in range(6):
        stage.orders()
    stage.look(level=0.80).plans()
    np.testing.assert_allclose(stage.state.daily, 2e9)  # what is left of the budget
    stage.look(level=0.85).plans()
    stage.look(level=0.90).plans()
    assert not stage.state.daily.any()  # no longer falling


def test_rescue_switch_binds_the_rule_too(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "national_team", RULE, "buy_csi500 = false")
    stage.look(level=0.5).plans()
    assert not stage.state.daily.any()


GROWTH = ("gross = 50e9", "swap_checks = false", "growth.enabled = true", "growth.inflow = 0.2",
          "growth.most = 0.05", "growth.window = 5.0")  # fmt: skip


def test_excess_brings_money_and_leverage_and_losses_do_not(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "dma", *GROWTH)
    before = stage.state.trail.leverage.copy()
    stage.plans()
    up = stage.own(nav=1.1)
    plan = up.plans()
    assert plan.flow is not None
    np.testing.assert_allclose(plan.flow, 0.02 * stage.seen.own.equity)
    assert (stage.state.trail.leverage >= before).all()
    assert (stage.state.trail.leverage > before).any()  # those that were not at the cap
    assert (stage.state.buy > 0.0).all()
    orders = up.orders()
    assert orders.buy is not None
    assert orders.futures is not None
    np.testing.assert_allclose(orders.buy.sum(axis=2), -orders.futures.sum(axis=2))  # hedged
    down = stage.own(nav=0.9).plans()
    assert down.flow is not None
    assert not down.flow.any()
    assert not stage.state.buy.any()


def test_capped_notional_and_barred_money_stop_the_growth(tmp_path: Path) -> None:
    stage = on_stage(tmp_path, "dma", *GROWTH)
    stage.plans()
    rules = replace(stage.seen.policy, notional_capped=True, new_money=False)
    plan = stage.look(policy=rules).own(nav=1.2).plans()
    assert plan.flow is not None
    assert not plan.flow.any()
    assert not stage.state.buy.any()


def test_book_file_takes_the_place_of_the_built_in_map(tmp_path: Path) -> None:
    book = template()
    book.write_csv(tmp_path / "book.csv")
    stage = on_stage(tmp_path, "snowball_dealers", "book = 'book.csv'")
    notes = stage.state.notes
    assert notes.notional.sum() == pytest.approx(book["notional"].sum())
    levels = (book["initial"] * book["knock_in"]).to_list()
    assert sorted(set(notes.level.round(6))) == sorted({round(level, 6) for level in levels})
    first = book["underlying"] == "csi500"
    of_ic = notes.by_underlying(notes.notional[None, :])[0, 0]
    assert of_ic == pytest.approx(book.filter(first)["notional"].sum())


@pytest.mark.parametrize(
    ("name", "error"), [("csi9000", DataError), ("csi300", ScenarioError)]
)  # fmt: skip
def test_book_with_an_unknown_underlying_runs_nothing(
    tmp_path: Path, name: str, error: type[Exception]
) -> None:
    book = template()
    book.with_columns(underlying=book["underlying"].replace("csi1000", name)).write_csv(
        tmp_path / "book.csv"
    )
    with pytest.raises(error) as caught:
        invented_scenario(tmp_path, "agents.snowball_dealers.book = 'book.csv'")
    assert name in str(caught.value)


def test_knocked_in_notes_of_a_book_stay_apart(tmp_path: Path) -> None:
    book = template()
    both = book.with_columns(knocked_in=book["id"] == "N1")
    both.write_csv(tmp_path / "book.csv")
    notes = book_map(tmp_path / "book.csv", date(2023, 12, 29))
    assert notes.lost is not None
    assert notes.notional[notes.lost].sum() == pytest.approx(5e7)


@pytest.mark.parametrize(
    ("line", "code"),
    [("agents.dma.leverage_cap = 5.0", "swap_leverage"),
     ("agents.dma.initial_margin = 0.5", "swap_leverage"),
     ("agents.dma.hedges = { im = 0.5, ic = 0.6, mix = 0.2 }", "weights_sum"),
     ("agents.neutral.hedges.xx = 0.1", "not_a_choice")],
)  # fmt: skip
def test_impossible_funds_are_refused_in_one_sentence(tmp_path: Path, line: str, code: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        invented_scenario(tmp_path, line)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_dealers_cap_ramp_and_band_hold_the_hedge_back(tmp_path: Path) -> None:
    spot = np.array([MARKET.levels["csi500"], MARKET.levels["csi1000"]])
    plain = on_stage(tmp_path, "snowball_dealers")
    capped = on_stage(tmp_path, "snowball_dealers", "delta_cap = 0.3")
    assert (capped.first.futures.sum(axis=1) < plain.first.futures.sum(axis=1)).all()

    def hedge(*words: str) -> float:
        stage = on_stage(tmp_path, "snowball_dealers", *words)
        low = np.tile(0.97 * spot, (2, 1))
        stage.look(spot=0.97 * spot).plans()
        return float(stage.terms._target(low, stage.state).sum())

    assert hedge("remark = false", "ramp = 0.05") > hedge("remark = false")
    banded = on_stage(tmp_path, "snowball_dealers", "band = 0.5").look(spot=0.99 * spot).orders()
    assert banded.futures is not None
    assert not banded.futures.any()
