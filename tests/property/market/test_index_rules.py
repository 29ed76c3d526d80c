"""What holds of reviews, categories, weights and the smallest stocks for any input."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crowdfall.data.calendar import is_session
from crowdfall.market.characteristics import exposure, fill, free_float
from crowdfall.market.universe import category, last_review, smallest, weights

caps = arrays(np.float64, st.integers(2, 60), elements=st.floats(1e8, 1e13))


@given(st.dates(date(2006, 1, 1), date(2025, 12, 31)))
def test_a_review_is_in_force_until_the_next(on: date) -> None:
    review = last_review(on)
    assert review.first < review.cut < review.effective <= on
    assert is_session(review.effective)
    assert review.effective.month in (6, 12)
    assert (on - review.effective).days < 190
    eve = last_review(review.effective - timedelta(days=1))
    assert eve.effective < review.effective
    assert last_review(review.effective) == review


@given(arrays(np.float64, 20, elements=st.floats(0.0, 1.5)))
def test_a_category_rounds_up_and_never_beyond_all(share: np.ndarray) -> None:
    rounded = category(share)
    assert (rounded >= np.minimum(share, 1.0) - 1e-9).all()
    assert (rounded <= 1.0).all()
    assert (rounded - np.minimum(share, 1.0) <= 0.2).all()


@given(caps, st.integers(1, 80))
def test_the_smallest_are_smaller_than_the_rest(total: np.ndarray, count: int) -> None:
    eligible = np.array([k % 3 > 0 for k in range(len(total))])
    chosen = smallest(total, eligible, count)
    assert chosen.sum() == min(count, eligible.sum())
    assert not (chosen & ~eligible).any()
    rest = eligible & ~chosen
    if chosen.any() and rest.any():
        assert total[chosen].max() <= total[rest].min()


@given(caps)
def test_weights_are_shares_of_the_members(total: np.ndarray) -> None:
    held = np.arange(len(total)) % 2 == 0
    found = weights({"csi300": held}, total, 0.5 * total, ~held)
    for weight in found.values():
        assert abs(weight.sum() - 1.0) < 1e-9
        assert (weight >= 0).all()
    assert (found["csi300"][~held] == 0).all()


@given(caps)
def test_exposure_orders_as_cap_does(total: np.ndarray) -> None:
    size = exposure(total)
    order = np.argsort(total, kind="stable")
    assert (np.diff(size[order]) >= -1e-9).all()
    assert np.isfinite(size).all()


@given(caps)
def test_free_float_is_never_above_float(total: np.ndarray) -> None:
    assert (free_float(total, total * 0.004) <= total).all()


@given(arrays(np.float64, 30, elements=st.one_of(st.just(np.nan), st.floats(0, 1))))
def test_fill_changes_only_what_is_missing(values: np.ndarray) -> None:
    group = (np.arange(30) % 6).astype(np.int8)
    filled = fill(values, group)
    known = ~np.isnan(values)
    np.testing.assert_array_equal(filled[known], values[known])
    assert np.isnan(filled).all() or not np.isnan(filled).any()
