"""The table by size group."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from crowdfall.market.snapshot import GROUPS
from crowdfall.market.table import by_size, implied_correlation
from invented_market import invented_market


def test_rows_add_up_to_the_market() -> None:
    market = invented_market()
    rows = by_size(market)
    assert rows["group"].to_list() == list(GROUPS)
    assert rows["count"].sum() == len(market.stocks)
    assert rows["st"].sum() == market.stocks.is_st.sum()
    np.testing.assert_allclose(rows["float_tn"].sum(), market.stocks.float_cap.sum() / 1e12)
    np.testing.assert_allclose(rows["adv_bn"].sum(), market.stocks.adv.sum() / 1e9)


def test_an_empty_group_has_nulls_not_nan() -> None:
    market = invented_market()
    keep = market.stocks.group != 4
    stocks = replace(
        market.stocks,
        **{item.name: getattr(market.stocks, item.name)[keep] for item in fields(market.stocks)},
    )
    weights = {name: weight[keep] for name, weight in market.weights.items()}
    row = by_size(replace(market, stocks=stocks, weights=weights)).row(4, named=True)
    assert row["count"] == 0
    assert row["median_cap_bn"] is None
    assert row["correlation"] is None


def test_implied_correlation_is_that_of_a_one_factor_model() -> None:
    rng = np.random.default_rng(3)
    beta, residual = rng.uniform(0.6, 1.2, 40), rng.uniform(0.01, 0.02, 40)
    variance = 0.01**2
    covariance = variance * np.outer(beta, beta) + np.diag(residual**2)
    volatility = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(volatility, volatility)
    mean = correlation[~np.eye(40, dtype=bool)].mean()
    np.testing.assert_allclose(implied_correlation(beta, volatility, variance), mean)
    assert np.isnan(implied_correlation(beta[:1], volatility[:1], variance))
