"""Episodes of one's own: what is written can be run, and mistakes are one sentence."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.errors import CrowdfallError, ScenarioError
from crowdfall.market import store
from crowdfall.scenarios import kit, load
from fake_cli import Cli, command_line
from invented_market import invented_market
from told import told

DAYS = ("2023-12-29", "2024-01-02", "2024-01-03", "2024-01-04")


def csv(folder: Path, name: str, *lines: str) -> Path:
    file = folder / name
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def closes(folder: Path, *values: float) -> Path:
    rows = (f"{day},{value}" for day, value in zip(DAYS, values, strict=False))
    return csv(folder, "path.csv", "date,close", *rows)


@pytest.mark.parametrize("move", [-0.05, 0.06])
def test_an_episode_is_written_and_runs_down_or_up(move: float, tmp_path: Path) -> None:
    market = invented_market()
    path = closes(tmp_path, 100.0, 100.0 * (1 + move), 100.0 * (1 + move / 2), 100.0)
    rescue = csv(tmp_path, "r.csv", "date,csi300,csi500,csi1000,csi2000", "2024-01-03,5,1,0,0")
    file = kit.new(
        "shock", market, path, rescue_file=rescue, folder=tmp_path / "shock",
        overrides=("agents.dma.gross=3e11", "agents.dma.leverage_cap=2",
                   "agents.snowball_dealers.notional=1e11"),
    )  # fmt: skip
    scenario = load(str(file))
    assert (scenario.clock.start, scenario.clock.end) == (market.date, date(2024, 1, 4))
    assert scenario.clock.assimilate_until is None
    assert scenario.policy == ()  # the base's ban is of its own days
    assert (scenario.agents.dma.gross, scenario.agents.dma.leverage_cap) == (3e11, 2.0)
    daily = simulate(setting(market, scenario, 1), first_path=0, paths=1).tables["daily"]
    found = daily["csi300_close"].to_numpy() / market.levels["csi300"]
    np.testing.assert_allclose(found, [1 + move, 1 + move / 2, 1.0], rtol=1e-6)
    np.testing.assert_allclose(daily["rescue_csi300"].to_numpy(), [0.0, 5e9, 0.0], rtol=0.05)
    assert abs(daily["csi1000_return"][0]) > 0.01


def test_the_starting_basis_is_that_of_its_market(tmp_path: Path) -> None:
    market = store.bundled()
    file = kit.new(
        "wide", market, closes(tmp_path, 1.0, 1.0), basis={"im": -0.08}, folder=tmp_path / "wide"
    )
    own = store.load(file.parent / "market")
    assert own.digest != market.digest
    main = next(q for q in own.contracts("im") if q.last_trading_day.month % 3 == 0)
    assert main.basis == pytest.approx(-0.08)
    assert own.contracts("im")[0].basis > -0.08  # a nearer month has less of it
    assert own.contracts("ic") == market.contracts("ic")


def test_full_bars_are_kept_and_scaled(tmp_path: Path) -> None:
    market = store.bundled()
    file = csv(tmp_path, "p.csv", "date,csi300_open,csi300_high,csi300_low,csi300_close",
               "2023-12-29,10,10,10,10", "2024-01-02,10,11,9,10.5")  # fmt: skip
    bars = kit.read_path(file, market)
    level = market.levels["csi300"]
    np.testing.assert_allclose(
        bars[date(2024, 1, 2)], np.array([1.0, 1.1, 0.9, 1.05]) * level, rtol=1e-12
    )


BAD = {
    "first day": (["date,close", "2024-01-02,1", "2024-01-03,1"], "2023-12-29"),
    "no close": (["date,level", "2023-12-29,1"], "close"),
    "gap": (["date,close", "2023-12-29,1", "2024-01-03,1"], "2024-01-02"),
    "weekend": (["date,close", "2023-12-29,1", "2024-01-02,1", "2024-01-06,1"], "2024-01-06"),
    "no number": (["date,close", "2023-12-29,1", "2024-01-02,x"], "3"),
    "negative": (["date,close", "2023-12-29,1", "2024-01-02,-1"], "2024-01-02"),
    "jump": (["date,close", "2023-12-29,3431", "2024-01-02,343"], "2024-01-02"),
    "short": (["date,close", "2023-12-29,1"], "session"),
    "bar": (["date,open,high,low,close", "2023-12-29,1,1,1,1", "2024-01-02,1,1,1,1.1"],
            "2024-01-02"),
    "far": (["date,close", "2023-12-29,1", "2024-03-01,1"], "2024-01-02"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD, ids=list(BAD))
def test_a_bad_path_is_one_sentence_and_leaves_nothing(case: str, tmp_path: Path) -> None:
    lines, word = BAD[case]
    with pytest.raises(CrowdfallError) as caught:
        kit.new("mine", store.bundled(), csv(tmp_path, "p.csv", *lines), folder=tmp_path / "mine")
    assert word in told(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["p.csv"]


def test_bad_names_rescues_and_bases_are_told(tmp_path: Path) -> None:
    market, path = store.bundled(), closes(tmp_path, 1.0, 1.0)
    for name in ("feb2024", "a b", "../up", ""):
        with pytest.raises(ScenarioError) as caught:
            kit.new(name, market, path, folder=tmp_path / "x")
        told(caught.value)
    head = "date,csi300,csi500,csi1000,csi2000"
    for row in ("2024-01-02,-1,0,0,0", "2024-02-05,1,0,0,0"):
        rescue = csv(tmp_path, "r.csv", head, row)
        with pytest.raises(ScenarioError) as caught:
            kit.new("mine", market, path, rescue_file=rescue, folder=tmp_path / "x")
        assert row[:10] in told(caught.value)
    for basis in ({"im": -0.9}, {"xx": 0.0}):
        with pytest.raises(ScenarioError) as caught:
            kit.new("mine", market, path, basis=basis, folder=tmp_path / "x")
        told(caught.value)
    assert not (tmp_path / "x").exists()
    (tmp_path / "taken").mkdir()
    with pytest.raises(ScenarioError, match="taken"):
        kit.new("mine", market, path, folder=tmp_path / "taken")


def test_the_command_writes_an_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cli: Cli = command_line(tmp_path, monkeypatch, capsys)
    path = closes(tmp_path, 1.0, 0.97)
    said = cli("scenario", "new", "mine", "--path-file", path, "--basis", "IC=-0.02",
               "--set", "agents.dma.enabled=false")  # fmt: skip
    assert said.code == 0
    assert "mine/mine.toml" in said.out
    assert not load("mine/mine.toml").agents.dma.enabled
    assert (tmp_path / "mine" / "market").is_dir()
    again = cli("scenario", "new", "mine", "--path-file", path)
    assert (again.code, again.err.count("\n")) == (2, 1)
    bad = cli("scenario", "new", "other", "--path-file", path, "--basis", "IM=low")
    assert (bad.code, bad.err.count("\n")) == (2, 1)
