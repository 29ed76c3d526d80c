"""The staged search: Sobol draws over the whole box, then CMA-ES or Gauss-Newton, block by block.

The first stage begins at the best of its draws and of the start that the plan names, each later
one at the best of the stage before. The state is written whole after every generation and then
renamed, so a search that was killed goes on from its last generation and ends at the same file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from crowdfall import __version__
from crowdfall.engine.factors import code_digest
from crowdfall.engine.workers import Engine
from crowdfall.errors import CalibrationError
from crowdfall.experiments.calibrate import newton
from crowdfall.experiments.calibrate.objective import Measured, Pool, Task, pool
from crowdfall.experiments.calibrate.plan import Plan, Stage
from crowdfall.experiments.saved_state import keep, resumed
from crowdfall.market.snapshot import Market
from crowdfall.market.thin import thin
from crowdfall.types import Bool, Float64, Int64

if TYPE_CHECKING:
    from cmaes import CMA


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The best point of a stage, (D,) in the unit cube, and what it is worth there."""

    stage: str
    point: Float64
    measured: Measured
    generation: int

    def inside(self, plan: Plan) -> dict[str, tuple[int, int]]:
        """Return, by target file, how many of how many targets the medians hold.

        A stage in which no target of the calm year counts does not play it, and leaves it out.
        """
        out, first = {}, 0
        for each in plan.all_counted:
            medians = self.measured.medians[first : first + len(each.targets)]
            if not len(medians):
                continue
            held = sum(t.holds(float(m)) for t, m in zip(each.targets, medians, strict=True))
            out[each.file] = (held, len(each.targets))
            first += len(each.targets)
        return out


@dataclass(kw_only=True)
class Search:
    """Where a search stands: the stage, its CMA-ES, its best, and the stages that are done.

    ``steps``: how many a stage of ``newton`` has made.
    """

    stage: int = 0
    steps: int = 0
    cma: CMA | None = None
    best: Fit | None = None
    done: list[Fit] = field(default_factory=list)


def length(plan: Plan) -> int:
    """Return how many sets all stages evaluate."""
    return sum(map(plan.length, plan.stages))


def calibrate(
    plan: Plan,
    market: Market,
    *,
    seed: int,
    workers: int,
    state: Path,
    calm: Market | None = None,
    engine: Engine = "local",
    progress: Callable[[int], None] | None = None,
) -> tuple[Fit, ...]:
    """Search all stages and return the best of each; the last one is the fit.

    Goes on from ``state`` where an earlier search of the same plan, markets, seed, version and
    code stopped. ``calm``: the market of the plan's calm year. CalibrationError where the plan has
    such a year and no market is given, or the state is of another search or can't be read.
    """
    if plan.calm is not None and calm is None:
        raise CalibrationError("calm_market", name=plan.name, scenario=plan.calm.scenario)
    key = (plan.digest, tuple(c.digest for c in plan.all_counted), market.digest,
           calm.digest if calm else "", seed, __version__, code_digest())  # fmt: skip
    search = resumed(state, key, Search) or Search()
    while search.stage < len(plan.stages):
        stage = plan.stages[search.stage]
        task = Task(
            plan=plan, market=thin(market, stage.every), seed=seed, paths=stage.paths,
            counts=_counts(plan, stage),
            calm=thin(calm, plan.calm.every) if plan.calm and calm and stage.calm else None,
        )  # fmt: skip
        save = partial(keep, state, key, search)
        with pool(task, workers, engine) as evaluators:
            _play(stage, search, task, evaluators, seed, save, progress or (lambda _: None))
        search.done.append(_best(search))
        search.stage, search.cma, search.best, search.steps = search.stage + 1, None, None, 0
        keep(state, key, search)
    return tuple(search.done)


