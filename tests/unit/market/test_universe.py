"""Index members, weights and size groups by the published rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from crowdfall.errors import MarketError
from crowdfall.market import universe
from crowdfall.market.build import build
from crowdfall.market.characteristics import measure_caps
from crowdfall.market.panel import Panel, read_panel
from crowdfall.market.snapshot import GROUPS, Market
from invented_bars import ON, TableSource, invented_source


@pytest.fixture(scope="module")
def source() -> TableSource:
    return invented_source()


@pytest.fixture(scope="module")
def panel(source: TableSource) -> Panel:
    return read_panel(source, source.bars["date"].min(), ON)


@pytest.fixture(scope="module")
def market(source: TableSource) -> Market:
    return build(source, ON)


def test_indices_do_not_overlap_and_leave_out_special_treatment(panel: Panel) -> None:
    inside = universe.members(panel, measure_caps(panel))
    assert np.sum(list(inside.values()), axis=0).max() == 1
    assert not any((held & panel.is_st).any() for held in inside.values())
    assert [int(inside[name].sum()) for name in ("csi300", "csi500", "csi1000")] == [300, 500, 1000]


def test_a_liquidity_screen_passes_over_an_idle_giant(panel: Panel) -> None:
    amount = panel.amount.copy()
    amount[:, 0] = 1.0
    idle = replace(panel, amount=amount)
    inside = universe.members(idle, measure_caps(panel))
    assert not any(held[0] for held in inside.values())
    assert inside["csi300"][1]


def test_a_new_listing_waits_for_the_next_review(panel: Panel) -> None:
    close = panel.close.copy()
    close[:-30, 0] = np.nan
    inside = universe.members(replace(panel, close=close), measure_caps(panel))
    assert not inside["csi300"][0]


def test_micro_group_is_the_400_smallest_without_special_treatment(market: Market) -> None:
    stocks = market.stocks
    micro = stocks.group == GROUPS.index("microcap")
    assert micro.sum() == universe.MICRO
    others = ~micro & ~stocks.is_st
    assert stocks.total_cap[micro].max() <= stocks.total_cap[others].min()
    assert not stocks.is_st[micro].any()


def test_who_is_in_no_index_goes_where_its_cap_rank_belongs(market: Market) -> None:
    stocks = market.stocks
    outside = ~np.any([weight > 0 for weight in market.weights.values()], axis=0)
    rank = np.argsort(np.argsort(-stocks.total_cap))
    expected = np.searchsorted(universe.RANKS, rank, side="right")
    assert (stocks.group[outside] == expected[outside]).all()
    assert (stocks.group[outside & (rank < 300)] == 0).all()


def test_weights_sum_to_one_and_micro_weights_are_equal(market: Market) -> None:
    for weight in market.weights.values():
        assert abs(weight.sum() - 1.0) < 1e-12
    micro = market.weights["microcap"]
    assert set(np.unique(micro)) == {0.0, 1.0 / universe.MICRO}


def test_a_universe_without_small_stocks_is_refused() -> None:
    small = invented_source(count=500)
    with pytest.raises(MarketError, match="finds no members"):
        build(small, ON)


@pytest.mark.parametrize(
    ("on", "effective", "cut"),
    [
        (date(2023, 12, 8), date(2023, 6, 12), date(2023, 4, 30)),
        (date(2023, 12, 11), date(2023, 12, 11), date(2023, 10, 31)),
        (date(2024, 2, 5), date(2023, 12, 11), date(2023, 10, 31)),
        (date(2024, 6, 14), date(2023, 12, 11), date(2023, 10, 31)),
        (date(2024, 6, 17), date(2024, 6, 17), date(2024, 4, 30)),
    ],
)
def test_review_dates_of_record(on: date, effective: date, cut: date) -> None:
    review = universe.last_review(on)
    assert (review.effective, review.cut) == (effective, cut)
