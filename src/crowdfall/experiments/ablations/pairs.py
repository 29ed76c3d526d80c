"""Baseline and ablations on the same seeds and the baseline's factors.

A path has the same random numbers and the same exogenous factors with and without the mechanism, so
that a difference is its doing. A paired seed is the median of ``each`` paths of its own: where a
fund lives or dies by a hair, single paths differ by more than most mechanisms do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np

from crowdfall.engine.ensemble import Progress
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import BlockResult, simulate
from crowdfall.engine.state import Factors
from crowdfall.engine.workers import crew
from crowdfall.errors import RunError
from crowdfall.experiments.ablations.terms import Study
from crowdfall.experiments.targets import Target, measure_matrix
from crowdfall.market.snapshot import Market
from crowdfall.scenarios import Scenario
from crowdfall.scenarios import load as load_scenario
from crowdfall.types import Bool, Float64, Int64

POINTS: Final = 3.0
"""Cells further than this from the baseline must be sure of their sign, in points of percent."""
SURE: Final = 0.75
"""Least share of seeds with the same sign: 6 of 8."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Columns and targets of the baseline (S, C), (S, K) and of each ablation, (A, S, ...).

    NaN where a participant that a column asks for is switched off. ``targets`` are the free ones,
    to see which of them break.
    """

    study: Study
    targets: tuple[Target, ...]
    scenario: Scenario
    market: Market
    seed: int
    each: int
    baseline: Float64
    baseline_targets: Float64
    values: Float64
    values_targets: Float64

    @property
    def seeds(self) -> int:
        """Return the number of paired seeds."""
        return len(self.baseline)

    @property
    def needed(self) -> int:
        """Return how many seeds must agree on a sign."""
        return ceil(SURE * self.seeds)

    def differences(self) -> Float64:
        """Return the medians of the paired differences from the baseline, (A, C)."""
        return np.asarray(np.median(self.values - self.baseline, axis=1))

    def agreement(self) -> Int64:
        """Return in how many seeds the paired difference has that sign, (A, C)."""
        return agreement(self.baseline, self.values)

    def unclear(self) -> Bool:
        """Return the cells beyond ``POINTS`` whose sign too few seeds share, (A, C)."""
        far = np.abs(self.differences()) > POINTS  # NaN is not far
        return np.asarray(far & (self.agreement() < self.needed))

    def broken(self, ablation: int) -> tuple[str, ...]:
        """Return the targets that hold in the baseline and not in the ablation."""
        return self._changed(self.baseline_targets, self.values_targets[ablation])

    def mended(self, ablation: int) -> tuple[str, ...]:
        """Return the targets that hold in the ablation and not in the baseline."""
        return self._changed(self.values_targets[ablation], self.baseline_targets)

    def _changed(self, before: Float64, after: Float64) -> tuple[str, ...]:
        pairs = zip(self.targets, np.median(before, axis=0), np.median(after, axis=0), strict=True)
        return tuple(t.id for t, was, now in pairs if t.holds(was) and not t.holds(now))


def agreement(baseline: Float64, values: Float64) -> Int64:
    """Return in how many seeds a difference has the sign of the median difference.

    ``baseline`` (S, C), ``values`` (A, S, C); a NaN agrees with nothing, a zero with no sign.

    >>> agreement(np.array([[0.0], [0.0], [0.0]]), np.array([[[-4.0], [-5.0], [1.0]]])).tolist()
    [[2]]
    """
    paired = values - baseline
    sign = np.sign(np.median(paired, axis=1))
    same = np.sign(paired) == sign[:, None, :]
    return np.asarray((same & (sign != 0.0)[:, None, :]).sum(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    market: Market
    study: Study
    asked: tuple[Target, ...]
    seed: int
    seeds: int
    each: int
    factors: Factors | None

    @property
    def paths(self) -> int:
        """Return the number of paths of the baseline and of each ablation."""
        return self.seeds * self.each


def compare(
    study: Study,
    market: Market,
    targets: tuple[Target, ...] = (),
    *,
    seed: int = 1,
    seeds: int = 8,
    each: int = 1,
    workers: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> Comparison:
    """Run the baseline and every ablation on ``seeds`` paired seeds of ``each`` paths.

    The result does not depend on ``workers``. Raises RunError where a count is below one,
    ScenarioError for overrides that can't be read, CalibrationError where the scenario does not
    cover a column or target.
    """
    for name, value in (("seeds", seeds), ("each", each), ("workers", workers)):
        if value < 1:
            raise RunError("count_below_one", name=name, value=value)
    for ablation in study.ablations:
        load_scenario(study.scenario, ablation.overrides)  # bad input speaks before any work
    base = load_scenario(study.scenario)
    free = tuple(target for target in targets if target.kind == "free")
    job = _Job(market=market, study=study, asked=(*study.columns, *free), seed=seed, seeds=seeds,
               each=each, factors=None)  # fmt: skip
    report = progress or (lambda _: None)
    total = (1 + len(study.ablations)) * job.paths
    report(Progress(0, total, "paths"))
    result = simulate(setting(market, base, seed), first_path=0, paths=job.paths)
    first = _measured(job, base, result)
    report(Progress(job.paths, total, "paths"))
    rows = []
    for row in _play(job, result.factors, workers):
        rows.append(row)
        report(Progress((1 + len(rows)) * job.paths, total, "paths"))
    parts, count = np.stack(rows), len(study.columns)
    return Comparison(
        study=study, targets=free, scenario=base, market=market, seed=seed, each=each,
        baseline=first[:, :count], baseline_targets=first[:, count:],
        values=parts[:, :, :count], values_targets=parts[:, :, count:],
    )  # fmt: skip


def _measured(job: _Job, scenario: Scenario, result: BlockResult) -> Float64:
    """Return the measures by paired seed, (S, C + K)."""
    by_path = measure_matrix(
        job.asked, result.tables["daily"], tables=result.tables,
        share_csi500=scenario.agents.snowball_dealers.share_ic,
    )  # fmt: skip
    return np.asarray(np.median(by_path.reshape(job.seeds, job.each, -1), axis=1))


def _one(job: _Job, number: int) -> Float64:
    """Return the measures of one ablation, (S, C + K)."""
    scenario = load_scenario(job.study.scenario, job.study.ablations[number].overrides)
    result = simulate(
        setting(job.market, scenario, job.seed), first_path=0, paths=job.paths, factors=job.factors
    )
    return _measured(job, scenario, result)


def _play(job: _Job, factors: Factors | None, workers: int) -> Iterator[Float64]:
    """Yield the measures of each ablation, in their order."""
    job = _Job(market=job.market, study=job.study, asked=job.asked, seed=job.seed,
               seeds=job.seeds, each=job.each, factors=factors)  # fmt: skip
    numbers = range(len(job.study.ablations))
    if workers == 1:
        yield from (_one(job, number) for number in numbers)
        return
    with crew(job, min(workers, len(numbers))) as apply:
        yield from apply(_one, numbers)
