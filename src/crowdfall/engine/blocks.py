"""Play blocks of paths somewhere: in this process, in processes of this machine, or on Ray.

Whoever plays a block hands its files back; only the process that owns the run writes them. So a
worker that outlives its owner can't disturb a resumed run, and no storage has to be shared.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final, Literal

from crowdfall.engine.factors import base_factors, cache_folder, factor_key, packed, save
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.errors import RunError
from crowdfall.market.snapshot import Market
from crowdfall.results.store import encode
from crowdfall.scenarios.schema import Scenario

THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS")

Engine = Literal["local", "ray"]


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
    for name in THREADS:  # inherited by the workers: one thread a process
        os.environ.setdefault(name, "1")
    others = active_children()
    with _kept(job) as file, ProcessPoolExecutor(
        min(workers, len(parts)), mp_context=get_context("spawn"), initializer=_start,
        initargs=(file,),
    ) as pool:  # fmt: skip
        try:
            waiting: set[Future[Played]] = {pool.submit(_block_of_worker, part) for part in parts}
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


@contextmanager
def _kept(job: Job) -> Iterator[str]:
    """Keep a job in a file for the workers, and return its name.

    Handed over at their start it would not fit into a pipe, and a worker that is killed before it
    has read all of it would leave its parent writing for ever.
    """
    with NamedTemporaryFile(prefix="crowdfall-") as file:
        pickle.dump(job, file)
        file.flush()
        yield file.name


_of_worker: Job | None = None


def _start(file: str) -> None:
    global _of_worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops the pool
    # A parent that is killed can't stop its workers: they would wait for orders for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _of_worker = pickle.loads(Path(file).read_bytes())


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _block_of_worker(part: Part) -> Played:
    assert _of_worker is not None  # set by the initializer of the pool
    return play_block(_of_worker, part)


def _on_ray(job: Job, parts: list[Part], workers: int) -> Iterator[Played]:
    """Play blocks as Ray tasks of one processor, ``workers`` at a time.

    Joins the cluster that RAY_ADDRESS names; starts one on this machine otherwise.
    """
    if find_spec("ray") is None:
        raise RunError("no_ray")
    # Under ``uv run`` Ray would start its workers in a new environment, without this package.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    ray: Any = import_module("ray")
    owner = not ray.is_initialized()
    if owner:
        _join_ray(ray, workers)
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
    finally:
        if owner:
            ray.shutdown()


def _join_ray(ray: Any, workers: int) -> None:  # noqa: ANN401 - ray carries few types
    for name in THREADS:  # inherited by the workers of this machine
        os.environ.setdefault(name, "1")
    words: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        words |= {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(**words)
    except Exception as error:  # Ray raises bare ones
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError("ray_start", why=why[0]) from error
