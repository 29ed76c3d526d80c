"""A queue at the limit lasts from bar to bar and over night, and ends when nobody wants it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.engine import simulate
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import step
from crowdfall.market.snapshot import Market
from invented_market import invented_market
from stress_run import stress_scenario


@pytest.fixture(scope="module")
def market() -> Market:
    return invented_market(every=2)


def play(
    market: Market, folder: Path, monkeypatch: pytest.MonkeyPatch, **channels: bool
) -> tuple[pl.DataFrame, dict[str, list[float]]]:
    """Run the stress scenario and note the queue after every bar, in yuan."""
    from dataclasses import replace

    scenario = stress_scenario(folder)
    scenario = replace(scenario, channels=replace(scenario.channels, **channels))
    seen: dict[str, list[float]] = {"queue": [], "served": [], "beyond": []}

    def watched(run: Run, day: int, bar: int) -> None:
        step(run, day, bar)
        if run.queue is None:
            return
        value = (run.queue.shares * run.prices.price[:, None, :]).sum()
        seen["queue"].append(float(value))
        seen["served"].append(float(run.scratch.served.sum()))
        seen["beyond"].append(float((run.queue.shares - run.ledger.shares).max()))

    monkeypatch.setattr(simulate, "step", watched)
    tables = simulate.simulate(setting(market, scenario, 1), first_path=0, paths=1).tables
    return tables["daily"], seen


def test_queue_is_carried_into_the_next_opening_auction(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, seen = play(market, tmp_path, monkeypatch)
    queue = np.array(seen["queue"]).reshape(-1, 8)
    served = np.array(seen["served"]).reshape(-1, 8)
    overnight = np.flatnonzero(queue[:-1, -1] > 0.0)
    assert len(overnight)
    assert (served[overnight + 1, 0] > 0.0).any()
    assert (served[1:, 0] <= queue[:-1, -1] * 1.25 + 1.0).all()  # no more than what waited
    assert max(seen["beyond"]) <= 1e-6  # nobody queues more than it holds


def test_without_the_channel_orders_lapse_with_the_bar(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_queue, _ = play(market, tmp_path, monkeypatch)
    without, seen = play(market, tmp_path, monkeypatch, limit_queue=False)
    assert seen["queue"] == []
    last = "microcap_close"
    assert with_queue[last].min() <= without[last].min()  # sales are delayed, not forgotten


def test_time_priority_moves_who_sells_and_keeps_how_much_fills(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pro_rata, _ = play(market, tmp_path, monkeypatch)
    early, seen = play(market, tmp_path, monkeypatch, time_priority=True)
    assert sum(seen["served"]) > 0.0
    np.testing.assert_allclose(
        early["microcap_close"].to_numpy(), pro_rata["microcap_close"].to_numpy(), rtol=0.05
    )
