"""Who is asked first changes nothing: all decide on the last bar and trade at one price."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.agents import dma
from crowdfall.agents.protocol import Participant
from crowdfall.engine import crowd
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.scenarios.schema import Scenario
from random_scenarios import market, scenarios
from stress_run import stress_scenario

Tables = dict[str, pl.DataFrame]
BOOK = ["path", "date", "kind", "cell"]
ROUNDING = 1e-7
"""Solved factors end at 1e-12 or so; a few sessions of feedback may grow it."""
SHORT = settings(
    max_examples=25, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def play(scenario: Scenario, seed: int, turned: int) -> Tables:
    """Return the tables of two paths with participants and DMA cells in another order.

    ``turned`` seeds the order; 0 is that of the schema.
    """
    order = np.random.default_rng(turned)
    straight = crowd.participants

    def mixed(of: Scenario) -> list[tuple[str, Participant]]:
        found = straight(of)
        return [found[k] for k in order.permutation(len(found))]

    with pytest.MonkeyPatch.context() as patch:
        if turned:
            patch.setattr(crowd, "participants", mixed)
            patch.setattr(dma, "TILTS", tuple(order.permutation(dma.TILTS).tolist()))
            patch.setattr(dma, "STARTS", dict(reversed(dma.STARTS.items())))
            terms = scenario.agents.dma
            terms = replace(terms, hedges=dict(reversed(terms.hedges.items())))
            scenario = replace(scenario, agents=replace(scenario.agents, dma=terms))
        return simulate(setting(market(), scenario, seed), first_path=0, paths=2).tables


def assert_agree(one: Tables, other: Tables) -> None:
    """Compare prices day by day, and every book's row with the row of the same name."""
    assert_close(one["daily"], other["daily"], ["path", "date"])
    assert_close(one["agents"].drop("status"), other["agents"].drop("status"), BOOK)


def assert_close(one: pl.DataFrame, other: pl.DataFrame, key: list[str]) -> None:
    mine, theirs = one.sort(key), other.sort(key)
    assert mine.select(key).equals(theirs.select(key))
    for name in mine.columns:
        if name not in key and mine[name].dtype.is_numeric():
            np.testing.assert_allclose(
                theirs[name].cast(pl.Float64).to_numpy(), mine[name].cast(pl.Float64).to_numpy(),
                rtol=ROUNDING, atol=ROUNDING if mine[name].max() in (None, 0.0)
                else ROUNDING * float(np.nanmax(np.abs(mine[name].cast(pl.Float64).to_numpy()))),
                err_msg=name,
            )  # fmt: skip


@SHORT
@given(data=st.data(), seed=st.integers(0, 2**64 - 1), turned=st.integers(1, 1000))
def test_order_of_funds_is_irrelevant(
    tmp_path: Path, data: st.DataObject, seed: int, turned: int
) -> None:
    scenario = data.draw(scenarios(tmp_path))
    assert_agree(play(scenario, seed, 0), play(scenario, seed, turned))


def test_an_order_that_matters_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Serve whoever is asked first: the second half of the rows sells only half."""
    scenario = stress_scenario(tmp_path, days=4)
    assert_agree(play(scenario, 3, 0), play(scenario, 3, 8))
    from crowdfall.engine import step as bars
    from crowdfall.engine.policies import restrict

    def first_come(run, orders, day, bar):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        restrict(run, orders, day, bar)
        orders.share[:, orders.share.shape[1] // 2 :] *= 0.5

    monkeypatch.setattr(bars, "restrict", first_come)
    with pytest.raises(AssertionError):
        assert_agree(play(scenario, 3, 0), play(scenario, 3, 8))
