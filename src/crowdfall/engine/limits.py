"""Between which prices a stock may trade today, and which stocks do not trade at all."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date

import numpy as np

from crowdfall.errors import ScenarioError
from crowdfall.market.snapshot import BOARDS, Market
from crowdfall.rules.price_limits import limit_prices, price_limit
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Bool, Float64


def limits_on(market: Market, day: date) -> Float64:
    """Return the price limit of every stock on a day, a fraction, (N,).

    The snapshot's own limits, until a rule of a stock's board changes after its date.
    """
    stocks = market.stocks
    out = stocks.limit.copy()
    for k, board in enumerate(BOARDS):
        for is_st in (False, True):
            rows = (stocks.board == k) & (stocks.is_st == is_st)
            if not rows.any():
                continue
            now = price_limit(board, is_st, day)
            if now != price_limit(board, is_st, market.date):
                out[rows] = now
    return out


def log_limits(
    market: Market, scenario: Scenario, day: date, price: Float64
) -> tuple[Float64, Float64]:
    """Return the day's lower and upper limit as log prices relative to the first close, (P, N).

    ``price``: the close before, yuan; the limits are rounded half up to 0.01 yuan from it. Where
    limits are switched off, minus and plus infinity.
    """
    if not scenario.channels.price_limits:
        return np.full_like(price, -np.inf), np.full_like(price, np.inf)
    upper, lower = limit_prices(price, limits_on(market, day))
    first = market.stocks.close
    return np.log(lower / first), np.log(upper / first)


def suspended_on(market: Market, scenario: Scenario, days: Sequence[date]) -> Bool:
    """Return which stocks are suspended on each day, (T, N).

    Raises ScenarioError for a symbol that the market does not hold.
    """
    out = np.zeros((len(days), len(market.stocks)), bool)
    known = {str(symbol): row for row, symbol in enumerate(market.stocks.symbol)}
    for halt in scenario.suspension:
        row = known.get(halt.symbol)
        if row is None:
            near = difflib.get_close_matches(halt.symbol, known, n=1, cutoff=0.0)
            raise ScenarioError("suspension_symbol", symbol=halt.symbol, near=near[0])
        out[:, row] |= [halt.start <= day <= halt.end for day in days]
    return out
