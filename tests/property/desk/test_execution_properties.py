"""Costs of execution: faster and larger costs more, and the best schedule is the best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdfall.desk.execution import Terms, cost, schedule

shares = st.floats(1e3, 1e7)
days = st.floats(0.05, 5.0)
MARKET = {"adv": 5e6, "outstanding": 1e9, "volatility": 0.02}


@given(shares, days, st.floats(1.0, 5.0))
def test_larger_and_faster_cost_more(amount: float, over: float, times: float) -> None:
    paid = cost(amount, over, **MARKET)
    assert paid.total == pytest.approx(0.5 * paid.permanent + paid.temporary)
    assert cost(times * amount, over, **MARKET).total >= paid.total
    slower = cost(amount, times * over, **MARKET)
    assert slower.total <= paid.total
    assert slower.permanent == paid.permanent
    assert cost(0.0, over, **MARKET).total == 0.0


@st.composite
def sales(draw: st.DrawFn) -> Terms:
    return Terms(
        shares=draw(shares), days=draw(st.floats(1.0, 20.0)), trades=draw(st.integers(1, 30)),
        volatility=draw(st.floats(0.1, 2.0)), half_spread=draw(st.floats(0.0, 0.1)),
        permanent=draw(st.floats(0.0, 1e-8)), temporary=draw(st.floats(1e-6, 1e-5)),
    )  # fmt: skip


@given(sales(), st.floats(1e-9, 1e-4), st.randoms(use_true_random=False))
def test_no_other_schedule_is_cheaper_with_its_risk(
    terms: Terms, aversion: float, random: object
) -> None:
    def objective(trades: np.ndarray) -> float:
        return terms.expected(trades) + aversion * terms.deviation(trades) ** 2

    best = schedule(terms, aversion)
    assert best.trades.sum() == pytest.approx(terms.shares)
    assert (best.trades >= -1e-9 * terms.shares).all()
    assert (np.diff(best.trades) <= 1e-9 * terms.shares).all()
    draw = np.random.default_rng(terms.trades)
    for _ in range(5):
        other = draw.dirichlet(np.ones(terms.trades)) * terms.shares
        assert objective(best.trades) <= objective(other) * (1 + 1e-12)
