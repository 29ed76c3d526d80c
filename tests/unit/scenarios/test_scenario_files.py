"""Bases, overrides, variations, and what a file that can't be run is told."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from crowdfall.errors import ScenarioError
from crowdfall.i18n import LANGUAGES
from crowdfall.scenarios import describe, library, load
from invented_market import START, play_days, write_scenario
from random_scenarios import PARAMETERS
from told import told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_scenario(tmp_path, days=5, assimilated=3, rescue=10.0)


def refused(path: Path, *overrides: str) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load(str(path), overrides)
    return caught.value


@pytest.mark.parametrize("name", library())
def test_scenarios_of_the_library_speak_both_languages_and_name_their_sources(name: str) -> None:
    scenario = load(name)
    for texts in (scenario.title, scenario.story):
        assert set(LANGUAGES) <= set(texts)
    for kind in ("index_path", "assimilation", "rescue"):
        if getattr(scenario.inputs, kind):
            assert scenario.inputs.sources[kind]
    assert all(event.source for event in scenario.policy)


@pytest.mark.parametrize("key", sorted(PARAMETERS))
def test_every_number_has_a_meaning_a_source_and_a_range(key: str) -> None:
    value, known = PARAMETERS[key]
    assert known.low <= value <= known.high
    assert known.low < known.high
    assert known.text
    assert known.source


def test_description_names_source_and_range_of_every_number(path: Path) -> None:
    lines = describe(load(str(path))).splitlines()
    for key, (_, known) in PARAMETERS.items():
        parts = (known.text, known.source, f"{known.low:g} to {known.high:g}")
        name = f"{key.rpartition('.')[2]} = "
        assert any(line.startswith(name) and all(p in line for p in parts) for line in lines), key


def test_file_on_a_base_keeps_what_it_does_not_say(path: Path) -> None:
    child = path.with_name("child.toml")
    child.write_text('base = "invented.toml"\nimpact.spill = 0.11\nagents.dma.tilt = 0.2\n')
    base, scenario = load(str(path)), load(str(child))
    assert scenario.impact == replace(base.impact, spill=0.11)
    assert scenario.agents.dma == replace(base.agents.dma, tilt=0.2)
    assert scenario.inputs == base.inputs
    assert scenario.name == "child"
    assert scenario.digest != base.digest


def test_base_brings_its_input_files_from_another_folder(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    child = folder / "child.toml"
    child.write_text('base = "../invented.toml"\n')
    scenario = load(str(child))
    for name in scenario.input_names:
        assert scenario.input_file(name).read_bytes() == (tmp_path / name).read_bytes()
    shutil.copytree(tmp_path, tmp_path.parent / "moved")
    moved = load(str(tmp_path.parent / "moved" / "elsewhere" / "child.toml"))
    assert moved.digest == scenario.digest  # places are not part of a scenario


def test_own_input_file_stands_in_for_that_of_the_base(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    child = folder / "child.toml"
    child.write_text('base = "../invented.toml"\n')
    before = load(str(child)).digest
    (folder / "rescue.csv").write_text("date,csi300,csi500,csi1000,csi2000\n")
    assert load(str(child)).input_file("rescue.csv") == folder / "rescue.csv"
    assert load(str(child)).digest != before


@pytest.mark.parametrize("chain", [("a",), ("a", "b"), ("a", "b", "c")])
def test_bases_that_go_round_in_a_circle_are_refused(tmp_path: Path, chain: tuple[str]) -> None:
    for name, base in zip(chain, (*chain[1:], chain[0]), strict=True):
        (tmp_path / f"{name}.toml").write_text(f'base = "{base}.toml"\n')
    error = refused(tmp_path / "a.toml")
    assert error.code == "bad_base"
    assert ".toml" in told(error)


def test_digest_knows_the_words_and_the_contents_of_inputs(path: Path, tmp_path: Path) -> None:
    seen = {load(str(path)).digest, load(str(path), ["impact.spill=0.2"]).digest}
    rescue = tmp_path / "rescue.csv"
    rescue.write_text(rescue.read_text().replace("10.0", "11.0"))
    seen.add(load(str(path)).digest)
    assert len(seen) == 3


def test_override_makes_a_variation_that_reads_the_factors_of_its_base(path: Path) -> None:
    base = load(str(path))
    variation = load(str(path), ["agents.dma.enabled=false", "impact.spill = 0.3"])
    assert not variation.agents.dma.enabled
    assert variation.impact.spill == 0.3
    assert variation.origin == base
    assert variation.clock.factors == "base"
    assert variation.factor_base == base
    assert base.factor_base == base


@pytest.mark.parametrize(
    "words",
    [
        "clock.factors=solve", "clock.factors = 'solve'", "clock.bars=4",
        "clock.assimilate_until=2024-01-03", "clock.mode=free", "inputs.index_path=path.csv",
    ],
)  # fmt: skip
def test_variation_that_moves_its_pins_solves_its_own_factors(path: Path, words: str) -> None:
    variation = load(str(path), [words])
    assert variation.clock.factors == "solve"
    assert variation.factor_base == variation


def test_shorter_variation_still_reads_the_factors_of_its_base(path: Path) -> None:
    end = play_days(5)[3]
    assert load(str(path), [f"clock.end={end}"]).clock.factors == "base"


def test_later_overrides_win_and_keys_may_be_quoted(path: Path) -> None:
    day = play_days(5)[4]
    profile = "[0, 0, 0, 0, 0, 0, 0, 1]"
    scenario = load(
        str(path), ["impact.spill=0.1", "impact.spill=0.2",
                    f'inputs.rescue_profiles."{day}"={profile}'],
    )  # fmt: skip
    assert scenario.impact.spill == 0.2
    assert scenario.inputs.rescue_profiles[str(day)][-1] == 1.0


@pytest.mark.parametrize("text", ["agents.dma.enabled", "=false", "", "a..b=1", " = 3"])
def test_override_without_key_or_value_is_refused(path: Path, text: str) -> None:
    error = refused(path, text)
    assert error.code == "bad_override"
    assert repr(text) in told(error)


def test_unknown_scenario_is_told_the_library() -> None:
    error = refused(Path("feb2025"))
    assert error.code == "unknown_scenario"
    for name in ("feb2025", *library()):
        assert name in told(error)


def test_file_that_reads_factors_needs_a_base(path: Path) -> None:
    with path.open("a") as file:
        file.write('clock.factors = "base"\n')
    assert refused(path).code == "base_without_base"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (f"clock.end={START}", "end_before_start"),
        ("clock.start=2023-12-30", "no_session"),
        ("clock.start=2024-02-08", "end_before_start"),
        ("clock.bars=5", "not_a_choice"),
        ("clock.mode=replayed", "not_a_choice"),
        ("clock.assimilate_until=2025-01-01", "assimilation_outside"),
        ("clock.assimilate_until=2023-01-03", "assimilation_outside"),
        ("inputs.assimilation=''", "assimilation_without_file"),
        ("inputs.index_path=''", "replay_without_path"),
        ("inputs.index_path=nowhere.csv", "missing_input"),
        ("inputs.rescue=nowhere.csv", "missing_input"),
        ("noise.group_daily=[0.1]", "bad_group_noise"),
        ("noise.group_daily=[0, 0, 0, 0, 0, nan]", "bad_group_noise"),
        ("inputs.rescue_profile=[1.0]", "bad_profile"),
        ("inputs.rescue_profiles.2024-1-5=[0, 0, 0, 0, 0, 0, 0, 1]", "wrong_type"),
    ],
)
def test_impossible_scenario_is_told_why(path: Path, words: str, code: str) -> None:
    error = refused(path, words)
    assert error.code == code
    assert told(error)


def test_free_scenario_needs_its_rescue_file_too(path: Path) -> None:
    error = refused(path, "clock.mode=free", "inputs.rescue=nowhere.csv")
    assert error.code == "missing_input"
    assert "nowhere.csv" in told(error)


BAN = """[[policy]]
kind = "sell_ban"
title = "a ban"
source = "invented"
start = 2024-01-03
"""


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("end = 2024-01-02", "policy_end", "2024-01-02"),
        ("start_bar = 8", "out_of_range", "8"),
        ("start_bar = -1", "out_of_range", "-1"),
        ("shares.dmaa = 0.5", "unknown_agent", "dmaa"),
        ("shares.dma = nan", "out_of_range", "nan"),
        ("kin = 1", "unknown_key_near", "kin"),
    ],
)
def test_impossible_policy_is_told_why(tmp_path: Path, line: str, code: str, word: str) -> None:
    error = refused(write_scenario(tmp_path, more=f"{BAN}{line}\n"))
    assert error.code == code
    assert word in told(error)


@pytest.mark.parametrize("key", ["kind", "title", "source", "start"])
def test_policy_without_a_key_is_told_which(tmp_path: Path, key: str) -> None:
    lines = [part for part in BAN.splitlines() if not part.startswith(key)]
    error = refused(write_scenario(tmp_path, more="\n".join(lines)))
    assert error.code == "missing_key"
    assert key in told(error)


def test_dates_may_be_written_as_dates_or_texts(path: Path) -> None:
    day = play_days(5)[3]
    for words in (f"clock.end={day}", f'clock.end="{day}"'):
        scenario = load(str(path), [words])
        assert scenario.clock.end == day
        assert type(scenario.clock.end) is date
