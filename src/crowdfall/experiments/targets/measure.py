"""Targets measured on a run, one value for each path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from crowdfall.agents.dealers import SnowballDealers
from crowdfall.errors import CalibrationError
from crowdfall.experiments.targets.quantities import QUANTITIES, Sheet
from crowdfall.experiments.targets.terms import Target
from crowdfall.types import Float64

if TYPE_CHECKING:
    import polars as pl


def measure_matrix(
    targets: Sequence[Target],
    daily: pl.DataFrame,
    *,
    tables: Mapping[str, pl.DataFrame] | None = None,
    share_csi500: float | None = None,
) -> Float64:
    """Return every target on every path, (P, K), each in its own unit.

    ``tables`` holds the other tables by name, for the quantities that read them; ``share_csi500``
    is the scenario's part of snowball notional on CSI 500 (its default where None). NaN where a
    path has no value.
    CalibrationError: ``daily`` is empty or ragged, or does not hold a day, column or contract that
    a target asks for.
    """
    sheet = _sheet(daily, tables, share_csi500)
    return np.stack(
        [t.scale * QUANTITIES[t.quantity].take(sheet, t) for t in targets], axis=1
    ) if targets else np.zeros((sheet.paths, 0))  # fmt: skip


def measure(
    targets: Sequence[Target],
    daily: pl.DataFrame,
    *,
    tables: Mapping[str, pl.DataFrame] | None = None,
    share_csi500: float | None = None,
) -> pl.DataFrame:
    """Return path, id and value, a row for each path and target; NaN as null.

    Raises as ``measure_matrix``.
    """
    import polars as pl

    matrix = measure_matrix(targets, daily, tables=tables, share_csi500=share_csi500)
    paths = daily["path"].unique().sort().to_numpy()
    return pl.DataFrame(
        {
            "path": np.repeat(paths, len(targets)),
            "id": [target.id for target in targets] * len(paths),
            "value": matrix.reshape(-1),
        },
        schema={"path": pl.Int64, "id": pl.String, "value": pl.Float64},
    ).fill_nan(None)


def covered(
    targets: Sequence[Target],
    daily: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame] | None = None,
) -> tuple[tuple[Target, ...], dict[str, CalibrationError]]:
    """Return the targets that a run can answer, and why it can't answer the others, by id."""
    sheet = _sheet(daily, tables, None)
    able: list[Target] = []
    why: dict[str, CalibrationError] = {}
    for target in targets:
        try:
            QUANTITIES[target.quantity].take(sheet, target)
        except CalibrationError as error:
            why[target.id] = error
        else:
            able.append(target)
    return tuple(able), why


def _sheet(
    daily: pl.DataFrame, tables: Mapping[str, pl.DataFrame] | None, share_csi500: float | None
) -> Sheet:
    ordered = daily.sort("path", "date")
    days = tuple(ordered["date"].unique().sort().to_list())
    paths = ordered["path"].n_unique()
    if not paths or len(ordered) != paths * len(days):
        raise CalibrationError("daily_ragged", rows=len(ordered), paths=paths, days=len(days))
    share = SnowballDealers().share_ic if share_csi500 is None else share_csi500
    return Sheet(frame=ordered, days=days, paths=paths, share_csi500=share, others=tables or {})
