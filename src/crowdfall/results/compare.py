"""Paired differences between runs: the same path in both, so that chance drops out."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from crowdfall.errors import RunError
from crowdfall.results.metrics import HIGH, LOW, headline_by_path
from crowdfall.results.store import RunFolder


def differences(base: RunFolder, others: Sequence[RunFolder]) -> pl.DataFrame:
    """Return the headline numbers of each run less those of ``base``, path by path.

    Columns: name, unit, run (folder name), base (its median), low, median and high of the
    differences over the paths, ``up`` and ``down`` (shares of paths with a positive and a
    negative difference), paths. Runs of more paths are compared on the common ones. RunError: runs
    that do not share market, seed and factors.
    """
    if not others:
        raise RunError("compare_one", count=1)
    here = _numbers(base)
    parts = []
    for other in others:
        _check_paired(base, other)
        both = here.join(_numbers(other), on=["path", "name", "unit"], suffix="_other")
        gap = (pl.col("value_other") - pl.col("value")).alias("gap")
        found = both.with_columns(gap).group_by("name", "unit", maintain_order=True)
        parts.append(
            found.agg(
                pl.lit(other.path.name).alias("run"),
                pl.col("value").median().alias("base"),
                pl.col("gap").quantile(LOW, "linear").alias("low"),
                pl.col("gap").median().alias("median"),
                pl.col("gap").quantile(HIGH, "linear").alias("high"),
                (pl.col("gap") > 0.0).mean().alias("up"),
                (pl.col("gap") < 0.0).mean().alias("down"),
                pl.len().cast(pl.Int64).alias("paths"),
            )
        )
    return pl.concat(parts)


def _numbers(run: RunFolder) -> pl.DataFrame:
    numbers = headline_by_path(run.table("daily"), run.table("agents"))
    return numbers.filter(pl.col("value").is_not_null()).sort("name", "path", maintain_order=True)


def _check_paired(base: RunFolder, other: RunFolder) -> None:
    one, two = base.manifest, other.manifest
    pairs = {
        "market": (one["market"]["digest"], two["market"]["digest"]),
        "seed": (one["seed"], two["seed"]),
        "factors": (one.get("factors"), two.get("factors")),
    }
    for key, (here, there) in pairs.items():
        if here != there:
            raise RunError("runs_not_paired", one=base.path.name, other=other.path.name, why=key)
