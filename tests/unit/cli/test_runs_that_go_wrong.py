"""What goes wrong in a run is one sentence and exit code 2; finished blocks stay, resume works."""

from __future__ import annotations

import errno
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import active_children
from pathlib import Path
from types import SimpleNamespace

import pytest

from crowdfall.cli import progress
from crowdfall.engine.ensemble import Progress
from crowdfall.market import store
from crowdfall.results.store import open_run
from fake_cli import Cli, command_line
from invented_market import CRASH, write_scenario
from random_scenarios import market

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "own_agent" / "stop_loss_fund.py"
SELL = "    return Orders(sell=stopped[:, :, None] * share * view.own.group_value)\n"
OWN = '[agents.custom.mine]\nfile = "mine.py"\nnumbers = { size = 5e9, stop = 0.02 }\n'


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))
    store.save(market(), tmp_path / "market")
    return command_line(tmp_path, monkeypatch, capsys)


def play(cli: Cli, folder: Path, *words: object, more: str = "") -> SimpleNamespace:
    """Run twelve paths, ten of them in the first block."""
    scenario = write_scenario(folder, moves=CRASH, days=3, assimilated=1, more=more)
    asked = ("--market", folder / "market", "--paths", 12, "--out", folder / "run", "-q")
    return cli("run", scenario, *asked, "--no-open", "--workers", 1, *words)


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[Progress], None]) -> None:
    """Do something at each step that a run reports."""

    @contextmanager
    def shown(quiet: bool) -> Iterator[Callable[[Progress], None]]:
        yield act

    monkeypatch.setattr(progress, "shown", shown)


def assert_told(done: SimpleNamespace, *parts: str) -> None:
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    for part in parts:
        assert part in done.err


def assert_resumes(cli: Cli, folder: Path, blocks: int) -> None:
    run = folder / "run"
    assert len(open_run(run, incomplete=True).finished_blocks()) == blocks
    assert cli("resume", run, "--no-open", "-q", "--workers", 1).code == 0
    assert open_run(run).is_complete


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("    return Orders(sell=view.own.group_value * np.nan)\n", ("not a number",)),
        ("    return Orders(sell=view.own.group_value[:, 0])\n", ("shape (10, 6)", "(10, 1, 6)")),
        ("    return Orders(sell=1.01 * view.own.group_value)\n", ("wants to sell", "but holds")),
    ],
)
def test_own_agent_that_answers_wrongly(
    cli: Cli, tmp_path: Path, line: str, parts: tuple[str, ...]
) -> None:
    code = EXAMPLE.read_text(encoding="utf-8")
    assert SELL in code
    (tmp_path / "mine.py").write_text(code.replace(SELL, line), encoding="utf-8")
    assert_told(play(cli, tmp_path, more=OWN), "mine", "2024-01-0", "bar", *parts)
    assert not (tmp_path / "run").exists()


def test_fork_outside_the_run(cli: Cli, tmp_path: Path) -> None:
    assert play(cli, tmp_path).code == 0
    words = ("--set", "channels.spill=false", "--out", tmp_path / "fork", "-q")
    done = cli("fork", tmp_path / "run", "--at", "2024-06-03", *words)
    assert_told(done, "2024-06-03", "2024-01-02", "2024-01-04")
    assert not (tmp_path / "fork").exists()


def test_run_of_another_version(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(step: Progress) -> None:
        if step.done_paths:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        meanwhile(patch, stop)
        assert play(cli, tmp_path).code == 130
    file = tmp_path / "run" / "manifest.json"
    ours = file.read_text(encoding="utf-8")
    file.write_text(json.dumps(json.loads(ours) | {"version": "0.0.9"}), encoding="utf-8")
    assert_told(cli("resume", tmp_path / "run", "-q"), "0.0.9")
    file.write_text(ours, encoding="utf-8")
    assert_resumes(cli, tmp_path, 1)


def test_disk_that_fills_up(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_bytes

    def full(target: Path, data: bytes) -> int:
        if "blocks" in target.parts and "00001" in str(target):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return write(target, data)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        assert_told(play(cli, tmp_path), "disk is full", f"crowdfall resume {tmp_path / 'run'}")
    assert_resumes(cli, tmp_path, 1)


def test_cache_that_can_not_be_written(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "file" / "cache"))
    assert play(cli, tmp_path).code == 0


def test_worker_that_the_system_stops(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(step: Progress) -> None:
        for child in active_children() if step.done_paths else ():
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)

    with monkeypatch.context() as patch:
        meanwhile(patch, kill)
        done = play(cli, tmp_path, "--workers", 2, "--paths", 20)
        assert_told(done, f"crowdfall resume {tmp_path / 'run'}")
    kept = len(open_run(tmp_path / "run", incomplete=True).finished_blocks())
    assert kept >= 1
    assert_resumes(cli, tmp_path, kept)
