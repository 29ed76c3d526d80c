"""What each command does with a run, a scenario, a market."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import fake_run
from crowdfall.cli import launch, progress
from crowdfall.results.store import create
from fake_cli import Asked, Cli, command_line, replace_engine


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return command_line(tmp_path, monkeypatch, capsys)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return replace_engine(monkeypatch)


def tree(folder: Path) -> set[str]:
    return {str(item.relative_to(folder)) for item in folder.rglob("*")}


def test_demo_writes_a_fresh_run_with_report_and_tells_the_story(
    cli: Cli,
    engine: Asked,
    tmp_path: Path,
) -> None:
    first, second = cli("demo"), cli("demo")
    assert first.code == second.code == 0
    assert "Path" in first.out
    assert "Report:" in first.out
    folders = sorted((tmp_path / "runs").iterdir(), key=lambda item: item.name)
    assert [item.name for item in folders] == [folders[0].name, folders[0].name + "-2"]
    for folder in folders:
        assert {"report.html", "summary.json", "daily.parquet"} <= tree(folder)
    asked = engine[0]
    assert (asked["paths"], asked["seed"], asked["market"].path) == (20, 1, "")
    assert asked["scenario"].name == "feb2024"


def test_demo_tells_the_story_in_chinese(cli: Cli, engine: Asked) -> None:
    done = cli("demo", "--lang", "zh")
    assert "以下讲述" in done.out
    assert "报告：" in done.out


def test_run_hands_every_option_to_the_engine(
    cli: Cli,
    engine: Asked,
    tmp_path: Path,
) -> None:
    done = cli(
        "run", "feb2024", "--market", "m.npz", "--paths", 3, "--seed", 2**64 - 1, "--workers", 2,
        "--set", "agents.dma.enabled=false", "--set", "clock.bars=4", "--out", "here",
    )  # fmt: skip
    assert done.code == 0
    asked = engine[0]
    assert (asked["paths"], asked["seed"], asked["workers"]) == (3, 2**64 - 1, 2)
    assert asked["out"] == Path("here")
    assert asked["market"].path == "m.npz"
    assert not asked["scenario"].agents.dma.enabled
    assert asked["scenario"].clock.bars == 4
    assert (tmp_path / "here" / "report.html").is_file()


def test_run_twice_is_refused_and_nothing_changes(
    cli: Cli,
    engine: Asked,
    tmp_path: Path,
) -> None:
    assert cli("run", "feb2024").code == 0
    before = tree(tmp_path)
    again = cli("run", "feb2024")
    assert again.code == 2
    assert "nothing was written over" in again.err
    assert again.err.count("\n") == 1
    assert tree(tmp_path) == before
    assert cli("run", "feb2024", "--seed", 2).code == 0


def test_existing_out_is_refused_before_the_market_is_loaded(
    cli: Cli,
    engine: Asked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "mine").write_text("keep")
    monkeypatch.setattr(launch, "load_market", lambda *_: pytest.fail("loaded"))
    assert cli("demo", "--out", "mine").code == 2
    assert (tmp_path / "mine").read_text() == "keep"


def test_json_is_all_that_run_prints(cli: Cli, engine: Asked) -> None:
    told = json.loads(cli("run", "feb2024", "--json").out)
    assert set(told) == {"run", "report", "summary", "story"}
    assert told["story"]["opening"].startswith("Path")


def test_progress_is_json_lines_where_stderr_is_no_terminal(
    cli: Cli,
    engine: Asked,
) -> None:
    lines = [json.loads(line) for line in cli("demo", "--paths", 4).err.splitlines()]
    assert [(line["stage"], line["done_paths"]) for line in lines] == [
        ("paths", 0), ("paths", 4), ("tables", 4)
    ]  # fmt: skip
    assert lines[0]["eta_seconds"] is None
    assert lines[-1]["eta_seconds"] == 0.0
    assert all(line["paths"] == 4 and line["seconds"] >= 0 for line in lines)


def test_quiet_leaves_the_story_only(cli: Cli, engine: Asked) -> None:
    done = cli("demo", "-q")
    assert done.err == ""
    assert "Report:" not in done.out
    assert "Path" in done.out


def test_verbose_says_what_is_run(cli: Cli, engine: Asked) -> None:
    assert "on market m: 5 paths, 3 processes" in cli("-v", "demo", "--paths=5", "--workers=3").err


def test_progress_on_a_terminal_is_a_bar_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with progress.shown(quiet=False) as show:
        show(SimpleNamespace(done_paths=3, paths=10, stage="paths"))
    said = capsys.readouterr().err
    assert "3/10" in said
    assert "{" not in said


@pytest.mark.parametrize(("terminal", "no_open", "opened"), [
    (True, False, 1), (True, True, 0), (False, False, 0)
])  # fmt: skip
def test_report_opens_for_a_person_at_a_terminal_only(
    cli: Cli,
    engine: Asked,
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    no_open: bool,
    opened: int,
) -> None:
    pages: list[str] = []
    monkeypatch.setattr("webbrowser.open", pages.append)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert cli("demo", *(["--no-open"] if no_open else [])).code == 0
    assert len(pages) == opened
    assert all(page.startswith("file://") and page.endswith("report.html") for page in pages)


class TestOnRuns:
    """Commands that take a run folder."""

    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        return fake_run.write(tmp_path / "done", paths=2, count=5).path

    def test_report_rewrites_the_report_of_the_run(self, cli: Cli, run: Path) -> None:
        for lang in ("zh", "en"):
            assert cli("report", run, "--lang", lang).code == 0
            assert f'data-lang="{lang}"' in (run / "report.html").read_text(encoding="utf-8")

    def test_report_elsewhere_never_replaces_a_file(
        self,
        cli: Cli,
        run: Path,
        tmp_path: Path,
    ) -> None:
        assert cli("report", run, "--out", "page.html").code == 0
        (tmp_path / "page.html").write_text("keep")
        again = cli("report", run, "--out", "page.html")
        assert (again.code, again.err.count("\n")) == (2, 1)
        assert (tmp_path / "page.html").read_text() == "keep"
        assert cli("report", run, "--out", "no/where.html").code == 2
        assert not (tmp_path / "no").exists()

    def test_report_says_where_it_is_as_json(self, cli: Cli, run: Path) -> None:
        told = json.loads(cli("report", run, "--json").out)
        assert told == {"run": str(run), "report": str(run / "report.html")}

    def test_story_of_a_run(self, cli: Cli, run: Path) -> None:
        assert "Path" in cli("story", run).out
        assert json.loads(cli("story", run, "--json").out)["path"] in (0, 1)

    @pytest.mark.parametrize("command", ["report", "story"])
    def test_what_is_no_complete_run_is_told(
        self,
        cli: Cli,
        tmp_path: Path,
        command: str,
    ) -> None:
        create(tmp_path / "stopped", {})
        for folder, part in (("nowhere", "holds no run"), ("stopped", "was stopped")):
            before = tree(tmp_path)
            done = cli(command, folder)
            assert (done.code, done.err.count("\n"), done.out) == (2, 1, "")
            assert part in done.err
            assert tree(tmp_path) == before


class TestScenario:
    """list, show and check."""

    def test_list(self, cli: Cli) -> None:
        assert "feb2024" in cli("scenario", "list").out
        rows = json.loads(cli("scenario", "list", "--json").out)
        assert {row["name"] for row in rows} >= {"feb2024"}
        starts = {row["name"]: row["start"] for row in rows}
        assert starts["feb2024"] == "2023-12-29"
        assert starts["aug2007"] == "2007-08-06"

    def test_show_gives_sources_and_overrides(self, cli: Cli) -> None:
        text = cli("scenario", "show", "feb2024").out
        assert "assumption" in text
        told = json.loads(
            cli("scenario", "show", "feb2024", "--set", "agents.dma.enabled=false", "--json").out
        )
        assert told["agents"]["dma"]["enabled"] is False

    def test_check(self, cli: Cli, tmp_path: Path) -> None:
        assert "can be run" in cli("scenario", "check", "feb2024").out
        assert json.loads(cli("scenario", "check", "feb2024", "--json").out)["ok"] is True
        (tmp_path / "bad.toml").write_text('base = "feb2024"\n[agents.dma]\nenbled = false\n')
        done = cli("scenario", "check", "bad.toml")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert "enbled" in done.err


class TestMarketBuild:
    """What is wrong is told before any data are read."""

    @pytest.mark.parametrize(("line", "part"), [
        (["--date", "2023-13-45", "--data", ".", "--out", "m"], "2023-13-45"),
        (["--date", "2023-12-29", "--data", ".", "--out", "m", "--source", "moon"], "moon"),
        (["--date", "20231229", "--data", ".", "--out", "taken"], "taken"),
    ])  # fmt: skip
    def test_bad_words(self, cli: Cli, tmp_path: Path, line: list[str], part: str) -> None:
        (tmp_path / "taken").write_text("keep")
        done = cli("market", "build", *line)
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert part in done.err
        assert tree(tmp_path) == {"taken"}
