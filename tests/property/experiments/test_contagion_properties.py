"""Fire sales of any banks: order is irrelevant, calm stays calm, more shock never means less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crowdfall.errors import TermsError
from crowdfall.experiments.theory import in_engine
from crowdfall.experiments.theory.balance_sheets import Rule, Sheets, fire_sale
from crowdfall.experiments.theory.contagion import (
    Banks,
    Equilibria,
    Impact,
    respond,
    solve,
)
from crowdfall.experiments.theory.overlap import cascade
from crowdfall.experiments.theory.threshold import Depth, deleverage
from crowdfall.types import Float64

money = st.floats(0.0, 1000.0).map(lambda x: round(x, 3))
positive = st.floats(1.0, 1000.0).map(lambda x: round(x, 3))
MEETS = {"rtol": 1e-6, "atol": 1e-9}


@st.composite
def systems(draw: st.DrawFn) -> tuple[Banks, Impact, Float64]:
    count, assets = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    wide = arrays(float, (count, assets), elements=money)
    banks = Banks(
        holdings=draw(wide),
        equity=draw(arrays(float, count, elements=positive)),
        other=draw(arrays(float, count, elements=money)),
        leverage=draw(arrays(float, count, elements=st.floats(1.5, 40.0))),
    )
    # A linear law or a flatter one leaves no tangency at zero, where iteration would crawl.
    impact = Impact(
        depth=draw(arrays(float, assets, elements=st.floats(2e3, 1e5))),
        exponent=draw(st.sampled_from([0.5, 0.7, 1.0])),
    )
    return banks, impact, draw(arrays(float, assets, elements=st.floats(0.0, 0.6)))


def ends(banks: Banks, impact: Impact, shock: Float64 | float = 0.0) -> Equilibria:
    """Return both equilibria; a market at its tipping point, where rounds crawl, is no example."""
    try:
        return solve(banks, impact, shock)
    except TermsError:
        assume(False)
        raise


@given(systems())
@settings(max_examples=60)
def test_both_ends_are_equilibria_in_order(case: tuple[Banks, Impact, Float64]) -> None:
    banks, impact, shock = case
    found = ends(banks, impact, shock)
    for end in (found.least, found.greatest):
        np.testing.assert_allclose(respond(banks, impact, shock, end.drop), end.drop, atol=1e-12)
        assert ((end.sold_share >= 0) & (end.sold_share <= 1)).all()
    assert (found.least.drop <= found.greatest.drop + 1e-12).all()


@given(systems(), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_order_of_banks_is_irrelevant(case: tuple[Banks, Impact, Float64], random: Any) -> None:  # noqa: ANN401
    banks, impact, shock = case
    order = list(range(len(banks.equity)))
    random.shuffle(order)
    names = ("holdings", "equity", "other", "leverage")
    mixed = Banks(**{name: getattr(banks, name)[order] for name in names})
    one, other = ends(banks, impact, shock), ends(mixed, impact, shock)
    for end in ("least", "greatest"):
        first, second = getattr(one, end), getattr(other, end)
        np.testing.assert_allclose(first.drop, second.drop, **MEETS)
        np.testing.assert_allclose(first.sold_share[order], second.sold_share, **MEETS)


@given(systems())
@settings(max_examples=60)
def test_no_shock_and_nobody_above_its_cap_gives_no_sale(
    case: tuple[Banks, Impact, Float64],
) -> None:
    banks, impact, _ = case
    calm = (banks.holdings.sum(axis=1) + banks.other) / banks.equity + 1.0
    within = Banks(
        holdings=banks.holdings, equity=banks.equity, other=banks.other,
        leverage=np.maximum(calm, banks.leverage),
    )  # fmt: skip
    least = ends(within, impact).least
    assert not least.sold_share.any()
    assert not least.drop.any()


@given(systems(), st.floats(0.0, 0.3))
@settings(max_examples=60)
def test_least_equilibrium_never_falls_when_the_shock_rises(
    case: tuple[Banks, Impact, Float64], more: float
) -> None:
    banks, impact, shock = case
    before, after = (ends(banks, impact, np.minimum(s, 1.0)) for s in (shock, shock + more))
    assert (after.least.drop >= before.least.drop - 1e-12).all()
    assert (after.least.sold_share >= before.least.sold_share - 1e-9).all()
    assert (after.greatest.drop >= before.greatest.drop - 1e-12).all()


@given(systems())
@settings(max_examples=40)
def test_threshold_rounds_lower_prices_and_do_nothing_below_the_cap(
    case: tuple[Banks, Impact, Float64],
) -> None:
    banks, _, _ = case
    assets = banks.holdings.shape[1]
    depth = Depth(adv=np.full(assets, 50.0), volatility=np.full(assets, 0.02))
    leverage = (banks.holdings.sum(axis=1) + banks.other) / banks.equity
    words = (banks.holdings, banks.other, banks.equity, depth)
    cap = max(float(leverage.max()) * 0.7, 1.2)
    price = np.ones(assets)
    for step in deleverage(*words, cap=cap, target=max(0.95 * cap, 1.1), most_rounds=50):
        assert (step.price <= price + 1e-12).all()
        assert (step.price >= depth.floor - 1e-12).all()
        price = step.price
    calm = max(float(leverage.max()) + 0.1, 1.2)
    assert deleverage(*words, cap=calm, target=calm) == []


@st.composite
def sheets(draw: st.DrawFn) -> Sheets:
    count = draw(st.integers(1, 6))
    column = arrays(float, count, elements=money)
    cash, other, held = draw(column), draw(column), draw(arrays(float, (count, 2), elements=money))
    debt = draw(arrays(float, count, elements=st.floats(0.3, 0.99)))
    total = cash + other + held.sum(axis=1)
    return Sheets(
        cash=cash, holdings=held, other=other, loans=0.5 * debt * total,
        other_debt=0.5 * debt * total,
    )  # fmt: skip


@given(sheets(), st.floats(0.0, 0.5), st.floats(0.0, 0.2), st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_balance_sheets_in_any_order_sell_the_same(
    start: Sheets,
    shock: float,
    impact: float,
    random: Any,  # noqa: ANN401
) -> None:
    order = list(range(len(start)))
    random.shuffle(order)
    names = ("cash", "holdings", "other", "loans", "other_debt")
    mixed = Sheets(**{name: getattr(start, name)[order] for name in names})
    one, other = (fire_sale(s, [0.0, shock], impact) for s in (start, mixed))
    assert one.defaults == other.defaults
    np.testing.assert_allclose(one.sold, other.sold, **MEETS)
    assert (np.diff(one.sold) >= -1e-12).all()
    assert one.sold[-1] <= 1.0 + 1e-9


@given(sheets())
@settings(max_examples=40)
def test_balance_sheets_without_shock_or_breach_sell_nothing(start: Sheets) -> None:
    total = start.assets(np.ones(2))
    ratio = (total - start.loans - start.other_debt) / np.where(total > 0, total, 1.0)
    line = max(min(float(ratio.min()) - 1e-9, 0.5), 1e-6)
    found = fire_sale(start, [0.0, 0.0], 0.05, Rule(minimum=line / 3, buffer=line, target=line))
    assert not found.sold.any() or float(ratio.min()) <= line
    assert total.min() == 0.0 or sum(found.defaults) == 0


@given(systems(), st.floats(0.0, 3.0), st.floats(0.0, 3.0))
@settings(max_examples=60)
def test_cascade_grows_with_the_rate_and_needs_a_first_failure(
    case: tuple[Banks, Impact, Float64], rate: float, more: float
) -> None:
    held, equity = case[0].holdings, case[0].equity / 10
    assert not cascade(held, equity, np.zeros(len(equity)), rate).failed.any()
    first = np.zeros(len(equity))
    first[0] = 1.0
    mild, hard = (cascade(held, equity, first, r) for r in (rate, rate + more))
    assert (hard.failed | ~mild.failed).all()


@given(st.integers(1, 60), st.sampled_from([0.5, 0.6, 1.0]), st.floats(0.01, 3.0))
@settings(max_examples=15)
def test_bars_of_the_engine_are_labels_only(bars: int, exponent: float, volume: float) -> None:
    whole = in_engine.sliced_impact(1, exponent, volume)
    assert in_engine.sliced_impact(bars, exponent, volume) == pytest.approx(whole, rel=1e-9)
    assert whole < 0.0
