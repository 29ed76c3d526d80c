"""Blocks played on a local Ray are those played on this machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from crowdfall.engine import ensemble
from crowdfall.errors import RunError
from crowdfall.results.schema import TABLES
from crowdfall.results.store import RunFolder
from crowdfall.scenarios import load
from crowdfall.scenarios.schema import Scenario
from invented_market import CRASH, write_scenario
from random_scenarios import market

if find_spec("ray") is None:  # not imported here: it reads its settings when it is
    pytest.skip("Ray is not installed: pip install 'crowdfall[ray]'", allow_module_level=True)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))


def start(scenario: Scenario, out: Path, **words: Any) -> RunFolder:  # noqa: ANN401
    asked = {"paths": 5, "seed": 3, "workers": 1, "block": 1} | words
    return ensemble.run(market(), scenario, out=out, **asked)


def test_blocks_on_ray_are_those_of_this_machine(tmp_path: Path) -> None:
    path = str(write_scenario(tmp_path, moves=CRASH, days=3, assimilated=1))
    scenario = load(path, ["agents.trend_retail.enabled=false"])
    whole = start(scenario, tmp_path / "whole")
    far = start(scenario, tmp_path / "far", engine="ray", workers=2)
    assert far.summary == whole.summary
    for name in TABLES:
        assert_frame_equal(far.table(name), whole.table(name), check_exact=True)


def test_errors_of_a_block_come_back_from_ray(tmp_path: Path) -> None:
    moves = {name: (-0.30,) if name == "csi300" else (0.0,) for name in CRASH}
    path = str(write_scenario(tmp_path, moves=moves, days=1, assimilated=0))
    with pytest.raises(RunError) as caught:
        start(load(path), tmp_path / "run", engine="ray")
    assert caught.value.code == "pin_missed"
