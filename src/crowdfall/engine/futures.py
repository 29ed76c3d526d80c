"""Index futures: the main contract traded, and the term structure reported.

Design:model 1 a.3. Participants trade the main contract (the quarterly month that outlives the
run); other months share its order flow by a loading on maturity.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np

from crowdfall.agents.protocol import GROUP_OF
from crowdfall.engine.ledger import Ledger
from crowdfall.engine.setting import Setting
from crowdfall.engine.state import FuturesState, Prices
from crowdfall.types import Float64

TERM_DAYS: Final = (0.0, 11.0, 25.0, 53.0, 151.0, 242.0)
TERM_LOADING: Final = (0.0, 0.40, 0.55, 1.0, 1.35, 1.5)
"""Loading of a month's basis on the gap of a 53-day contract, by calendar days to its last
trading day (term structure of 22 January 2024, design:model 1 a.3; the ends are assumptions)."""


def last_hour(setting: Setting) -> int:
    """Return the bars of the last of four hours, over which settlement is averaged."""
    return setting.bars // 4


def spot(prices: Prices, setting: Setting) -> Float64:
    """Return the index points under the futures, (P, U)."""
    return np.asarray(prices.level[:, GROUP_OF] * setting.spot_levels)


def open_futures(prices: Prices, setting: Setting) -> FuturesState:
    """Return futures at their first basis, taken from the market snapshot."""
    paths = len(prices.level)
    points = spot(prices, setting) * np.exp(setting.carry * setting.tenor + setting.first_basis)
    return FuturesState(
        gap=np.tile(setting.first_basis, (paths, 1)),
        price=points,
        settle_sum=np.zeros((paths, 2)),
        previous_settle=points.copy(),
        first_short=np.zeros((paths, 2)),
        flow=np.zeros((paths, 2)),
    )


def hedge_short(ledger: Ledger) -> Float64:
    """Return the short units of hedged books, (P, U)."""
    hedged = ledger.hedge_mix.any(axis=1)
    return np.asarray(-np.minimum(ledger.units.compress(hedged, axis=1), 0.0).sum(axis=1))


def move_basis(
    futures: FuturesState, ledger: Ledger, prices: Prices, setting: Setting, years: float
) -> Float64:
    """Move the gap with this bar's flow, decay it, and return the new prices, (P, U).

    ``years``: from today to the main contract's last day, a fraction of a year.
    """
    terms = setting.scenario.basis
    depth = prices.depth[:, GROUP_OF]
    kept = 1.0 - terms.transfer if setting.scenario.channels.futures_transfer else 1.0
    push = kept * terms.impact * futures.flow / (setting.open_interest * np.sqrt(depth))
    gap = futures.gap + push
    decay = np.where(gap < 0.0, terms.discount_decay, terms.premium_decay)
    futures.gap = gap * np.exp(-decay * setting.dt)
    fair = spot(prices, setting) * np.exp(carry(futures, ledger, setting) * years)
    points = fair * np.exp(futures.gap)
    limit = setting.costs.futures_limit
    low, high = (1 - limit) * futures.previous_settle, (1 + limit) * futures.previous_settle
    return np.clip(points, low, high)


def carry(futures: FuturesState, ledger: Ledger, setting: Setting) -> Float64:
    """Return the yearly carry (P, U): part of it goes as the hedgers leave."""
    core = setting.scenario.basis.carry_core
    here = hedge_short(ledger) / np.maximum(futures.first_short, 1.0)
    share = np.where(futures.first_short > 0, here, 1.0)
    return np.asarray(setting.carry * (core + (1 - core) * share))


def term_loading(days: float, main_days: float) -> float:
    """Return how far a month's basis moves with the main contract's gap.

    The main contract's own loading is not followed below that of a 25-day month: the gap fades by
    its decay, not by its maturity.
    """
    months = np.interp([days, main_days], TERM_DAYS, TERM_LOADING)
    return float(months[0] / max(months[1], TERM_LOADING[2]))


def curve(
    futures: FuturesState,
    ledger: Ledger,
    setting: Setting,
    index: Float64,
    today: date,
    last_days: list[date],
) -> Float64:
    """Return the basis of each listed month, close / spot - 1, (P, U, months).

    ``index``: spot in points, (P, U).
    """
    start = setting.scenario.clock.start
    main_days = setting.tenor * 365 - (today - start).days
    yearly = carry(futures, ledger, setting)
    # The gap of the price traded, which its daily limit may hold back.
    gap = np.log(futures.price / index) - yearly * main_days / 365
    out = []
    for last in last_days:
        days = float((last - today).days)
        loading = term_loading(days, main_days)
        out.append(np.expm1(yearly * days / 365 + loading * gap))
    return np.stack(out, axis=2)
