"""The daily series that ship are what the committed script derives from the data."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from crowdfall.experiments import targets

ROOT = Path(__file__).resolve().parents[3]


def script() -> ModuleType:
    file = ROOT / "scripts" / "derive_daily_targets.py"
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_derives_the_file_that_ships(real_data: Path, tmp_path: Path) -> None:
    derive = script()
    derive.main(real_data, tmp_path / "derived.toml")
    assert (tmp_path / "derived.toml").read_text("utf-8") == derive.OUT.read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "value", "off"),
    [
        ("limit down 01-22", 106 / 4963 * 100, 0.05),  # counts of design:targets
        ("limit touched 01-22", 232 / 4963 * 100, 0.1),
        ("limit down 02-02", 57 / 4963 * 100, 0.05),
        ("limit touched 02-02", 663 / 4963 * 100, 0.15),
        ("return csi1000 01-22", -5.8, 0.05),
        ("basis IM2403 01-22", -5.4, 0.05),
        ("basis IC2403 01-25", -0.8, 0.05),
    ],
)
def test_a_number_of_the_series_is_the_published_one(name: str, value: float, off: float) -> None:
    found = {each.id: each for each in targets.load("feb2024_daily")}[name]
    assert found.value == pytest.approx(value, abs=off)


def test_nothing_after_2_february_is_in_the_series() -> None:
    found = targets.load("feb2024_daily")
    days = [each.end or each.day for each in found]
    assert max(day for day in days if day is not None).isoformat() == "2024-02-02"
    assert min(day for day in days if day is not None).isoformat() == "2024-01-22"
    assert {each.kind for each in found if each.index == "csi300"} == {"input"}
