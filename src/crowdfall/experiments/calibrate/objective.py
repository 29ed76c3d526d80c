"""What a set of parameters is worth: simulated targets against the wanted ones.

Every candidate of a search sees the same random numbers (paths 0 to P-1 of one seed), so that two
losses differ by the parameters alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final

import numpy as np

from crowdfall.engine.blocks import THREADS
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.errors import RunError
from crowdfall.experiments.calibrate.plan import Plan
from crowdfall.experiments.targets import Target, measure_matrix
from crowdfall.market.snapshot import Market
from crowdfall.scenarios import load as load_scenario
from crowdfall.types import Bool, Float64

UNKNOWN: Final = 10.0
"""Tolerances that count as missed where a path has no value (no limit-down at all, say)."""
IMPOSSIBLE: Final = 1e6
"""Loss of a set that can't be run: prices that miss the pinned index, or no numbers."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A candidate: its loss, the medians of all targets (K,), and the share of crashed paths.

    ``misses`` (K,): mean over paths of the signed miss in tolerances; NaN where none has a value.
    """

    loss: float
    medians: Float64
    crashed: float
    misses: Float64


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker needs to evaluate points: the plan on one market, and which targets count."""

    plan: Plan
    market: Market
    seed: int
    paths: int
    counts: Bool


def miss(targets: Sequence[Target], measured: Float64) -> Float64:
    """Return how far measured targets (..., K) lie off, in tolerances; NaN counts as UNKNOWN.

    A target of tolerance zero (a date) counts by sessions, one a unit.
    """
    tolerance = np.array([target.tolerance or 1.0 for target in targets])
    wanted = np.array([target.value for target in targets])
    off = np.abs(measured - wanted) / tolerance
    return np.asarray(np.where(np.isfinite(off), off, UNKNOWN))


def signed_misses(targets: Sequence[Target], measured: Float64) -> Float64:
    """Return the mean over paths of (measured (P, K) - wanted) / tolerance, (K,)."""
    tolerance = np.array([target.tolerance or 1.0 for target in targets])
    wanted = np.array([target.value for target in targets])
    off = (measured - wanted) / tolerance
    known = np.isfinite(off)
    total = np.where(known, off, 0.0).sum(axis=0)
    return np.asarray(np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan))


def loss(targets: Sequence[Target], weights: Float64, measured: Float64) -> float:
    """Return the distance of simulated targets (P, K) from the wanted ones.

    Pseudo-Huber of each miss over its tolerance (smooth near, linear far: a search must feel its
    way back to the crash), and twice what lies beyond 0.8 of the tolerance. Half of it is the
    mean over paths, half that of the medians: where some paths crash and some do not, the medians
    alone would hide it.
    """
    if not len(targets):
        return 0.0

    def distance(values: Float64) -> Float64:
        off = miss(targets, values)
        near = 2.0 * (np.sqrt(1.0 + off**2) - 1.0)
        return np.asarray((near + 2.0 * np.maximum(0.0, off - 0.8)) @ weights)

    return float(distance(measured).mean() + distance(medians_of(measured))) / 2


def medians_of(measured: Float64) -> Float64:
    """Return the median of each target over the paths that have a value, NaN where none has."""
    out = np.full(measured.shape[1], np.nan)
    for k, values in enumerate(measured.T):
        known = values[np.isfinite(values)]
        if len(known):
            out[k] = np.median(known)
    return out


def crashed_share(plan: Plan, measured: Float64) -> float:
    """Return the share of paths that the plan calls crashed; one where it calls none so."""
    if plan.crash is None:
        return 1.0
    names = [target.id for target in plan.targets]
    place = names.index(plan.crash.target)
    wanted = plan.targets[place].value
    return float(np.mean(np.abs(measured[:, place] - wanted) <= plan.crash.within))


def overrides(plan: Plan, point: Float64) -> tuple[str, ...]:
    """Return the scenario's overrides at a point of the unit cube, (D,)."""
    pairs = zip(plan.parameters, point, strict=True)
    return tuple(
        f"{key}={parameter.value(share)!r}" for parameter, share in pairs for key in parameter.keys
    )


def simulated(
    plan: Plan, market: Market, seed: int, point: Float64, *, first_path: int, paths: int
) -> Float64:
    """Return every target of a plan on every path at a point, (P, K).

    All NaN where the set can't be run.
    """
    words = (*overrides(plan, point), "clock.factors=solve", f"clock.end={plan.end}")
    scenario = load_scenario(plan.scenario, words)
    try:
        result = simulate(setting(market, scenario, seed), first_path=first_path, paths=paths)
    except RunError:  # too many stocks at their limits to hold the index, or no numbers
        return np.full((paths, len(plan.targets)), np.nan)
    share = scenario.agents.snowball_dealers.share_ic
    return measure_matrix(
        plan.targets, result.tables["daily"], tables=result.tables, share_csi500=share
    )


def evaluate(task: Task, point: Float64) -> Measured:
    """Return what a point of the unit cube is worth on a task."""
    measured = simulated(task.plan, task.market, task.seed, point, first_path=0, paths=task.paths)
    if not np.isfinite(measured).any():
        return Measured(
            loss=IMPOSSIBLE, medians=measured[0], crashed=0.0, misses=measured[0].copy()
        )
    counts = task.counts
    counted = [target for target, yes in zip(task.plan.targets, counts, strict=True) if yes]
    crashed = crashed_share(task.plan, measured)
    value = loss(counted, task.plan.weights[counts], measured[:, counts])
    if task.plan.crash is not None:
        value += task.plan.crash.weight * (1.0 - crashed)
    return Measured(
        loss=value, medians=medians_of(measured), crashed=crashed,
        misses=signed_misses(task.plan.targets, measured),
    )  # fmt: skip


class Pool:
    """Workers that evaluate points of one task; results in the order of the points."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor

    def evaluate(self, points: Sequence[Float64]) -> list[Measured]:
        """Return what each point is worth, whatever the number of workers."""
        return list(self._executor.map(_evaluate_here, points))


@contextmanager
def pool(task: Task, workers: int) -> Iterator[Pool]:
    """Yield workers for a task, one thread each."""
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(task,)
    ) as executor:
        yield Pool(executor)


_here: Task | None = None


def _start(task: Task) -> None:
    global _here
    for name in THREADS:
        os.environ[name] = "1"
    _here = task


def _evaluate_here(point: Float64) -> Measured:
    assert _here is not None  # set by the initializer of the pool
    return evaluate(_here, point)
