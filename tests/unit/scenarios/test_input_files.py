"""Exogenous inputs: laid on bars and sessions, or refused with file, line and date."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdfall.errors import ScenarioError
from crowdfall.scenarios import Scenario, load
from crowdfall.scenarios.inputs import assimilation_closes, index_bars, rescue_schedule
from invented_market import CALM, START, closes, play_days, write_scenario
from told import told

DAYS = 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_scenario(tmp_path, days=DAYS, assimilated=2, rescue=10.0)


def all_days() -> list[object]:
    return [START, *play_days(DAYS)]


def with_bars(scenario: Scenario, bars: int) -> Scenario:
    return replace(scenario, clock=replace(scenario.clock, bars=bars))


def test_day_goes_through_open_low_high_and_close(path: Path, tmp_path: Path) -> None:
    header = "date,csi300_open,csi300_high,csi300_low,csi300_close"
    up, down = f"{START},100,130,70,110", f"{play_days(1)[0]},110,130,70,100"
    (tmp_path / "path.csv").write_text(f"{header}\n{up}\n{down}\n")
    bars = index_bars(load(str(path)), [START, play_days(1)[0]])
    assert bars.shape == (2, 8)
    np.testing.assert_allclose(bars[0], [100, 85, 70, 90, 110, 130, 120, 110])
    np.testing.assert_allclose(bars[1], [110, 120, 130, 110, 90, 70, 85, 100])


def test_four_bars_are_every_second_of_eight_and_end_on_the_close(path: Path) -> None:
    scenario = load(str(path))
    eight = index_bars(scenario, all_days())  # type: ignore[arg-type]
    four = index_bars(with_bars(scenario, 4), all_days())  # type: ignore[arg-type]
    np.testing.assert_array_equal(four, eight[:, 1::2])
    np.testing.assert_allclose(four[:, -1], closes(CALM, DAYS)["csi300"])


def test_closes_are_given_until_the_date_and_not_after(path: Path) -> None:
    got = assimilation_closes(load(str(path)), all_days())  # type: ignore[arg-type]
    wanted = closes(CALM, DAYS)
    for k, name in enumerate(("csi500", "csi1000", "csi2000", "microcap")):
        np.testing.assert_allclose(got[:3, k], wanted[name][:3])
    assert np.isnan(got[3:]).all()


@pytest.mark.parametrize("bars", [4, 8])
def test_rescue_is_spread_over_the_bars_in_yuan(path: Path, bars: int) -> None:
    scenario = with_bars(load(str(path)), bars)
    schedule = rescue_schedule(scenario, play_days(DAYS))
    assert schedule.shape == (DAYS, bars, 6)
    np.testing.assert_allclose(schedule.sum(axis=1)[:, :4], [[0.0] * 4] * 2 + [[10e9] * 4] * 2)
    assert (schedule[:, :, 4:] == 0.0).all()
    profile = np.array(scenario.inputs.rescue_profile).reshape(bars, -1).sum(axis=1)
    np.testing.assert_allclose(schedule[-1, :, 0], 10e9 * profile)


def test_a_day_may_have_a_profile_of_its_own(path: Path) -> None:
    day = play_days(DAYS)[-1]
    scenario = load(str(path), [f'inputs.rescue_profiles."{day}"=[1, 0, 0, 0, 0, 0, 0, 0]'])
    schedule = rescue_schedule(scenario, play_days(DAYS))
    assert schedule[-1, 0, 1] == pytest.approx(10e9)
    assert schedule[-2, 0, 1] < 10e9


READERS = {"path.csv": index_bars, "closes.csv": assimilation_closes, "rescue.csv": rescue_schedule}


def read(path: Path, name: str, old: str, new: str) -> str:
    """Return the sentence for an input file in which ``old`` was replaced."""
    file = path.with_name(name)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ScenarioError) as caught:
        READERS[name](load(str(path)), all_days())  # type: ignore[arg-type]
    sentence = told(caught.value)
    assert name in sentence
    return sentence


@pytest.mark.parametrize("name", READERS)
def test_missing_column_is_named_with_those_that_are_there(path: Path, name: str) -> None:
    header = path.with_name(name).read_text().partition("\n")[0].split(",")
    sentence = read(path, name, header[2], "other")
    assert header[2] in sentence
    assert "other" in sentence


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("cell", ["abc", "12 bn", "--"])
def test_cell_that_is_no_number_is_told_with_its_line(path: Path, name: str, cell: str) -> None:
    first = path.with_name(name).read_text().splitlines()[2].split(",")[1]
    sentence = read(path, name, f"{play_days(1)[0]},{first}", f"{play_days(1)[0]},{cell}")
    assert "ine 3" in sentence
    assert cell in sentence


@pytest.mark.parametrize("name", READERS)
def test_date_that_is_none_is_told_with_its_line(path: Path, name: str) -> None:
    assert "ine 3" in read(path, name, str(play_days(1)[0]), "20240102x")


@pytest.mark.parametrize("name", READERS)
def test_date_that_comes_twice_is_refused(path: Path, name: str) -> None:
    first, second = play_days(2)
    assert str(first) in read(path, name, str(second), str(first))


@pytest.mark.parametrize("name", ["path.csv", "closes.csv"])
def test_missing_session_is_told(path: Path, name: str) -> None:
    day = play_days(2)[1]
    assert str(day) in read(path, name, str(day), "2025-01-03")


@pytest.mark.parametrize("name", ["path.csv", "closes.csv"])
@pytest.mark.parametrize("cell", ["", "0", "-3400.0", "nan", "inf"])
def test_level_that_can_not_be_is_refused(path: Path, name: str, cell: str) -> None:
    day = play_days(2)[1]
    row = next(
        line for line in path.with_name(name).read_text().splitlines() if line.startswith(str(day))
    )
    last = row.split(",")[-1]
    assert str(day) in read(path, name, row, row.removesuffix(last) + cell)


@pytest.mark.parametrize("cell", ["-1.0", "nan", "inf", ""])
def test_rescue_that_sells_or_is_no_number_is_refused(path: Path, cell: str) -> None:
    day = play_days(DAYS)[-1]
    assert str(day) in read(path, "rescue.csv", f"{day},10.0", f"{day},{cell}")


def test_session_without_rescue_row_has_no_rescue(path: Path, tmp_path: Path) -> None:
    (tmp_path / "rescue.csv").write_text("date,csi300,csi500,csi1000,csi2000\n")
    assert not rescue_schedule(load(str(path)), play_days(DAYS)).any()


def test_binary_file_is_refused_and_not_read_as_numbers(path: Path) -> None:
    path.with_name("path.csv").write_bytes(b"\xff\xfe\x00date,\x00" * 50)
    with pytest.raises(ScenarioError) as caught:
        index_bars(load(str(path)), all_days())  # type: ignore[arg-type]
    assert "path.csv" in told(caught.value)
