"""After every bar: nothing is made of nothing, and no rule of the exchange is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.engine import simulate
from crowdfall.engine import step as bars
from crowdfall.engine.crowd import Book
from crowdfall.engine.policies import restrict
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import step
from crowdfall.rules.price_limits import limit_prices
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Float64
from random_scenarios import market, scenarios
from stress_run import stress_scenario

Check = Callable[[Run, int, int], None]
PATHS = 2
TINY = 1e-9
SHORT = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def watch(scenario: Scenario, seed: int, check: Check) -> None:
    """Run a scenario and look at its state after every bar."""

    def checked(run: Run, day: int, bar: int) -> None:
        step(run, day, bar)
        check(run, day, bar)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "step", checked)
        simulate.simulate(setting(market(), scenario, seed), first_path=3, paths=PATHS)


@dataclass
class Books:
    """What must not change, as the first bar left it."""

    cash: Float64 | None = None
    issued: Float64 = field(default_factory=lambda: np.zeros(0))
    old: Float64 = field(default_factory=lambda: np.zeros(0))

    def check(self, run: Run, day: int, bar: int) -> None:
        ledger, stocks = run.ledger, run.setting.market.stocks
        cash = ledger.cash_total() - ledger.outside
        if self.cash is None:
            self.cash = run.ledger.cash_total() - ledger.outside
            self.issued = np.broadcast_to(stocks.float_cap / stocks.close, ledger.background.shape)
        moved = np.abs(ledger.cash).sum(axis=1) + np.abs(ledger.background_cash) + 1.0
        assert (np.abs(cash - self.cash) <= TINY * moved).all()

        shares = ledger.shares.sum(axis=1) + ledger.signed.sum(axis=1) + ledger.background
        np.testing.assert_allclose(shares, self.issued, rtol=TINY)
        units = ledger.units.sum(axis=1) + ledger.background_units
        assert (np.abs(units) <= TINY * (np.abs(ledger.units).sum(axis=1) + 1.0)).all()

        small = TINY * self.issued
        assert (ledger.shares >= -small[:, None]).all()
        assert (ledger.background >= -small).all()
        self._check_old_shares(run, bar, small)

    def _check_old_shares(self, run: Run, bar: int, small: Float64) -> None:
        """T+1: what was held before the session can only fall, and is all that can be sold."""
        ledger = run.ledger
        old = ledger.shares.copy()
        for book, slot in enumerate(ledger.slot):
            if slot >= 0:
                old[:, book] -= ledger.held_back[:, slot]
        assert (old >= -small[:, None]).all()
        if bar > 0:
            assert (old <= self.old + small[:, None]).all()
        else:  # all of yesterday's purchases may be sold, those of this bar may not
            bought = run.scratch.bought[:, ledger.slot >= 0].sum(axis=2)
            held = ledger.held_back[:, : bought.shape[1]] * run.prices.price[:, None]
            np.testing.assert_allclose(held.sum(axis=2), bought, rtol=1e-9, atol=1.0)
        self.old = old


@SHORT
@given(data=st.data(), seed=st.integers(0, 2**64 - 1))
def test_cash_shares_and_futures_are_conserved_bar_by_bar(
    tmp_path: Path, data: st.DataObject, seed: int
) -> None:
    watch(data.draw(scenarios(tmp_path)), seed, Books().check)


@dataclass
class Limits:
    """Closes of the session before, against which limits are measured."""

    previous: Float64 | None = None

    def check(self, run: Run, day: int, bar: int) -> None:
        stocks = run.setting.market.stocks
        before = stocks.close if self.previous is None else self.previous
        assert np.isfinite(run.prices.price).all()
        if run.setting.scenario.channels.price_limits:
            upper, lower = limit_prices(before, stocks.limit)
            assert (run.prices.price <= upper * (1 + 1e-12)).all()
            assert (run.prices.price >= lower * (1 - 1e-12)).all()
        if bar == run.setting.bars - 1:
            self.previous = run.prices.price.copy()


@SHORT
@given(data=st.data(), seed=st.integers(0, 2**64 - 1))
def test_no_price_leaves_its_limits(tmp_path: Path, data: st.DataObject, seed: int) -> None:
    watch(data.draw(scenarios(tmp_path)), seed, Limits().check)


def filled_within_wanted(run: Run, day: int, bar: int) -> None:
    scratch = run.scratch
    assert (scratch.filled <= scratch.wanted * (1 + 1e-12) + 1e-6).all()
    assert (scratch.filled >= -1e-6).all()
    for share in (scratch.filled_sales, scratch.filled_purchases, scratch.scale):
        assert ((share >= 0.0) & (share <= 1.0)).all()
    assert (run.tally.bought <= run.tally.wanted_bought * (1 + 1e-9) + 1e-6).all()
    locked = run.prices.log_price <= run.prices.low
    assert (locked == run.prices.locked).all()
    assert ((run.prices.depth > 0.0) & (run.prices.depth <= 1.0)).all()
    assert ((run.prices.backstop >= 0.0) & (run.prices.backstop <= 1.0)).all()


@SHORT
@given(data=st.data(), seed=st.integers(0, 2**64 - 1))
def test_nothing_fills_beyond_what_was_ordered(
    tmp_path: Path, data: st.DataObject, seed: int
) -> None:
    watch(data.draw(scenarios(tmp_path)), seed, filled_within_wanted)


@dataclass
class Settlement:
    """T+1, stock by stock and book by book, from the fills alone: not from what the ledger says.

    ``bought`` (P, R, N): shares bought since the opening. What a book holds can't be less.
    """

    bought: Float64 = field(default_factory=lambda: np.zeros(0))
    largest: float = 0.0  # share of a holding bought the same day, over all books and stocks

    def check(self, run: Run, day: int, bar: int) -> None:
        scratch, edges = run.scratch, run.setting.edges
        spread = scratch.weight * scratch.filled_purchases
        whole = np.add.reduceat(spread, edges[:-1], axis=1)
        part = spread / np.maximum(np.repeat(whole, np.diff(edges), axis=1), 1e-300)
        yuan = np.repeat(scratch.bought, np.diff(edges), axis=2) * part[:, None]
        new = yuan / run.prices.price[:, None]
        self.bought = new if bar == 0 else self.bought + new
        self.bought[:, run.ledger.signed_rows] = 0.0  # T+1 does not bind books that may be short
        held = run.ledger.shares
        small = TINY * run.setting.market.stocks.float_cap / run.setting.market.stocks.close
        assert (held >= self.bought - small).all()
        self.largest = max(
            self.largest, float((self.bought / np.maximum(held, 1.0)).max(initial=0.0))
        )


@SHORT
@given(data=st.data(), seed=st.integers(0, 2**64 - 1))
def test_no_share_bought_today_is_sold_today(
    tmp_path: Path, data: st.DataObject, seed: int
) -> None:
    watch(data.draw(scenarios(tmp_path)), seed, Settlement().check)


def test_sales_of_shares_bought_today_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All sell whatever they may in every bar: lawful, until purchases are free after a bar."""

    def sell_all(run: Run, orders: Book, day: int, bar: int) -> None:
        restrict(run, orders, day, bar)
        orders.share[:] = 1.0

    def free_at_once(run: Run, day: int, bar: int) -> None:
        bars.step(run, day, bar)
        run.ledger.free_purchases()

    monkeypatch.setattr(bars, "restrict", sell_all)
    scenario, rule = stress_scenario(tmp_path, days=4), Settlement()
    watch(scenario, 5, rule.check)
    assert rule.largest == pytest.approx(1.0)  # some hold only what they bought today
    monkeypatch.setattr(f"{__name__}.step", free_at_once)
    with pytest.raises(AssertionError):
        watch(scenario, 5, Settlement().check)
