"""Limits follow the rules of the day; a suspended stock neither trades nor locks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine import simulate
from crowdfall.engine.limits import limits_on, log_limits
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import by_group, setting
from crowdfall.engine.step import step
from crowdfall.errors import ScenarioError
from crowdfall.market.snapshot import Market
from crowdfall.types import Float64
from invented_market import CRASH, invented_market, invented_scenario, play_days


@pytest.fixture(scope="module")
def market() -> Market:
    return invented_market(every=2)


def test_a_rule_that_changes_reaches_the_stocks_of_its_board(market: Market) -> None:
    ordinary = replace(market, stocks=replace(market.stocks, board=np.where(
        market.stocks.limit == 0.2, 1, 0).astype(np.int8)))  # fmt: skip
    special = ordinary.stocks.is_st & (ordinary.stocks.board == 0)
    assert special.any()
    np.testing.assert_array_equal(limits_on(ordinary, market.date), ordinary.stocks.limit)
    later = limits_on(ordinary, date(2026, 1, 5))  # special treatment has 10% by then
    np.testing.assert_array_equal(later[special], 0.10)
    np.testing.assert_array_equal(later[~special], ordinary.stocks.limit[~special])


def test_limits_start_from_the_rounded_close(market: Market, tmp_path: Path) -> None:
    scenario = invented_scenario(tmp_path)
    first = market.stocks.close
    price = np.full((1, len(first)), 4.4512)
    low, high = log_limits(market, scenario, market.date, price)
    main = np.flatnonzero(market.stocks.limit == 0.10)[0]
    assert first[main] * np.exp(low[0, main]) == pytest.approx(4.01, rel=1e-12)
    assert first[main] * np.exp(high[0, main]) == pytest.approx(4.90, rel=1e-12)
    off = replace(scenario, channels=replace(scenario.channels, price_limits=False))
    low, high = log_limits(market, off, market.date, price)
    assert np.isneginf(low).all()
    assert np.isposinf(high).all()


def test_suspended_stock_is_frozen_and_nobody_trades_it(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    symbol = str(market.stocks.symbol[7])
    days = play_days(4)
    halt = f'''[[suspension]]
symbol = "{symbol}"
start = {days[1]}
end = {days[2]}
source = "invented"'''
    scenario = invented_scenario(tmp_path, halt, moves=CRASH, rescue=30.0)
    row = int(np.flatnonzero(by_group(market).stocks.symbol == symbol)[0])
    price, held, total = np.zeros((3, 4, 8))

    def watched(run: Run, day: int, bar: int) -> None:
        step(run, day, bar)
        ledger = run.ledger
        price[day, bar] = run.prices.price[0, row]
        held[day, bar] = ledger.background[0, row]
        total[day, bar] = ledger.shares[0, :, row].sum() + ledger.background[0, row]
        assert not (day in (1, 2) and run.prices.counted[row])

    monkeypatch.setattr(simulate, "step", watched)
    daily = simulate.simulate(setting(market, scenario, 1), first_path=0, paths=1).tables["daily"]
    np.testing.assert_array_equal(price[1:3], price[0, -1])
    np.testing.assert_array_equal(held[1:3], held[0, -1])
    assert _moves(price[3]) == _moves(held[3]) == 8  # it resumes
    np.testing.assert_allclose(total, total[0, 0], rtol=1e-12)
    assert daily["stocks"].to_list() == [s - (k in (1, 2)) for k, s in enumerate(
        [daily["stocks"][0]] * 4)]  # fmt: skip


def _moves(values: Float64) -> int:
    return len(np.unique(values))


def test_unknown_suspended_stock_is_one_sentence(market: Market, tmp_path: Path) -> None:
    halt = """[[suspension]]
symbol = "600519.SH"
start = 2024-01-03
end = 2024-01-04
source = "invented"
"""
    with pytest.raises(ScenarioError, match=r"holds no stock 600519\.SH to suspend"):
        setting(market, invented_scenario(tmp_path, halt), 1)
    with pytest.raises(ScenarioError, match="before its start"):
        invented_scenario(tmp_path, halt.replace("2024-01-04", "2024-01-02"))
