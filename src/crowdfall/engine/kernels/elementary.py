"""exp, log and plain loops that run in vectors, in strict floating point.

Functions without branches or calls: reduction to a short interval and a series, relative error
below 1e-15 (checked against numpy in tests/oracle/engine). So no result depends on the machine, on
where a number stands in an array, or on the paths beside it.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from typing import Any, Final

import numba as nb
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_PIECE: Final = 64
_LOG2_E: Final = 1.4426950408889634
_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10
"""log 2 in two parts: the first has so few bits that whole multiples of it are exact."""
_ROUND: Final = 6755399441055744.0
"""1.5 x 2^52: adding it leaves the nearest whole number in the last bits."""
_WHOLE: Final = 4503599627370496.0
_MANTISSA: Final = 0xFFFFFFFFFFFFF
_ROOT_HALF: Final = 0x3FE6A09E667F3BCD
"""Bits of sqrt(1/2)."""
_LARGEST: Final = 700.0


def _to_whole(_context, value):
    """Return the bits of a float as a whole number."""

    def generate(_context, builder, _signature, values):
        return builder.bitcast(values[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _to_float(_context, value):
    """Return the float with these bits."""

    def generate(_context, builder, _signature, values):
        return builder.bitcast(values[0], ir.DoubleType())

    return types.float64(types.int64), generate


_bits: Any = intrinsic(_to_whole)
_from_bits: Any = intrinsic(_to_float)


@nb.njit(cache=True, error_model="numpy")
def exp(x):
    """Return e^x for finite x, held between -700 and 700."""
    x = min(max(x, -_LARGEST), _LARGEST)
    shifted = x * _LOG2_E + _ROUND
    k = shifted - _ROUND
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW  # |r| <= log(2) / 2
    s = 1.0 / 479001600.0
    s = s * r + 1.0 / 39916800.0
    s = s * r + 1.0 / 3628800.0
    s = s * r + 1.0 / 362880.0
    s = s * r + 1.0 / 40320.0
    s = s * r + 1.0 / 5040.0
    s = s * r + 1.0 / 720.0
    s = s * r + 1.0 / 120.0
    s = s * r + 1.0 / 24.0
    s = s * r + 1.0 / 6.0
    s = s * r + 0.5
    s = s * r * r + r + 1.0
    return _from_bits(_bits(s) + (_bits(shifted) << 52))


@nb.njit(cache=True, error_model="numpy")
def log(x):
    """Return the natural logarithm of a positive normal number."""
    above = _bits(x) - _ROOT_HALF
    m = _from_bits((above & _MANTISSA) + _ROOT_HALF)  # sqrt(1/2) <= m < sqrt(2)
    k = _from_bits(((above >> 52) + 1023) | 0x4330000000000000) - (_WHOLE + 1023.0)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = 2.0 / 21.0
    p = p * z + 2.0 / 19.0
    p = p * z + 2.0 / 17.0
    p = p * z + 2.0 / 15.0
    p = p * z + 2.0 / 13.0
    p = p * z + 2.0 / 11.0
    p = p * z + 2.0 / 9.0
    p = p * z + 2.0 / 7.0
    p = p * z + 2.0 / 5.0
    p = p * z + 2.0 / 3.0
    return k * _LN2_HIGH + ((p * z * s + 2.0 * s) + k * _LN2_LOW)


@nb.njit(cache=True, error_model="numpy")
def clear(out):
    """Set out to zero; numba takes seconds to compile the assignment to a slice."""
    for i in range(len(out)):
        out[i] = 0.0


@nb.njit(cache=True, error_model="numpy")
def list_flagged(flags, first, last, start, out):
    """Set out to the flagged places of first..last, counted from ``start``; return how many.

    Few are flagged: pieces without any are passed over at once.
    """
    count = 0
    for a in range(first, last, _PIECE):
        b = min(a + _PIECE, last)
        here, some = flags[a:b], 0
        for j in range(len(here)):
            some += here[j]
        if some > 0:
            for j in range(len(here)):
                out[count] = a + j - start
                count += here[j]
    return count


@nb.njit(cache=True, error_model="numpy")
def multiply(x, y, out):
    """Set out to x * y."""
    for i in range(len(out)):
        out[i] = x[i] * y[i]


@nb.njit(cache=True, error_model="numpy")
def add(x, out):
    """Add x to out."""
    for i in range(len(out)):
        out[i] += x[i]
