"""A run that is stopped keeps its finished blocks; resumed, it is the uninterrupted run."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from polars.testing import assert_frame_equal

from crowdfall.engine import blocks, ensemble, workers
from crowdfall.engine.ensemble import Progress
from crowdfall.errors import RunError
from crowdfall.results import lock
from crowdfall.results.place import UrlPath, place
from crowdfall.results.schema import TABLES
from crowdfall.results.store import RunFolder, open_run
from crowdfall.scenarios import load
from crowdfall.scenarios.schema import Scenario
from invented_market import CRASH, write_scenario
from random_scenarios import market
from told import told

PATHS, BLOCK = 5, 1
WRITES = len(TABLES) + 2
"""Files of a block of one path: its tables, its factors and the mark that it is done."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    """A variation: it needs the factors of its base, too."""
    path = str(write_scenario(tmp_path, moves=CRASH, days=3, assimilated=1))
    return load(path, ["agents.trend_retail.enabled=false"])


def start(scenario: Scenario, out: Any, **words: Any) -> RunFolder:  # noqa: ANN401
    asked = {"paths": PATHS, "seed": 3, "workers": 1, "block": BLOCK} | words
    return ensemble.run(market(), scenario, out=out, **asked)


def assert_same(one: RunFolder, other: RunFolder) -> None:
    assert one.summary == other.summary
    for name in TABLES:
        assert_frame_equal(one.table(name), other.table(name), check_exact=True)


def stop_after(blocks: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.done_paths == blocks * BLOCK:
            raise KeyboardInterrupt

    return report


def stopped(scenario: Scenario, out: Any, blocks: int = 2) -> RunFolder:  # noqa: ANN401
    with pytest.raises(KeyboardInterrupt):
        start(scenario, out, progress=stop_after(blocks))
    run = open_run(out, incomplete=True)
    assert run.finished_blocks() == list(range(blocks))
    return run


def test_resume_goes_on_from_the_finished_blocks(scenario: Scenario, tmp_path: Path) -> None:
    whole = start(scenario, tmp_path / "whole")
    run = stopped(scenario, tmp_path / "stopped")
    steps: list[Progress] = []
    again = ensemble.resume(run.path, workers=1, progress=steps.append)
    assert [step.done_paths for step in steps] == [2, 3, 4, 5, 5]
    assert {step.found_paths for step in steps} == {2}
    assert_same(again, whole)
    assert again.manifest == whole.manifest
    assert not (tmp_path / "stopped" / "blocks").exists()
    factors = sorted(item.name for item in (tmp_path / "stopped" / "factors").iterdir())
    assert factors == [f"{path:06d}.npz" for path in range(PATHS)]


def test_resume_needs_neither_scenario_files_nor_cache(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(scenario, tmp_path / "whole")
    run = stopped(scenario, tmp_path / "stopped")
    for item in tmp_path.glob("*.*"):
        item.unlink()
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "empty"))
    assert_same(ensemble.resume(run.path, workers=1), whole)


def test_resume_of_a_complete_run_changes_nothing(scenario: Scenario, tmp_path: Path) -> None:
    whole = start(scenario, tmp_path / "run")
    before = {f: f.stat().st_mtime_ns for f in (tmp_path / "run").rglob("*") if f.is_file()}
    assert_same(ensemble.resume(tmp_path / "run", workers=1), whole)
    after = {f: f.stat().st_mtime_ns for f in (tmp_path / "run").rglob("*") if f.is_file()}
    assert after == before


def test_run_stopped_while_it_tidied_up_is_tidied(scenario: Scenario, tmp_path: Path) -> None:
    start(scenario, tmp_path / "run")
    (tmp_path / "run" / "blocks" / "00000").mkdir(parents=True)
    ensemble.resume(tmp_path / "run", workers=1)
    assert not (tmp_path / "run" / "blocks").exists()


@pytest.mark.parametrize("at", [0, 1, 15, 23])
def test_full_disk_keeps_finished_blocks(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The disk fills up at a write after the run's folder stands."""
    whole = start(scenario, tmp_path / "whole")
    out, count, write = tmp_path / "run", [0], Path.write_bytes

    def full(target: Path, data: bytes) -> int:
        if out in target.parents:
            count[0] += 1
            if count[0] > at:
                write(target, data[: len(data) // 2])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return write(target, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError) as caught:
        start(scenario, out)
    assert caught.value.code == "disk_full"
    assert f"crowdfall resume {out}" in told(caught.value)
    monkeypatch.undo()
    assert len(open_run(out, incomplete=True).finished_blocks()) == at // WRITES
    assert_same(ensemble.resume(out, workers=1), whole)


def test_full_disk_while_tables_are_joined_keeps_the_blocks(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(scenario, tmp_path / "whole")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(RunFolder, "_join", full)
    with pytest.raises(RunError, match="disk is full"):
        start(scenario, tmp_path / "run")
    monkeypatch.undo()
    assert_same(ensemble.resume(tmp_path / "run", workers=1), whole)


def test_killed_worker_is_told_and_the_run_goes_on(scenario: Scenario, tmp_path: Path) -> None:
    whole = start(scenario, tmp_path / "whole")
    out = tmp_path / "run"

    def kill(progress: Progress) -> None:
        if progress.done_paths:
            for child in active_children():
                assert child.pid is not None
                os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(RunError) as caught:
        start(scenario, out, workers=2, progress=kill)
    assert caught.value.code == "worker_lost"
    assert f"crowdfall resume {out}" in told(caught.value)
    assert open_run(out, incomplete=True).finished_blocks()
    assert_same(ensemble.resume(out, workers=2), whole)


@pytest.mark.parametrize(("key", "value"), [("version", "0.0.9"), ("code", "0123456789abcdef")])
def test_run_of_another_version_is_not_resumed(
    scenario: Scenario, tmp_path: Path, key: str, value: str
) -> None:
    run = stopped(scenario, tmp_path / "run")
    file = tmp_path / "run" / "manifest.json"
    file.write_text(json.dumps(run.manifest | {key: value}))
    with pytest.raises(RunError) as caught:
        ensemble.resume(run.path, workers=1)
    assert caught.value.code == "run_other_code"
    assert value in told(caught.value)
    assert open_run(run.path, incomplete=True).finished_blocks() == [0, 1]


def test_ray_that_does_not_start_is_told() -> None:
    def init(**_: object) -> None:
        raise RuntimeError("The current node timed out during startup.\nMore words.")

    with pytest.raises(RunError) as caught:
        workers.join_ray(SimpleNamespace(init=init), 1)
    assert caught.value.code == "ray_start"
    assert "timed out during startup" in told(caught.value)
    assert "More words" not in told(caught.value)


def longer(file: Path) -> None:
    file.write_text(file.read_text().replace("0.0", "0.1", 1))


def shorter(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("inputs/scenario/rescue.csv", longer, "run_inputs_changed"),
        ("inputs/scenario/rescue.csv", Path.unlink, "run_inputs"),
        ("inputs/market/stocks.parquet", shorter, "run_inputs"),
    ],
)
def test_run_with_changed_inputs_is_not_resumed(
    scenario: Scenario, tmp_path: Path, name: str, change: Callable[[Path], None], code: str
) -> None:
    run = stopped(scenario, tmp_path / "run")
    change(tmp_path / "run" / name)
    with pytest.raises(RunError) as caught:
        ensemble.resume(run.path, workers=1)
    assert caught.value.code == code
    assert str(run.path) in told(caught.value)


def test_one_process_writes_a_run(scenario: Scenario, tmp_path: Path) -> None:
    run = stopped(scenario, tmp_path / "run")
    hold = (
        "import sys; from pathlib import Path; from crowdfall.results.lock import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(RunError) as caught:
        ensemble.resume(run.path, workers=1)
    assert caught.value.code == "run_locked"
    assert str(other.pid) in told(caught.value)
    other.kill()  # a lock dies with its process
    other.wait()
    assert ensemble.resume(run.path, workers=1).is_complete


def test_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        ensemble.resume(tmp_path, workers=1)


class TestBehindUrls:
    """The same store on another kind of storage."""

    @pytest.fixture
    def url(self) -> str:
        return f"memory://{uuid4().hex}/run"

    @pytest.mark.parametrize("workers", [1, 2])
    def test_run_behind_a_url_is_the_local_one(
        self, scenario: Scenario, tmp_path: Path, url: str, workers: int
    ) -> None:
        whole = start(scenario, tmp_path / "whole")
        far = start(scenario, url, workers=workers)
        assert isinstance(far.path, UrlPath)
        assert str(far.path) == url
        assert_same(far, whole)
        names = {item.name for item in far.path.iterdir()}
        assert names == {item.name for item in (tmp_path / "whole").iterdir()}

    def test_run_behind_a_url_is_resumed(
        self, scenario: Scenario, tmp_path: Path, url: str
    ) -> None:
        whole = start(scenario, tmp_path / "whole")
        run = stopped(scenario, url)
        assert_same(ensemble.resume(run.path, workers=1), whole)

    def test_run_behind_a_url_is_not_written_over(self, scenario: Scenario, url: str) -> None:
        start(scenario, url)
        with pytest.raises(RunError, match="nothing was written over"):
            start(scenario, url)

    def test_another_writer_behind_a_url_is_told(
        self, scenario: Scenario, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = stopped(scenario, url)
        sign = {"owner": "elsewhere:1", "time": 1000.0}
        (run.path / lock.NAME).write_text(json.dumps(sign))
        monkeypatch.setattr(lock.time, "time", lambda: 1000.0 + lock.ABANDONED / 2)
        with pytest.raises(RunError, match="elsewhere:1"):
            ensemble.resume(url, workers=1)
        monkeypatch.setattr(lock.time, "time", lambda: 1001.0 + lock.ABANDONED)
        assert ensemble.resume(url, workers=1).is_complete

    def test_file_urls_are_local(self, tmp_path: Path) -> None:
        assert place(f"file://{tmp_path}/a%20b") == tmp_path / "a b"

    @pytest.mark.parametrize("url", ["nothing://x/y", "s4://bucket/run"])
    def test_unknown_url_is_told(self, url: str) -> None:
        with pytest.raises(RunError) as caught:
            place(url)
        assert url in told(caught.value)


def test_run_whose_blocks_are_all_there_needs_no_worker(scenario: Scenario) -> None:
    """Killed between its last block and its tables."""
    job = blocks.Job(market(), scenario, 3, "run")
    assert not list(blocks.play(job, [], 2, "local"))
