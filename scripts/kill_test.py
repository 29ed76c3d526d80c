"""Kill an ensemble at random moments, resume it, and compare with the uninterrupted run.

    python scripts/kill_test.py                      20 kills each: 1 and 2 workers, local and ray
    python scripts/kill_test.py --kills 3 --engine local --workers 2

Each trial starts a run of ten blocks on a thinned market in a process of its own, waits for a
uniformly random part of the time that the uninterrupted run takes from its start to its end, and
sends SIGKILL to the process that owns the run or, in every third trial, to one of its workers.
``crowdfall resume`` must then give the same tables and the same summary, bit for bit, and no
process that plays blocks may be left (Ray's own agents take their time to end). A run killed
before its folder stood has left nothing: it is run again. The table at the end has a row for each
setting; exit code 1 where a trial failed. Works where /proc shows processes.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATHS, BLOCK, EVERY, SEED = 20, 2, 24, 7
PATIENCE = 60.0
"""Seconds in which whoever served a killed owner must have ended."""
PLAY = """
import sys
from pathlib import Path
from crowdfall.engine import ensemble
from crowdfall.market import store
from crowdfall.market.thin import thin
from crowdfall.scenarios import load

if __name__ == "__main__":
    out, workers, engine, paths, block, every, seed = sys.argv[1:]
    words = ["clock.end=2024-01-09", "clock.assimilate_until=2024-01-05", "clock.factors=solve"]
    ensemble.run(thin(store.bundled(), int(every)), load("feb2024", words), paths=int(paths),
                 seed=int(seed), block=int(block), out=Path(out), workers=int(workers),
                 engine=engine)
"""
Resume = Callable[[Path, "Case"], int]
"""Resumes a run in some process and returns the exit code."""


@dataclass(frozen=True)
class Case:
    """How the ensemble is played."""

    engine: str
    workers: int


@dataclass(frozen=True)
class Trial:
    """One kill: when, of whom, how many blocks stood, and what was wrong after ``resume``, if any.

    ``blocks`` is None where the folder did not stand yet.
    """

    seconds: float
    victim: str
    blocks: int | None
    wrong: str

    @property
    def same(self) -> bool:
        """Return whether the resumed run is the uninterrupted one, and nobody was left over."""
        return not self.wrong


def environment(out: Path) -> dict[str, str]:
    """Factors solved by an earlier trial would make the next one another test."""
    return os.environ | {"CROWDFALL_CACHE": str(out.parent / f"cache-{out.name}")}


def start(out: Path, case: Case) -> subprocess.Popen[bytes]:
    """Run in a process of its own."""
    program = out.parent / "play.py"
    program.write_text(PLAY, encoding="utf-8")
    numbers = (case.workers, case.engine, PATHS, BLOCK, EVERY, SEED)
    return subprocess.Popen(
        [sys.executable, str(program), str(out), *map(str, numbers)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(out),
    )  # fmt: skip


def resume(out: Path, case: Case) -> int:
    """Call ``crowdfall resume`` and return its exit code."""
    command = [str(Path(sys.executable).with_name("crowdfall")), *resume_words(out, case)]
    return subprocess.run(command, stdout=subprocess.DEVNULL, env=environment(out)).returncode


def resume_words(out: Path, case: Case) -> list[str]:
    """Return the words of the command line."""
    workers = ["--workers", str(case.workers), "--engine", case.engine]
    return ["resume", str(out), *workers, "--no-open", "--quiet"]


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


def reference(folder: Path, case: Case) -> tuple[float, dict[str, Any]]:
    """Return how long the uninterrupted run takes from start to end, and its tables.

    It is run twice: the first start reads everything from the disk, and moments drawn over its
    time would mostly lie behind the end of every later run.
    """
    for number in range(2):
        out = folder / f"whole-{case.engine}-{case.workers}-{number}"
        began = time.monotonic()
        if start(out, case).wait():
            raise SystemExit(f"the uninterrupted run failed: {case}")
        whole = time.monotonic() - began
    return whole, tables(out)


def trial(
    folder: Path, case: Case, number: int, seconds: float, want: dict[str, Any],
    resumed: Resume = resume,
) -> Trial:  # fmt: skip
    """Start, kill after ``seconds``, resume, compare."""
    out = folder / f"{case.engine}-{case.workers}-{number}"
    process = start(out, case)
    time.sleep(seconds)
    playing = workers_of(process.pid)
    victim = random.choice(playing) if playing and number % 3 == 2 else process.pid
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        victim = process.pid  # it had just ended
        process.kill()
    process.wait()
    orphans = left_of(playing)  # they must end by themselves, and may not write meanwhile
    blocks = standing(out)
    code = start(out, case).wait() if blocks is None else resumed(out, case)
    who = "owner" if victim == process.pid else "worker"
    return Trial(seconds, who, blocks, wrong(out, code, want, orphans))


def wrong(out: Path, code: int, want: dict[str, Any], orphans: list[str]) -> str:
    """Return what is wrong with a resumed run; empty where nothing is."""
    if code:
        return f"exit code {code}"
    if not same(tables(out), want):
        return "tables DIFFER"
    if list(out.glob("blocks/*")):
        return "blocks were left"
    return f"processes were left: {', '.join(orphans)}" if orphans else ""


def left_of(pids: list[int]) -> list[str]:
    """Return the names of the processes that are still there after a while."""
    deadline = time.monotonic() + PATIENCE
    while (left := [pid for pid in pids if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [name_of(pid) for pid in left]


def name_of(pid: int) -> str:
    """Return the end of the first words of a process's command line."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return str(pid)
    return " ".join(Path(word).name for word in words[:3]).strip()


