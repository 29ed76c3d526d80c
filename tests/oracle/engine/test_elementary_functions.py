"""Exponentials, logarithms and sums of the loops against numpy, to the last digits."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import pytest

from crowdfall.engine.kernels import elementary
from crowdfall.engine.kernels.elementary import LANES, add, clear, dot, multiply, sum_up, total
from crowdfall.types import Float64


@nb.njit  # type: ignore[untyped-decorator]
def _map(x: Float64, out: Float64, logarithm: bool) -> None:
    for i in range(len(x)):
        out[i] = elementary.log(x[i]) if logarithm else elementary.exp(x[i])


def test_exp_is_right_to_the_last_digits() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([np.linspace(-699, 699, 40_001), 0.2 * rng.standard_normal(40_000), [0.0]])
    out = np.empty_like(x)
    _map(x, out, False)
    np.testing.assert_allclose(out, np.exp(x), rtol=1e-15)
    assert out[-1] == 1.0


def test_exp_stops_before_it_overflows() -> None:
    assert math.isfinite(elementary.exp(1e5))
    assert 0.0 < elementary.exp(-1e5) < 1e-300


def test_log_is_right_to_the_last_digits() -> None:
    near = 1.0 + 1e-3 * np.random.default_rng(1).standard_normal(40_000)
    x = np.concatenate([np.geomspace(1e-300, 1e300, 40_001), near, [1.0]])
    out = np.empty_like(x)
    _map(x, out, True)
    np.testing.assert_allclose(out, np.log(x), rtol=1e-15, atol=1e-300)
    assert out[-1] == 0.0


@pytest.mark.parametrize("shift", range(4))
def test_a_number_does_not_know_its_place(shift: int) -> None:
    """In a vector, in its remainder or alone: the same bits."""
    x = np.random.default_rng(2).standard_normal(61)
    for logarithm in (False, True):
        whole, part = np.empty(61), np.empty(61 - shift)
        given = np.abs(x) if logarithm else x
        _map(given, whole, logarithm)
        _map(given[shift:], part, logarithm)
        np.testing.assert_array_equal(part, whole[shift:])


@pytest.mark.parametrize("count", [0, 1, LANES - 1, LANES, LANES + 1, 3 * LANES + 5, 2288])
def test_sums_are_those_of_exact_arithmetic(count: int) -> None:
    x, y = np.random.default_rng(count).standard_normal((2, count))
    lanes = np.empty(LANES)
    near = {"rel": 1e-12, "abs": 1e-12}
    assert dot(x, y, lanes) == pytest.approx(math.fsum(x * y), **near)
    assert sum_up(x, lanes) == pytest.approx(math.fsum(x), **near)
    lanes[:] = np.arange(LANES)
    assert total(lanes) == LANES * (LANES - 1) / 2


def test_arrays_are_multiplied_added_and_cleared() -> None:
    x, y, out = np.arange(5.0), np.arange(5.0) + 1.0, np.full(5, np.nan)
    multiply(x, y, out)
    np.testing.assert_array_equal(out, x * y)
    add(x, out)
    np.testing.assert_array_equal(out, x * y + x)
    clear(out)
    assert not out.any()
