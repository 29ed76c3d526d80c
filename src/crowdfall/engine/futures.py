"""Index futures: four months an underlying, moved by order flow, held together by arbitrage.

Every month has its own log gap from fair carry. Order flow opens it, spread over months by
``engine.months``; calendar spreads pull months to one common gap, which arbitrage with the stocks
closes, unless the stocks are locked; maturity ends it. Shapes: P paths, R books, U underlyings,
M months, S sorts of books. Equations: docs, "Futures".
"""

from __future__ import annotations

import numpy as np

from crowdfall.agents.protocol import UNDER, UNDERLYINGS
from crowdfall.engine.ledger import Ledger
from crowdfall.engine.months import (
    NO_LISTING,
    Listing,
    days_left,
    listing,
    loadings,
    month_mix,
)
from crowdfall.engine.setting import Setting
from crowdfall.engine.state import FuturesState, Prices
from crowdfall.types import Float64

LEAST_SHARE = 0.05
"""Least share of open interest that a month's flow is measured against (assumption, 0.02-0.1): a
new or dying month is quoted against its neighbours."""


def last_hour(setting: Setting) -> int:
    """Return the bars of the last of four hours, over which settlement is averaged."""
    return setting.bars // 4


def spot(prices: Prices, setting: Setting) -> Float64:
    """Return the index points under the futures, (P, U)."""
    return np.asarray(prices.level[:, UNDER] * setting.spot_levels)


def open_futures(prices: Prices, setting: Setting) -> FuturesState:
    """Return the months at their first basis, taken from the market snapshot."""
    paths, start = len(prices.level), setting.scenario.clock.start
    listed = listing(start) if setting.scenario.venue.futures else NO_LISTING
    days = days_left(listed, 1.0)
    gap = np.tile(first_gaps(setting, listed), (paths, 1, 1))
    fair = np.exp(setting.carry[:, None] * days / 365 + gap)
    points = spot(prices, setting)[:, :, None] * fair
    return FuturesState(
        listed=listed,
        days=days,
        mix=month_mix(listed, days, setting.scenario.basis),
        gap=gap,
        points=points,
        settle_sum=np.zeros_like(points),
        index_sum=np.zeros((paths, len(UNDERLYINGS))),
        previous_settle=points.copy(),
        first_short=np.zeros((paths, len(UNDERLYINGS))),
        flow=np.zeros((paths, 2, len(UNDERLYINGS))),
    )


def first_gaps(setting: Setting, listed: Listing) -> Float64:
    """Return the first gap of every month, (U, M); months without a quote load on the others."""
    load = loadings(days_left(listed, 1.0))
    out = np.full((len(UNDERLYINGS), len(listed.codes)), np.nan)
    for u, name in enumerate(UNDERLYINGS):
        for quote in setting.market.contracts(name):
            if quote.last_trading_day in listed.lasts:
                k = listed.lasts.index(quote.last_trading_day)
                out[u, k] = np.log1p(quote.basis) - setting.carry[u] * listed.days[k] / 365
    known = np.isfinite(out)
    gap = np.where(known, out, 0.0)
    common = (gap * load).sum(axis=1) / np.maximum((known * load**2).sum(axis=1), 1e-12)
    return np.where(known, out, common[:, None] * load)


def hedge_short(ledger: Ledger) -> Float64:
    """Return the short units of hedged books, (P, U)."""
    return -by_sort(ledger, np.minimum(ledger.units, 0.0))[:, 1]


def by_sort(ledger: Ledger, amount: Float64) -> Float64:
    """Sum amounts of books (P, R, U) by sort, (P, S, U)."""
    return np.asarray(ledger.of_sort @ np.ascontiguousarray(amount))


def by_book(futures: FuturesState, ledger: Ledger, points: Float64) -> Float64:
    """Return the price of each book's months (P, R, U) from points by month, (P, U, M)."""
    return futures.of_books(points, ledger.sort)


def list_months(
    futures: FuturesState, prices: Prices, ledger: Ledger, setting: Setting, day: int
) -> None:
    """List a session's months: what goes on keeps its gap, a new month takes the common one."""
    old = futures.listed
    fresh = listing(setting.days[day]) if setting.scenario.venue.futures else old
    futures.listed = fresh
    if fresh.codes == old.codes:
        return
    common = common_gap(
        futures.gap, loadings(futures.days), month_share(setting, old, futures.days)
    )
    before = setting.days[day - 1] if day else setting.scenario.clock.start
    futures.days = np.array([float((last - before).days) for last in fresh.lasts])
    load = loadings(futures.days)
    yearly = carry(futures, ledger, setting)
    gap = common[:, :, None] * load
    points = spot(prices, setting)[:, :, None] * np.exp(
        yearly[:, :, None] * futures.days / 365 + gap
    )
    settle = points.copy()
    for k, code in enumerate(fresh.codes):
        if code in old.codes:
            j = old.codes.index(code)
            gap[:, :, k] = futures.gap[:, :, j]
            points[:, :, k] = futures.points[:, :, j]
            settle[:, :, k] = futures.previous_settle[:, :, j]
    futures.gap, futures.points, futures.previous_settle = gap, points, settle
    futures.settle_sum = np.zeros_like(points)
    futures.mix = month_mix(fresh, futures.days, setting.scenario.basis)