def _play(
    stage: Stage, search: Search, task: Task, evaluators: Pool, seed: int,
    save: Callable[[], None], show: Callable[[int], None],
) -> None:  # fmt: skip
    plan = task.plan
    moving = plan.moving(stage)
    base = search.done[-1].point if search.done else plan.start

    def score(parts: list[Float64], generation: int) -> list[Measured]:
        points = [_whole(base, moving, part) for part in parts]
        found = evaluators.evaluate(points)
        k = int(np.argmin([each.loss for each in found]))
        if search.best is None or found[k].loss < search.best.measured.loss:
            search.best = Fit(stage=stage.name, point=points[k], measured=found[k],
                              generation=generation)  # fmt: skip
        return found

    if search.best is None:
        score([base[moving], *_draws(stage, len(moving), seed, search.stage)], 0)
        if stage.method == "cma":
            search.cma = _new(stage, _best(search).point[moving], seed, search.stage)
        save()
        show(_so_far(plan, search))
    while _generation(search) < stage.generations:
        if search.cma is None:
            _step(stage, moving, task, search, score)
        else:
            _generate(stage, seed, search, search.cma, score)
        save()
        show(_so_far(plan, search))


Score = Callable[[list[Float64], int], list[Measured]]


def _best(search: Search) -> Fit:
    assert search.best is not None  # every stage evaluates its start first
    return search.best


def _generation(search: Search) -> int:
    return search.steps if search.cma is None else int(search.cma.generation)


def _generate(stage: Stage, seed: int, search: Search, cma: CMA, score: Score) -> None:
    # Its pickle leaves the generator out: every generation has a seed of its own.
    cma.reseed_rng(_seed(seed, search.stage, cma.generation))
    parts = [cma.ask() for _ in range(stage.population)]
    found = score(parts, cma.generation + 1)
    cma.tell([(p, m.loss) for p, m in zip(parts, found, strict=True)])


def _step(stage: Stage, moving: Int64, task: Task, search: Search, score: Score) -> None:
    """Probe each parameter around the best set and try damped steps; the best of all stays."""
    here, counts = _best(search), task.counts
    point, misses = here.point[moving], here.measured.misses[counts]
    found = score(newton.probes(point, stage.sigma), search.steps + 1)
    there = np.stack([each.misses[counts] for each in found])
    slope = newton.slopes(point, stage.sigma, misses, there)
    tried = newton.steps(point, misses, slope, task.weights, stage.population)
    score(tried, search.steps + 1)
    search.steps += 1


def _whole(base: Float64, moving: Any, part: Float64) -> Float64:  # noqa: ANN401 - an index array
    point = base.copy()
    point[moving] = part
    return point


def _draws(stage: Stage, count: int, seed: int, number: int) -> list[Float64]:
    if not stage.draws:
        return []
    from scipy.stats.qmc import Sobol

    sobol = Sobol(count, rng=np.random.default_rng([seed, number]))
    return list(sobol.random_base2(max(0, (stage.draws - 1).bit_length()))[: stage.draws])


def _new(stage: Stage, mean: Float64, seed: int, number: int) -> CMA:
    from cmaes import CMA

    bounds = np.tile([0.0, 1.0], (len(mean), 1))
    return CMA(
        mean=np.clip(mean, 0.02, 0.98), sigma=stage.sigma, bounds=bounds,
        population_size=stage.population, seed=_seed(seed, number, 0),
    )  # fmt: skip


def _seed(*words: int) -> int:
    return int(np.random.SeedSequence(words).generate_state(1)[0])


def _counts(plan: Plan, stage: Stage) -> Bool:
    beginnings = stage.targets or ("",)
    mine = [target.id.startswith(beginnings) for target in plan.targets]
    year = plan.calm.counted.targets if plan.calm and stage.calm else ()
    return np.array(mine + [True] * len(year))


def _so_far(plan: Plan, search: Search) -> int:
    past = sum(map(plan.length, plan.stages[: search.stage]))
    stage = plan.stages[search.stage]
    if _generation(search) == 0:
        return past
    each = (plan.length(stage) - stage.draws) // stage.generations
    return past + stage.draws + each * _generation(search)
