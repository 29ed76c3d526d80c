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
_LOW: Final = np.uint64(0xFFFFFFFF)
_SHIFT: Final = np.uint64(32)


@nb.njit(cache=True)
def _philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for _ in range(10):
        product_0 = _MULTIPLY_0 * np.uint64(c0)
        product_1 = _MULTIPLY_1 * np.uint64(c2)
        c0, c1, c2, c3 = (
            np.uint32(np.uint32(product_1 >> _SHIFT) ^ c1 ^ k0),
            np.uint32(product_1 & _LOW),
            np.uint32(np.uint32(product_0 >> _SHIFT) ^ c3 ^ k1),
            np.uint32(product_0 & _LOW),
        )
        k0 = np.uint32(k0 + _WEYL_0)
        k1 = np.uint32(k1 + _WEYL_1)
    return c0, c1, c2, c3


@nb.njit(cache=True)
def philox(counter: UInt32, key: UInt32) -> UInt32:
    """Return the four words of one counter block; counter shape (4,), key shape (2,)."""
    out = np.empty(4, np.uint32)
    out[0], out[1], out[2], out[3] = _philox(
        counter[0], counter[1], counter[2], counter[3], key[0], key[1]
    )
    return out


@nb.njit(cache=True)
def _inverse_normal(u):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if 0.02425 <= u <= 0.97575:
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
    tail = u if u < 0.5 else 1.0 - u
    q = np.sqrt(-2.0 * np.log(tail))
    top = -7.784894002430293e-03 * q - 3.223964580411365e-01
    top = top * q - 2.400758277161838e00
    top = top * q - 2.549732539343734e00
    top = top * q + 4.374664141464968e00
    top = top * q + 2.938163982698783e00
    low = 7.784695709041462e-03 * q + 3.224671290700398e-01
    low = low * q + 2.445134137142996e00
    low = low * q + 3.754408661907416e00
    x = top / (low * q + 1.0)
    return x if u < 0.5 else -x


@nb.njit(cache=True)
def _unit(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return (np.float64(word) + 0.5) * 2.3283064365386963e-10


@nb.njit(cache=True)
def _fill(out, key, stream, first_path, step, normal):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    paths, count = out.shape
    for p in range(paths):
        path = np.uint32(first_path + p)
        for block in range((count + 3) // 4):
            words = _philox(np.uint32(block), np.uint32(step), path, stream, key[0], key[1])
            for k in range(4):
                i = 4 * block + k
                if i < count:
                    u = _unit(words[k])
                    out[p, i] = _inverse_normal(u) if normal else u


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
