"""A market in one table: one row per size group."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from crowdfall.market.panel import RECENT
from crowdfall.market.snapshot import GROUPS, History, Market, Stocks
from crowdfall.types import Bool, Float64
from crowdfall.units import BN

_TN: Final = 1e12
_WIDE: Final = 0.15
"""Limits above this are the 20% ones."""


def by_size(market: Market) -> pl.DataFrame:
    """Return one row per size group; groups without stocks have count 0 and nulls.

    ``group``, ``count``, ``st``; sums ``float_tn``, ``free_float_tn`` (trillion yuan), ``adv_bn``
    (bn yuan a day); medians ``median_cap_bn``, ``median_float_bn``, ``median_adv_mn``,
    ``median_turnover``, ``median_volatility``; means ``beta``, ``wide_limit`` (share with the 20%
    limit); ``correlation``: implied between two stocks of the group by the market factor alone.
    """
    stocks = market.stocks
    variance = market_variance(market.history)
    rows = [
        {"group": name, **_row(stocks, stocks.group == g, variance)}
        for g, name in enumerate(GROUPS)
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def market_variance(history: History) -> float:
    """Return the variance of CSI 300's daily log return over the window of stocks' volatility."""
    return float(history.returns[-RECENT:, 0].var(ddof=1))


def implied_correlation(beta: Float64, volatility: Float64, variance: float) -> float:
    """Return the mean over pairs of beta_i beta_j var / (vol_i vol_j); NaN below two stocks.

    >>> round(implied_correlation(np.ones(3), np.full(3, 0.02), 0.01**2), 6)
    0.25
    """
    if len(beta) < 2:
        return float("nan")
    ratio = beta / volatility
    pairs = (ratio.sum() ** 2 - (ratio**2).sum()) / (len(beta) * (len(beta) - 1))
    return float(pairs * variance)


def _row(stocks: Stocks, inside: Bool, variance: float) -> dict[str, float | int | None]:
    def median(values: Float64) -> float | None:
        return float(np.median(values[inside])) if inside.any() else None

    def mean(values: Float64) -> float | None:
        return float(values[inside].mean()) if inside.any() else None

    correlation = implied_correlation(stocks.beta[inside], stocks.volatility[inside], variance)
    return {
        "count": int(inside.sum()),
        "st": int(stocks.is_st[inside].sum()),
        "float_tn": float(stocks.float_cap[inside].sum() / _TN),
        "free_float_tn": float(stocks.free_float_cap[inside].sum() / _TN),
        "adv_bn": float(stocks.adv[inside].sum() / BN),
        "median_cap_bn": median(stocks.total_cap / BN),
        "median_float_bn": median(stocks.float_cap / BN),
        "median_adv_mn": median(stocks.adv / 1e6),
        "median_turnover": median(stocks.turnover),
        "median_volatility": median(stocks.volatility),
        "beta": mean(stocks.beta),
        "wide_limit": mean((stocks.limit > _WIDE).astype(np.float64)),
        "correlation": correlation if inside.sum() > 1 else None,
    }
