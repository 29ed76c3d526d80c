"""The scenario aug2007: its parameters are those of feb2024, and what can't be played is said."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date

import pytest

from crowdfall.engine.costs import costs_of
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.errors import MarketError, ScenarioError
from crowdfall.experiments.targets.load import load as targets
from crowdfall.market import store
from crowdfall.scenarios.check import FUTURES_TRADERS
from crowdfall.scenarios.load import load
from crowdfall.scenarios.schema import PARTICIPANTS


def test_impact_liquidity_and_margin_are_those_of_the_fit() -> None:
    ours, theirs = load("aug2007"), load("feb2024")
    assert ours.impact == theirs.impact
    assert ours.noise == theirs.noise
    assert ours.agents.trend_retail == theirs.agents.trend_retail
    books, dma = ours.agents.factor_books, theirs.agents.dma
    for name in ("cut_rate", "cut_drawdown", "urgency", "patience"):
        assert getattr(books, name) == getattr(dma, name)
    assert books.call_line == pytest.approx(dma.top_up_line / dma.initial_margin)
    assert books.liquidation_line == pytest.approx(dma.liquidation_line / dma.initial_margin)
    assert books.leverage == 8.0


def test_nobody_takes_part_who_needs_what_new_york_does_not_have() -> None:
    agents = load("aug2007").agents
    assert {n for n in PARTICIPANTS if getattr(agents, n).enabled} == {
        "trend_retail", "factor_books",
    }  # fmt: skip
    assert set(FUTURES_TRADERS) <= set(PARTICIPANTS)


def test_sessions_and_costs_are_those_of_the_venue() -> None:
    scenario = load("aug2007")
    assert scenario.sessions[0] == date(2007, 8, 6)
    assert len(scenario.sessions) == 10
    costs = costs_of(scenario)
    assert costs.buy == costs.sell == scenario.venue.cost
    assert costs.futures == 0.0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["venue.futures=true"], "venue.futures = true needs rules"),
        (["channels.price_limits=true"], "channels.price_limits = true needs rules"),
        (["agents.dma.enabled=true"], "agents.dma.enabled = true, but the venue lists no"),
        (["clock.start=2007-07-04"], "2007-07-04"),
        (["venue.exchange=london"], "shanghai, new_york"),
        (["agents.factor_books.leverage=50"], "agents.factor_books.leverage"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], sentence: str) -> None:
    with pytest.raises(ScenarioError, match=sentence):
        load("aug2007", words)


def test_chinese_market_is_refused_by_its_date() -> None:
    with pytest.raises(MarketError, match="2023-12-29"):
        setting(store.bundled(), load("aug2007"), 1)


def test_tables_without_futures_hold_no_contract_and_no_basis() -> None:
    scenario = load("aug2007", ["clock.end=2007-08-08"])
    market = store.named(scenario.venue.market)
    played = simulate(setting(market, scenario, 1), first_path=0, paths=1)
    assert played.tables["futures"].height == 0
    daily = played.tables["daily"]
    for name in ("basis_front_ic", "basis_far_im", "open_interest_im"):
        assert daily[name].null_count() == daily.height
    for name in ("limit_down_count", "limit_up_count", "knocked_in_share_csi500", "rescue_csi300"):
        assert daily[name].sum() == 0
    assert daily["contrarian_return"].null_count() == 0


def test_the_unwind_off_changes_only_what_the_unwind_does() -> None:
    """Same draws with and without: where nobody trades, prices are the same."""
    market = store.named("us2007")
    off = [
        simulate(setting(market, load("aug2007", ["clock.end=2007-08-08", *words]), 1),
                 first_path=0, paths=1).tables["daily"]["contrarian_return"].to_list()
        for words in (["agents.factor_books.unwind=false"], ["agents.factor_books.capital=0"])
    ]  # fmt: skip
    assert off[0] == pytest.approx(off[1], abs=1e-12)


def test_targets_of_the_panel_are_free_and_those_published_are_shown_beside() -> None:
    kinds = {target.id: target.kind for target in targets("aug2007")}
    assert {name for name, kind in kinds.items() if kind == "free"} == {
        "A1", "A2", "A3", "A4", "A5", "A6",
    }  # fmt: skip
    assert {name for name, kind in kinds.items() if kind == "input"} == {"E1a", "E1b", "E2"}


def test_the_bundled_us_market_has_groups_of_equal_count_and_styles() -> None:
    market = store.bundled_us()
    assert market.date == date(2007, 8, 6)
    assert market.last_return is not None
    assert set(market.styles) == {"momentum", "reversal"}
    assert all(abs(score.mean()) < 1e-9 for score in market.styles.values())
    assert all(symbol.startswith("US") for symbol in market.stocks.symbol)
    same = replace(market, styles={})
    assert same.digest != market.digest
    assert {item.name for item in fields(same)} >= {"styles", "last_return", "currency"}
