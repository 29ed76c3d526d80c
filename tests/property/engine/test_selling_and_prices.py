"""More selling in one bar, from one state, never raises the price of what is sold."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.engine import kernels, simulate
from crowdfall.engine import step as bars
from crowdfall.engine.crowd import Book
from crowdfall.engine.policies import restrict
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import setting
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Bool, Float64
from random_scenarios import market, scenarios
from stress_run import stress_scenario

PATHS = 2
SHORT = settings(
    max_examples=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def twin(run: Run) -> Run:
    """Return a copy of the state; constants and terms are shared."""
    memo = {id(run.setting): run.setting}
    memo |= {id(member.terms): member.terms for member in run.members}
    return copy.deepcopy(run, memo)


@dataclass
class Pair:
    """Two plays of one bar: as it is, and with ``extra`` more of the groups of some rows sold.

    Factors are those of the first play: where the first solves them so that an index is pinned,
    the second would only move the rest of the market against it. The hedge that a book buys back
    as it sells is left out of both: it is an order of its own, and lifts the spot it is bought in.
    """

    at: tuple[int, int]
    extra: float
    rows: slice
    groups: slice
    prices: tuple[Float64, Float64] | None = None
    sells: Bool | None = None

    def play(self, run: Run, day: int, bar: int) -> None:
        if (day, bar) == self.at:
            first, second = twin(run), twin(run)
            self._bar(first, 0.0)
            second.factors, second.solving = first.factors, False
            self._bar(second, self.extra)
            self.prices = first.prices.price, second.prices.price
            held = run.ledger.shares[:, self.rows].sum(axis=1) > 0.0
            group = run.setting.market.stocks.group
            self.sells = held & np.isin(group, np.arange(6)[self.groups])
        bars.step(run, day, bar)

    def _bar(self, run: Run, extra: float) -> None:
        def more(of: Run, orders: Book, day: int, bar: int) -> None:
            restrict(of, orders, day, bar)
            wider = orders.share[:, self.rows, self.groups]
            wider += extra * (1.0 - wider)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(bars, "restrict", more)
            patch.setattr(Run, "hedge_closing", lambda *_: 0.0)
            bars.step(run, *self.at)


def played(scenario: Scenario, seed: int, pair: Pair) -> Pair:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "step", pair.play)
        simulate.simulate(setting(market(), scenario, seed), first_path=1, paths=PATHS)
    return pair


def rise(pair: Pair) -> float:
    """Return the largest log rise, over the stocks sold, that more selling makes."""
    assert pair.prices is not None
    assert pair.sells is not None
    moved = np.log(pair.prices[1] / pair.prices[0])[pair.sells]
    return float(moved.max(initial=-np.inf))


ROWS = st.one_of(st.just(slice(None)), st.integers(0, 60).map(lambda r: slice(r, r + 1)))
GROUP = st.one_of(st.just(slice(None)), st.integers(0, 5).map(lambda g: slice(g, g + 1)))


@SHORT
@given(
    data=st.data(), seed=st.integers(0, 2**64 - 1), at=st.tuples(st.integers(0, 2),
    st.integers(0, 3)), extra=st.floats(0.01, 1.0), rows=ROWS, groups=GROUP,
)  # fmt: skip
def test_more_selling_in_a_bar_raises_no_price_of_what_is_sold(
    tmp_path: Path, data: st.DataObject, seed: int, at: tuple[int, int], extra: float,
    rows: slice, groups: slice,
) -> None:  # fmt: skip
    drawn = data.draw(scenarios(tmp_path))
    # Sales of a style lift what scores the other way: that cross-impact is meant, and is left out.
    scenario = replace(drawn, channels=replace(drawn.channels, style_impact=False))
    pair = played(scenario, seed, Pair(at=at, extra=extra, rows=rows, groups=groups))
    assert rise(pair) <= 1e-12


def test_a_crowd_that_sells_presses_prices_and_a_wrong_sign_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = stress_scenario(tmp_path, days=4)

    def sold() -> Pair:
        whole = slice(None)
        return played(scenario, 2, Pair(at=(2, 3), extra=0.1, rows=whole, groups=whole))

    pair = sold()
    assert pair.prices is not None
    assert rise(pair) <= 0.0
    assert np.log(pair.prices[1] / pair.prices[0]).mean() < -0.001

    def flipped(volume: Float64, strength: Float64, exponent: float, out: Float64) -> None:
        right(volume, strength, exponent, out)
        out *= -20.0

    right = kernels.own_impact
    monkeypatch.setattr(kernels, "own_impact", flipped)
    assert rise(sold()) > 0.0
