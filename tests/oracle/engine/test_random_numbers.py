"""Philox against its published answers, and the laws of what is drawn from it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri

from crowdfall.engine import random
from crowdfall.engine.random import STREAMS, key_of, normals, philox, uniforms
from crowdfall.types import Float64, UInt32

MULTIPLY, WEYL, WORD = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85), 0xFFFFFFFF


def words(text: str) -> UInt32:
    return np.array([int(word, 16) for word in text.split()], np.uint32)


def plain_philox(counter: list[int], key: list[int]) -> list[int]:
    """Return Philox4x32-10 in whole numbers of any size, from the paper (Salmon et al. 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        (high0, low0), (high1, low1) = (
            divmod(m * x, 1 << 32) for m, x in zip(MULTIPLY, (c[0], c[2]), strict=True)
        )
        c = [high1 ^ c[1] ^ k[0], low1, high0 ^ c[3] ^ k[1], low0]
        k = [(x + w) & WORD for x, w in zip(k, WEYL, strict=True)]
    return c


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ("0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        (
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_gives_the_published_answers(counter: str, key: str, answer: str) -> None:
    np.testing.assert_array_equal(philox(words(counter), words(key)), words(answer))


def test_draw_is_a_pure_function_of_its_coordinates() -> None:
    """Word i of path p is word i % 4 of the block (i // 4, step, path, stream)."""
    seed, step, first = 2**40 + 17, 90_000, 5
    drawn = uniforms(seed, "holdings", first, step, (3, 11))
    for p, i in itertools.product(range(3), range(11)):
        counter = [i // 4, step, first + p, int(STREAMS["holdings"])]
        word = plain_philox(counter, key_of(seed).tolist())[i % 4]
        assert drawn[p, i] == (word + 0.5) / 2**32


def test_normals_are_the_quantiles_of_the_uniforms() -> None:
    shape = (4, 50_001)
    u = uniforms(3, "noise", 0, 1, shape)
    np.testing.assert_allclose(normals(3, "noise", 0, 1, shape), ndtri(u), rtol=1e-8, atol=1e-8)


def test_inverse_normal_is_right_in_both_tails() -> None:
    u = np.concatenate([np.geomspace(2.0**-33, 0.5, 2000), 1.0 - np.geomspace(2.0**-33, 0.5, 2000)])
    mine = np.empty_like(u)
    random._to_normals(u, np.empty(len(u), np.bool_), np.empty(len(u) + 1, np.int64), mine)
    np.testing.assert_allclose(mine, ndtri(u), rtol=1e-8, atol=1e-8)


@pytest.fixture(scope="module")
def draw() -> Float64:
    return normals(11, "noise", 0, 7, (8, 50_000))


def test_moments_are_those_of_the_normal(draw: Float64) -> None:
    x, root = draw.ravel(), np.sqrt(draw.size)
    # Standard errors of the first four moments of a normal sample.
    for power, mean, sd in ((1, 0.0, 1.0), (2, 1.0, 2**0.5), (3, 0.0, 15**0.5), (4, 3.0, 96**0.5)):
        assert abs((x**power).mean() - mean) < 4 * sd / root


@pytest.mark.parametrize("stream", sorted(STREAMS))
def test_every_stream_is_uniform(stream: str) -> None:
    u = uniforms(5, stream, 2, 3, (1, 40_000))[0]
    assert stats.kstest(u, "uniform").pvalue > 1e-4


def test_paths_steps_and_streams_are_uncorrelated() -> None:
    count = 40_000
    rows = [normals(1, "noise", 0, t, (3, count))[p] for t in (0, 1, 8) for p in range(3)]
    rows += [normals(1, s, 0, 0, (1, count))[0] for s in STREAMS if s != "noise"]
    rows += [normals(2, "noise", 0, 0, (1, count))[0]]
    off = np.corrcoef(rows)[np.triu_indices(len(rows), 1)]
    assert np.abs(off).max() < 5 / np.sqrt(count)


def test_no_block_is_drawn_twice() -> None:
    """Streams, steps, paths and seeds never meet: all uniforms of 32 bits pairs differ."""
    seen: set[bytes] = set()
    cases = itertools.product((0, 1, 2**32), sorted(STREAMS), (0, 1, 300), (0, 5))
    total = 0
    for seed, stream, step, first in cases:
        blocks = uniforms(seed, stream, first, step, (5, 80)).reshape(-1, 4)
        seen |= {block.tobytes() for block in blocks}
        total += len(blocks)
    assert len(seen) == total


def test_streams_have_numbers_of_their_own() -> None:
    assert len({int(number) for number in STREAMS.values()}) == len(STREAMS)


@pytest.mark.parametrize("first", [0, 1, 7, 19])
def test_a_path_does_not_know_its_block(first: int) -> None:
    whole = normals(9, "loading", 0, 4, (20, 33))
    np.testing.assert_array_equal(normals(9, "loading", first, 4, (1, 33))[0], whole[first])


def test_fewer_stocks_draw_the_same_numbers() -> None:
    whole = normals(9, "loading", 0, 4, (2, 33))
    np.testing.assert_array_equal(normals(9, "loading", 0, 4, (2, 9)), whole[:, :9])


def test_all_64_bits_of_the_seed_count() -> None:
    seeds = [0, 1, 2**32, 2**32 + 1, 2**63, 2**64 - 1]
    drawn = {normals(seed, "noise", 0, 0, (1, 4)).tobytes() for seed in seeds}
    assert len(drawn) == len(seeds)
