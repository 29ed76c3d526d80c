"""The scoreboard of a run: verdicts, counts, and what the command line makes of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import fake_run
from crowdfall.errors import CalibrationError
from crowdfall.experiments.targets import Target
from crowdfall.experiments.validate import Row, Scoreboard, score, validate
from crowdfall.results.store import RunFolder, open_run
from fake_cli import Cli, command_line

CALM = """
[[target]]
id = "{id}"
title = "{id}"
kind = "{kind}"
quantity = "limit_down_share"
date = {date}
unit = "percent"
value = {value}
tolerance = 1
source = "a test"
"""


def file_of(folder: Path, *rows: tuple[str, str, str, float]) -> Path:
    """Write targets on a calm run, in which no stock is ever limit-down."""
    file = folder / "own.toml"
    names = ("id", "kind", "date", "value")
    file.write_text("".join(CALM.format(**dict(zip(names, row, strict=True))) for row in rows))
    return file


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("runs") / "calm"
    fake_run.write(folder, paths=2, calm=True)
    return open_run(folder)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    return command_line(tmp_path, monkeypatch, capsys)


def target(kind: str = "free", tolerance: float | None = 1.0) -> Target:
    return Target(
        id="T", title={"en": "t", "zh": "t"}, kind=kind, quantity="limit_down_share",  # type: ignore[arg-type]
        unit="percent", value=5.0, tolerance=tolerance, source="a test",
    )  # fmt: skip


def row_of(asked: Target, *values: float) -> Row:
    return score([asked], [asked], np.array(values)[:, None], {})[0]


def test_the_median_decides_and_the_band_is_over_paths() -> None:
    row = row_of(target(), 3.0, 4.2, 5.8, 9.0, 5.0)
    assert (row.median, row.verdict, row.inside_share) == (5.0, "inside", 0.6)
    assert row.low == pytest.approx(3.24)
    assert row.high == pytest.approx(8.36)


def test_a_median_beyond_the_tolerance_is_outside() -> None:
    assert row_of(target(), 6.1, 6.2, 4.9).verdict == "outside"


def test_paths_without_a_value_are_left_out_and_none_at_all_is_outside() -> None:
    assert row_of(target(), float("nan"), 5.0).median == 5.0
    row = row_of(target(), float("nan"), float("nan"))
    assert (row.median, row.low, row.verdict) == (None, None, "outside")


@pytest.mark.parametrize("kind", ["input", "assimilated"])
def test_a_number_fed_in_is_never_counted(kind: str) -> None:
    rows = (row_of(target(kind), 5.0), row_of(target(kind, None), 99.0))
    board = Scoreboard(run="r", scenario="s", paths=1, pinned=True, rows=rows)
    assert [row.verdict for row in rows] == ["input", "input"]
    assert (board.free, board.inside, board.misses) == (0, 0, ())


def test_a_run_is_scored_on_any_file(run: RunFolder, tmp_path: Path) -> None:
    on_5_february = [("A", "free", 0.5), ("B", "free", 30.0), ("C", "input", 30.0)]
    rows = [(name, kind, "2024-02-05", value) for name, kind, value in on_5_february]
    file = file_of(tmp_path, *rows, ("D", "free", "2024-04-01", 0.0))
    board = validate(run, file)
    assert [row.verdict for row in board.rows] == ["inside", "outside", "input", "uncovered"]
    assert (board.free, board.inside, board.misses) == (3, 1, ("B", "D"))
    assert "2024-04-01" in board.rows[3].why
    assert board.table()["verdict"].to_list() == [row.verdict for row in board.rows]
    told = json.loads(board.to_json())
    assert (told["inside"], told["free"], told["rows"][3]["median"]) == (1, 3, None)


def test_the_shipped_targets_score_a_run(run: RunFolder) -> None:
    board = validate(run)
    assert (board.free, board.paths, len(board.table())) == (19, 2, 24)
    assert "K07a" in board.misses  # a calm market has no limit-downs


def test_a_run_that_covers_no_target_says_so(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(CalibrationError) as told:
        validate(run, file_of(tmp_path, ("A", "free", "2025-01-02", 0.0)))
    assert told.value.code == "targets_uncovered"
    assert "2024-01-02" in str(told.value)


@pytest.mark.parametrize(
    ("clock", "pinned"),
    [({"mode": "replay"}, True), ({"mode": "replay", "factors": "base"}, False),
     ({"mode": "free"}, False)],
)  # fmt: skip
def test_a_variation_is_not_pinned(clock: dict[str, str], pinned: bool, tmp_path: Path) -> None:
    changed = fake_run.manifest()["scenario"] | {"clock": clock}
    fake_run.write(tmp_path / "r", paths=1, calm=True, scenario=changed)
    assert validate(open_run(tmp_path / "r")).pinned is pinned


def test_the_command_exits_with_1_where_a_free_target_misses(
    cli: Cli, run: RunFolder, tmp_path: Path
) -> None:
    holds = cli(
        "validate", run.path, "--targets", file_of(tmp_path, ("A", "free", "2024-02-05", 0.0))
    )
    assert (holds.code, holds.err) == (0, "")
    assert "1 of 1" in holds.out
    misses = cli("validate", run.path)
    assert misses.code == 1
    assert "K01" in misses.out
    assert "input" in misses.out
    told = cli("validate", run.path, "--json")
    assert told.code == 1
    assert len(json.loads(told.out)["rows"]) == 24


def test_the_command_speaks_chinese(cli: Cli, run: RunFolder) -> None:
    said = cli("validate", run.path, "--lang", "zh").out
    assert "沪深300" in said
    assert "输入" in said


def test_a_missing_file_of_targets_is_one_sentence_and_code_2(cli: Cli, run: RunFolder) -> None:
    said = cli("validate", run.path, "--targets", "nowhere.toml")
    assert (said.code, said.out) == (2, "")
    assert "nowhere.toml" in said.err
    assert said.err.count("\n") == 1
