"""Stock books, short sales and T+0: nothing is made of nothing, at every bar."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.engine import simulate as simulation
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import step
from invented_market import CRASH, invented_scenario
from random_scenarios import market

TINY = 1e-9


def conserved(run: Run) -> None:
    ledger, stocks = run.ledger, run.setting.market.stocks
    held = ledger.shares.sum(axis=1) + ledger.signed.sum(axis=1) + ledger.background
    np.testing.assert_allclose(held, np.tile(stocks.float_cap / stocks.close, (2, 1)), rtol=TINY)
    cash = ledger.cash_total() - ledger.outside
    opened = run.first_cash  # type: ignore[attr-defined]
    moved = np.abs(ledger.cash).sum(axis=1) + np.abs(ledger.background_cash) + 1.0
    assert (np.abs(cash - opened) <= TINY * moved).all()
    assert (ledger.signed < 0.0).any()  # some books are short
    if run.setting.scenario.venue.same_day_sale:
        assert not ledger.fresh.any()
        assert (ledger.held_back == 0.0).all()


@settings(
    max_examples=8, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(
    capital=st.floats(1e9, 60e9),
    leverage=st.floats(1.0, 12.0),
    unwind=st.floats(0.2, 3.0),
    participation=st.floats(0.02, 1.0),
    same_day=st.booleans(),
    limits=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_cash_and_shares_are_conserved_with_books_that_are_short(
    tmp_path: Path, capital: float, leverage: float, unwind: float, participation: float,
    same_day: bool, limits: bool, seed: int,
) -> None:  # fmt: skip
    scenario = invented_scenario(
        tmp_path, "agents.factor_books.enabled = true",
        f"agents.factor_books.capital = {capital!r}",
        f"agents.factor_books.leverage = {leverage!r}",
        f"agents.factor_books.unwind_days = {unwind!r}",
        f"noise.participation = {participation!r}",
        f"venue.same_day_sale = {str(same_day).lower()}",
        f"channels.price_limits = {str(limits).lower()}",
        moves=CRASH, days=3,
    )  # fmt: skip

    def checked(run: Run, day: int, bar: int) -> None:
        if day == bar == 0:
            run.first_cash = run.ledger.cash_total()  # type: ignore[attr-defined]
        step(run, day, bar)
        conserved(run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "step", checked)
        simulation.simulate(setting(market(), scenario, seed), first_path=0, paths=2)
