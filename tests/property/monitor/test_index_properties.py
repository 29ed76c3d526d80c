"""Gauges of crowding: symmetric, monotone, and blind to what they should not see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crowdfall.monitor.indices import contrarian, endogenous_risk
from crowdfall.types import Float64

sizes = st.tuples(st.integers(1, 6), st.integers(1, 5))
books = sizes.flatmap(lambda s: arrays(float, s, elements=st.floats(0.0, 1e3)))
returns = st.integers(2, 8).flatmap(
    lambda n: arrays(float, (2, n), elements=st.floats(-0.2, 0.2).map(lambda x: round(x, 4)))
)


@given(books, st.floats(1.0, 10.0))
def test_risk_grows_with_the_square_of_holdings_and_falls_with_depth(
    held: Float64, times: float
) -> None:
    depth = np.linspace(100.0, 500.0, held.shape[1])
    one = endogenous_risk(held, depth)
    np.testing.assert_allclose(one.matrix, one.matrix.T)
    assert (one.vector >= 0).all()
    assert np.linalg.norm(one.vector) == pytest.approx(1.0)
    larger = endogenous_risk(times * held, depth).eigenvalue
    assert larger == pytest.approx(times**2 * one.eigenvalue, rel=1e-9, abs=1e-9)
    deeper = endogenous_risk(held, times * depth).eigenvalue
    assert deeper == pytest.approx(one.eigenvalue / times, rel=1e-9, abs=1e-9)
    # The top eigenvalue is what the worst mix of institutions loses.
    lost = one.vector @ one.matrix @ one.vector
    assert lost == pytest.approx(one.eigenvalue, rel=1e-6, abs=1e-6)


@given(returns, st.floats(-0.1, 0.1), st.floats(0.5, 2.0))
def test_contrarian_book_is_neutral_to_the_market_and_to_scale(
    days: Float64, market: float, scale: float
) -> None:
    today, after = days
    assume(np.abs(today - today.mean()).sum() > 1e-3)
    plain = contrarian(today, after)
    assert plain.weights.sum() == pytest.approx(0.0, abs=1e-12)
    moved = contrarian(scale * today + market, after + market)
    assert moved.unlevered == pytest.approx(plain.unlevered, abs=1e-9)
    assert contrarian(today, after, 2.0).levered == pytest.approx(plain.unlevered, abs=1e-15)


def test_those_who_overlap_nobody_have_no_part_in_the_top() -> None:
    found = endogenous_risk([[50, 50, 0], [40, 20, 0], [0, 0, 1]], [100, 100, 100])
    assert found.vector[2] == pytest.approx(0.0, abs=1e-12)
    assert found.vector[:2].min() > 0.1
