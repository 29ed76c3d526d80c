"""The posterior of a plan's parameters: the model behind ABC-SMC, and the folder it is kept in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crowdfall import __version__
from crowdfall.engine.factors import code_digest
from crowdfall.engine.workers import Engine, crew
from crowdfall.errors import CalibrationError
from crowdfall.experiments.calibrate.objective import IMPOSSIBLE, loss, simulated
from crowdfall.experiments.calibrate.plan import Plan, Sampling
from crowdfall.experiments.posterior.smc import Population, Schedule, afresh, smc
from crowdfall.market.snapshot import Market
from crowdfall.market.thin import thin
from crowdfall.results.metrics import HIGH, LOW
from crowdfall.types import Float64


@dataclass(frozen=True, kw_only=True)
class ReplayModel:
    """A plan as a model: its priors, and a replay with fresh paths for every trial."""

    plan: Plan
    market: Market
    seed: int
    paths: int

    @property
    def dimensions(self) -> int:
        """Return the number of parameters."""
        return len(self.plan.parameters)

    def log_prior(self, point: Float64) -> float:
        """Return the log density of the prior, up to a constant."""
        pairs = zip(self.plan.parameters, point, strict=True)
        return float(sum(parameter.log_prior(float(share)) for parameter, share in pairs))

    def draw(self, rng: np.random.Generator) -> Float64:
        """Return a point of the prior, by rejection where it is not flat."""
        out = np.empty(self.dimensions)
        for k, parameter in enumerate(self.plan.parameters):
            top = max(parameter.log_prior(share) for share in np.linspace(0.0, 1.0, 101))
            out[k] = rng.random()
            while np.log(rng.random()) > parameter.log_prior(out[k]) - top:
                out[k] = rng.random()
        return out

    def simulate(self, point: Float64, trial: int) -> tuple[float, Float64]:
        """Return the loss of one simulation and its targets by path, (P, K)."""
        values = simulated(
            self.plan, self.market, self.seed, point, first_path=trial * self.paths,
            paths=self.paths,
        )  # fmt: skip
        if not np.isfinite(values).any():
            return IMPOSSIBLE, values
        return loss(self.plan.targets, self.plan.weights, values), values


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """The generations of a sampling, and what it was a sampling of.

    ``fresh`` (N, P, K): one more simulation of each particle of the last generation.
    """

    plan: Plan
    market: Market
    seed: int
    sampling: Sampling
    generations: tuple[Population, ...]
    fresh: Float64

    @property
    def last(self) -> Population:
        """Return the generation at the smallest tolerance reached."""
        return self.generations[-1]

    def coverage(self) -> dict[str, tuple[float, float, float, bool]]:
        """Return by target: 5%, 50% and 95% of the predictive, and whether they hold the value.

        From fresh simulations: those that were accepted were chosen for being near.
        """
        values = self.fresh
        weights = np.repeat(self.last.weights, values.shape[1])
        out = {}
        for k, target in enumerate(self.plan.targets):
            flat = values[:, :, k].reshape(-1)
            known = np.isfinite(flat)
            low, middle, high = (
                (weighted_quantile(flat[known], weights[known], q) for q in (LOW, 0.5, HIGH))
                if known.any()
                else (np.nan,) * 3
            )
            out[target.id] = (low, middle, high, bool(low <= target.value <= high))
        return out


def weighted_quantile(values: Float64, weights: Float64, share: float) -> float:
    """Return the smallest value whose cumulative weight reaches a share.

    >>> weighted_quantile(np.array([3.0, 1.0, 2.0]), np.array([0.2, 0.5, 0.3]), 0.6)
    2.0
    """
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    place = np.searchsorted(cumulative, share * cumulative[-1])
    return float(values[order][min(int(place), len(values) - 1)])


def sample(
    plan: Plan,
    market: Market,
    *,
    seed: int,
    workers: int,
    state: Path,
    particles: int | None = None,
    engine: Engine = "local",
    progress: Callable[[int], None] | None = None,
) -> Posterior:
    """Return the posterior of a plan by its committed schedule.

    CalibrationError where the plan has no ``[posterior]``, or as ``smc``.
    """
    if plan.sampling is None:
        raise CalibrationError("plan_without_posterior", name=plan.name)
    terms = plan.sampling
    schedule = Schedule(
        tolerances=terms.tolerances, particles=particles or terms.particles,
        attempts=terms.attempts,
    )  # fmt: skip
    model = ReplayModel(plan=plan, market=thin(market, terms.every), seed=seed, paths=terms.paths)
    key = (plan.digest, tuple(c.digest for c in plan.counted), market.digest, seed,
           schedule.particles, __version__, code_digest())  # fmt: skip
    with crew(model, workers, engine) as apply:
        found = smc(
            model, schedule, seed=seed, state=state, key=key, apply=apply, progress=progress
        )
        fresh = afresh(
            model, schedule, found[-1], state=state, key=key, apply=apply, progress=progress
        )
    return Posterior(
        plan=plan, market=market, seed=seed, sampling=terms, generations=found, fresh=fresh
    )


def write(posterior: Posterior, folder: Path) -> None:
    """Write ``particles.parquet``, ``predictive.parquet`` and ``posterior.json`` into a folder."""
    import polars as pl

    folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, list[Any]] = {"generation": [], "particle": [], "weight": [], "distance": []}
    columns: dict[str, list[float]] = {each.name: [] for each in posterior.plan.parameters}
    for number, population in enumerate(posterior.generations):
        count = len(population.points)
        rows["generation"] += [number] * count
        rows["particle"] += list(range(count))
        rows["weight"] += population.weights.tolist()
        rows["distance"] += population.distances.tolist()
        for k, parameter in enumerate(posterior.plan.parameters):
            columns[parameter.name] += [parameter.value(x) for x in population.points[:, k]]
    pl.DataFrame({**rows, **columns}).write_parquet(folder / "particles.parquet")
    bands = posterior.coverage()
    wanted = {target.id: target for target in posterior.plan.targets}
    pl.DataFrame(
        [
            {"id": name, "wanted": wanted[name].value, "low": low, "median": middle, "high": high,
             "covered": held}
            for name, (low, middle, high, held) in bands.items()
        ]
    ).write_parquet(folder / "predictive.parquet")  # fmt: skip
    text = json.dumps(summary(posterior), ensure_ascii=False, indent=2)
    (folder / "posterior.json").write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The last generation as kept in a folder: points (N, D), weights (N,), and the summary."""

    points: Float64
    weights: Float64
    facts: dict[str, Any]


