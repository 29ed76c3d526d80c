"""Kill an ensemble at random moments, resume it, and compare with the uninterrupted run.

    python scripts/kill_test.py                      20 kills each: 1 and 2 workers, local and ray
    python scripts/kill_test.py --kills 3 --engine local --workers 2

Each trial starts a run of ten blocks on a thinned market in a process of its own, waits for its
folder, then for a uniformly random part of the uninterrupted run's time, and sends SIGKILL to the
process that owns the run or to one of its workers. ``resume`` must then give the same tables and
the same summary, bit for bit. Works where /proc shows processes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATHS, BLOCK, EVERY, SEED = 20, 2, 24, 7
PLAY = """
import sys
from pathlib import Path
from crowdfall.engine import ensemble
from crowdfall.market import store
from crowdfall.market.thin import thin
from crowdfall.scenarios import load

if __name__ == "__main__":
    verb, out, workers, engine, paths, block, every, seed = sys.argv[1:]
    words = {"workers": int(workers), "engine": engine}
    if verb == "resume":
        ensemble.resume(Path(out), **words)
    else:
        scenario = load("feb2024", ["clock.end=2024-01-12", "clock.factors=solve"])
        market = thin(store.bundled(), int(every))
        ensemble.run(market, scenario, paths=int(paths), seed=int(seed), block=int(block),
                     out=Path(out), **words)
"""


@dataclass(frozen=True)
class Case:
    """How the ensemble is played."""

    engine: str
    workers: int


@dataclass(frozen=True)
class Trial:
    """One kill: when, of whom, how many blocks stood, and whether the resumed run is the same."""

    seconds: float
    victim: str
    blocks: int
    same: bool


def start(verb: str, out: Path, case: Case) -> subprocess.Popen[bytes]:
    """Run or resume in a process of its own."""
    program = out.parent / "play.py"
    program.write_text(PLAY, encoding="utf-8")
    numbers = (case.workers, case.engine, PATHS, BLOCK, EVERY, SEED)
    return subprocess.Popen(
        [sys.executable, str(program), verb, str(out), *map(str, numbers)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        # Factors solved by an earlier trial would make the next one another test.
        env=os.environ | {"CROWDFALL_CACHE": str(out.parent / f"cache-{out.name}")},
    )  # fmt: skip


def tables(run: Path) -> dict[str, Any]:
    """Return every table, and the summary, of a complete run."""
    from crowdfall.results.schema import TABLES
    from crowdfall.results.store import open_run

    opened = open_run(run)
    return {name: opened.table(name) for name in TABLES} | {"summary": opened.summary}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether all tables are equal to the last bit, nulls included."""
    summary = json.dumps(one["summary"]) == json.dumps(other["summary"])
    frames = (one[name].equals(other[name]) for name in one if name != "summary")
    return summary and all(frames)


def descendants(pid: int) -> list[int]:
    """Return the processes below one, as /proc shows them."""
    below: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            child = int(stat.parent.name)
            below += [child, *descendants(child)]
    return below


def workers_of(pid: int) -> list[int]:
    """Return the processes that play blocks."""
    found = []
    for child in descendants(pid):
        try:
            line = Path(f"/proc/{child}/cmdline").read_bytes()
        except OSError:
            continue
        if b"spawn_main" in line or line.startswith(b"ray::play_block"):
            found.append(child)
    return found


def wait_for(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until the run's folder stands or the process has ended."""
    while not folder.exists() and process.poll() is None:
        time.sleep(0.005)


def reference(folder: Path, case: Case) -> tuple[float, dict[str, Any]]:
    """Return how long the uninterrupted run takes once its folder stands, and its tables."""
    out = folder / f"whole-{case.engine}-{case.workers}"
    process = start("run", out, case)
    wait_for(out, process)
    began = time.monotonic()
    if process.wait():
        raise SystemExit(f"the uninterrupted run failed: {case}")
    return time.monotonic() - began, tables(out)


def trial(folder: Path, case: Case, number: int, seconds: float, want: dict[str, Any]) -> Trial:
    """Start, kill after ``seconds``, resume, compare."""
    from crowdfall.results.store import open_run

    out = folder / f"{case.engine}-{case.workers}-{number}"
    process = start("run", out, case)
    wait_for(out, process)
    time.sleep(seconds)
    below = workers_of(process.pid)
    victim = random.choice(below) if below and number % 2 else process.pid
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        victim = process.pid  # it had just ended
        process.kill()
    process.wait()
    for pid in below:  # an orphan must end by itself, and may not write meanwhile
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    stopped = open_run(out, incomplete=True)
    blocks = PATHS // BLOCK if stopped.is_complete else len(stopped.finished_blocks())
    code = start("resume", out, case).wait()
    equal = code == 0 and same(tables(out), want) and not list(out.glob("blocks/*"))
    orphans = [pid for pid in below if Path(f"/proc/{pid}").exists()]
    who = "owner" if victim == process.pid else "worker"
    return Trial(seconds, who, blocks, equal and not orphans)


def kill(case: Case, kills: int, folder: Path) -> list[Trial]:
    """Return the trials of one case, told as they end."""
    whole, want = reference(folder, case)
    print(f"{case.engine}, {case.workers} workers: the whole run takes {whole:.1f} s", flush=True)
    trials = []
    for number in range(kills):
        trials.append(trial(folder, case, number, random.uniform(0.0, whole), want))
        last = trials[-1]
        verdict = "same" if last.same else "DIFFERENT"
        print(f"  {last.victim} killed after {last.seconds:5.2f} s, {last.blocks:2} of "
              f"{PATHS // BLOCK} blocks finished; resumed: {verdict}", flush=True)  # fmt: skip
    return trials


def main() -> int:
    """Run the cases asked for; exit code 1 where a resumed run differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--engine", nargs="+", default=["local", "ray"])
    parser.add_argument("--seed", type=int, help="of the moments; the clock's if none is given")
    asked = parser.parse_args()
    random.seed(asked.seed)
    failed = 0
    for engine in asked.engine:
        for workers in asked.workers:
            with tempfile.TemporaryDirectory() as folder:
                trials = kill(Case(engine, workers), asked.kills, Path(folder))
            good = sum(each.same for each in trials)
            failed += len(trials) - good
            print(f"  {good} of {len(trials)} bit-identical", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
