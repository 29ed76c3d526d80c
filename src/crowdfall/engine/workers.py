"""Processes that work for one owner: on this machine, or on Ray.

One thread a process. What all of them need (a market, a plan) reaches them once: on this machine
through a file, on Ray through its store. They end with their owner, however that ends.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context, parent_process
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final, Literal, TypeVar

from crowdfall.errors import RunError

THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS")

Engine = Literal["local", "ray"]
Shared = TypeVar("Shared")
Asked = TypeVar("Asked")
Found = TypeVar("Found")
Apply = Callable[[Callable[[Any, Any], Any], Iterable[Any]], Iterator[Any]]
"""``apply(function, jobs)``: function(shared, job) of each job, in the order of the jobs."""

_shared: Any = None


@contextmanager
def crew(shared: Any, workers: int, engine: Engine = "local") -> Iterator[Apply]:  # noqa: ANN401
    """Yield what applies a function of a module to ``shared`` and to each of some jobs.

    RunError ``no_ray`` or ``ray_start`` as ``ray_session``.
    """
    if engine == "ray":
        with ray_session(workers) as ray:
            kept = ray.put(shared)
            yield lambda function, jobs: _in_order(ray, function, kept, jobs)
        return
    with processes(shared, workers) as pool:
        yield lambda function, jobs: pool.map(partial(with_shared, function), jobs)


@contextmanager
def processes(shared: Any, workers: int) -> Iterator[ProcessPoolExecutor]:  # noqa: ANN401
    """Yield a pool on this machine whose functions find ``shared`` by ``with_shared``.

    Handed over at their start it would not fit into a pipe, and a worker that is killed before it
    has read all of it would leave its parent writing for ever: so it goes through a file.
    """
    one_thread_each()
    with NamedTemporaryFile(prefix="crowdfall-") as file:
        pickle.dump(shared, file)
        file.flush()
        with ProcessPoolExecutor(
            workers, mp_context=get_context("spawn"), initializer=_start, initargs=(file.name,)
        ) as pool:
            yield pool


def with_shared(function: Callable[[Shared, Asked], Found], job: Asked) -> Found:
    """Apply a function, in a worker of ``processes``, to what is shared and to a job."""
    return function(_shared, job)


def one_thread_each() -> None:
    """Let the workers of this machine inherit one thread a process."""
    for name in THREADS:
        os.environ.setdefault(name, "1")


def _start(file: str) -> None:
    global _shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops the pool
    # A parent that is killed can't stop its workers: they would wait for orders for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _shared = pickle.loads(Path(file).read_bytes())


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def ray_session(workers: int) -> Iterator[Any]:
    """Yield Ray: the cluster that RAY_ADDRESS names, else one started on this machine.

    RunError: ``no_ray`` without the extra, ``ray_start`` where it did not come up.
    """
    if find_spec("ray") is None:
        raise RunError("no_ray")
    # Under ``uv run`` Ray would start its workers in a new environment, without this package.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    ray: Any = import_module("ray")
    owner = not ray.is_initialized()
    if owner:
        join_ray(ray, workers)
    try:
        yield ray
    finally:
        if owner:
            ray.shutdown()


def join_ray(ray: Any, workers: int) -> None:  # noqa: ANN401 - ray carries few types
    """Start or join a cluster; RunError ``ray_start`` where that fails."""
    one_thread_each()
    words: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if not os.environ.get("RAY_ADDRESS"):
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        words |= {"num_cpus": workers, "include_dashboard": False}
    try:
        ray.init(**words)
    except Exception as error:  # Ray raises bare ones
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise RunError("ray_start", why=why[0]) from error


def _in_order(
    ray: Any, function: Callable[[Any, Any], Any], kept: object, jobs: Iterable[object]  # noqa: ANN401
) -> Iterator[Any]:  # fmt: skip
    task = ray.remote(num_cpus=1)(function).remote
    try:
        yield from (ray.get(each) for each in [task(kept, job) for job in jobs])
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
