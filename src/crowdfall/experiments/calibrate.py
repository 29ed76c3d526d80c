"""Fit a scenario's parameters to its free targets: simulated moments and CMA-ES.

All candidates see the same random numbers. The market is thinned for the search; the result is
checked on the full one by ``validate``. Each generation is written whole, so a search that was
killed goes on from its last generation and ends at the same result.
"""

from __future__ import annotations

import pickle
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from crowdfall import __version__
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.errors import CalibrationError
from crowdfall.experiments.targets import Target, load, measure_matrix
from crowdfall.market.snapshot import Market
from crowdfall.market.thin import thin
from crowdfall.scenarios import load as load_scenario
from crowdfall.types import Float64

if TYPE_CHECKING:
    from cmaes import CMA


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """Scenario keys that move together, their box and where the search starts."""

    keys: tuple[str, ...]
    low: float
    high: float
    start: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is searched, on what, and how long."""

    scenario: str
    targets: str
    end: str
    every: int
    paths: int
    population: int
    generations: int
    sigma: float
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """The best candidate: its overrides, loss, and the medians of the targets."""

    overrides: tuple[str, ...]
    loss: float
    medians: Float64
    generation: int

    def inside(self, plan: Plan) -> int:
        """Return how many free targets the medians hold."""
        pairs = zip(free_targets(plan), self.medians, strict=True)
        return sum(target.holds(float(value)) for target, value in pairs)


def plan(name_or_path: str) -> Plan:
    """Return a plan that ships, or one of a file."""
    shipped = Path(str(files("crowdfall.experiments").joinpath("plans", f"{name_or_path}.toml")))
    path = shipped if shipped.is_file() else Path(name_or_path)
    if not path.is_file():
        raise CalibrationError("unknown_plan", name=name_or_path)
    words = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        parameters = tuple(
            Parameter(
                keys=tuple(p["keys"]),
                **{name: float(p[name]) for name in ("low", "high", "start")},
            )
            for p in words.pop("parameter")
        )
        return Plan(parameters=parameters, **{**words, "end": str(words["end"])})
    except (KeyError, TypeError, ValueError) as error:
        raise CalibrationError("bad_plan", path=path, why=str(error)) from None


def loss(targets: Sequence[Target], measured: Float64) -> float:
    """Return the distance of simulated targets (P, K) from the wanted ones.

    Pseudo-Huber of each miss over its tolerance (smooth near, linear far: a search must feel its
    way back to the crash), and twice what lies beyond 0.8 of the tolerance. Half of it is the
    mean over paths, half that of the medians: a set on the edge, where some paths crash and some
    do not, is a bad set even if its medians fit. A target of tolerance zero (a date) counts by
    sessions, one a unit.
    """
    tolerance = np.array([t.tolerance or 1.0 for t in targets])
    wanted = np.array([t.value for t in targets])

    def distance(values: Float64) -> Float64:
        miss = (values - wanted) / tolerance
        near = 2.0 * (np.sqrt(1.0 + miss**2) - 1.0)
        beyond = np.maximum(0.0, np.abs(miss) - 0.8)
        return np.asarray(np.sum(near + 2.0 * beyond, axis=-1))

    if not np.isfinite(measured).all():
        return 1e6
    return float(distance(measured).mean() + distance(np.median(measured, axis=0))) / 2


def candidate(plan: Plan, point: Float64) -> tuple[str, ...]:
    """Return the overrides of a point of the unit cube."""
    out = []
    for parameter, share in zip(plan.parameters, np.clip(point, 0.0, 1.0), strict=True):
        value = parameter.low + float(share) * (parameter.high - parameter.low)
        out += [f"{key}={value:.6g}" for key in parameter.keys]
    return tuple(out)


def evaluate(plan: Plan, market: Market, seed: int, point: Float64) -> tuple[float, Float64]:
    """Return the loss and the medians of the free targets at a point of the unit cube."""
    overrides = (*candidate(plan, point), "clock.factors=solve", f"clock.end={plan.end}")
    scenario = load_scenario(plan.scenario, overrides)
    result = simulate(setting(market, scenario, seed), first_path=0, paths=plan.paths)
    targets = free_targets(plan)
    share = scenario.agents.snowball_dealers.share_ic
    measured = measure_matrix(targets, result.tables["daily"], share_csi500=share)
    return loss(targets, measured), np.median(measured, axis=0)


def free_targets(plan: Plan) -> tuple[Target, ...]:
    """Return the targets that count."""
    return tuple(t for t in load(plan.targets) if t.kind == "free")


def start(plan: Plan) -> Float64:
    """Return where the search begins, in the unit cube."""
    share = [(p.start - p.low) / (p.high - p.low) for p in plan.parameters]
    return np.asarray(np.clip(share, 0.02, 0.98))


def calibrate(
    plan: Plan,
    market: Market,
    *,
    seed: int,
    workers: int,
    state: Path,
    progress: Callable[[int], None] | None = None,
) -> Fit:
    """Search, going on from ``state`` where an earlier search of the same plan stopped."""
    small = thin(market, plan.every)
    key = (plan, market.digest, seed, __version__)
    search, best = _resume(state, key) or (_new(plan, seed), None)
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=_start, initargs=(plan, small, seed)
    ) as pool:
        while search.generation < plan.generations:
            points = [search.ask() for _ in range(plan.population)]
            results = list(pool.map(_evaluate_here, points))
            search.tell([(x, r[0]) for x, r in zip(points, results, strict=True)])
            k = int(np.argmin([r[0] for r in results]))
            if best is None or results[k][0] < best.loss:
                best = Fit(
                    overrides=candidate(plan, points[k]), loss=results[k][0],
                    medians=results[k][1], generation=search.generation,
                )  # fmt: skip
            _keep(state, (key, search, best))
            if progress is not None:
                progress(search.generation)
    if best is None:
        raise CalibrationError("nothing_fitted", generations=plan.generations)
    return best


def _new(plan: Plan, seed: int) -> CMA:
    from cmaes import CMA

    count = len(plan.parameters)
    bounds = np.tile([0.0, 1.0], (count, 1))
    return CMA(
        mean=start(plan), sigma=plan.sigma, bounds=bounds, population_size=plan.population,
        seed=seed % 2**32,
    )  # fmt: skip


def _resume(state: Path, key: object) -> tuple[CMA, Fit | None] | None:
    if not state.is_file():
        return None
    try:
        kept, search, best = pickle.loads(state.read_bytes())
    except (pickle.UnpicklingError, ValueError, EOFError, AttributeError):
        raise CalibrationError("state_unreadable", path=state) from None
    if kept != key:
        raise CalibrationError("state_of_another", path=state)
    return search, best


def _keep(state: Path, value: object) -> None:
    draft = state.with_name(f".{state.name}.draft")
    draft.write_bytes(pickle.dumps(value))
    draft.replace(state)


_here: tuple[Plan, Market, int] | None = None


def _start(plan: Plan, market: Market, seed: int) -> None:
    global _here
    _here = (plan, market, seed)


def _evaluate_here(point: Float64) -> tuple[float, Float64]:
    assert _here is not None  # set by the initializer of the pool
    return evaluate(*_here, point)


def check_free(path: Path) -> None:
    """Raise CalibrationError where a file stands at ``path`` or its folder is missing."""
    if path.exists() or not path.parent.is_dir():
        raise CalibrationError("fit_target", path=path)


def write(fit: Fit, plan: Plan, market: Market, seed: int, path: Path) -> None:
    """Write the fitted numbers as a file that a scenario names under ``parameters``."""
    names = [t.id for t in free_targets(plan)]
    medians = ", ".join(f"{n} {m:.2f}" for n, m in zip(names, fit.medians, strict=True))
    lines = [
        f"# Fit of {plan.scenario} to its free targets by `crowdfall experiment calibrate`:",
        f"# version {__version__}, CMA-ES, {plan.generations} generations of {plan.population}, "
        f"{plan.paths} paths, every {plan.every}. stock,",
        f"# seed {seed}, market {market.digest}; loss {fit.loss:.2f}, generation {fit.generation}.",
        f"# Medians of the search: {medians}",
    ]
    tables: dict[str, list[str]] = {}
    sources: list[str] = []
    for text in fit.overrides:
        key, value = text.split("=")
        table, name = key.rsplit(".", 1)
        tables.setdefault(table, []).append(f"{name} = {float(value)!r}")
        sources.append(f'"{key}" = "fit on the free K targets (plan {plan.scenario}, seed {seed})"')
    for table, entries in {**tables, "sources": sources}.items():
        lines += ["", f"[{table}]", *entries]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
