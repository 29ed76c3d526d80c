"""Which target a parameter moves: Sobol indices, and slices through a point.

Variance is split by the estimators of Saltelli et al. (2010) as scipy has them
(``scipy.stats.sobol_indices``). All points see the same random numbers.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from crowdfall.engine.workers import Engine
from crowdfall.errors import CalibrationError
from crowdfall.experiments.calibrate.objective import Measured, Task, pool
from crowdfall.experiments.calibrate.plan import Plan
from crowdfall.market.snapshot import Market
from crowdfall.types import Float64

LOSS: Final = "loss"
MOST: Final = 1e3
"""Losses above it (sets that can't be run) count as this much: one such set is not all variance."""


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """First-order and total indices, (outputs, D); slices of the loss, (D, points).

    ``outputs`` are the loss and every target; ``grid`` the points of a slice in the unit interval;
    a slice moves one parameter and leaves the others at ``centre``.
    """

    plan: Plan
    outputs: tuple[str, ...]
    first: Float64
    total: Float64
    grid: Float64
    centre: Float64
    slices: Float64

    def pinned_by(self, parameter: int) -> str:
        """Return the target whose variance a parameter moves most, by total index."""
        share = self.total[1:, parameter]
        return self.outputs[1 + int(np.nanargmax(share))] if np.isfinite(share).any() else ""


def sensitivity(
    plan: Plan, market: Market, *, seed: int, paths: int, samples: int, workers: int,
    centre: Float64 | None = None, points: int = 7, engine: Engine = "local",
    progress: Callable[[int], None] | None = None,
) -> Sensitivity:  # fmt: skip
    """Return the indices over the plan's box and slices through ``centre`` (its middle if None).

    Costs ``samples`` x (D + 2) + D x ``points`` evaluations; ``samples`` must be a power of two.
    """
    from scipy.stats import sobol_indices, uniform

    if samples < 2 or samples & (samples - 1):
        raise CalibrationError("samples_not_a_power", value=samples)
    count = len(plan.parameters)
    task = Task(plan=plan, market=market, seed=seed, paths=paths,
                counts=np.ones(len(plan.targets), bool))  # fmt: skip
    done = 0
    with pool(task, workers, engine) as evaluators:

        def outputs(columns: Float64) -> Float64:  # (D, n) -> (outputs, n), as scipy asks
            nonlocal done
            found = evaluators.evaluate([np.ascontiguousarray(x) for x in columns.T])
            done += len(found)
            if progress is not None:
                progress(done)
            return table(plan, found)

        drawn = sobol_indices(
            func=outputs, n=samples, dists=[uniform(0.0, 1.0)] * count,
            rng=np.random.default_rng([seed, count]),
        )  # fmt: skip
        grid = (np.arange(points) + 0.5) / points
        middle = np.full(count, 0.5) if centre is None else centre
        lines = np.repeat(middle[:, None], count * points, axis=1)
        for k in range(count):
            lines[k, k * points : (k + 1) * points] = grid
        slices = outputs(lines)[0].reshape(count, points)
    names = (LOSS, *(target.id for target in plan.targets))
    return Sensitivity(
        plan=plan, outputs=names, first=np.asarray(drawn.first_order),
        total=np.asarray(drawn.total_order), grid=grid, centre=middle, slices=slices,
    )  # fmt: skip


def table(plan: Plan, found: Sequence[Measured]) -> Float64:
    """Return the loss and the medians of every target, (1 + K, n); gaps filled by the median.

    An index needs a number everywhere: where no path has a value the target says nothing of it.
    """
    out = np.empty((1 + len(plan.targets), len(found)))
    out[0] = [min(each.loss, MOST) for each in found]
    out[1:] = np.array([each.medians for each in found]).T
    for row in out:
        known = np.isfinite(row)
        row[~known] = np.median(row[known]) if known.any() else 0.0
    return out


def write(found: Sensitivity, path: Path) -> None:
    """Write the indices and slices as JSON, numbers that do not exist as null."""

    def plain(values: Float64) -> list[Any]:
        nested: list[Any] = values.tolist()
        return [
            plain(np.array(v))
            if isinstance(v, list)
            else (round(v, 6) if math.isfinite(v) else None)
            for v in nested
        ]

    words = {
        "plan": found.plan.name,
        "plan_digest": found.plan.digest,
        "parameters": [each.name for each in found.plan.parameters],
        "outputs": list(found.outputs),
        "first_order": plain(found.first),
        "total_order": plain(found.total),
        "grid": plain(found.grid),
        "centre": plain(found.centre),
        "slices": plain(found.slices),
    }
    path.write_text(json.dumps(words, indent=1) + "\n", encoding="utf-8")


def read(plan: Plan, path: Path) -> Sensitivity:
    """Return what ``write`` wrote; CalibrationError where it is of another plan or damaged."""
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
        if words["plan_digest"] != plan.digest:
            raise CalibrationError("state_of_another", path=path)
        numbers = {
            key: np.array(words[name], dtype=np.float64)
            for key, name in (("first", "first_order"), ("total", "total_order"), ("grid", "grid"),
                              ("centre", "centre"), ("slices", "slices"))
        }  # fmt: skip
        return Sensitivity(plan=plan, outputs=tuple(words["outputs"]), **numbers)
    except (OSError, ValueError, KeyError, TypeError):
        raise CalibrationError("state_unreadable", path=path) from None


def point_of(plan: Plan, path: Path) -> Float64:
    """Return the point of a fitted file in the unit cube; the middle where it says nothing.

    CalibrationError where there is no such file or it is no TOML.
    """
    try:
        words = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise CalibrationError("state_unreadable", path=path) from None
    out = np.full(len(plan.parameters), 0.5)
    for k, parameter in enumerate(plan.parameters):
        value: Any = words
        for part in parameter.name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            out[k] = min(max(parameter.place(float(value)), 0.0), 1.0)
    return out
