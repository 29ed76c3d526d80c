"""ABC-SMC: particles of parameters whose simulations come ever closer to what was observed.

Toni et al. (2009, J. R. Soc. Interface 6) with the kernel of Filippi et al. (2013): a normal with
twice the weighted covariance of the generation before. The tolerances are a committed schedule, not
chosen on the way. Each particle has random numbers of its own, so that the population is the same
for any number of workers, and after a stop. Simulations are independent: no trial number repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from crowdfall.errors import CalibrationError
from crowdfall.experiments.saved_state import keep, resumed
from crowdfall.types import Float64

CHUNK: Final = 32
"""Particles between two writings of the state."""
LEAST: Final = 0.5
"""Share of particles that must reach a tolerance; the schedule ends before one that fewer reach."""


class Model(Protocol):
    """A prior over the unit cube and a simulator; must be picklable."""

    def log_prior(self, point: Float64) -> float:
        """Return the log density at a point, minus infinity outside the cube."""
        ...

    def draw(self, rng: np.random.Generator) -> Float64:
        """Return a point of the prior."""
        ...

    def simulate(self, point: Float64, trial: int) -> tuple[float, Float64]:
        """Return the distance of one simulation from what was observed, and what it gave."""
        ...


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Tolerances, largest first; particles; most simulations that one particle may try."""

    tolerances: tuple[float, ...]
    particles: int
    attempts: int


@dataclass(frozen=True, kw_only=True)
class Population:
    """One generation: points (N, D), weights (N,) summing to one, distances (N,), what came out.

    ``asked`` particles tried; those that found nothing within their attempts are missing.
    """

    tolerance: float
    points: Float64
    weights: Float64
    distances: Float64
    values: Float64  # (N, ...)
    simulations: int
    asked: int

    @property
    def effective(self) -> float:
        """Return the effective sample size, 1 / sum of squared weights."""
        return float(1.0 / np.sum(self.weights**2))


@dataclass(frozen=True, kw_only=True)
class _Job:
    seed: int
    generation: int
    particle: int
    schedule: Schedule
    before: tuple[Float64, Float64, Float64] | None  # points, cumulative weights, kernel root


@dataclass(frozen=True, kw_only=True)
class _Found:
    point: Float64 | None
    distance: float
    values: Float64 | None
    simulations: int


@dataclass(frozen=True, kw_only=True)
class _Again:
    point: Float64
    trial: int


@dataclass(kw_only=True)
class _Progress:
    done: list[Population] = field(default_factory=list)
    found: list[_Found] = field(default_factory=list)
    ended: bool = False
    fresh: list[Float64] = field(default_factory=list)


Map = Callable[[Callable[[Any, Any], Any], Iterable[Any]], Iterable[Any]]


def smc(
    model: Model,
    schedule: Schedule,
    *,
    seed: int,
    state: Path,
    key: object,
    apply: Map | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Population, ...]:
    """Return the generations reached, the last one at the smallest tolerance reached.

    ``apply`` maps a function of the model and a job over jobs, in order, in as many processes as it
    likes, which hold the model; here where None. Goes on from ``state`` where a sampling of the
    same ``key`` stopped; CalibrationError where the state is of another or can't be read, or where
    the first tolerance is out of reach.
    """
    now = resumed(state, key, _Progress) or _Progress()
    apply = apply or _here(model)
    while not now.ended and len(now.done) < len(schedule.tolerances):
        jobs = _jobs(schedule, seed, now.done)
        while len(now.found) < schedule.particles:
            first = len(now.found)
            now.found += apply(_attempt, jobs[first : first + CHUNK])
            keep(state, key, now)
            if progress is not None:
                progress(len(now.done) * schedule.particles + len(now.found))
        reached = [each for each in now.found if each.point is not None]
        if len(reached) < max(2.0, LEAST * schedule.particles):
            now.ended = True
        else:
            now.done.append(_population(model, schedule, now.done, now.found))
        now.found = []
        keep(state, key, now)
    if not now.done:
        raise CalibrationError("posterior_out_of_reach", tolerance=schedule.tolerances[0])
    return tuple(now.done)


