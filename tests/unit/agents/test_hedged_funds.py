"""DMA and neutral funds: what they hold, when they sell, and what their broker does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stage import MARKET, Stage, on_stage

from crowdfall.agents.swap import correlations, hold_single_names

LINES = (
    "gross = 100e9", "tilt = 0.5", "cut_rate = 0.1", "cut_drawdown = 0.1", "top_up_line = 0.15",
    "warning_line = 0.19", "initial_margin = 0.25", "top_up_share = 0.25", "hopeless_line = 0.08",
    "liquidation_line = 0.06", "urgency = 1.0", "stages = 2.0", "deadline = 2.0",
    "swap_checks = false",
)  # fmt: skip


@pytest.fixture
def dma(tmp_path: Path) -> Stage:
    return on_stage(tmp_path, "dma", *LINES)


def at_margin(stage: Stage, ratio: float, drawdown: float = 0.0) -> Stage:
    value = stage.seen.own.stock_value
    return stage.own(equity=ratio * value, drawdown=drawdown)


def test_dma_books_hold_their_gross_against_shorts_of_the_same_value(dma: Stage) -> None:
    close = dma.setting.market.stocks.close
    value = (dma.first.shares * close).sum(axis=2)
    np.testing.assert_allclose(value.sum(axis=1), 100e9)
    np.testing.assert_allclose(dma.first.futures.sum(axis=2), -value)
    np.testing.assert_allclose(dma.first.cash + value, dma.first.capital)
    assert (dma.first.cash < 0.0).all()  # the broker lends
    margin = dma.first.capital / value
    assert margin.min() == pytest.approx(0.25)
    assert margin.max() < 0.5
    assert len(set(dma.first.cells)) == len(dma.first.cells)


def test_dma_leverage_cap_shrinks_stock_and_keeps_equity(dma: Stage, tmp_path: Path) -> None:
    capped = on_stage(tmp_path, "dma", *LINES, "leverage_cap = 2.0")
    np.testing.assert_allclose(capped.first.capital, dma.first.capital)
    close = dma.setting.market.stocks.close
    value = (capped.first.shares * close).sum(axis=2)
    assert (value <= 2.0 * capped.first.capital * (1 + 1e-12)).all()


def test_dma_tilt_moves_books_to_smaller_stocks(dma: Stage) -> None:
    stocks = dma.setting.market.stocks
    worth = dma.first.shares[0] * stocks.close
    small = worth[:, stocks.group >= 4].sum(axis=1) / worth.sum(axis=1)
    tilt = [float(cell.removeprefix("tilt")[:5]) for cell in dma.first.cells]
    assert np.corrcoef(tilt, small)[0, 1] > 0.95


def test_calm_dma_does_nothing(dma: Stage) -> None:
    plan = at_margin(dma, 0.25).plans()
    assert plan.notices == []
    assert at_margin(dma, 0.25).orders().sell_share is None


def test_margin_call_forces_sales_in_the_next_session(dma: Stage) -> None:
    called = at_margin(dma, 0.14)
    plan = called.plans()
    kinds = [notice.kind for notice in plan.notices]
    books = dma.first.cash.size
    assert kinds.count("margin_call") == kinds.count("top_up") == books
    assert plan.capital is not None
    gap = (0.25 - 0.14) * dma.seen.own.stock_value
    np.testing.assert_allclose(plan.capital, 0.25 * gap)
    assert {word for row in plan.status or [] for word in row} == {"called"}
    early = called.look(bar=1).orders()
    assert early.forced is None or not early.forced.any()  # the deadline has not passed
    orders = called.look(bar=2).orders()
    assert orders.forced is not None
    assert orders.forced.all()
    # Towards (equity + top-up) / 25%, at 1.5 times the log gap a day, half of it in stage one.
    left = (0.14 + 0.25 * 0.11) / 0.25
    wanted = 1.0 - np.exp(0.5 * 1.5 * np.log(left) * dma.seen.dt)
    assert orders.sell_share is not None
    np.testing.assert_allclose(orders.sell_share, wanted)
    assert {word for row in called.plans().status or [] for word in row} == {"forced"}
    assert called.look(bar=0).orders().forced is not None  # from the opening now


def test_longer_top_up_time_and_lower_lines_hold_the_broker_back(dma: Stage) -> None:
    patient = replace(dma.seen.policy, extra_days=2)
    called = at_margin(dma.look(policy=patient, bar=7), 0.14)
    for waiting in (True, True, False):
        called.plans()
        sold = called.orders().sell_share
        assert (sold is None or not sold.any()) == waiting
    lower = at_margin(dma.look(policy=replace(dma.seen.policy, lines=0.9)), 0.14)
    assert "called" not in {word for row in lower.plans().status or [] for word in row}


def test_leverage_cap_of_a_policy_sells_down_over_days(dma: Stage) -> None:
    capped = at_margin(dma.look(policy=replace(dma.seen.policy, leverage_cap=2.0)), 0.25)
    capped.plans()
    np.testing.assert_allclose(dma.state.delever, np.log(2.0) / 10.0)
    sold = capped.orders()
    assert sold.sell_share is not None
    assert sold.sell_share.min() > 0.0
    assert sold.forced is not None
    assert not sold.forced.any()


def test_leverage_cap_is_met_by_its_deadline_and_a_stricter_one_starts_anew(dma: Stage) -> None:
    leverage = 4.0
    for cap, sessions in ((2.0, 10), (1.5, 10)):
        rules = replace(dma.seen.policy, leverage_cap=cap)
        for _ in range(sessions):
            at_margin(dma.look(policy=rules), 1.0 / leverage).plans()
            rate = float(dma.state.delever.max())
            leverage *= np.exp(-rate)  # sold in full, at unchanged prices
        assert leverage == pytest.approx(cap)
    # One who missed the deadline, because stocks were locked, sells what is left within a day.
    late = at_margin(dma.look(policy=rules), 1.0 / 4.0)
    late.plans()
    np.testing.assert_allclose(dma.state.delever, np.log(4.0 / 1.5))


def test_net_exposure_beyond_a_fifth_is_traded_back_in_futures(tmp_path: Path) -> None:
    checked = on_stage(tmp_path, "dma", *LINES[:-1])
    value = checked.seen.own.stock_value
    bare = checked.own(equity=0.3 * value, futures=0.0)
    bare.plans()
    orders = bare.orders().futures
    assert orders is not None
    np.testing.assert_allclose(orders.sum(axis=2), -0.8 * value * bare.seen.dt)
    hedged = checked.own(equity=0.3 * value)
    hedged.plans()
    assert not checked.state.net_order.any()


def test_books_whose_legs_do_not_correlate_are_not_opened_and_said(tmp_path: Path) -> None:
    """In the invented market small caps keep little company with CSI 500."""
    checked = on_stage(tmp_path, "dma", *LINES[:-1])
    opened = checked.state.opened
    legs = correlations(MARKET.history.returns, checked.state.weights, checked.state.mix)
    np.testing.assert_array_equal(opened, np.tile(legs >= 0.8, (2, 1)))
    assert 0 < opened.sum() < opened.size
    held = (checked.first.shares * checked.setting.market.stocks.close).sum(axis=2)
    assert (held[~opened] == 0.0).all()
    np.testing.assert_allclose(held.sum(axis=1), 100e9)  # those admitted share the whole
    plan = checked.plans()
    refused = {n.cell for n in plan.notices if n.kind == "refused"}
    assert refused == {c for c, ok in zip(checked.first.cells, opened[0], strict=True) if not ok}
    assert "refused" not in {n.kind for n in checked.plans().notices}


def test_no_name_weighs_more_than_the_limit() -> None:
    shares = np.array([[[90.0, 5.0, 5.0, 0.0]], [[30.0, 30.0, 20.0, 20.0]]])
    close = np.array([1.0, 1.0, 1.0, 1.0])
    before = shares[1].copy()
    hold_single_names(shares, close, 0.5)
    np.testing.assert_allclose(shares[0, 0], [50.0, 25.0, 25.0, 0.0])
    np.testing.assert_array_equal(shares[1], before)


def test_client_is_called_once_and_tops_up_once(dma: Stage) -> None:
    called = at_margin(dma, 0.14)
    called.plans()
    again = called.plans()
    assert again.notices == []
    assert again.capital is None or not again.capital.any()
    at_margin(dma, 0.25).plans()  # out of danger
    kinds = {notice.kind for notice in called.plans().notices}
    assert kinds == {"margin_call"}  # and called again, but nothing is left to put in


def test_hopeless_client_puts_nothing_in_and_the_broker_sells_all(dma: Stage) -> None:
    plan = at_margin(dma, 0.07).plans()
    assert plan.capital is None or not plan.capital.any()
    at_margin(dma, 0.05).plans()
    assert dma.state.forced.min() > 1.5 * np.log(1 / 0.02)  # far more than all, a day
    at_margin(dma, -0.2).plans()
    assert np.isfinite(dma.state.forced).all()


def test_deeper_margin_is_sold_faster(dma: Stage) -> None:
    rates = []
    for ratio in (0.149, 0.13, 0.11, 0.09, 0.07, 0.05):
        at_margin(dma, ratio).plans()
        rates.append(dma.state.forced.min())
    assert np.all(np.diff(rates) > 0.0)


def test_margin_rules_off_leaves_the_voluntary_cut(dma: Stage, tmp_path: Path) -> None:
    free = on_stage(tmp_path, "dma", *LINES, "margin_rules = false")
    assert at_margin(free, 0.05).plans().notices == []
    assert not free.state.forced.any()
    at_margin(free, 0.05, drawdown=0.9).plans()
    assert free.state.voluntary.max() == pytest.approx(0.2)  # twice the rate at most


def test_drawdown_starts_the_voluntary_cut(dma: Stage) -> None:
    at_margin(dma, 0.30, drawdown=0.05).plans()
    assert not dma.state.voluntary.any()
    at_margin(dma, 0.30, drawdown=0.18).plans()
    assert dma.state.voluntary.any()
    orders = at_margin(dma, 0.30).orders()
    assert orders.forced is not None
    assert not orders.forced.any()


def test_book_near_its_call_cuts_by_itself(dma: Stage) -> None:
    at_margin(dma, 0.17).plans()
    np.testing.assert_allclose(dma.state.voluntary, 0.1)
    assert not dma.state.forced.any()


def test_sold_out_book_is_closed_and_not_called(dma: Stage) -> None:
    empty = dma.own(stock_value=0.0, equity=-1e9)
    plan = empty.plans()
    assert {notice.kind for notice in plan.notices} == {"broker_shortfall"}
    assert plan.status is not None
    assert {word for row in plan.status for word in row} == {"closed"}


def test_swap_under_zero_is_the_brokers_loss_and_later_gains_pay_it_back(dma: Stage) -> None:
    lost = dma.own(equity=-2e9).plans()
    assert lost.broker is not None
    np.testing.assert_allclose(lost.broker, 2e9)
    assert sum(n.amount for n in lost.notices if n.kind == "broker_shortfall") == pytest.approx(
        2e9 * lost.broker.size
    )
    back = dma.own(equity=0.5e9).plans()
    assert back.broker is not None
    np.testing.assert_allclose(back.broker, -0.5e9)
    np.testing.assert_allclose(dma.state.broker_paid, 1.5e9)
    assert not any(notice.kind == "broker_shortfall" for notice in back.notices)


@pytest.fixture
def neutral(tmp_path: Path) -> Stage:
    return on_stage(
        tmp_path, "neutral", "gross = 100e9", "invested = 0.8", "unwind_rate = 0.1",
        "stop_drawdown = 0.03", "cut_rate = 0.2", "profit_taking = false", "rotation = false",
    )  # fmt: skip


def test_neutral_funds_borrow_nothing(neutral: Stage) -> None:
    value = (neutral.first.shares * neutral.setting.market.stocks.close).sum(axis=2)
    np.testing.assert_allclose(value.sum(axis=1), 100e9)
    np.testing.assert_allclose(value / neutral.first.capital, 0.8)
    assert (neutral.first.cash > 0.0).all()


def test_deep_discount_unwinds_the_books_that_it_costs(neutral: Stage) -> None:
    im_only = neutral.look(basis=[0.0, -0.042])
    share = im_only.orders().sell_share
    assert share is not None
    by_cell = dict(zip(neutral.first.cells, share[0, :, 0], strict=True))
    full = 1.0 - np.exp(-0.1 * neutral.seen.dt)
    for cell, sold in by_cell.items():
        wanted = {"im": full, "ic": 0.0}.get(cell.rpartition("-")[2])
        if wanted is not None:
            assert sold == pytest.approx(wanted)
        else:
            assert 0.0 < sold < full


@pytest.mark.parametrize("basis", [0.05, 0.0, -0.012])
def test_premium_or_small_discount_unwinds_nothing(neutral: Stage, basis: float) -> None:
    assert neutral.look(basis=basis).orders().sell_share is None


def test_unwinding_has_a_switch_and_a_cap(neutral: Stage, tmp_path: Path) -> None:
    off = on_stage(tmp_path, "neutral", "cost = false", "profit_taking = false",
                   "rotation = false")  # fmt: skip
    assert off.look(basis=-0.5).orders().sell_share is None
    shares = [neutral.look(basis=basis).orders().sell_share for basis in (-0.072, -0.5)]
    assert shares[0] is not None
    assert shares[1] is not None
    np.testing.assert_allclose(shares[0], shares[1])  # twice the rate at most


def test_stop_loss_starts_at_its_drawdown_and_ends_with_it(neutral: Stage) -> None:
    calm = neutral.look(basis=0.0)
    assert calm.own(drawdown=0.03).plans().notices == []
    fresh = calm.own(drawdown=0.06).plans().notices
    assert {notice.kind for notice in fresh} == {"stop_loss"}
    assert len(fresh) == neutral.first.cash.size
    assert calm.own(drawdown=0.06).plans().notices == []  # told once
    share = calm.orders().sell_share
    assert share is not None
    np.testing.assert_allclose(share, 1.0 - np.exp(-0.2 * 1.5 * neutral.seen.dt))
    calm.own(drawdown=0.0).plans()
    assert calm.orders().sell_share is None
