"""Ablations: which differences are sure, how the table shows them, what the files may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdfall import scenarios
from crowdfall.cli import launch
from crowdfall.errors import DataError, RunError, ScenarioError
from crowdfall.experiments import ablations, targets
from crowdfall.experiments.ablations import Ablation, Comparison, Study, pairs
from crowdfall.experiments.ablations.document import MARK, markdown, write
from crowdfall.experiments.ablations.pairs import agreement
from fake_cli import Cli, command_line
from invented_market import invented_market

SEEDS = 8


def comparison(*rows: list[list[float]], baseline: list[list[float]] | None = None) -> Comparison:
    """Return a comparison of two columns; each row holds the values of each column by seed."""
    study = ablations.load()
    few = Study(
        scenario="feb2024",
        title={},
        columns=study.columns[:2],
        ablations=tuple(
            Ablation(id=f"a{k}", title={"en": f"row {k}", "zh": f"第{k}行"}, overrides=("x=1",))
            for k in range(len(rows))
        ),
    )
    base = np.array(baseline or [[-20.0] * SEEDS, [-30.0] * SEEDS]).T
    values = np.array([np.array(row).T for row in rows])
    k02 = tuple(each for each in targets.load() if each.id in ("K02", "K03"))
    return Comparison(
        study=few, targets=k02, scenario=scenarios.load("feb2024"), market=invented_market(),
        seed=1, each=1, baseline=base, values=values, baseline_targets=base, values_targets=values,
    )  # fmt: skip


def test_seeds_agree_where_their_paired_difference_has_the_sign_of_the_medians() -> None:
    base = np.array([[0.0, 1.0, 5.0]] * 4)
    other = np.array([[[-4.0, 1.0, np.nan], [-5.0, 1.0, 1.0], [-6.0, 1.0, 2.0], [9.0, 1.0, 3.0]]])
    assert agreement(base, other).tolist() == [[3, 0, 0]]


def test_a_pair_counts_against_its_own_seed_not_the_median() -> None:
    base = np.array([[0.0], [10.0], [20.0]])
    assert agreement(base, base[None] - 1.0).tolist() == [[3]]


def test_a_far_cell_needs_six_of_eight_seeds() -> None:
    sure = [[-24.0] * 6 + [-19.0] * 2, [-30.0] * 8]
    unsure = [[-24.0] * 5 + [-19.0] * 3, [-30.0] * 8]
    near = [[-22.9] * 5 + [-19.0] * 3, [-30.0] * 8]
    found = comparison(sure, unsure, near)
    assert found.needed == 6
    assert found.agreement()[:, 0].tolist() == [6, 5, 5]
    assert found.unclear().tolist() == [[False, False], [True, False], [False, False]]


def test_the_table_marks_far_cells_with_their_seeds_and_unsure_ones_with_a_question() -> None:
    far, unsure = [-24.0] * 8, [-24.0] * 5 + [-19.0] * 3
    text = markdown(comparison([far, [-30.04] * 8], [unsure, [np.nan] * 8]))
    lines = [line for line in text.splitlines() if line.startswith("| row")]
    assert lines[0].startswith("| row 0 | -24.0 (8) | -30.0 |")
    assert lines[1].startswith("| row 1 | -24.0 (5?) | – |")


def test_the_table_names_targets_that_break_and_mend() -> None:
    found = comparison([[-40.0] * 8, [-27.0] * 8])  # K02: -20 held, K03: -30 held
    assert (found.broken(0), found.mended(0)) == (("K02",), ())
    back = comparison([[-18.0] * 8, [-27.0] * 8], baseline=[[-40.0] * 8, [-27.0] * 8])
    assert (back.broken(0), back.mended(0)) == ((), ("K02",))
    assert "| row 0 | -40.0 (8) | -27.0 | K02 |  |" in markdown(found)


def test_the_document_speaks_both_languages_and_is_the_same_every_time() -> None:
    found = comparison([[-24.0] * 8, [-30.0] * 8])
    assert markdown(found) == markdown(found)
    assert "第0行" in markdown(found, "zh")
    assert markdown(found).splitlines()[0] == MARK


def test_only_a_table_of_its_own_is_written_over(tmp_path: Path) -> None:
    found = comparison([[-24.0] * 8, [-30.0] * 8])
    page, notes = tmp_path / "page.md", tmp_path / "notes.md"
    write(found, page)
    write(found, page)
    assert page.read_text(encoding="utf-8") == markdown(found)
    notes.write_text("my own notes", encoding="utf-8")
    for place in (notes, tmp_path, tmp_path / "nowhere" / "page.md"):
        with pytest.raises(RunError):
            write(found, place)
    assert notes.read_text(encoding="utf-8") == "my own notes"


def test_every_shipped_ablation_changes_the_scenario_and_reads_its_factors() -> None:
    study = ablations.load()
    base = scenarios.load(study.scenario)
    assert len(study.ablations) == 20
    for each in study.ablations:
        changed = scenarios.load(study.scenario, each.overrides)
        assert changed.digest != base.digest
        assert changed.factor_base is changed.origin
        assert changed.origin == base


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "experiment_key_missing"),
        ('scenario = "feb2024"\nablation = []\ncolumn = []', "experiment_empty"),
        ("nonsense = 1", "experiment_choice"),
        ('scenario = "feb2024"\nablation = [{ id = "a", title = "a", set = [] }]\ncolumn = []',
         "experiment_wrong"),
        ('scenario = "feb2024"\nablation = [{ id = "a", set = ["x"] }]\ncolumn = []',
         "experiment_key_missing"),
        ('scenario = "feb2024"\ncolumn = []\nablation = [{ id = "a", title = "a", set = ["x"] },'
         '{ id = "a", title = "a", set = ["x"] }]', "experiment_twice"),
        ("scenario = ", "experiment_file_unreadable"),
    ],
)  # fmt: skip
def test_a_bad_file_of_ablations_is_told(text: str, code: str, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as told:
        ablations.load(file)
    assert told.value.code == code


def study_of(*overrides: str) -> Study:
    study = ablations.load()
    names = [each.id for each in study.columns]
    return Study(
        scenario="feb2024",
        title={},
        columns=tuple(study.columns[names.index(name)] for name in ("csi1000", "dma")),
        ablations=(Ablation(id="a", title={"en": "a", "zh": "a"}, overrides=overrides),),
    )


def test_overrides_that_cannot_be_read_stop_before_any_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never(*_: Any, **__: Any) -> None:  # noqa: ANN401
        raise AssertionError("the engine was asked")

    monkeypatch.setattr(pairs, "simulate", never)
    with pytest.raises(ScenarioError):
        ablations.compare(study_of("agents.nobody.enabled=false"), invented_market())
    with pytest.raises(RunError):
        ablations.compare(study_of("agents.dma.enabled=false"), invented_market(), seeds=0)


def test_an_ablation_shares_the_path_to_the_assimilation_and_loses_the_books_switched_off() -> None:
    found = ablations.compare(
        study_of("agents.dma.enabled=false"), invented_market(), targets.load()[:4], seeds=2
    )
    assert found.baseline.shape == (2, 2)
    assert np.isnan(found.values[0, :, 1]).all()
    assert np.isfinite(found.values[0, :, 0]).all()
    assert [each.id for each in found.targets] == ["K02", "K03", "K04"]
    assert found.values_targets.shape == (1, 2, 3)
    assert (found.values[0, :, 0] != found.baseline[:, 0]).all()


def test_a_switch_that_changes_nothing_gives_the_baseline_to_the_last_bit() -> None:
    """The pairs share noise and factors: nothing but the mechanism can differ."""
    found = ablations.compare(study_of("agents.dma.enabled=true"), invented_market(), seeds=2)
    np.testing.assert_array_equal(found.values[0], found.baseline)


def test_two_workers_give_the_numbers_of_one() -> None:
    study = study_of("agents.dma.leverage_cap=1")
    more = Ablation(id="b", title={"en": "b", "zh": "b"}, overrides=("channels.spill=false",))
    both = Study(
        scenario=study.scenario, title={}, columns=study.columns, ablations=(*study.ablations, more)
    )
    market = invented_market(every=5)
    one, two = (ablations.compare(both, market, seeds=2, workers=n) for n in (1, 2))
    np.testing.assert_array_equal(one.values, two.values)
    np.testing.assert_array_equal(one.baseline, two.baseline)


OWN = """
scenario = "feb2024"
[[column]]
id = "csi1000"
title = "CSI 1000"
kind = "input"
quantity = "index_return"
index = "csi1000"
from = 2023-12-29
to = 2024-02-05
unit = "percent"
value = -27.1
source = "a test"
[[ablation]]
id = "spill"
title = "spill"
set = ["channels.spill=false"]
"""


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    monkeypatch.setattr(launch, "load_market", lambda path: invented_market())
    return command_line(tmp_path, monkeypatch, capsys)


def test_the_command_prints_the_table_or_writes_it_or_gives_json(cli: Cli, tmp_path: Path) -> None:
    words = ("experiment", "ablations", "--file", "own.toml", "--seeds", "1", "--each", "1",
             "--workers", "1")  # fmt: skip
    printed = cli(*words, "--small", "--quiet")
    assert (printed.code, printed.err) == (0, "")
    assert "| documented | -27.1 |" in printed.out
    written = cli(*words, "--small", "--out", "page.md")
    assert "page.md" in written.out
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == printed.out
    told = json.loads(cli(*words, "--json", "--quiet").out)
    assert len(told["baseline"]["csi1000"]) == len(told["ablations"]["spill"]["values"]["csi1000"])


def test_the_command_refuses_a_file_that_is_not_its_own_before_any_work(
    cli: Cli, tmp_path: Path
) -> None:
    said = cli("experiment", "ablations", "--out", "own.toml")
    assert said.code == 2
    assert "own.toml" in said.err
    assert (tmp_path / "own.toml").read_text(encoding="utf-8") == OWN
