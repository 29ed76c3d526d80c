"""Play blocks of paths somewhere: in this process, in processes of this machine, or on Ray.

Whoever plays a block hands its files back; only the process that owns the run writes them. So a
worker that outlives its owner can't disturb a resumed run, and no storage has to be shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import active_children
from typing import Any

from crowdfall.engine.factors import base_factors, cache_folder, factor_key, packed, save
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.engine.workers import Engine, processes, ray_session, with_shared
from crowdfall.errors import RunError
from crowdfall.market.snapshot import Market
from crowdfall.results.store import encode
from crowdfall.scenarios.schema import Scenario


@dataclass(frozen=True, slots=True)
class Job:
    """What every block of a run needs; ``run`` names it in errors."""

    market: Market
    scenario: Scenario
    seed: int
    run: str


@dataclass(frozen=True, slots=True)
class Part:
    """A block by number, its first path and its number of paths."""

    number: int
    first_path: int
    paths: int


@dataclass(frozen=True, slots=True)
class Played:
    """A finished block: its tables as Parquet, and its factors by file name (replay)."""

    part: Part
    tables: dict[str, bytes]
    factors: dict[str, bytes]


def parts_of(paths: int, size: int) -> list[Part]:
    """Return the blocks of a run."""
    starts = range(0, paths, size)
    return [Part(k, first, min(size, paths - first)) for k, first in enumerate(starts)]


def play_block(job: Job, part: Part) -> Played:
    """Play one block: a pure function of the job and the paths, except for the factor cache."""
    factors = base_factors(job.market, job.scenario, job.seed, part.first_path, part.paths)
    constants = setting(job.market, job.scenario, job.seed)
    result = simulate(constants, first_path=part.first_path, paths=part.paths, factors=factors)
    if result.factors is not None and factors is None:
        key = factor_key(job.market, job.scenario, job.seed)
        save(cache_folder() / key, part.first_path, result.factors)
    solved = {} if result.factors is None else packed(part.first_path, result.factors)
    return Played(part, encode(result.tables), solved)


def play(job: Job, parts: list[Part], workers: int, engine: Engine) -> Iterator[Played]:
    """Yield blocks as they finish, in any order.

    RunError: ``worker_lost`` where the system stopped a worker, ``no_ray`` without the extra,
    ``ray_start`` where Ray did not come up.
    """
    if engine == "ray":
        yield from _on_ray(job, parts, workers)
    elif workers == 1 or len(parts) <= 1:
        for part in parts:
            yield play_block(job, part)
    else:
        yield from _in_processes(job, parts, workers)


def _in_processes(job: Job, parts: list[Part], workers: int) -> Iterator[Played]:
    others = active_children()
    with processes(job, min(workers, len(parts))) as pool:
        try:
            waiting: set[Future[Played]] = {
                pool.submit(with_shared, play_block, part) for part in parts
            }
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BrokenProcessPool:
            # The pool waits for the others, and one that can't get rid of its result never ends.
            for worker in active_children():
                if worker not in others:
                    worker.kill()
            raise RunError("worker_lost", path=job.run) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _on_ray(job: Job, parts: list[Part], workers: int) -> Iterator[Played]:
    """Play blocks as Ray tasks of one processor, ``workers`` at a time."""
    with ray_session(workers) as ray:
        try:
            task: Callable[..., Any] = ray.remote(num_cpus=1)(play_block).remote
            shared, left = ray.put(job), list(parts)
            running = [task(shared, left.pop(0)) for _ in range(min(workers, len(left)))]
            while running:
                done, running = ray.wait(running)
                played = ray.get(done[0])
                if left:
                    running.append(task(shared, left.pop(0)))
                yield played
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayError as error:
            raise RunError("worker_lost", path=job.run) from error
