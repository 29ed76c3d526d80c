"""Random numbers as a pure function of (seed, stream, path, step, stock).

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") with the seed as
its 64-bit key and (stock // 4, step, path, stream) as its 128-bit counter. All four coordinates
have a word of their own, so streams can't overlap, whatever the number of paths (a 2x32 generator
would have to hash path and stream into a 32-bit key). Normals by Acklam's inverse normal, relative
error 1.2e-9. Results do not depend on the number of workers, the block size or the order of calls.
"""

from __future__ import annotations

import zlib
from typing import Final

import numba as nb
import numpy as np

from crowdfall.engine.kernels.elementary import list_flagged, log
from crowdfall.types import Float64, UInt32

STREAMS: Final = {
    name: np.uint32(zlib.crc32(name.encode()))
    for name in ("noise", "group_noise", "loading", "holdings", "history", "bridge", "student")
}
"""Named streams. The number is a hash of the name: a new stream never moves an old one."""

_MULTIPLY_0: Final = np.uint64(0xD2511F53)
_MULTIPLY_1: Final = np.uint64(0xCD9E8D57)
_WEYL_0: Final = np.uint32(0x9E3779B9)
_WEYL_1: Final = np.uint32(0xBB67AE85)
_SHIFT: Final = np.uint64(32)
_CHUNK: Final = 128
"""Counter blocks drawn at once."""
_TAIL: Final = 0.02425


@nb.njit(cache=True, error_model="numpy")
def _rounds(words, k0, k1):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Turn counters (4, B) into random words, in place: a round for all of them at a time."""
    w0, w1, w2, w3 = words[0], words[1], words[2], words[3]
    for _ in range(10):
        for b in range(len(w0)):
            product_0 = _MULTIPLY_0 * np.uint64(w0[b])
            product_1 = _MULTIPLY_1 * np.uint64(w2[b])
            w0[b] = np.uint32(product_1 >> _SHIFT) ^ w1[b] ^ k0
            w1[b] = np.uint32(product_1)
            w2[b] = np.uint32(product_0 >> _SHIFT) ^ w3[b] ^ k1
            w3[b] = np.uint32(product_0)
        k0 = np.uint32(k0 + _WEYL_0)
        k1 = np.uint32(k1 + _WEYL_1)


def philox(counter: UInt32, key: UInt32) -> UInt32:
    """Return the four words of one counter block; counter shape (4,), key shape (2,)."""
    words = counter.reshape(4, 1).copy()
    _rounds(words, key[0], key[1])
    return words[:, 0]


@nb.njit(cache=True, error_model="numpy")
def _central(u):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    q = u - 0.5
    r = q * q
    top = -3.969683028665376e01 * r + 2.209460984245205e02
    top = top * r - 2.759285104469687e02
    top = top * r + 1.383577518672690e02
    top = top * r - 3.066479806614716e01
    top = top * r + 2.506628277459239e00
    low = -5.447609879822406e01 * r + 1.615858368580409e02
    low = low * r - 1.556989798598866e02
    low = low * r + 6.680131188771972e01
    low = low * r - 1.328068155288572e01
    return top * q / (low * r + 1.0)


@nb.njit(cache=True, error_model="numpy")
def _mend_tails(unit, tails, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Set out[tails] to the normals of unit[tails], which lie in the tails."""
    short = np.empty(len(tails))
    for j in range(len(tails)):
        short[j] = unit[tails[j]]
    for j in range(len(short)):
        u = short[j]
        tail = u if u < 0.5 else 1.0 - u
        q = np.sqrt(-2.0 * log(tail))
        top = -7.784894002430293e-03 * q - 3.223964580411365e-01
        top = top * q - 2.400758277161838e00
        top = top * q - 2.549732539343734e00
        top = top * q + 4.374664141464968e00
        top = top * q + 2.938163982698783e00
        low = 7.784695709041462e-03 * q + 3.224671290700398e-01
        low = low * q + 2.445134137142996e00
        low = low * q + 3.754408661907416e00
        x = top / (low * q + 1.0)
        short[j] = x if u < 0.5 else -x
    for j in range(len(tails)):
        out[tails[j]] = short[j]


@nb.njit(cache=True, error_model="numpy")
def _draw(words, first, step, path, stream, key):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Set words (4, B) to the counter blocks from ``first`` on."""
    for b in range(words.shape[1]):
        words[0, b] = first + b
        words[1, b] = step
        words[2, b] = path
        words[3, b] = stream
    _rounds(words, key[0], key[1])


@nb.njit(cache=True, error_model="numpy")
def _to_normals(unit, flags, tails, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Set out to the normals of uniforms. Nearly all are central: tails are mended after."""
    for i in range(len(out)):
        out[i] = _central(unit[i])
        flags[i] = (unit[i] < _TAIL) | (unit[i] > 1.0 - _TAIL)
    _mend_tails(unit, tails[: list_flagged(flags, 0, len(out), 0, tails)], out)


@nb.njit(cache=True, error_model="numpy")
def _fill(out, key, stream, first_path, step, normal):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    paths, count = out.shape
    words, unit = np.empty((4, _CHUNK), np.uint32), np.empty(count)
    flags, tails = np.empty(count, np.bool_), np.empty(count + 1, np.int64)
    for p in range(paths):
        row = unit if normal else out[p]
        for first in range(0, (count + 3) // 4, _CHUNK):
            _draw(words, first, np.uint32(step), np.uint32(first_path + p), stream, key)
            for k in range(4):
                start = 4 * first + k
                for b in range(min(_CHUNK, (count - start + 3) // 4)):
                    row[start + 4 * b] = (np.float64(words[k, b]) + 0.5) * 2.3283064365386963e-10
        if normal:
            _to_normals(unit, flags, tails, out[p])


def key_of(seed: int) -> UInt32:
    """Return the 64-bit key of a seed as two words; seeds are 0 to 2**64 - 1."""
    return np.array([seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF], dtype=np.uint32)


def normals(seed: int, stream: str, first_path: int, step: int, shape: tuple[int, int]) -> Float64:
    """Return standard normals, shape (paths, stocks), for paths from ``first_path`` on."""
    out = np.empty(shape)
    _fill(out, key_of(seed), STREAMS[stream], first_path, step, True)
    return out


def uniforms(seed: int, stream: str, first_path: int, step: int, shape: tuple[int, int]) -> Float64:
    """Return uniforms in (0, 1), shape (paths, stocks), for paths from ``first_path`` on."""
    out = np.empty(shape)
    _fill(out, key_of(seed), STREAMS[stream], first_path, step, False)
    return out