def alive(pid: int) -> bool:
    """Return whether a process is there, and not only its entry that nobody has read yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def standing(out: Path) -> int | None:
    """Return how many blocks of a stopped run are finished; None where there is no run yet."""
    from crowdfall.results.store import open_run

    if not out.exists():
        return None
    stopped = open_run(out, incomplete=True)
    return PATHS // BLOCK if stopped.is_complete else len(stopped.finished_blocks())


def kill(case: Case, kills: int, folder: Path) -> list[Trial]:
    """Return the trials of one case, told as they end."""
    whole, want = reference(folder, case)
    print(f"{case.engine}, {case.workers} workers: the whole run takes {whole:.1f} s", flush=True)
    trials = []
    for number in range(kills):
        trials.append(trial(folder, case, number, random.uniform(0.0, whole), want))
        last = trials[-1]
        verdict = last.wrong or "same"
        stood = "before its folder stood" if last.blocks is None else (
            f"{last.blocks} of {PATHS // BLOCK} blocks finished")  # fmt: skip
        print(f"  {last.victim} killed after {last.seconds:5.2f} s, {stood}: {verdict}", flush=True)
    return trials


def row(case: Case, trials: list[Trial], seconds: float) -> str:
    """Return one row of the table."""
    stood = [each.blocks for each in trials if each.blocks is not None]
    early = len(trials) - len(stood)
    part = sum(0 < blocks < PATHS // BLOCK for blocks in stood)
    workers = sum(each.victim == "worker" for each in trials)
    good = sum(each.same for each in trials)
    return (f"| {case.engine} | {case.workers} | {len(trials)} | {workers} | {early} | "
            f"{stood.count(0)} | {part} | {stood.count(PATHS // BLOCK)} | {good} | "
            f"{seconds:.0f} |")  # fmt: skip


COLUMNS = (
    "engine", "workers", "kills", "of a worker", "before the folder", "no block", "some blocks",
    "all blocks", "bit-identical", "seconds",
)  # fmt: skip


def main() -> int:
    """Run the cases asked for; exit code 1 where a resumed run differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--engine", nargs="+", default=["local", "ray"])
    parser.add_argument("--seed", type=int, help="of the moments; the clock's if none is given")
    asked = parser.parse_args()
    random.seed(asked.seed)
    failed, rows = 0, []
    for case in (Case(engine, workers) for engine in asked.engine for workers in asked.workers):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            trials = kill(case, asked.kills, Path(folder))
        failed += sum(not each.same for each in trials)
        rows.append(row(case, trials, time.monotonic() - began))
    print("", f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS), *rows, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