def month_share(setting: Setting, listed: Listing, days: Float64) -> Float64:
    """Return the market's share of open interest by month, (M,)."""
    return np.asarray(month_mix(listed, days, setting.scenario.basis)[0])


def common_gap(gap: Float64, load: Float64, share: Float64) -> Float64:
    """Return the gap of a 53-day contract that the months share, (P, U)."""
    weight = share * load
    return np.asarray(gap @ weight / max(float((weight * load).sum()), 1e-12))


def roll(futures: FuturesState, ledger: Ledger, setting: Setting, progress: float) -> Float64:
    """Move every position towards later months; return its pressure by month, yuan (P, U, M).

    Both sides roll at known times, so a share ``roll_pressure`` alone has to find a price.
    """
    days = days_left(futures.listed, progress)
    mix = month_mix(futures.listed, days, setting.scenario.basis)
    change = mix - futures.mix
    futures.mix = mix
    terms = setting.scenario
    if not terms.channels.futures_roll:
        return np.zeros_like(futures.gap)
    moved = by_sort(ledger, ledger.units).transpose(0, 2, 1) @ change
    return np.asarray(terms.basis.roll_pressure * moved * futures.points)


def roll_turnover(before: Float64, after: Float64) -> Float64:
    """Return what a roll trades over the position, both legs, by sort of book, (S,)."""
    return np.asarray(np.abs(after - before).sum(axis=1))


def move_months(
    futures: FuturesState,
    ledger: Ledger,
    prices: Prices,
    setting: Setting,
    pressure: Float64,
    progress: float,
) -> Float64:
    """Move the gaps with this bar's flow and return the new prices, (P, U, M).

    ``pressure``: flow of the roll by month, yuan; ``progress``: share of the session passed.
    """
    terms, channels = setting.scenario.basis, setting.scenario.channels
    days = days_left(futures.listed, progress)
    load, faded = loadings(days), loadings(futures.days)
    gap = futures.gap * (load / np.maximum(faded, 1e-12))
    futures.days = days
    share = month_share(setting, futures.listed, days)
    flow = futures.flow.transpose(0, 2, 1) @ futures.mix + pressure
    depth = np.sqrt(prices.depth[:, UNDER])
    kept = 1.0 - terms.transfer if channels.futures_transfer else 1.0
    interest = setting.open_interest[:, None] * np.maximum(share, LEAST_SHARE)
    gap = gap + kept * terms.impact * load * flow / (interest * depth[:, :, None])
    common = common_gap(gap, load, share)
    level = common[:, :, None] * load
    apart = np.exp(-terms.calendar_pull * setting.dt) if channels.month_flows else 0.0
    speed = np.where(common < 0.0, terms.discount_decay, terms.premium_decay)
    decay = np.exp(-speed * arbitrage(prices, setting) * setting.dt)
    futures.gap = (level + apart * (gap - level)) * decay[:, :, None]
    yearly = carry(futures, ledger, setting)[:, :, None]
    index = spot(prices, setting)[:, :, None]
    points = index * np.exp(yearly * np.maximum(days, 0.0) / 365 + futures.gap)
    limit = futures.listed.limit
    low, high = (1 - limit) * futures.previous_settle, (1 + limit) * futures.previous_settle
    return np.asarray(np.minimum(np.maximum(points, low), high))


def arbitrage(prices: Prices, setting: Setting) -> Float64:
    """Return the share of arbitrage with the stocks that still works, (P, U).

    Its stock leg can't be sold in names at their limit, and waits in a fast fall.
    """
    terms = setting.scenario.basis
    if not setting.scenario.channels.locked_arbitrage:
        return np.ones((len(prices.level), len(UNDERLYINGS)))
    fall = np.maximum(0.0, -prices.memory[:, UNDER] - 0.03) / 0.05
    locked = prices.locked_share[:, UNDER]
    return np.asarray(np.exp(-terms.arbitrage_lock * locked - terms.arbitrage_fall * fall))


def carry(futures: FuturesState, ledger: Ledger, setting: Setting) -> Float64:
    """Return the yearly carry (P, U): part of it goes as the hedgers leave."""
    core = setting.scenario.basis.carry_core
    here = hedge_short(ledger) / np.maximum(futures.first_short, 1.0)
    share = np.where(futures.first_short > 0, here, 1.0)
    return np.asarray(setting.carry * (core + (1 - core) * share))


def add_to_settlement(futures: FuturesState, prices: Prices, setting: Setting, bar: int) -> None:
    """Gather a bar's prices: settlement averages the last hour, the final one two of the index."""
    hour = last_hour(setting)
    if bar >= setting.bars - hour:
        futures.settle_sum += futures.points
    if bar >= setting.bars - 2 * hour:
        futures.index_sum += spot(prices, setting)


def settlement(futures: FuturesState, setting: Setting) -> Float64:
    """Return this session's settlement prices (P, U, M), and forget the sums."""
    hour = last_hour(setting)
    settle = futures.settle_sum / hour
    if futures.listed.expires:
        settle[:, :, 0] = futures.index_sum / (2 * hour)
    futures.settle_sum[:] = 0.0
    futures.index_sum[:] = 0.0
    return np.asarray(settle)
