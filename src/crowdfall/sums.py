"""Sums over short axes: groups, underlyings, months, books."""

from __future__ import annotations

from functools import cache

import numpy as np

from crowdfall.types import Float64


def over_last(values: Float64) -> Float64:
    """Return the sums over the last axis of an array of three axes or more.

    A product with ones: ``sum`` starts its inner loop anew for every handful of numbers, which
    takes three to five times as long. Every matrix of the last two axes is summed on its own, and
    in C order, so the order of a sum does not depend on the number of paths.

    >>> over_last(np.ones((1, 2, 6)))
    array([[6., 6.]])
    """
    return np.asarray(np.ascontiguousarray(values) @ _ones(values.shape[-1]))


def over_books(values: Float64) -> Float64:
    """Return the sums over the middle axis of (P, R, .), for the reason of ``over_last``.

    >>> over_books(np.ones((1, 3, 2)))
    array([[3., 3.]])
    """
    return np.asarray(_ones(values.shape[1]) @ np.ascontiguousarray(values))


def most_of_last(values: Float64) -> Float64:
    """Return the largest along the last axis, which has to be short.

    >>> most_of_last(np.array([[1.0, 3.0, 2.0]]))
    array([3.])
    """
    out = values[..., 0]
    for k in range(1, values.shape[-1]):
        out = np.maximum(out, values[..., k])
    return out


@cache
def _ones(count: int) -> Float64:
    return np.ones(count)
