"""Factor books follow a signal that changes every session; who sells, who waits, who comes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crowdfall.agents.factor_books import NEWCOMER, FactorState
from crowdfall.engine.close import close_styles
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import Setting, setting
from crowdfall.engine.signals import REVERSAL, open_signals, roll
from crowdfall.engine.step import step
from crowdfall.engine.stock_books import most_of_volume
from crowdfall.market.us import score
from crowdfall.types import Float64
from invented_market import invented_scenario
from random_scenarios import AGENTS, market

ALONE = (
    *(f"agents.{name}.enabled = false" for name in AGENTS),
    "agents.factor_books.enabled = true",
    "agents.factor_books.capital = 20e9",
    "noise.participation = 1.0",
)
CALM = "agents.factor_books.unwind = false"


def constants(folder: Path, *words: str) -> Setting:
    lines = {line.split(" = ")[0]: line for line in (*ALONE, *words)}
    return setting(market(), invented_scenario(folder, *lines.values(), days=3), 1)


def opened(folder: Path, *words: str) -> Run:
    return open_run(constants(folder, *words), 0, 2, None)


def crowd(run: Run) -> FactorState:
    state = run.members[0].state
    assert isinstance(state, FactorState)
    return state


def gross(run: Run) -> Float64:
    """Return the gross positions of every book, (P, R)."""
    return np.asarray(np.abs(run.ledger.signed * run.prices.price[:, None]).sum(axis=2))


def next_session(run: Run) -> None:
    """Give every stock another signal, as a close does."""
    run.last_returns = 0.01 * np.random.default_rng(3).standard_normal(run.last_returns.shape)
    close_styles(run)


def test_with_a_life_of_one_session_the_signal_is_the_last_session_turned_round(
    tmp_path: Path,
) -> None:
    now = constants(tmp_path, "agents.factor_books.signal_life = 1.0")
    signals = open_signals(now, 2)
    last = now.market.last_return
    assert last is not None
    np.testing.assert_allclose(signals.seen[REVERSAL], np.tile(-score(last), (2, 1)))
    made = 0.01 * np.random.default_rng(1).standard_normal((2, len(last)))
    roll(signals, made, np.zeros_like(made), now)
    np.testing.assert_allclose(signals.seen[REVERSAL], -score(made))


def test_the_signal_fades_with_its_life_and_keeps_its_deviation(tmp_path: Path) -> None:
    now = constants(tmp_path)
    signals = open_signals(now, 1)
    first, momentum = signals.seen[REVERSAL].copy(), signals.seen["momentum"].copy()
    draw = np.random.default_rng(2)
    for _ in range(4):
        made = 0.01 * draw.standard_normal(first.shape)
        roll(signals, made, np.zeros_like(made), now)
    after = signals.seen[REVERSAL]
    assert np.corrcoef(first[0], after[0])[0, 1] == pytest.approx(0.8**4, abs=0.1)
    assert after.std() == pytest.approx(1.0, abs=0.1)
    assert (signals.seen["momentum"] == momentum).all()


def test_the_calm_signal_leaves_out_what_the_crowd_did(tmp_path: Path) -> None:
    now = constants(tmp_path)
    signals = open_signals(now, 1)
    made = 0.01 * np.random.default_rng(2).standard_normal(signals.seen[REVERSAL].shape)
    pushed = 0.05 * signals.seen["momentum"]
    roll(signals, made + pushed, pushed, now)
    assert np.corrcoef(signals.seen[REVERSAL], pushed)[0, 1] < -0.3
    assert abs(np.corrcoef(signals.calm[REVERSAL], pushed)[0, 1]) < 0.2


def test_books_that_trade_as_usual_move_nothing(tmp_path: Path) -> None:
    """Outsiders stand against them, so that calm prices hold both."""
    run = opened(tmp_path, CALM)
    step(run, 0, 0)
    next_session(run)
    step(run, 1, 0)
    assert run.scratch.bought.sum() > 1e6
    assert run.styles is not None
    assert np.abs(run.styles.fast).max() < 1e-12
    assert np.abs(run.prices.impact).max() < 1e-9


def test_usual_trades_keep_to_their_share_of_volume(tmp_path: Path) -> None:
    run = opened(tmp_path, CALM, "agents.factor_books.trade_share = 0.01")
    step(run, 0, 0)
    next_session(run)
    before = run.ledger.signed.copy()
    step(run, 1, 0)
    yuan = np.abs(run.ledger.signed - before) * run.prices.price[:, None]
    most = yuan.sum(axis=1) / (run.setting.market.stocks.adv * run.setting.dt)
    assert most.max() == pytest.approx(0.01, rel=0.05)  # in yuan of the last bar's prices


def test_where_books_stay_away_the_outsiders_move_prices(tmp_path: Path) -> None:
    """A book that shrank no longer buys the losers that others sell: they fall on."""
    run = opened(tmp_path, CALM)
    step(run, 0, 0)
    next_session(run)
    run.ledger.background += 0.5 * run.ledger.signed.sum(axis=1)
    run.ledger.signed *= 0.5
    step(run, 1, 0)
    assert run.styles is not None
    moved = run.styles.fast[0] + run.styles.slow[0]
    assert np.corrcoef(moved, run.signals.seen[REVERSAL][0])[0, 1] < -0.2


def test_dislocation_stays_with_the_stocks_when_the_styles_change(tmp_path: Path) -> None:
    run = opened(tmp_path)
    step(run, 0, 0)
    assert run.styles is not None
    before = run.styles.slow.copy()
    assert np.abs(before).max() > 0.0
    next_session(run)
    assert (run.styles.slow == before).all()


def test_a_book_that_loses_above_its_leverage_sells_and_trades_nothing_else(
    tmp_path: Path,
) -> None:
    run = opened(tmp_path, CALM)
    step(run, 0, 0)
    next_session(run)
    run.ledger.cash[:, 1:5] *= 0.8
    before = run.ledger.signed.copy()
    step(run, 1, 0)
    held = before[:, 1:5] != 0.0
    left = (run.ledger.signed[:, 1:5] / np.where(held, before[:, 1:5], 1.0))[held]
    assert ((left > 0.5) & (left < 1.0)).all()


def test_new_money_waits_until_the_crowd_is_down_and_nobody_sells(tmp_path: Path) -> None:
    run = opened(tmp_path, CALM)
    state = crowd(run)
    new = state.cells.index(NEWCOMER)
    step(run, 0, 0)
    assert (gross(run)[:, new] == 0.0).all()  # nothing has happened
    state.lured, state.sold = np.array([True, True]), np.array([True, False])
    step(run, 0, 1)
    assert gross(run)[0, new] == 0.0  # somebody still sold
    wanted = 8.0 * 0.5 * 3e9 * run.setting.dt
    assert gross(run)[1, new] == pytest.approx(wanted, rel=0.01)


def test_a_book_that_had_cut_rebuilds_once_nobody_sells(tmp_path: Path) -> None:
    run = opened(tmp_path, CALM, "agents.factor_books.return_rate = 0.5")
    state = crowd(run)
    step(run, 0, 0)
    run.ledger.cash += 0.2 * gross(run)  # it could carry more now, and does not lose
    before = gross(run)
    step(run, 0, 1)
    assert (run.scratch.bought == 0.0).all()  # who never cut stays as it is
    state.has_cut = np.ones_like(state.has_cut)
    step(run, 0, 2)
    grown = gross(run) / np.maximum(before, 1.0)
    assert (grown[:, 1:5] > 1.0).all()
    assert grown[:, 0] == pytest.approx(1.0, abs=0.01)  # the first seller never does


def test_a_share_of_volume_counts_the_own_trade_in_it() -> None:
    assert most_of_volume(0.5) == 1.0
    assert most_of_volume(1.0) == np.inf
