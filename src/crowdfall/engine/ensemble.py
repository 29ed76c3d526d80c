"""Many paths: blocks in processes, one thread each, written whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from crowdfall import __version__
from crowdfall.engine.factors import base_factors, base_is_missing, cache_folder, factor_key, save
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.engine.summary import summary_of
from crowdfall.errors import RunError
from crowdfall.market.snapshot import Market
from crowdfall.results.store import RunFolder, check_free, create, open_run
from crowdfall.scenarios.inputs import pinned_closes
from crowdfall.scenarios.policies import remarks
from crowdfall.scenarios.schema import Scenario

SMALLEST: Final = 5
LARGEST: Final = 20
"""Paths in a block, about 5 MB each: Python's work of a bar is shared by all of them."""
THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    ``stage`` is ``paths`` or ``tables``, and ``base`` at the start of a variation whose factors
    must be solved first.
    """

    done_paths: int
    paths: int
    stage: str


@dataclass(frozen=True, slots=True)
class _Job:
    market: Market
    scenario: Scenario
    seed: int
    out: Path


def run(
    market: Market,
    scenario: Scenario,
    *,
    paths: int,
    seed: int,
    workers: int,
    out: Path,
    progress: Callable[[Progress], None] | None = None,
    block: int | None = None,
) -> RunFolder:
    """Run an ensemble into a new folder and return it complete.

    The result depends on market, scenario, seed and paths alone, not on workers or block size.
    Raises RunError where the folder exists or a count is below one.
    """
    block = block_size(paths, workers) if block is None else block
    for name, value in (("paths", paths), ("workers", workers), ("block", block)):
        if value < 1:
            raise RunError("count_below_one", name=name, value=value)
    if not 0 <= seed < 2**63:
        raise RunError("bad_seed", value=seed)
    check_free(out)
    setting(market, scenario, seed)  # bad input speaks before anything is written
    folder = create(out, manifest(market, scenario, seed, paths))
    job = _Job(market, scenario, seed, folder.path)
    report = progress or (lambda _: None)
    report(
        Progress(0, paths, "base" if base_is_missing(market, scenario, seed, paths) else "paths")
    )
    done = 0
    try:
        for count in _play(job, _blocks(paths, block), workers):
            done += count
            report(Progress(done, paths, "paths"))
        report(Progress(paths, paths, "tables"))
        folder.finish(summary_of(folder))
    except BaseException:
        if not folder.finished_blocks() and not folder.is_complete:
            folder.discard()
        raise
    return open_run(folder.path)


def manifest(market: Market, scenario: Scenario, seed: int, paths: int) -> dict[str, Any]:
    """Return all that determines a run, and the sources of its inputs."""
    replay = scenario.clock.mode == "replay"
    return {
        "scenario": scenario.model_dump(),
        "scenario_name": scenario.name,
        "scenario_hash": scenario.digest,
        "factors": factor_key(market, scenario.factor_base, seed) if replay else "drawn",
        "market": {
            "date": market.date.isoformat(),
            "source": market.source,
            "digest": market.digest,
            "stocks": len(market.stocks),
            "sources": list(market.sources),
        },
        "seed": seed,
        "paths": paths,
        "version": __version__,
        "actual": pinned_closes(scenario) if replay else {},
        "remarks": {"en": remarks(scenario, "en"), "zh": remarks(scenario, "zh")},
        "sources": scenario.inputs.sources | scenario.sources,
    }


def block_size(paths: int, workers: int) -> int:
    """Return how many paths go into a block: at least four blocks a worker, so progress moves."""
    return min(LARGEST, max(SMALLEST, paths // (4 * max(workers, 1))))


def _blocks(paths: int, size: int) -> list[tuple[int, int, int]]:
    starts = range(0, paths, size)
    return [(k, first, min(size, paths - first)) for k, first in enumerate(starts)]


def _play(job: _Job, blocks: list[tuple[int, int, int]], workers: int) -> Iterator[int]:
    if workers == 1 or len(blocks) == 1:
        for part in blocks:
            yield _block(job, *part)
        return
    for name in THREADS:  # inherited by the workers: one thread a process
        os.environ.setdefault(name, "1")
    pool = ProcessPoolExecutor(
        min(workers, len(blocks)), mp_context=get_context("spawn"), initializer=_start,
        initargs=(job,),
    )  # fmt: skip
    with pool:
        waiting: set[Future[int]] = {pool.submit(_block_of_worker, part) for part in blocks}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BrokenProcessPool:
            raise RunError("worker_lost", path=job.out) from None
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)  # nobody writes when the folder goes
            raise


_of_worker: _Job | None = None


def _start(job: _Job) -> None:
    global _of_worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops the pool
    _of_worker = job


def _block_of_worker(part: tuple[int, int, int]) -> int:
    assert _of_worker is not None  # set by the initializer of the pool
    return _block(_of_worker, *part)


def _block(job: _Job, number: int, first_path: int, paths: int) -> int:
    factors = base_factors(job.market, job.scenario, job.seed, first_path, paths)
    constants = setting(job.market, job.scenario, job.seed)
    result = simulate(constants, first_path=first_path, paths=paths, factors=factors)
    if result.factors is not None:
        save(job.out / "factors", first_path, result.factors)
        if factors is None:
            key = factor_key(job.market, job.scenario, job.seed)
            save(cache_folder() / key, first_path, result.factors)
    open_run(job.out, incomplete=True).write_block(number, result.tables)
    return paths
