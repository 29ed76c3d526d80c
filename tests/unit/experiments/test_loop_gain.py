"""An extra sale from outside: what is sold, what follows, and its ratio to calm."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.errors import RunError, ScenarioError
from crowdfall.experiments.loop_gain import LoopGain, banded, loop_gain
from crowdfall.scenarios.load import describe, load
from invented_market import invented_market, invented_scenario, play_days
from stress_run import stress_scenario

DAYS = play_days(8)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))


def shock(day: date, more: str = "") -> str:
    return f'[[shock]]\ndate = {day}\ngroup = "microcap"\nyuan = 1e9\n{more}'


def test_shock_sells_its_yuan_in_its_session_and_shares_stay_conserved(tmp_path: Path) -> None:
    scenario = invented_scenario(tmp_path, shock(DAYS[2]), days=4)
    tables = simulate(setting(invented_market(), scenario, 1), first_path=0, paths=2).tables
    sold = tables["flows"].filter(pl.col("kind") == "outside_seller", pl.col("sold") > 0.0)
    assert sold.select("path", "date", "place").rows() == [(p, DAYS[2], "microcap") for p in (0, 1)]
    assert sold["sold"].to_list() == pytest.approx([1e9, 1e9], rel=0.05)
    events = tables["events"].filter(pl.col("agent") == "outside_seller", pl.col("path") == 0)
    roots = events.filter(pl.col("kind") == "shock")
    sales = events.filter(pl.col("kind") == "forced_sale")
    assert roots["amount"].to_list() == [1e9]
    assert sales["cause"].to_list() == roots["event"].to_list()


def test_shock_of_one_bar_and_its_text_read_back(tmp_path: Path) -> None:
    scenario = invented_scenario(tmp_path, shock(DAYS[1], "bar = 5"), days=4)
    assert scenario.shock[0].bar == 5
    again = tmp_path / "again.toml"
    again.write_text(describe(scenario), encoding="utf-8")
    assert load(str(again)).shock == scenario.shock


@pytest.mark.parametrize(
    "words",
    [shock(date(2024, 1, 6)), shock(date(2023, 12, 29)), shock(DAYS[1], "bar = 8"),
     shock(DAYS[1]).replace("microcap", "microcaps"), shock(DAYS[1]).replace("1e9", "-1.0")],
)  # fmt: skip
def test_bad_shocks_are_told(tmp_path: Path, words: str) -> None:
    with pytest.raises(ScenarioError):
        invented_scenario(tmp_path, words, days=4)


def test_one_more_billion_makes_micro_caps_fall_further(
    tmp_path: Path,
) -> None:
    scenario = stress_scenario(tmp_path)
    found = loop_gain(scenario, invented_market(), DAYS[3], paths=2, sessions=1)
    assert (found.fall > 0.0).all()
    assert (found.calm_fall > 0.0).all()
    assert found.gain == pytest.approx(found.fall / found.calm_fall)
    plain = found.as_dict()["loop_gain"]
    assert plain["low"] <= plain["median"] <= plain["high"]


def test_the_calm_session_itself_has_gain_one(tmp_path: Path) -> None:
    found = loop_gain(stress_scenario(tmp_path), invented_market(), DAYS[0], paths=1, sessions=1)
    assert found.gain == pytest.approx([1.0])


def test_a_date_without_enough_sessions_behind_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="choose a session"):
        loop_gain(stress_scenario(tmp_path), invented_market(), DAYS[7], paths=1)


def test_no_ratio_to_a_calm_fall_of_nothing() -> None:
    falls = LoopGain(
        on=DAYS[1], calm=DAYS[0], group="microcap", extra=1e9, sessions=5,
        fall=np.array([0.01, 0.02]), calm_fall=np.array([0.0, 0.01]),
    )  # fmt: skip
    assert np.isnan(falls.gain[0])
    assert banded(falls.gain)["median"] == pytest.approx(2.0)
