"""What a set of parameters is worth: simulated targets against the wanted ones.

Every candidate of a search sees the same random numbers (paths 0 to P-1 of one seed), so that two
losses differ by the parameters alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.engine.workers import Apply, Engine, crew
from crowdfall.errors import RunError
from crowdfall.experiments.calibrate.plan import Calm, Plan
from crowdfall.experiments.targets import Target, measure_matrix
from crowdfall.market.snapshot import Market
from crowdfall.scenarios import load as load_scenario
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Bool, Float64

UNKNOWN: Final = 10.0
"""Tolerances that count as missed where a path has no value (no limit-down at all, say)."""
IMPOSSIBLE: Final = 1e6
"""Loss of a set that can't be run: prices that miss the pinned index, or no numbers."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A candidate: its loss, the medians of all targets (K,), and the share of crashed paths.

    ``misses`` (K,): mean over paths of the signed miss in tolerances; NaN where none has a value.
    Where the plan has a calm year its targets follow those of the scenario.
    """

    loss: float
    medians: Float64
    crashed: float
    misses: Float64


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a worker needs to evaluate points: the plan on its markets, and which targets count.

    ``counts`` (K,): of the scenario's targets, then of the calm year's, which is played on
    ``calm`` where one of its counts.
    """

    plan: Plan
    market: Market
    seed: int
    paths: int
    counts: Bool
    calm: Market | None = None

    @property
    def weights(self) -> Float64:
        """Return the weights of the targets that count."""
        return np.concatenate([each.weights for each in self.plan.all_counted])[self.counts]


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


def overrides(plan: Plan, point: Float64, keeps: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the scenario's overrides at a point of the unit cube (D,), but for what it keeps."""
    pairs = zip(plan.parameters, point, strict=True)
    return tuple(
        f"{key}={parameter.value(share)!r}"
        for parameter, share in pairs
        for key in parameter.keys
        if key not in keeps
    )


def simulated(
    plan: Plan, market: Market, seed: int, point: Float64, *, first_path: int, paths: int
) -> Float64:
    """Return every target of a plan's scenario on every path at a point, (P, K).

    All NaN where the set can't be run.
    """
    words = (*overrides(plan, point), "clock.factors=solve", f"clock.end={plan.end}")
    scenario = load_scenario(plan.scenario, words)
    return _measured(scenario, market, seed, plan.targets, first_path, paths)


def calm_year(calm: Calm, plan: Plan, market: Market, seed: int, point: Float64) -> Float64:
    """Return every target of a plan's calm year on every path at a point, (P, K); as above."""
    words = (*overrides(plan, point, calm.keeps), f"clock.end={calm.end}")
    scenario = load_scenario(calm.scenario, words)
    return _measured(scenario, market, seed, calm.counted.targets, 0, calm.paths)


def _measured(
    scenario: Scenario, market: Market, seed: int, targets: Sequence[Target], first_path: int,
    paths: int,
) -> Float64:  # fmt: skip
    try:
        result = simulate(setting(market, scenario, seed), first_path=first_path, paths=paths)
    except RunError:  # too many stocks at their limits to hold the index, or no numbers
        return np.full((paths, len(targets)), np.nan)
    share = scenario.agents.snowball_dealers.share_ic
    return measure_matrix(targets, result.tables["daily"], tables=result.tables, share_csi500=share)


def evaluate(task: Task, point: Float64) -> Measured:
    """Return what a point of the unit cube is worth on a task."""
    plan, count = task.plan, len(task.plan.targets)
    measured = simulated(plan, task.market, task.seed, point, first_path=0, paths=task.paths)
    parts = [(plan.targets, plan.weights, task.counts[:count], measured)]
    calm = plan.calm
    if calm is not None and task.calm is not None:
        year = calm_year(calm, plan, task.calm, task.seed, point)
        parts.append((calm.counted.targets, calm.counted.weights, task.counts[count:], year))
    medians = np.concatenate([medians_of(values) for *_, values in parts])
    misses = np.concatenate([signed_misses(targets, values) for targets, *_, values in parts])
    if not all(np.isfinite(values).any() for *_, values in parts):
        return Measured(loss=IMPOSSIBLE, medians=medians, crashed=0.0, misses=misses)
    value = sum(
        loss([t for t, yes in zip(targets, counts, strict=True) if yes], weights[counts],
             values[:, counts])
        for targets, weights, counts, values in parts
    )  # fmt: skip
    crashed = crashed_share(plan, measured)
    if plan.crash is not None:
        value += plan.crash.weight * (1.0 - crashed)
    return Measured(loss=value, medians=medians, crashed=crashed, misses=misses)


class Pool:
    """Workers that evaluate points of one task; results in the order of the points."""

    def __init__(self, apply: Apply) -> None:
        self._apply = apply

    def evaluate(self, points: Sequence[Float64]) -> list[Measured]:
        """Return what each point is worth, whatever the number of workers."""
        return list(self._apply(evaluate, points))


@contextmanager
def pool(task: Task, workers: int, engine: Engine = "local") -> Iterator[Pool]:
    """Yield workers for a task, one thread each."""
    with crew(task, workers, engine) as apply:
        yield Pool(apply)
