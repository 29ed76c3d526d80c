"""The impact numbers that ship are those of the real panel before January 2024."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from crowdfall.data.sources.files import FilesSource
from crowdfall.experiments import calibrate
from crowdfall.experiments import impact_law as law


def test_the_command_gives_the_numbers_that_ship(real_data: Path) -> None:
    kept = tomllib.loads(
        files("crowdfall.experiments").joinpath("impact_law.toml").read_text(encoding="utf-8")
    )
    found = law.estimates(law.read_panel(FilesSource(real_data), law.FIRST), 1)
    fresh = tomllib.loads(law.text(found, 1))
    assert set(fresh) == set(kept)
    for name, numbers in kept.items():
        for key, value in numbers.items():
            if isinstance(value, str):
                assert fresh[name][key] == value
            else:
                assert fresh[name][key] == pytest.approx(value, abs=2e-3), (name, key)
    assert fresh["placebo_same_day"]["impact_at_exponent"][0] > 0.3
    assert fresh["placebo_fade_large_turnover"]["impact_at_exponent"][2] < 0.1
    by_key = {each.name: each for each in calibrate.plan("feb2024").parameters}
    prior = by_key["impact.stock_impact"]
    assert (prior.mean, prior.sd) == (kept["prior"]["mean"], kept["prior"]["sd"])
