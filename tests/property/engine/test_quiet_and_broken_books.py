"""Nothing is forced where nothing happens; and no broker bears a loss without saying so."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from crowdfall.agents import dma
from crowdfall.agents.dma import Dma, DmaState
from crowdfall.agents.protocol import Plan, View
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.scenarios.schema import Scenario
from invented_market import LEVELS, START, invented_market, invented_scenario, play_days
from random_scenarios import market, switched, words

Tables = dict[str, pl.DataFrame]
FLAT = dict.fromkeys(LEVELS, (0.0,))
SHORT = settings(
    max_examples=30, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def still(folder: Path, lines: list[str], days: int = 4) -> Scenario:
    """Return a scenario in which the index stands still in every bar, without any noise."""
    scenario = invented_scenario(
        folder, "noise.group_daily = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]", *lines, moves=FLAT,
        days=days, assimilated=0,
    )  # fmt: skip
    level = LEVELS["csi300"]
    rows = [f"{day},{level},{level},{level},{level}" for day in (START, *play_days(days))]
    text = "\n".join(["date,csi300_open,csi300_high,csi300_low,csi300_close", *rows])
    (folder / "path.csv").write_text(text + "\n", encoding="utf-8")
    return scenario


def told(tables: Tables, *kinds: str) -> pl.DataFrame:
    return tables["events"].filter(pl.col("kind").is_in(kinds))


@SHORT
@given(data=st.data())
def test_no_shock_and_no_breach_force_nothing(tmp_path: Path, data: st.DataObject) -> None:
    """Pledges have no line but a share that falls due with any fall: only they may answer one.

    Factor books stay out: their first seller is a shock.
    """
    calm = [each for each in switched(data.draw) if not each.startswith("agents.factor_books.")]
    scenario = still(tmp_path, calm)
    quiet = invented_market(every=2, noise=0.0)
    tables = simulate(setting(quiet, scenario, 1), first_path=0, paths=1).tables
    daily = tables["daily"]
    assert daily["margin_calls"].sum() == 0
    assert daily["broker_shortfall"].sum() == 0.0
    forced = told(tables, "margin_call", "forced_sale", "broker_shortfall", "futures_call")
    assert set(forced["agent"]) <= {"pledges"}
    if all((daily[f"{name}_close"] >= level).all() for name, level in LEVELS.items()):
        assert daily["forced_sales"].sum() < 1.0  # the tail has no index of its own
    assert daily["forced_sales"].sum() < 1e6


VIOLENT = {"csi300": (0.0, -0.005), "csi500": (-0.01, 0.01), "csi1000": (-0.01, 0.01),
           "csi2000": (-0.08, -0.09), "microcap": (-0.09, -0.10)}  # fmt: skip


@dataclass
class Brokers:
    """Equity of every swap at settlement, as the plan of a session finds it, and what is told."""

    below: set[tuple[int, int, str]] = field(default_factory=set)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        plan = Dma.plan

        def seen(terms: Dma, view: View, state: DmaState) -> Plan:
            for p, r in zip(*np.nonzero(view.own.equity < 0.0), strict=True):
                self.below.add((view.session, int(p), state.cells[r]))
            return plan(terms, view, state)

        patch.setattr(Dma, "plan", seen)


def assert_all_told(scenario: Scenario, seed: int) -> int:
    """Play two paths; return how many swaps ended a session below zero."""
    brokers = Brokers()
    with pytest.MonkeyPatch.context() as patch:
        brokers.watch(patch)
        constants = setting(market(), scenario, seed)
        tables = simulate(constants, first_path=0, paths=2).tables
    said = told(tables, "broker_shortfall")
    days = list(constants.days)
    events = {(days.index(row["date"]), row["path"], row["cell"])
              for row in said.iter_rows(named=True)}  # fmt: skip
    assert brokers.below == events
    books = tables["agents"].filter(pl.col("kind") == "dma")
    ratio = books["margin_ratio"].drop_nulls()
    assert (ratio >= -1e-9).all()
    paid = float(tables["daily"]["broker_shortfall"].max() or 0.0)  # type: ignore[arg-type]
    assert (paid > 0.0) == bool(events)
    return len(events)


@SHORT
@given(data=st.data(), seed=st.integers(0, 2**64 - 1))
def test_no_swap_ends_below_zero_without_an_event(
    tmp_path: Path, data: st.DataObject, seed: int
) -> None:
    drawn = [w for w in data.draw(words()) if not w.startswith("agents.dma.enabled")]
    scenario = invented_scenario(
        tmp_path, "agents.dma.enabled = true", *drawn, moves=VIOLENT, days=5, assimilated=5
    )
    target(float(assert_all_told(scenario, seed)))


def test_a_loss_that_nobody_tells_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = ("agents.dma.margin_rules = false", "agents.dma.tilt = 1.0")
    scenario = invented_scenario(tmp_path, *more, moves=VIOLENT, days=5, assimilated=5)
    assert assert_all_told(scenario, 1) > 20
    monkeypatch.setattr(dma, "_borne", lambda equity, _: np.zeros_like(equity))
    with pytest.raises(AssertionError):
        assert_all_told(scenario, 1)
