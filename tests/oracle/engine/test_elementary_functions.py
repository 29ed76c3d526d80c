"""Exponentials, logarithms and sums of the loops against numpy, to the last digits."""

from __future__ import annotations

import math

import numba as nb
import numpy as np
import pytest

from crowdfall.engine.kernels import elementary
from crowdfall.engine.kernels.elementary import add, clear, list_flagged, multiply
from crowdfall.engine.kernels.vectors import LANES, dot, dots, fetch, sum_up
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


@nb.njit  # type: ignore[untyped-decorator]
def _sums(x: Float64, y: Float64) -> tuple[float, float]:
    return dot(x, y), sum_up(x)


@nb.njit  # type: ignore[untyped-decorator]
def _two(rows: Float64, first: int, y: Float64) -> tuple[float, float]:
    found: tuple[float, float] = dots(rows, (0, 2), (1, 1), first, y)
    return found


@nb.njit  # type: ignore[untyped-decorator]
def _fetched(rows: Float64) -> float:
    fetch(rows, len(rows) - 1, 1, rows.shape[1])
    last: float = rows[-1, -1]
    return last


def _in_lanes(terms: Float64) -> float:
    """Return the sum in the order of the kernels, one number after the other."""
    lanes = [0.0] * LANES
    for i, term in enumerate(terms.tolist()):
        lanes[i % LANES] += term
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [low + high for low, high in zip(lanes[:half], lanes[half:], strict=True)]
    return lanes[0]


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
    near = {"rel": 1e-12, "abs": 1e-12}
    product, whole = _sums(x, y)
    assert product == pytest.approx(math.fsum(x * y), **near)
    assert whole == pytest.approx(math.fsum(x), **near)
    assert (product, whole) == (_in_lanes(x * y), _in_lanes(x))


@pytest.mark.parametrize("count", [1, LANES - 1, LANES, 3 * LANES + 5])
def test_sums_of_rows_are_those_of_one_row_bit_for_bit(count: int) -> None:
    rng = np.random.default_rng(count)
    rows, y, first = rng.standard_normal((3, count + 7)), rng.standard_normal(count), 7
    assert _two(rows, first, y) == (_sums(rows[0, 7:], y)[0], _sums(rows[2, 7:], y)[0])
    assert _fetched(rows) == rows[-1, -1]


@pytest.mark.parametrize("flagged", [[], [3], [70, 71, 199], list(range(3, 200))])
def test_flagged_places_are_listed_in_order(flagged: list[int]) -> None:
    flags, out = np.zeros(230, np.bool_), np.full(231, -1)
    flags[flagged] = True
    flags[[0, 200]] = True  # outside
    assert list_flagged(flags, 3, 200, 2, out) == len(flagged)
    np.testing.assert_array_equal(out[: len(flagged)], np.array(flagged, np.int64) - 2)


def test_arrays_are_multiplied_added_and_cleared() -> None:
    x, y, out = np.arange(5.0), np.arange(5.0) + 1.0, np.full(5, np.nan)
    multiply(x, y, out)
    np.testing.assert_array_equal(out, x * y)
    add(x, out)
    np.testing.assert_array_equal(out, x * y + x)
    clear(out)
    assert not out.any()
