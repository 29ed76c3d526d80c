"""A run does not depend on how its paths were cut into blocks."""

from __future__ import annotations

import itertools
import random
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import fake_run
from crowdfall.results.metrics import bands, drawdowns
from crowdfall.results.schema import TABLES
from crowdfall.results.store import create, open_run

PARTS = [fake_run.tables(path, 3, 5, False) for path in range(6)]


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 5), unique=True).map(sorted), order=st.randoms())
def test_tables_are_equal_for_every_cut_into_blocks(cuts: list[int], order: random.Random) -> None:
    edges = [0, *cuts, 6]
    with tempfile.TemporaryDirectory() as folder:
        run = create(Path(folder) / "run", {})
        blocks = list(enumerate(itertools.pairwise(edges)))
        order.shuffle(blocks)
        for number, (first, last) in blocks:
            mine = PARTS[first:last]
            run.write_block(number, {n: pl.concat([p[n] for p in mine]) for n in TABLES})
        run.finish({})
        for name in TABLES:
            wanted = pl.concat([part[name] for part in PARTS])
            assert_frame_equal(open_run(run.path).table(name), wanted, check_dtypes=False)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), paths=st.integers(1, 6))
def test_bands_are_ordered_and_drawdowns_lie_between_nothing_and_all(seed: int, paths: int) -> None:
    daily = pl.concat([fake_run.tables(path, 8, seed, False)["daily"] for path in range(paths)])
    found = bands(daily, ["csi1000_close", "basis_front_im"])
    for column in ("csi1000_close", "basis_front_im"):
        low, mid, high = (found[f"{column}_{part}"] for part in ("low", "median", "high"))
        assert (low <= mid).all()
        assert (mid <= high).all()
    falls = drawdowns(daily)["drawdown"]
    assert len(falls) == 5 * paths
    assert falls.is_between(0.0, 1.0).all()
