"""A path depends on market, scenario, seed and its number, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crowdfall.engine import ensemble, simulate
from crowdfall.engine.crowd import gather
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import step
from crowdfall.results.schema import TABLES
from crowdfall.results.store import RunFolder
from crowdfall.scenarios import load
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Float64
from invented_market import CRASH, invented_scenario, write_scenario
from random_scenarios import AGENTS, market, scenarios

PATHS = 20


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))


def play(scenario: Scenario, out: Path, *, paths: int = 2, block: int = 10) -> RunFolder:
    return ensemble.run(market(), scenario, paths=paths, seed=4, workers=1, out=out, block=block)


def assert_same(one: RunFolder, other: RunFolder) -> None:
    for name in TABLES:
        assert_frame_equal(one.table(name), other.table(name), check_exact=True)


def test_workers_and_block_size_do_not_change_a_result(tmp_path: Path) -> None:
    scenario = invented_scenario(tmp_path, moves=CRASH, days=5, assimilated=3, rescue=30.0)
    runs = [
        ensemble.run(
            market(), scenario, paths=PATHS, seed=4, workers=workers, block=block,
            out=tmp_path / f"{workers}-{block}",
        )
        for workers, block in ((1, 20), (1, 7), (2, 7), (1, 1))
    ]  # fmt: skip
    assert runs[0].table("daily")["path"].n_unique() == PATHS
    assert runs[0].table("events").height > 0
    for other in runs[1:]:
        assert_same(runs[0], other)
        assert other.summary == runs[0].summary


@settings(
    max_examples=15, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data(), seed=st.integers(0, 2**64 - 1), free=st.booleans())
def test_paths_played_alone_equal_those_of_a_block(
    tmp_path: Path, data: st.DataObject, seed: int, free: bool
) -> None:
    scenario = data.draw(scenarios(tmp_path))
    if free:
        scenario = replace(scenario, clock=replace(scenario.clock, mode="free"))
    constants = setting(market(), scenario, seed)
    whole = simulate.simulate(constants, first_path=0, paths=3)
    alone = [simulate.simulate(constants, first_path=p, paths=1) for p in range(3)]
    for name in TABLES:
        parts = pl.concat([part.tables[name] for part in alone])
        assert_frame_equal(whole.tables[name].sort("path", maintain_order=True), parts,
                           check_exact=True)  # fmt: skip


def test_variation_that_changes_nothing_reproduces_its_base(tmp_path: Path) -> None:
    path = str(write_scenario(tmp_path, moves=CRASH, days=5, assimilated=3, rescue=30.0))
    base = load(path)
    same = load(path, ["agents.national_team.scale=1.0", "channels.spill=true"])
    assert same.origin == base
    assert same.clock.factors == "base"
    assert_same(play(base, tmp_path / "base"), play(same, tmp_path / "same"))


def test_variation_reads_the_same_factors_whether_or_not_its_base_was_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(write_scenario(tmp_path, moves=CRASH, days=4, assimilated=2))
    without = load(path, ["agents.dma.enabled=false"])
    fresh = play(without, tmp_path / "fresh", paths=3, block=1)
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "other"))
    play(load(path), tmp_path / "base", paths=3, block=2)
    assert_same(fresh, play(without, tmp_path / "after", paths=3, block=3))


def test_damaged_factors_are_solved_again(tmp_path: Path) -> None:
    path = str(write_scenario(tmp_path, days=3))
    variation = load(path, ["agents.trend_retail.enabled=false"])
    first = play(variation, tmp_path / "first")
    for k, kept in enumerate(sorted((tmp_path / "cache").rglob("*.npz"))):
        whole = kept.read_bytes()
        kept.write_bytes(whole[: (0, len(whole) // 2)[k % 2]])
    assert_same(first, play(variation, tmp_path / "second"))


@pytest.mark.parametrize(
    "change",
    ["agents.trend_retail.enabled=false", "channels.group_impact=false",
     "impact.market_loading=0.8", "agents.national_team.scale=3.0"],
)  # fmt: skip
def test_index_of_a_variation_is_an_outcome(tmp_path: Path, change: str) -> None:
    path = str(write_scenario(tmp_path, moves=CRASH, days=5, assimilated=3, rescue=60.0))
    base = play(load(path), tmp_path / "base").table("daily")
    varied = play(load(path, [change]), tmp_path / "varied").table("daily")
    last = pl.col("date") == pl.col("date").max()
    for index in ("csi300", "csi1000"):
        before, after = (frame.filter(last)[f"{index}_close"] for frame in (base, varied))
        assert ((after / before - 1.0).abs() > 1e-6).all(), index


def test_variation_may_solve_its_own_factors(tmp_path: Path) -> None:
    path = str(write_scenario(tmp_path, moves=CRASH, days=4, assimilated=2))
    base = play(load(path), tmp_path / "base").table("daily")
    varied = load(path, ["agents.trend_retail.enabled=false", "clock.factors=solve"])
    after = play(varied, tmp_path / "varied").table("daily")
    assert after["csi300_close"].to_list() == pytest.approx(base["csi300_close"].to_list())
    assert not after["csi1000_close"].equals(base["csi1000_close"])


@cache
def whole_crowd(folder: Path) -> dict[str, Float64]:
    return first_shares(quiet(folder))


def quiet(folder: Path, *words: str) -> Scenario:
    """Return a scenario in which noise does not grow with stress, so that it can be compared."""
    lines = ("impact.noise_return = 0.0", *words)
    return invented_scenario(folder, *lines, moves=CRASH, days=3, assimilated=1)


def first_shares(scenario: Scenario) -> dict[str, Float64]:
    members, positions = gather(setting(market(), scenario, 4), 2, 3)
    return {m.name: p.shares for m, p in zip(members, positions, strict=True)}


def noise_of(scenario: Scenario) -> tuple[list[Float64], list[Float64]]:
    """Return the stocks' noise and the loadings after every bar."""
    noise: list[Float64] = []
    loading: list[Float64] = []

    def keep(run: Run, day: int, bar: int) -> None:
        step(run, day, bar)
        noise.append(run.prices.noise.copy())
        loading.append(run.prices.loading.copy())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "step", keep)
        simulate.simulate(setting(market(), scenario, 4), first_path=2, paths=3)
    return noise, loading


@pytest.mark.parametrize("name", AGENTS)
def test_switching_a_participant_off_leaves_the_draws_of_others(tmp_path: Path, name: str) -> None:
    off = quiet(tmp_path, f"agents.{name}.enabled = false")
    others = first_shares(off)
    everybody = first_shares(quiet(tmp_path))
    assert set(others) == set(everybody) - {name}
    for other, shares in others.items():
        np.testing.assert_array_equal(shares, everybody[other], err_msg=other)


def test_noise_does_not_know_who_takes_part(tmp_path: Path) -> None:
    everybody = noise_of(quiet(tmp_path))
    few = noise_of(quiet(tmp_path, *(f"agents.{name}.enabled = false" for name in AGENTS[4:])))
    for mine, theirs in zip(everybody, few, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert np.ptp(everybody[0][-1], axis=0).min() > 0.0  # and paths differ


def test_seeds_and_paths_differ(tmp_path: Path) -> None:
    scenario = invented_scenario(tmp_path, moves=CRASH, days=3, assimilated=0)
    levels = set()
    for seed in (0, 1):
        run = open_run(setting(market(), scenario, seed), 0, 3, None)
        levels |= {row.tobytes() for row in run.prices.loading}
    assert len(levels) == 6
