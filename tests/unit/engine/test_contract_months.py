"""Four months an underlying: who holds which, how they roll, expire and settle."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.engine import simulate
from crowdfall.engine.futures import by_sort, roll, spot
from crowdfall.engine.months import LOADING_DAYS, days_left, listing, loadings, month_mix
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import step
from crowdfall.market.impact import Basis
from crowdfall.types import Float64
from invented_market import invented_market, invented_scenario
from random_scenarios import AGENTS

NOBODY = tuple(f"agents.{name}.enabled = false" for name in AGENTS)
EXPIRY = date(2024, 1, 19)


def test_gap_of_a_month_grows_with_its_days_and_is_gone_on_the_last() -> None:
    days = np.linspace(0.0, 300.0, 60)
    load = loadings(days)
    assert load[0] == 0.0
    assert np.all(np.diff(load) >= 0.0)
    assert load.max() == loadings(np.array([LOADING_DAYS[-1]]))[0]


def test_main_contract_is_the_quarter_with_time_left() -> None:
    assert listing(date(2024, 3, 5)).codes[listing(date(2024, 3, 5)).main] == "2403"
    late = listing(date(2024, 3, 8))  # a week before the third Friday
    assert late.codes[late.main] == "2406"


def test_positions_spread_as_open_interest_and_hedgers_lean_to_quarters() -> None:
    listed = listing(date(2024, 1, 22))
    traders, hedgers = month_mix(listed, listed.days, Basis())
    np.testing.assert_allclose([traders.sum(), hedgers.sum()], 1.0)
    near, later = traders[1], traders[2]  # both quarters
    assert near > later > traders[3] > 0.0
    assert hedgers[listed.quarterly].sum() > traders[listed.quarterly].sum()
    flat = month_mix(listed, listed.days, Basis(hedger_quarters=1.0))
    np.testing.assert_allclose(flat[0], flat[1])


def test_positions_leave_a_month_before_it_expires() -> None:
    share = [
        month_mix(listing(day), listing(day).days, Basis())[0, 0]
        for day in (date(2024, 1, 12), date(2024, 1, 16), date(2024, 1, 18), EXPIRY)
    ]
    assert share == sorted(share, reverse=True)
    assert share[-1] == 0.0


@pytest.fixture
def run(tmp_path: Path) -> Run:
    words = ("agents.snowball_dealers.enabled = false",)
    return open_run(setting(invented_market(), invented_scenario(tmp_path, *words), 1), 0, 2, None)


def test_roll_of_shorts_lifts_the_old_month_and_presses_on_the_next(run: Run) -> None:
    futures = run.futures
    futures.days = np.array([3.0, 31.0, 59.0, 150.0])
    futures.mix = month_mix(futures.listed, futures.days, run.setting.scenario.basis)
    futures.listed = listing(date(2024, 1, 17))
    assert by_sort(run.ledger, run.ledger.units)[:, 1].max() < 0.0  # hedgers are short
    pressure = roll(futures, run.ledger, run.setting, 1.0)
    assert (pressure[:, :, 0] > 0.0).all()  # bought back
    assert (pressure[:, :, 1:].sum(axis=2) < 0.0).all()  # sold on
    units = pressure / futures.points
    np.testing.assert_allclose(units.sum(axis=2), 0.0, atol=1e-6)


def test_roll_switched_off_presses_and_costs_nothing(tmp_path: Path) -> None:
    words = ("channels.futures_roll = false",)
    off = open_run(setting(invented_market(), invented_scenario(tmp_path, *words), 1), 0, 1, None)
    on = open_run(setting(invented_market(), invented_scenario(tmp_path), 1), 0, 1, None)
    days = [day for day in on.setting.days if day <= EXPIRY]
    on_fees = sum(on.roll(t, b)[1].sum() for t in range(len(days)) for b in range(8))
    off_fees = sum(off.roll(t, b)[1].sum() for t in range(len(days)) for b in range(8))
    assert off_fees == 0.0
    position = np.abs(on.ledger.units[0] * on.futures.points[:, :, 0]).sum()
    # A front month and what has piled up in the next quarter: at most all of it, both legs.
    assert 0.0 < on_fees < 3 * position * on.setting.costs.futures
    np.testing.assert_array_equal(off.futures.mix, on.futures.mix)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """Return three weeks without participants, across the expiry of January."""
    folder = tmp_path_factory.mktemp("quiet")
    scenario = invented_scenario(folder, *NOBODY, days=16, assimilated=16)
    constants = setting(invented_market(every=2), scenario, 1)
    return simulate.simulate(constants, first_path=0, paths=1).tables


def test_contract_list_changes_after_the_third_friday(quiet: dict[str, pl.DataFrame]) -> None:
    def listed(day: date) -> list[str]:
        rows = quiet["futures"].filter(pl.col("date") == day, pl.col("underlying") == "im")
        return rows["contract"].to_list()

    assert listed(EXPIRY) == ["IM2401", "IM2402", "IM2403", "IM2406"]
    assert listed(date(2024, 1, 22)) == ["IM2402", "IM2403", "IM2406", "IM2409"]


def test_basis_converges_at_expiry_and_no_month_jumps(quiet: dict[str, pl.DataFrame]) -> None:
    front = quiet["futures"].filter(pl.col("contract") == "IM2401").sort("date")
    np.testing.assert_allclose(front["basis"][-1], 0.0, atol=1e-12)
    assert abs(front["basis"][0]) > 1e-3
    for _, month in quiet["futures"].sort("date").group_by("contract"):
        assert month["basis"].diff().abs().max() < 0.01  # type: ignore[operator]


def test_final_settlement_is_the_index_of_the_last_two_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = invented_scenario(tmp_path, *NOBODY, days=14, assimilated=14)
    constants = setting(invented_market(every=2), scenario, 1)
    assert constants.days[-1] == EXPIRY
    seen: list[Float64] = []

    def watched(run: Run, day: int, bar: int) -> None:
        step(run, day, bar)
        seen.append(spot(run.prices, run.setting)[0])
        assert run.futures.listed.limit[0] == (0.2 if constants.days[day] == EXPIRY else 0.1)

    monkeypatch.setattr(simulate, "step", watched)
    futures = simulate.simulate(constants, first_path=0, paths=1).tables["futures"]
    final = futures.filter(pl.col("date") == EXPIRY, pl.col("rank") == "front")["settle"]
    np.testing.assert_allclose(final, np.mean(seen[-4:], axis=0))


def test_month_flows_off_keeps_every_month_on_the_common_gap(tmp_path: Path) -> None:
    words = ("channels.month_flows = false",)
    scenario = invented_scenario(tmp_path, *words, days=3, assimilated=3)
    run = open_run(setting(invented_market(), scenario, 1), 0, 1, None)
    step(run, 0, 0)
    load = loadings(days_left(run.futures.listed, 1 / 8))
    ratio = run.futures.gap / load
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :, :1], ratio.shape), rtol=1e-9)