def read(plan: Plan, folder: Path) -> Sampled:
    """Return what ``write`` wrote; CalibrationError where it is of another plan or damaged."""
    import polars as pl

    try:
        facts = json.loads((folder / "posterior.json").read_text(encoding="utf-8"))
        if facts["plan_digest"] != plan.digest:
            raise CalibrationError("state_of_another", path=folder)
        rows = pl.read_parquet(folder / "particles.parquet")
        rows = rows.filter(pl.col("generation") == rows["generation"].max())
        points = [[each.place(x) for x in rows[each.name].to_list()] for each in plan.parameters]
        weights = rows["weight"].to_numpy().copy()
        return Sampled(points=np.array(points).T, weights=weights, facts=facts)
    except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError):
        raise CalibrationError("state_unreadable", path=folder) from None


def summary(posterior: Posterior) -> dict[str, Any]:
    """Return the provenance, the schedule as reached, effective sizes and predictive coverage."""
    bands = posterior.coverage()
    first, cover = 0, {}
    ids = [target.id for target in posterior.plan.targets]
    for each in posterior.plan.counted:
        names = ids[first : first + len(each.targets)]
        cover[each.file] = [sum(bands[name][3] for name in names), len(names)]
        first += len(names)
    return {
        "plan": posterior.plan.name,
        "plan_digest": posterior.plan.digest,
        "targets": {each.file: each.digest for each in posterior.plan.counted},
        "market": posterior.market.digest,
        "data": list(posterior.market.sources),
        "seed": posterior.seed,
        "version": __version__,
        "every": posterior.sampling.every,
        "paths": posterior.sampling.paths,
        "schedule": list(posterior.sampling.tolerances),
        "generations": [
            {
                "tolerance": population.tolerance,
                "particles": len(population.points),
                "asked": population.asked,
                "simulations": population.simulations,
                "effective_sample_size": round(population.effective, 1),
            }
            for population in posterior.generations
        ],
        "predictive_coverage": cover,
        "predictive_simulations": len(posterior.fresh),
    }
