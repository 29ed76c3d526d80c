"""The market that comes with the package: invented, always the same, and whole."""

from __future__ import annotations

import json
import time
from datetime import date

import numpy as np
import polars as pl
import pytest

from crowdfall.data.schema import FUTURES_BARS, INDEX_BARS
from crowdfall.data.sources.synthetic import SyntheticSource, draw_returns, table, uniforms
from crowdfall.errors import MarketError
from crowdfall.market import store
from crowdfall.market.build import build
from crowdfall.market.snapshot import BOARDS, GROUPS, INDICES, Market
from crowdfall.rules.price_limits import board_of

ON = date(2023, 12, 29)


@pytest.fixture(scope="module")
def market() -> Market:
    return store.bundled()


def test_the_bundled_market_is_always_the_same_and_quick(market: Market) -> None:
    began = time.perf_counter()
    again = build(SyntheticSource(), ON)
    assert time.perf_counter() - began < 2.0
    assert again.digest == market.digest


def test_another_seed_is_another_draw_from_the_same_tables(market: Market) -> None:
    other = build(SyntheticSource(seed=2), ON)
    assert other.digest != market.digest
    for g in range(len(GROUPS)):
        mine = np.sort(market.stocks.total_cap[market.stocks.group == g])
        np.testing.assert_allclose(np.sort(other.stocks.total_cap[other.stocks.group == g]), mine)


def test_codes_parse_sort_and_tell_the_board(market: Market) -> None:
    stocks = market.stocks
    assert (np.sort(stocks.symbol) == stocks.symbol).all()
    assert len(set(stocks.symbol.tolist())) == len(stocks)
    assert [board_of(s) for s in stocks.symbol] == [BOARDS[b] for b in stocks.board]


def test_caps_are_nested_and_all_numbers_are_finite(market: Market) -> None:
    stocks = market.stocks
    assert (stocks.float_cap <= stocks.total_cap * (1 + 1e-12)).all()
    assert (stocks.free_float_cap <= stocks.float_cap * (1 + 1e-12)).all()
    for values in (stocks.adv, stocks.turnover, stocks.volatility, stocks.residual_volatility):
        assert (np.isfinite(values) & (values > 0)).all()


def test_special_treatment_is_on_the_main_board_with_its_narrow_limit(market: Market) -> None:
    stocks = market.stocks
    assert stocks.is_st.sum() == sum(one["st"] for one in table("stocks")["groups"].values())
    assert (stocks.board[stocks.is_st] == 0).all()
    assert set(np.unique(stocks.limit[stocks.is_st])) == {0.05}
    assert set(np.unique(stocks.limit[~stocks.is_st])) == {0.1, 0.2}


def test_indices_have_their_number_of_members_inside_their_group(market: Market) -> None:
    for name, count in zip(INDICES, (300, 500, 1000, 2000, 400), strict=True):
        held = market.weights[name] > 0
        assert held.sum() == count
        assert (market.stocks.group[held] == GROUPS.index(name)).all()
        assert not market.stocks.is_st[held].any()


def test_history_has_the_law_it_was_drawn_from(market: Market) -> None:
    law = table("history")
    drawn = draw_returns(law | {"recent_sd": 1.0}, 1456, 5)[:-60]
    assert market.history.returns.shape == (1456, 6)
    columns = [GROUPS.index(name) for name in INDICES]
    correlation = np.corrcoef(market.history.returns[:, columns].T)
    np.testing.assert_allclose(correlation, law["correlation"], atol=0.01)
    np.testing.assert_allclose(drawn.std(axis=0), law["sd"], rtol=0.06)
    recent = market.history.returns[-60:, 0].std(ddof=1)
    assert recent == pytest.approx(law["recent_sd"], rel=1e-6)


def test_volatility_clusters_and_tails_are_fat(market: Market) -> None:
    moves = market.history.returns[:, 1]
    squared = (moves - moves.mean()) ** 2
    lagged = np.mean([np.corrcoef(squared[:-k], squared[k:])[0, 1] for k in range(1, 11)])
    assert lagged > 0.05
    kurtosis = (squared**2).mean() / squared.mean() ** 2
    assert kurtosis > 4.0


def test_levels_end_where_they_were_published(market: Market) -> None:
    assert market.levels["csi300"] == pytest.approx(3431.1099)
    assert market.levels["csi1000"] == pytest.approx(5887.235)
    assert market.levels["microcap"] == pytest.approx(287190.5)


def test_tables_keep_the_schema_and_the_span() -> None:
    source = SyntheticSource()
    bars = source.index_bars(date(2023, 12, 1), ON, ("csi500",))
    assert bars.columns == list(INDEX_BARS.names)
    assert bars["index"].unique().to_list() == ["csi500"]
    assert bars.height == 21
    assert source.futures_bars(ON, ON).columns == list(FUTURES_BARS.names)
    assert source.futures_bars(date(2024, 1, 2), date(2024, 1, 3)).is_empty()


def test_every_bundled_table_names_its_source_and_date() -> None:
    for name in ("stocks", "quotes", "history"):
        content = table(name)
        assert content["date"] == "2023-12-29"
        assert content["source"]
        assert content["title"]


def test_the_bundled_tables_hold_no_code_and_no_row_of_a_stock() -> None:
    text = json.dumps(table("stocks"))
    assert ".SH" not in text
    assert ".SZ" not in text
    quantiles = len(table("stocks")["levels"])
    for group in table("stocks")["groups"].values():
        assert all(len(values) == quantiles for values in group["quantiles"].values())
        assert group["count"] > 4 * quantiles


def test_another_date_is_refused() -> None:
    with pytest.raises(MarketError, match="The synthetic market is of 2023-12-29"):
        build(SyntheticSource(), date(2024, 1, 2))


def test_uniforms_lie_inside_and_do_not_repeat_between_streams() -> None:
    one, two = uniforms(1, 0, 1000, 3), uniforms(1, 1, 1000, 3)
    assert ((one > 0) & (one < 1)).all()
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.05
    assert pl.Series(one.ravel()).n_unique() == 3000
