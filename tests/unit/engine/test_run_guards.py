"""Bad input speaks before anything is written, and nothing is left half-written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine import blocks, ensemble, factors
from crowdfall.engine.ensemble import Progress
from crowdfall.engine.setting import by_group, setting
from crowdfall.engine.state import Factors
from crowdfall.errors import CrowdfallError, MarketError, RunError, ScenarioError
from crowdfall.market.snapshot import Market
from crowdfall.scenarios.schema import Scenario
from invented_market import invented_market, invented_scenario
from told import told


@pytest.fixture(scope="module")
def market() -> Market:
    return invented_market()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return invented_scenario(tmp_path, days=2, assimilated=1)


def refused(kind: type[CrowdfallError], market: Market, scenario: Scenario, out: Path,
            **words: int) -> CrowdfallError:  # fmt: skip
    before = sorted(out.parent.rglob("*"))
    options = {"paths": 1, "seed": 1, "workers": 1} | words
    with pytest.raises(kind) as caught:
        ensemble.run(market, scenario, out=out, **options)
    assert sorted(out.parent.rglob("*")) == before
    return caught.value


@pytest.mark.parametrize("name", ["paths", "workers", "block"])
@pytest.mark.parametrize("count", [0, -3])
def test_count_below_one_is_refused(
    market: Market, scenario: Scenario, tmp_path: Path, name: str, count: int
) -> None:
    error = refused(RunError, market, scenario, tmp_path / "run", **{name: count})
    assert name in told(error)
    assert str(count) in told(error)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_that_would_alias_another_is_refused(
    market: Market, scenario: Scenario, tmp_path: Path, seed: int
) -> None:
    assert str(seed) in told(refused(RunError, market, scenario, tmp_path / "run", seed=seed))


def test_folder_that_exists_is_not_written_over(
    market: Market, scenario: Scenario, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    ensemble.run(market, scenario, paths=1, seed=1, workers=1, out=out)
    error = refused(RunError, market, scenario, out)
    assert error.code == "run_exists"
    assert str(out) in told(error)


def test_run_that_dies_in_its_first_block_leaves_nothing(
    market: Market, scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(blocks, "simulate", die)
    with pytest.raises(KeyboardInterrupt):
        ensemble.run(market, scenario, paths=2, seed=1, workers=1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bad_rescue_file_speaks_before_anything_is_written(
    market: Market, scenario: Scenario, tmp_path: Path
) -> None:
    (tmp_path / "rescue.csv").write_text("date,csi300,csi500,csi1000\n2024-01-02,1,1,1\n")
    error = refused(ScenarioError, market, scenario, tmp_path / "run")
    assert "csi2000" in told(error)


def without_group(market: Market) -> Market:
    stocks = market.stocks
    group = np.where(stocks.group == 4, 3, stocks.group).astype(np.int8)
    return replace(market, stocks=replace(stocks, group=group))


def with_nan(market: Market) -> Market:
    beta = market.stocks.beta.copy()
    beta[7] = np.nan
    return replace(market, stocks=replace(market.stocks, beta=beta))


@pytest.mark.parametrize(
    ("spoil", "code", "word"),
    [
        (lambda m: replace(m, date=date(2024, 1, 2)), "market_date", "2024-01-02"),
        (without_group, "empty_group", "tail"),
        (lambda m: replace(m, futures=m.futures[:4]), "no_quotes", "IM"),
        (with_nan, "not_a_number", "beta"),
    ],
)  # fmt: skip
def test_market_that_can_not_be_played_is_refused(
    market: Market,
    scenario: Scenario,
    tmp_path: Path,
    spoil: Callable[[Market], Market],
    code: str,
    word: str,
) -> None:
    error = refused(MarketError, spoil(market), scenario, tmp_path / "run")
    assert error.code == code
    assert word in told(error)


def test_free_mode_needs_a_history(market: Market, scenario: Scenario, tmp_path: Path) -> None:
    short = replace(market, history=replace(market.history, returns=np.zeros((3, 6))))
    free = replace(scenario, clock=replace(scenario.clock, mode="free"))
    assert "3" in told(refused(MarketError, short, free, tmp_path / "run"))
    assert setting(short, scenario, 1).days  # a replay does without


def test_pin_that_limits_make_unreachable_is_told(market: Market, tmp_path: Path) -> None:
    """CSI 300 can't fall by 30% where its stocks stop at 10 or 20%."""
    moves = {"csi300": (-0.30,), "csi500": (0.0,), "csi1000": (0.0,), "csi2000": (0.0,),
             "microcap": (0.0,)}  # fmt: skip
    scenario = invented_scenario(tmp_path, moves=moves, days=1, assimilated=0)
    error = refused(RunError, market, scenario, tmp_path / "run")
    assert error.code == "pin_missed"
    assert "2024-01-02" in told(error)


def test_progress_goes_from_nothing_to_tables(
    market: Market, scenario: Scenario, tmp_path: Path
) -> None:
    told_of: list[Progress] = []
    ensemble.run(
        market, scenario, paths=5, seed=1, workers=1, block=2, out=tmp_path / "run",
        progress=told_of.append,
    )  # fmt: skip
    assert [p.done_paths for p in told_of] == [0, 2, 4, 5, 5]
    assert {p.paths for p in told_of} == {5}
    assert told_of[-1].stage == "tables"


def test_factors_come_back_as_they_were_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kept = Factors(
        market=rng.random((3, 8)), market_first=rng.random((3, 8)),
        group=rng.random((3, 8, 6)), group_first=rng.random((3, 8, 6)),
    )  # fmt: skip
    factors.save(tmp_path, 4, kept)
    back = factors.read(tmp_path, 5, 2)
    assert back is not None
    for name in Factors.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(back, name), getattr(kept, name)[1:])
    assert factors.read(tmp_path, 6, 2) is None  # path 7 was never solved
    assert [p.suffix for p in tmp_path.iterdir()] == [".npz"] * 3  # no drafts left


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_damaged_factors_count_as_missing(tmp_path: Path, share: float) -> None:
    factors.save(tmp_path, 0, Factors.empty(1, 8))
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    assert factors.read(tmp_path, 0, 1) is None


def test_key_of_factors_names_market_scenario_and_seed(market: Market, scenario: Scenario) -> None:
    other_market = replace(market, levels=market.levels | {"csi300": 1.0})
    other = replace(scenario, impact=replace(scenario.impact, spill=0.123))
    keys = {
        factors.factor_key(*case)
        for case in ((market, scenario, 1), (market, scenario, 2), (market, other, 1),
                     (other_market, scenario, 1))
    }  # fmt: skip
    assert len(keys) == 4


def test_order_of_stocks_in_a_market_keeps_their_own_numbers(market: Market) -> None:
    ordered = by_group(market)
    assert (np.diff(ordered.stocks.group) >= 0).all()
    for name in ("close", "limit", "free_float_cap"):
        mine = dict(zip(market.stocks.symbol, getattr(market.stocks, name), strict=True))
        theirs = dict(zip(ordered.stocks.symbol, getattr(ordered.stocks, name), strict=True))
        assert mine == theirs
    assert ordered.weights["microcap"].sum() == pytest.approx(1.0)
