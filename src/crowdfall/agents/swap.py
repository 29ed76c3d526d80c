"""What a long-short total return swap (DMA) allows: checks at the start, limits while it runs.

The numbers are the rules of the day (``rules/values/dma.toml``). A thinned market holds fewer
names than the exchanges list: the floor on names and the cap on one name are scaled with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.agents.protocol import GROUP_OF, Opening
from crowdfall.data.calendar import next_session
from crowdfall.rules.loader import number
from crowdfall.types import Bool, Float64

LISTED: Final = 4700
"""Stocks of Shanghai and Shenzhen that a fund may hold (snapshot of 29 December 2023: 4,742)."""
YEAR: Final = 242
"""Sessions of the past year, over which the legs must correlate."""


@dataclass(frozen=True, kw_only=True)
class SwapRules:
    """Limits of a swap on a date; ``names`` and ``single_name`` already scaled to the market."""

    correlation: float
    net: float
    single_name: float
    names: float


def swap_rules(opening: Opening) -> SwapRules:
    """Return the rules of the first session; RuleError where there were none yet."""
    day = next_session(opening.market.date)
    share = min(1.0, len(opening.market.stocks) / LISTED)
    return SwapRules(
        correlation=number("dma.correlation_floor", day),
        net=number("dma.net_exposure_limit", day),
        single_name=number("dma.single_name_limit", day) / share,
        names=number("dma.names_floor", day) * share,
    )


def correlations(returns: Float64, weights: Float64, mix: Float64) -> Float64:
    """Return the correlation of long and short leg of each book over the past year, (R,).

    ``returns`` (T, G): daily log returns of the size groups, of which the last 242 count;
    ``weights`` (R, G) of the long leg; ``mix`` (R, U) of the short. A basket of fifty names or
    more follows its groups, so their returns stand for it.
    """
    past = returns[-YEAR:]
    long, short = past @ weights.T, past[:, GROUP_OF] @ mix.T
    long, short = long - long.mean(axis=0), short - short.mean(axis=0)
    spread = np.sqrt((long**2).sum(axis=0) * (short**2).sum(axis=0))
    return np.asarray((long * short).sum(axis=0) / np.maximum(spread, 1e-300))


def hold_single_names(shares: Float64, close: Float64, limit: float) -> None:
    """Cut what lies above ``limit`` of a book in one name and spread it over the rest, in place.

    ``shares`` (P, R, N). Where no name is above the limit nothing moves.
    """
    for _ in range(3):
        if limit >= 1.0:
            return
        value = shares * close
        total = value.sum(axis=2, keepdims=True)
        most = limit * total * (1.0 + 1e-12)
        if not (value.max(axis=2, keepdims=True) > most).any():
            return
        over = value > most
        cut = np.where(over, value - limit * total, 0.0).sum(axis=2, keepdims=True)
        rest = np.where(over, 0.0, value).sum(axis=2, keepdims=True)
        grown = 1.0 + np.where(rest > 0.0, cut / np.maximum(rest, 1e-300), 0.0)
        shares *= np.where(over, limit * total / np.maximum(value, 1e-300), grown)


def admitted(opening: Opening, shares: Float64, weights: Float64, mix: Float64) -> Bool:
    """Return which books a broker opens, (P, R): correlation and number of names as the rules say.

    ``shares`` (P, R, N). Net exposure is zero at the start; single names were held before.
    """
    rules = swap_rules(opening)
    close_legs = correlations(opening.market.history.returns, weights, mix) >= rules.correlation
    return np.asarray(close_legs & (np.count_nonzero(shares, axis=2) >= rules.names))


def beyond_net(stock: Float64, futures: Float64, mix: Float64, limit: float) -> Float64:
    """Return the futures that bring net exposure back to the limit, yuan (P, R, U).

    ``stock`` (P, R), ``futures`` (P, R, U), ``mix`` (R, U).
    """
    net = stock + futures.sum(axis=2)
    gap = net - np.clip(net, -limit * stock, limit * stock)
    return np.asarray(-gap[:, :, None] * mix)
