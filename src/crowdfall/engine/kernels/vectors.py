"""Sums over stocks in LANES partial sums that stay in the registers, and rows fetched ahead.

A loop over an array of partial sums loads and stores every one of them for every number; here
they are one long vector, which the compiler lays into the registers that the machine has. Number i
goes to partial sum i modulo LANES, and halves are added onto each other at the end: the order is
that of the loop, bit for bit, on every machine.

Books lie in memory, far from the cache, and a piece of a row is too short for a machine to see by
itself what comes next: ``dots`` fetches the next rows while it works on its own, ``fetch`` a row.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call,misc"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES: Final = 64
_OF_A_LINE: Final = 8
"""Numbers in a line of the cache."""
_WHOLE: Final = ir.IntType(64)
_INDEX: Final = ir.IntType(32)
_VECTOR: Final = ir.VectorType(ir.DoubleType(), LANES)
_MASK: Final = ir.VectorType(ir.IntType(1), LANES)


def _zeros():
    return ir.Constant(_VECTOR, [0.0] * LANES)


def _pointer(builder, array, first):
    return builder.bitcast(builder.gep(array.data, [first]), _VECTOR.as_pointer())


def _load(builder, array, first):
    found = builder.load(_pointer(builder, array, first))
    found.align = 8
    return found


def _load_some(builder, array, first, mask):
    """Load the flagged numbers from ``first`` on, zeros for the others: they are not touched."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR.as_pointer(), _INDEX, _MASK, _VECTOR])
    load = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.v{LANES}f64.p0")
    return builder.call(
        load, [_pointer(builder, array, first), ir.Constant(_INDEX, 8), mask, _zeros()]
    )


def _below(builder, count):
    """Return the mask of the lanes below ``count``."""
    wide = ir.VectorType(_WHOLE, LANES)
    one = builder.insert_element(ir.Constant(wide, ir.Undefined), count, ir.Constant(_INDEX, 0))
    same = ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES)
    all_of_it = builder.shuffle_vector(one, ir.Constant(wide, ir.Undefined), same)
    return builder.icmp_signed("<", ir.Constant(wide, list(range(LANES))), all_of_it)


def _total(builder, vector):
    """Add halves onto each other."""
    half = LANES // 2
    while half > 0:
        picks = [
            ir.Constant(ir.VectorType(_INDEX, half), list(range(first, first + half)))
            for first in (0, half)
        ]
        low, high = (builder.shuffle_vector(vector, vector, pick) for pick in picks)
        vector = builder.fadd(low, high)
        half //= 2
    return builder.extract_element(vector, ir.Constant(_INDEX, 0))


class _Piece:
    """A place in memory where a piece of a row begins."""

    def __init__(self, data) -> None:
        self.data = data


def _pieces(context, builder, kind, value, places, first):
    """Return the pieces of rows ``places`` of a matrix from stock ``first`` on."""
    rows = context.make_array(kind)(context, builder, value)
    width = cgutils.unpack_tuple(builder, rows.shape, 2)[1]
    starts = [builder.add(builder.mul(place, width), first) for place in places]
    return [_Piece(builder.gep(rows.data, [start])) for start in starts]


def _fetch(builder, piece, first, count):
    """Ask for the numbers of a piece from ``first`` on, to have them in the second cache."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _INDEX, _INDEX, _INDEX])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    reading, second_cache, data = (ir.Constant(_INDEX, k) for k in (0, 2, 1))
    for k in range(0, count, _OF_A_LINE):
        place = builder.gep(piece.data, [builder.add(first, ir.Constant(_WHOLE, k))])
        builder.call(fetch, [builder.bitcast(place, byte), reading, second_cache, data])


def _summing(kinds, term):
    """Return signature and code of the sum of term(loaded numbers of every array)."""

    def generate(context, builder, signature, values):
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, values, strict=True)
        ]
        count = cgutils.unpack_tuple(builder, arrays[0].shape, 1)[0]
        whole = builder.and_(count, ir.Constant(_WHOLE, -LANES))
        sums = cgutils.alloca_once(builder, _VECTOR)
        builder.store(_zeros(), sums)
        with cgutils.for_range_slice(
            builder, ir.Constant(_WHOLE, 0), whole, ir.Constant(_WHOLE, LANES), intp=_WHOLE
        ) as (first, _):
            new = term(builder, [_load(builder, array, first) for array in arrays])
            builder.store(builder.fadd(builder.load(sums), new), sums)
        mask = _below(builder, builder.sub(count, whole))
        rest = term(builder, [_load_some(builder, array, whole, mask) for array in arrays])
        return _total(builder, builder.fadd(builder.load(sums), rest))

    for kind in kinds:
        if not isinstance(kind, types.Array) or kind.layout != "C" or kind.ndim != 1:
            return None
    return types.float64(*kinds), generate


def _dot(_context, x, y):
    """Return sum(x * y); arrays of one length, their numbers side by side."""
    return _summing((x, y), lambda builder, loaded: builder.fmul(*loaded))


def _sum(_context, x):
    """Return sum(x)."""
    return _summing((x,), lambda _builder, loaded: loaded[0])


def _dots(_context, rows, places, ahead, first, y):
    """Return sum(rows[place, first:] * y) for two places; fetch the rows of two others ahead.

    rows (R, N), y one-dimensional, their numbers side by side.
    """

    def generate(context, builder, signature, values):
        right = context.make_array(y)(context, builder, values[4])
        count = cgutils.unpack_tuple(builder, right.shape, 1)[0]
        pieces, next_ones = (
            _pieces(context, builder, rows, values[0], cgutils.unpack_tuple(builder, some, 2),
                    values[3])
            for some in (values[1], values[2])
        )  # fmt: skip
        whole = builder.and_(count, ir.Constant(_WHOLE, -LANES))
        sums = [cgutils.alloca_once(builder, _VECTOR) for _ in pieces]
        for one in sums:
            builder.store(_zeros(), one)
        with cgutils.for_range_slice(
            builder, ir.Constant(_WHOLE, 0), whole, ir.Constant(_WHOLE, LANES), intp=_WHOLE
        ) as (at, _):
            factor = _load(builder, right, at)
            for piece in next_ones:
                _fetch(builder, piece, at, LANES)
            for one, piece in zip(sums, pieces, strict=True):
                new = builder.fmul(_load(builder, piece, at), factor)
                builder.store(builder.fadd(builder.load(one), new), one)
        mask = _below(builder, builder.sub(count, whole))
        factor = _load_some(builder, right, whole, mask)
        found = []
        for one, piece in zip(sums, pieces, strict=True):
            new = builder.fmul(_load_some(builder, piece, whole, mask), factor)
            found.append(_total(builder, builder.fadd(builder.load(one), new)))
        return context.make_tuple(builder, signature.return_type, found)

    return types.UniTuple(types.float64, 2)(rows, places, ahead, first, y), generate


def _fetch_piece(_context, rows, place, first, last):
    """Ask for rows[place, first:last], to have it at hand when its turn comes."""

    def generate(context, builder, _signature, values):
        (piece,) = _pieces(context, builder, rows, values[0], [values[1]], values[2])
        count = builder.sub(values[3], values[2])
        with cgutils.for_range_slice(
            builder, ir.Constant(_WHOLE, 0), count, ir.Constant(_WHOLE, _OF_A_LINE), intp=_WHOLE
        ) as (at, _):
            _fetch(builder, piece, at, _OF_A_LINE)
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64, types.int64), generate


dot: Any = intrinsic(_dot)
sum_up: Any = intrinsic(_sum)
dots: Any = intrinsic(_dots)
fetch: Any = intrinsic(_fetch_piece)