def afresh(
    model: Model,
    schedule: Schedule,
    last: Population,
    *,
    state: Path,
    key: object,
    apply: Map | None = None,
    progress: Callable[[int], None] | None = None,
) -> Float64:
    """Return what one more simulation of each particle gives, (N, ...).

    The simulations that made the population were chosen for being near; these were not, so they
    are the predictive by which coverage may be judged. ``state`` as ``smc`` left it.
    """
    now = resumed(state, key, _Progress) or _Progress()
    apply = apply or _here(model)
    first = len(schedule.tolerances) * schedule.particles * schedule.attempts
    jobs = [_Again(point=p, trial=first + k) for k, p in enumerate(last.points)]
    while len(now.fresh) < len(jobs):
        start = len(now.fresh)
        now.fresh += apply(_again, jobs[start : start + CHUNK])
        keep(state, key, now)
        if progress is not None:
            progress(len(schedule.tolerances) * schedule.particles + len(now.fresh))
    return np.stack(now.fresh)


def _here(model: Model) -> Map:
    return lambda function, jobs: (function(model, job) for job in jobs)


def _again(model: Model, job: _Again) -> Float64:
    return model.simulate(job.point, job.trial)[1]


def _jobs(schedule: Schedule, seed: int, done: Sequence[Population]) -> list[_Job]:
    before = None
    if done:
        last = done[-1]
        root: Float64 = np.linalg.cholesky(kernel(last)).astype(np.float64)
        before = (last.points, np.cumsum(last.weights), root)
    return [
        _Job(seed=seed, generation=len(done), particle=k, schedule=schedule,
             before=before)
        for k in range(schedule.particles)
    ]  # fmt: skip


def kernel(population: Population) -> Float64:
    """Return the covariance of the perturbation: twice the weighted one, (D, D)."""
    points, weights = population.points, population.weights
    centred = points - weights @ points
    covariance = (centred * weights[:, None]).T @ centred / (1.0 - np.sum(weights**2))
    # A direction in which all agree must still move a little.
    return np.asarray(2.0 * covariance + 1e-8 * np.eye(points.shape[1]))


def _attempt(model: Model, job: _Job) -> _Found:
    schedule = job.schedule
    rng = np.random.default_rng([job.seed, job.generation, job.particle])
    serial = (job.generation * schedule.particles + job.particle) * schedule.attempts
    for attempt in range(schedule.attempts):
        point = _propose(model, job, rng)
        distance, values = model.simulate(point, serial + attempt)
        if distance <= schedule.tolerances[job.generation]:
            return _Found(point=point, distance=distance, values=values, simulations=attempt + 1)
    return _Found(point=None, distance=np.inf, values=None, simulations=schedule.attempts)


def _propose(model: Model, job: _Job, rng: np.random.Generator) -> Float64:
    if job.before is None:
        return model.draw(rng)
    points, cumulative, root = job.before
    while True:
        ancestor = points[np.searchsorted(cumulative, rng.random() * cumulative[-1])]
        point = np.asarray(ancestor + root @ rng.standard_normal(len(ancestor)))
        if np.isfinite(model.log_prior(point)):
            return point


def _population(
    model: Model, schedule: Schedule, done: Sequence[Population], found: Sequence[_Found]
) -> Population:
    reached = [each for each in found if each.point is not None and each.values is not None]
    points = np.stack([each.point for each in reached if each.point is not None])
    weights = _weights(model, done[-1] if done else None, points)
    return Population(
        tolerance=schedule.tolerances[len(done)],
        points=points,
        weights=weights,
        distances=np.array([each.distance for each in reached]),
        values=np.stack([each.values for each in reached if each.values is not None]),
        simulations=sum(each.simulations for each in found),
        asked=len(found),
    )


def _weights(model: Model, before: Population | None, points: Float64) -> Float64:
    """Return prior over proposal density, normalised."""
    if before is None:
        return np.full(len(points), 1.0 / len(points))
    inverse = np.linalg.inv(kernel(before))
    logs = np.array([model.log_prior(point) for point in points])
    for k, point in enumerate(points):
        off = point - before.points
        exponents = -0.5 * np.einsum("nd,de,ne->n", off, inverse, off)
        top = exponents.max()
        logs[k] -= top + np.log(before.weights @ np.exp(exponents - top))
    raw = np.exp(logs - logs.max())
    return np.asarray(raw / raw.sum())
