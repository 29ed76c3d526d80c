"""Books of single stocks, long and short, and the styles that they move."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdfall.agents.factor_books import STARTS
from crowdfall.engine import simulate as simulation
from crowdfall.engine.gauges import contrarian_return, style_return
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import BlockResult, simulate
from crowdfall.engine.step import step
from crowdfall.engine.styles import move_styles
from crowdfall.errors import MarketError, RunError
from crowdfall.monitor.indices import contrarian
from crowdfall.scenarios.schema import Scenario
from invented_market import invented_scenario
from random_scenarios import AGENTS, market

ALONE = (
    *(f"agents.{name}.enabled = false" for name in AGENTS),
    "agents.factor_books.enabled = true",
    "agents.factor_books.capital = 20e9",
    "noise.participation = 1.0",
)
HUGE = (
    "agents.factor_books.capital = 1e12",
    "agents.factor_books.inside = 1.0",
    "agents.factor_books.leverage = 20.0",
)


def crowded(folder: Path, *words: str, days: int = 3) -> Run:
    return open_run(setting(market(), said(folder, *words, days=days), 1), 0, 2, None)


def said(folder: Path, *words: str, days: int = 3) -> Scenario:
    """Return the scenario of the factor books alone; later words for a key count."""
    lines = {line.split(" = ")[0]: line for line in (*ALONE, *words)}
    return invented_scenario(folder, *lines.values(), days=days)


def played(folder: Path, *words: str) -> BlockResult:
    scenario = said(folder, *words)
    return simulate(setting(market(), scenario, 1), first_path=0, paths=2)


def test_books_open_as_many_yuan_long_as_short_at_their_leverage(tmp_path: Path) -> None:
    run = crowded(tmp_path)
    now = run.accounts()
    assert now.stocks is not None
    gross = np.abs(now.stocks).sum(axis=2)
    np.testing.assert_allclose(now.stocks.sum(axis=2), 0.0, atol=1e-9 * gross.max())
    wanted = [8.0, *(8.0 * each[0] for each in STARTS.values()), 0.0]
    np.testing.assert_allclose(gross / now.equity, np.tile(wanted, (2, 1)), rtol=1e-9)
    np.testing.assert_allclose(now.gross, gross)
    assert now.equity.sum(axis=1) == pytest.approx(np.full(2, 0.5 * (20e9 + 3e9)))


def test_the_first_seller_sells_what_it_is_long_and_buys_back_what_it_is_short(
    tmp_path: Path,
) -> None:
    run = crowded(tmp_path)
    before, cash = run.ledger.signed.copy(), run.ledger.cash.copy()
    background = run.ledger.background.copy()
    step(run, 0, 0)
    left = run.ledger.signed[:, 0] / before[:, 0]
    # An eighth of a third a bar, at the price the bar ends at, orders in yuan of the last one.
    assert ((left > 0.9) & (left < 1.0)).all()
    assert (run.ledger.signed[:, 1:] == before[:, 1:]).all()
    moved = run.ledger.signed - before
    np.testing.assert_allclose(run.ledger.background - background, -moved.sum(axis=1), rtol=1e-6)
    net = (moved * run.prices.price[:, None]).sum(axis=2)[:, 0]
    costs = run.tally.costs[:, 0]
    assert (costs > 0.0).all()
    np.testing.assert_allclose(run.ledger.cash[:, 0] - cash[:, 0], -net - costs, rtol=1e-9)


def test_without_the_unwind_nobody_trades_at_first(tmp_path: Path) -> None:
    run = crowded(tmp_path, "agents.factor_books.unwind = false")
    step(run, 0, 0)
    assert run.scratch.bought.sum() == 0.0
    assert run.scratch.sold.sum() == 0.0


def test_a_stock_trades_no_more_a_bar_than_the_participation_limit_of_its_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watched(run: Run, day: int, bar: int) -> None:
        before = run.ledger.signed.copy()
        step(run, day, bar)
        yuan = np.abs(run.ledger.signed - before) * run.prices.price[:, None]
        stocks = run.setting.market.stocks
        seen.append((yuan.sum(axis=1) / (stocks.adv * run.setting.dt)).max())

    monkeypatch.setattr(simulation, "step", watched)
    played(tmp_path, "noise.participation = 0.02", "agents.factor_books.unwind_days = 0.5")
    assert max(seen) == pytest.approx(0.02 / 0.98, rel=1e-6)  # 2% of the volume with it


def test_a_flow_along_a_style_moves_each_stock_by_the_multiplier_times_its_share_of_float(
    tmp_path: Path,
) -> None:
    """The law of the size groups on another label: move = multiplier x flow / float."""
    run = crowded(tmp_path, "impact.fast_share = 1.0")
    assert run.styles is not None
    cap = run.setting.market.stocks.free_float_cap
    flow = 1e-4 * run.styles.labels.score[0, 0] * cap
    run.scratch.purchases[:] = np.maximum(flow, 0.0)
    run.scratch.sales[:] = np.maximum(-flow, 0.0)
    run.scratch.filled_purchases[:] = run.scratch.filled_sales[:] = 1.0
    run.scratch.own[:] = 0.0
    move_styles(run)
    wanted = run.setting.scenario.impact.multiplier * flow / cap
    np.testing.assert_allclose(run.scratch.own, np.tile(wanted, (2, 1)), rtol=1e-9, atol=1e-15)


def test_a_flow_spread_by_float_moves_no_style(tmp_path: Path) -> None:
    run = crowded(tmp_path)
    run.scratch.purchases[:] = 1e-4 * run.setting.market.stocks.free_float_cap
    run.scratch.filled_purchases[:] = 1.0
    run.scratch.own[:] = 0.0
    move_styles(run)
    assert np.abs(run.scratch.own).max() < 1e-15


def test_style_moves_fade_as_the_fast_and_slow_parts_of_a_group_do(tmp_path: Path) -> None:
    run = crowded(tmp_path)
    assert run.styles is not None
    run.styles.fast[:], run.styles.slow[:] = -0.01, -0.01
    terms = run.setting.scenario.impact
    move_styles(run)
    np.testing.assert_allclose(run.styles.fast, -0.01 * np.exp(-run.setting.dt / terms.fast_life))
    resisted = (1.0 - terms.value_resistance) * (0.01 / terms.value_scale) ** 2
    slow = -0.01 * np.exp(-run.setting.dt * (1.0 + resisted) / terms.slow_life)
    np.testing.assert_allclose(run.styles.slow, slow)


def test_the_unwind_lowers_what_all_hold_alike_and_the_channel_off_lowers_it_less(
    tmp_path: Path,
) -> None:
    def nav(*words: str) -> float:
        books = played(tmp_path, *words).tables["agents"]
        own = books.filter(kind="factor_books", cell="patient")
        return float(own.sort("path", "date")["nav"][-1])

    still = nav("agents.factor_books.unwind = false")
    off = nav("channels.style_impact = false")
    on = nav()
    assert on < off
    assert on < still - 0.01


def test_result_does_not_depend_on_the_block(tmp_path: Path) -> None:
    both = played(tmp_path).tables["daily"]
    scenario = said(tmp_path)
    one = simulate(setting(market(), scenario, 1), first_path=1, paths=1).tables["daily"]
    assert both.filter(path=1).equals(one)


def test_gauges_are_those_of_the_monitor(tmp_path: Path) -> None:
    now = setting(market(), invented_scenario(tmp_path), 1)
    draw = np.random.default_rng(5)
    before, today = 0.02 * draw.standard_normal((2, 3, len(now.slope)))
    made = contrarian_return(before, today, now)
    for path in range(3):
        past, after = (each[path][now.counted] for each in (before, today))
        assert made[path] == pytest.approx(contrarian(past, after, 8.0).levered, rel=1e-9)
    assert np.isnan(style_return("value", today, now)).all()
    assert np.isfinite(style_return("momentum", today, now)).all()


def test_the_first_day_rests_on_the_returns_of_the_snapshot(tmp_path: Path) -> None:
    known = played(tmp_path).tables["daily"]["contrarian_return"]
    assert known.null_count() == 0
    plain = replace(market(), last_return=None)
    scenario = said(tmp_path)
    daily = simulate(setting(plain, scenario, 1), first_path=0, paths=2).tables["daily"]
    first = daily["date"] == daily["date"].min()
    assert daily.filter(first)["contrarian_return"].null_count() == 2
    assert daily.filter(~first)["contrarian_return"].null_count() == 0


def test_an_unknown_style_and_books_beyond_the_float_are_refused(tmp_path: Path) -> None:
    bare = setting(replace(market(), styles={}), said(tmp_path), 1)
    with pytest.raises(MarketError, match="does not know the style"):
        open_run(bare, 0, 1, None)
    with pytest.raises(RunError, match="more of a stock than its float"):
        open_run(setting(market(), said(tmp_path, *HUGE), 1), 0, 1, None)
