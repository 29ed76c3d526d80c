"""Who sold to whom: what is sold is bought, bar by bar, and the sums are those of ``flows``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.engine.witness import Witness
from random_scenarios import market, scenarios

TRADES = arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 3), st.integers(0, 5), st.just(8)),
    elements=st.one_of(st.just(0.0), st.floats(1.0, 1e11)),
)


@given(sold=TRADES, data=st.data())
def test_every_bar_balances_and_nobody_trades_more_than_booked(
    sold: np.ndarray, data: st.DataObject
) -> None:
    bought = data.draw(arrays(np.float64, sold.shape, elements=st.floats(0.0, 1e11)))
    bars, paths, count, _ = sold.shape
    witness = Witness.empty(bars, paths, np.arange(count, dtype=np.int64), count)
    witness.sold, witness.bought = sold, bought
    for bar in range(bars):
        one = Witness.empty(1, paths, witness.starts, count)
        one.sold, one.bought = sold[bar : bar + 1], bought[bar : bar + 1]
        matrix = one.exchanges()
        assert (matrix >= 0.0).all()
        volume = np.maximum(sold[bar].sum(axis=1), bought[bar].sum(axis=1))
        np.testing.assert_allclose(matrix.sum(axis=(1, 2)), volume, rtol=1e-9, atol=1e-3)
        np.testing.assert_allclose(matrix[:, :-1].sum(axis=2), sold[bar], rtol=1e-9, atol=1e-3)
        np.testing.assert_allclose(matrix[:, :, :-1].sum(axis=1), bought[bar], rtol=1e-9, atol=1e-3)
        assert (matrix[:, -1, -1] == 0.0).all()
        gap = bought[bar].sum(axis=1) - sold[bar].sum(axis=1)
        residual = matrix[:, -1].sum(axis=1) - matrix[:, :, -1].sum(axis=1)
        assert (np.abs(residual - gap) <= 1e-9 * volume + 1e-3).all()


SHORT = settings(
    max_examples=15, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


@SHORT
@given(data=st.data())
def test_exchanges_sum_to_the_flows_of_every_participant(
    tmp_path: Path, data: st.DataObject
) -> None:
    scenario = data.draw(scenarios(tmp_path))
    tables = simulate(setting(market(), scenario, 1), first_path=0, paths=2).tables
    key = ["path", "date", "place", "kind"]
    for role, column in (("seller", "sold"), ("buyer", "bought")):
        sums = tables["exchanges"].rename({role: "kind"}).group_by(key).agg(pl.col("yuan").sum())
        both = tables["flows"].join(sums, on=key, how="left").fill_null(0.0)
        error = (both["yuan"] - both[column]).abs() / (both[column].abs() + 1.0)
        assert (error.max() or 0.0) < 1e-9
        assert sums.height == sums.join(tables["flows"], on=key, how="semi").height
    assert (tables["exchanges"]["yuan"] > 0.0).all()
