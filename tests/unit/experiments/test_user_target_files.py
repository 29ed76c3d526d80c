"""A third party's targets: read from a file, scored on a run, mistakes told in a sentence."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import fake_run
from crowdfall.errors import DataError
from crowdfall.experiments import targets
from crowdfall.experiments.validate import validate
from fake_cli import Cli, command_line
from told import told

HEAD = """
[[target]]
id = "{id}"
title = "mine"
kind = "{kind}"
quantity = "rows"
unit = "{unit}"
value = {value}
tolerance = {tolerance}
source = "my own table"
"""


def entry(
    *lines: str, name: str = "A", kind: str = "free", unit: str = "fraction", value: float = 0.0,
    tolerance: float = 1.0,
) -> str:  # fmt: skip
    head = HEAD.format(id=name, kind=kind, unit=unit, value=value, tolerance=tolerance)
    return head + "\n".join(lines) + "\n"


def file_of(folder: Path, *entries: str) -> Path:
    file = folder / "own.toml"
    file.write_text("".join(entries), encoding="utf-8")
    return file


def test_numbers_of_any_table_are_scored(tmp_path: Path) -> None:
    run = fake_run.shared()
    flows = run.table("flows").filter(kind="dma", place="microcap")
    sold = flows.group_by("path").agg(pl.col("sold").sum())["sold"].median()
    assert isinstance(sold, float)
    calls = run.table("events").filter(kind="margin_call").height / 6
    file = file_of(
        tmp_path,
        entry('table = "flows"', 'column = "sold"', "to = 2024-02-29", 'over = "sum"',
              'where = { kind = "dma", place = "microcap" }', unit="bn yuan",
              value=round(sold / 1e9, 6), tolerance=1e-5),
        entry('table = "events"', 'across = "count"', 'over = "sum"', "to = 2024-02-29",
              'where = { kind = "margin_call", amount = { at_least = 1e8 } }',
              name="B", unit="sessions", value=calls, tolerance=60),
        entry('table = "agents"', 'column = "equity"', "date = 2024-02-05", 'per = "stock_value"',
              'where = { kind = ["dma", "neutral"] }', name="C", kind="input", value=9.0),
    )  # fmt: skip
    board = validate(run, file)
    assert [row.verdict for row in board.rows] == ["inside", "inside", "input"]
    assert (board.free, board.inside) == (2, 2)  # an input is printed and never counted
    first = board.rows[0]
    assert first.low is not None
    assert first.high is not None
    assert first.low < first.high  # a band over six paths


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (('table = "flow"', 'column = "sold"', "date = 2024-02-05"), "flows"),
        (('table = "flows"', 'column = "solid"', "date = 2024-02-05"), "sold"),
        (('table = "flows"', 'column = "kind"', "date = 2024-02-05"), "kind"),
        (('table = "flows"', "date = 2024-02-05"), "column"),
        (('table = "flows"', 'column = "sold"'), "to"),
        (('table = "flows"', 'column = "sold"', 'over = "change"', "to = 2024-02-05"), "from"),
        (('table = "flows"', 'column = "sold"', 'over = "sum"', "date = 2024-02-05"), "over"),
        (('table = "flows"', 'column = "sold"', 'across = "median"', "date = 2024-02-05"), "mean"),
        (('table = "flows"', 'column = "sold"', "date = 2024-02-05", "where = 3"), "where"),
        (('table = "flows"', 'column = "sold"', "date = 2024-02-05", "where = { knd = 'dma' }"),
         "kind"),
        (('table = "flows"', 'column = "sold"', "date = 2024-02-05", "where = { kind = 3 }"),
         "where"),
        (('table = "flows"', 'column = "sold"', "date = 2024-02-05",
          "where = { kind = { at_least = 3 } }"), "where.kind"),
        (('table = "flows"', 'column = "sold"', "date = 2024-02-05",
          "where = { sold = { above = 3 } }"), "at_least"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_one_sentence(
    lines: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        targets.load(file_of(tmp_path, entry(*lines)))
    sentence = told(caught.value)
    assert words in sentence
    assert "own.toml" in sentence


def test_margin_of_a_fixed_book_must_be_a_fraction(tmp_path: Path) -> None:
    text = entry().replace('quantity = "rows"', 'quantity = "hedged_margin"') + (
        'index = "microcap"\ncontract = "IM2402"\nmargin = 25\nfrom = 2024-01-22\nto = 2024-02-02\n'
    )
    with pytest.raises(DataError) as caught:
        targets.load(file_of(tmp_path, text))
    assert "margin was 25" in told(caught.value)


def test_the_command_scores_a_file_and_exits_with_1_where_it_misses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli: Cli = command_line(tmp_path, monkeypatch, capsys)
    lines = ('table = "futures"', 'column = "basis"', "date = 2024-02-05",
             'where = { contract = "IM2403" }')  # fmt: skip
    run = fake_run.shared().path
    file = file_of(tmp_path, entry(*lines, value=-0.05, tolerance=0.04))
    assert cli("validate", run, "--targets", file).code == 0
    file = file_of(tmp_path, entry(*lines, value=0.05, tolerance=0.01))
    assert cli("validate", run, "--targets", file).code == 1
    said = cli("validate", run, "--targets", file_of(tmp_path, "[[target]]\nid = 'A'\n"))
    assert said.code == 2
    assert said.err.count("\n") == 1
