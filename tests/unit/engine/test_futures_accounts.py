"""Short futures are margined on settlement: called, paid, or closed by the broker next session."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine.crowd import empty_orders
from crowdfall.engine.futures import by_book
from crowdfall.engine.margin import answer_calls, required, settle_deposits
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from invented_market import CRASH, invented_market, invented_scenario


@pytest.fixture
def run(tmp_path: Path) -> Run:
    words = ("futures_margin.buffer = 0.5", "futures_margin.credit_line = 0.19")
    return open_run(setting(invented_market(every=2), invented_scenario(tmp_path, *words), 1),
                    0, 2, None)  # fmt: skip


def rows(run: Run, name: str) -> slice:
    return next(member.rows for member in run.members if member.name == name)


def settled(run: Run, rise: float) -> np.ndarray:
    """Settle all months that much above the last price; return the calls."""
    return settle_deposits(run, run.futures.points * (1.0 + rise))


def test_deposit_is_the_exchange_margin_and_a_buffer(run: Run) -> None:
    price = by_book(run.futures, run.ledger, run.futures.points)
    short = -run.ledger.units[:, rows(run, "neutral")] * price[:, rows(run, "neutral")]
    wanted = 1.5 * (short * np.array([0.14, 0.15])).sum(axis=2)
    np.testing.assert_allclose(run.deposits.balance[:, rows(run, "neutral")], wanted)
    others = ~run.ledger.hedge_mix.any(axis=1)
    assert (run.deposits.balance[:, others] == 0.0).all()


@pytest.mark.parametrize("rise", [-0.08, 0.0, 0.03])
def test_small_rise_and_any_fall_call_nobody(run: Run, rise: float) -> None:
    assert (settled(run, rise) == 0.0).all()
    price = by_book(run.futures, run.ledger, run.futures.points * (1.0 + rise))
    # Gains beyond the deposit have gone back to the book.
    assert (run.deposits.balance <= 1.5 * required(run, run.deposits, price) + 1.0).all()


def test_rise_beyond_the_buffer_calls_for_the_whole_deposit(run: Run) -> None:
    """IM: deposit 22.5%, a rise of 8% leaves 14.5% of 1.08, under 15%."""
    books = rows(run, "neutral")
    before = run.deposits.balance[:, books].copy()
    price = by_book(run.futures, run.ledger, run.futures.points)[:, books]
    short = (-run.ledger.units[:, books] * price).sum(axis=2)
    called = settled(run, 0.08)[:, books]
    rate = before / short
    np.testing.assert_allclose(called, 1.08 * before - (rate - 0.08) * short)
    assert (called > 0.08 * short).all()


def test_settlement_above_the_close_is_not_counted_twice(run: Run) -> None:
    settled(run, 0.03)
    balance = run.deposits.balance.copy()
    run.futures.points *= 1.03  # the next close is that settlement
    run.tally.gain += (run.ledger.units * by_book(run.futures, run.ledger, run.futures.points)
                       * 0.03 / 1.03).sum(axis=2)  # fmt: skip
    settled(run, 0.0)
    np.testing.assert_allclose(run.deposits.balance, balance, rtol=1e-9)


def orders_of(run: Run, bar: int) -> tuple[np.ndarray, np.ndarray]:
    book = empty_orders(*run.ledger.group_value.shape)
    answer_calls(run, book, bar)
    return book.share, book.futures


def test_call_is_paid_from_cash_and_nothing_is_sold(run: Run) -> None:
    settled(run, 0.08)
    run.ledger.cash += 1e12
    share, futures = orders_of(run, 0)
    assert not share.any()
    assert not futures.any()
    assert not run.deposits.called.any()


def test_book_without_money_sells_stock_until_the_rule_time(run: Run) -> None:
    called = settled(run, 0.08).copy()
    hedged = called[0] > 0.0
    run.ledger.cash[:] = -0.9 * run.ledger.stock_value
    share, futures = orders_of(run, 0)
    wanted = (share.max(axis=2) * run.ledger.stock_value)[:, hedged]
    np.testing.assert_allclose(wanted, called[:, hedged] / run.deposits.due_bar)
    assert not futures.any()
    assert not share[:, ~hedged].any()


def test_unpaid_call_ends_in_forced_cover(run: Run) -> None:
    settled(run, 0.08)
    hedged = run.deposits.called[0] > 0.0
    run.futures.points *= 1.08
    run.ledger.cash[:] = -0.9 * run.ledger.stock_value
    share, futures = orders_of(run, run.deposits.due_bar)
    assert not share.any()
    price = by_book(run.futures, run.ledger, run.futures.points)
    short = np.maximum(-run.ledger.units, 0.0) * price
    kept = run.deposits.balance / np.maximum(1.5 * required(run, run.deposits, price), 1.0)
    wanted = short * (1.0 - kept)[:, :, None]
    np.testing.assert_allclose(futures[:, hedged], wanted[:, hedged])
    assert (futures[:, hedged].sum(axis=2) > 0.0).all()
    assert (orders_of(run, run.deposits.due_bar)[1] == 0.0).all()  # once


def test_switch_off_leaves_no_calls(tmp_path: Path) -> None:
    def kinds(word: str) -> set[str]:
        words = (f"channels.futures_margin = {word}", "futures_margin.buffer = 0.0",
                 "futures_margin.credit_line = 1.0")  # fmt: skip
        moves = {name: tuple(-move for move in path) for name, path in CRASH.items()}
        scenario = invented_scenario(tmp_path, *words, moves=moves, days=4, assimilated=4)
        constants = setting(invented_market(every=2), scenario, 1)
        return set(simulate(constants, first_path=0, paths=1).tables["events"]["kind"])

    assert {"futures_call", "forced_cover"} <= kinds("true")
    assert not {"futures_call", "forced_cover"} & kinds("false")
