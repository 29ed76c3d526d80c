"""Many paths: an ensemble in blocks, written whole, stopped at any moment and resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from crowdfall import __version__
from crowdfall.engine.blocks import Job, parts_of, play
from crowdfall.engine.factors import base_is_missing, code_digest, factor_key
from crowdfall.engine.setting import setting
from crowdfall.engine.summary import summary_of
from crowdfall.engine.workers import Engine
from crowdfall.errors import RunError
from crowdfall.market.snapshot import Market
from crowdfall.results.inputs import inputs_of, kept, words_of
from crowdfall.results.lock import locked
from crowdfall.results.place import Place
from crowdfall.results.store import RunFolder, check_free, create, open_run
from crowdfall.scenarios.inputs import pinned_closes
from crowdfall.scenarios.policies import remarks
from crowdfall.scenarios.schema import Scenario

SMALLEST: Final = 10
LARGEST: Final = 40
"""Paths in a block, about 8 MB each: Python's work of a bar is shared by all of them."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    ``stage`` is ``paths`` or ``tables``, and ``base`` at the start of a variation whose factors
    must be solved first. ``found_paths`` were there before a resumed run went on.
    """

    done_paths: int
    paths: int
    stage: str
    found_paths: int = 0


Report = Callable[[Progress], None]


def run(
    market: Market,
    scenario: Scenario,
    *,
    paths: int,
    seed: int,
    workers: int,
    out: str | Place,
    progress: Report | None = None,
    block: int | None = None,
    engine: Engine = "local",
) -> RunFolder:
    """Run an ensemble into a new folder and return it complete.

    The result depends on market, scenario, seed and paths alone, not on workers, engine or block
    size. ``out``: a path or an fsspec URL. Raises RunError where the folder exists or a count is
    below one; where a worker is lost or the disk is full, after which ``resume`` goes on.
    """
    block = block_size(paths, workers) if block is None else block
    for name, value in (("paths", paths), ("workers", workers), ("block", block)):
        if value < 1:
            raise RunError("count_below_one", name=name, value=value)
    if not 0 <= seed < 2**63:
        raise RunError("bad_seed", value=seed)
    check_free(out)
    setting(market, scenario, seed)  # bad input speaks before anything is written
    facts = manifest(market, scenario, seed, paths) | {"block": block}
    folder = create(out, facts, inputs_of(market, scenario))
    try:
        return _go_on(folder, market, scenario, workers, engine, progress)
    except BaseException as error:
        unfinished = not folder.is_complete and not folder.finished_blocks()
        if unfinished and getattr(error, "code", "") not in RESUMABLE:
            folder.discard()
        raise


RESUMABLE: Final = ("disk_full", "worker_lost")
"""Errors after which even a run without a finished block stays, to be resumed."""


def resume(
    out: str | Place,
    *,
    workers: int,
    progress: Report | None = None,
    engine: Engine = "local",
) -> RunFolder:
    """Finish a run that was stopped and return it; a complete one is returned as it is.

    The tables are those of the uninterrupted run, bit for bit. RunError: no run, a run of another
    version or of other code, inputs that were changed, or another process writes it.
    """
    if workers < 1:
        raise RunError("count_below_one", name="workers", value=workers)
    folder = open_run(out, incomplete=True)
    if not folder.is_complete:
        _check_code(folder)
    with kept(folder) as (market, scenario):
        return _go_on(folder, market, scenario, workers, engine, progress)


def _check_code(folder: RunFolder) -> None:
    made = (folder.manifest.get("version"), folder.manifest.get("code"))
    here = (__version__, code_digest())
    if made != here:
        raise RunError(
            "run_other_code", path=folder.path, version=made[0], theirs=made[1],
            here=here[0], own=here[1],
        )  # fmt: skip


def _go_on(
    folder: RunFolder,
    market: Market,
    scenario: Scenario,
    workers: int,
    engine: Engine,
    progress: Report | None,
) -> RunFolder:
    with locked(folder.path) as renew:
        if folder.is_complete:  # by another process, or stopped while it tidied up
            folder.tidy()
            return open_run(folder.path)
        report = progress or (lambda _: None)
        seed, paths = int(folder.manifest["seed"]), int(folder.manifest["paths"])
        finished = set(folder.finished_blocks())
        parts = parts_of(paths, int(folder.manifest["block"]))
        left = [part for part in parts if part.number not in finished]
        done = found = paths - sum(part.paths for part in left)
        base = bool(left) and base_is_missing(market, scenario, seed, paths)
        report(Progress(done, paths, "base" if base else "paths", found))
        for played in play(Job(market, scenario, seed, str(folder.path)), left, workers, engine):
            for name, data in played.factors.items():
                folder.write_file(f"factors/{name}", data)
            folder.write_encoded(played.part.number, played.tables)
            renew()
            done += played.part.paths
            report(Progress(done, paths, "paths", found))
        report(Progress(paths, paths, "tables", found))
        folder.finish(summary_of(folder))
    return open_run(folder.path)


def manifest(market: Market, scenario: Scenario, seed: int, paths: int) -> dict[str, Any]:
    """Return all that determines a run, and the sources of its inputs."""
    replay = scenario.clock.mode == "replay"
    return {
        **words_of(scenario),
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
        "code": code_digest(),
        "actual": pinned_closes(scenario) if replay else {},
        "remarks": {"en": remarks(scenario, "en"), "zh": remarks(scenario, "zh")},
        "sources": scenario.inputs.sources | scenario.sources,
    }


def block_size(paths: int, workers: int) -> int:
    """Return how many paths go into a block: four blocks a worker if there are paths enough."""
    return min(LARGEST, max(SMALLEST, paths // (4 * max(workers, 1))))
