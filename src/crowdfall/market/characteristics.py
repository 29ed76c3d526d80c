"""What each stock is like at the snapshot: caps, trading and the statistics of its returns.

Two vintages meet: prices end at the snapshot, share counts are the source's own and may be later
(June 2024 in the Crowdfall data folder). The share of float in all shares moves when lock-ups end,
so total cap is close times all shares, not float cap times that ratio: measured on December 2023
and January 2024, the 400 smallest chosen so follow the micro-cap index with correlation 0.9995,
chosen by the ratio with 0.994 and 1.5 points of drift. Names delisted between the snapshot and
that vintage are absent: a look-ahead that flatters small caps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.market.panel import LEAST, RECENT, Panel
from crowdfall.market.snapshot import GROUPS
from crowdfall.types import Bool, Float64, Int8

FREE_TURNOVER: Final = 0.005
"""Assumption, range 0.003 to 0.008: a name of which less than this share of float turns over a day
is held by the state or by founders, and what trades is adv / FREE_TURNOVER. Index weights from it
follow CSI 300, 500, 1000 and 2000 (December 2023, January 2024) better at 0.005 than at 0.003: the
daily gap to CSI 300 is 8.0 instead of 9.7 basis points; from 0.006 on CSI 300 and 500 get worse."""
BETA_SESSIONS: Final = 144
"""June to December on 29 December 2023 (design:model 1 a.1)."""
SHRINK: Final = 0.5
"""Weight of the group mean in beta (design:model 1 a.1)."""
CAP_SESSIONS: Final = 5
BONUS: Final = (1.2, 1.3, 1.4, 1.45, 1.48, 1.49)
"""Usual ratios of shares after and before a bonus issue. On the real list 155 names stand within
0.4% of one of them, where 43 would by chance."""
_BONUS_TOLERANCE: Final = 0.004
_ADJUSTED: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Caps:
    """Sizes in yuan, shape (N,); ``adv`` and ``turnover`` are NaN with too few or idle sessions.

    ``shares`` is the number of all shares in the units of the panel's adjusted close.
    """

    shares: Float64
    total: Float64
    float_: Float64
    adv: Float64
    turnover: Float64


@dataclass(frozen=True, kw_only=True)
class Moves:
    """Statistics of daily log returns, shape (N,); NaN with fewer than LEAST sessions."""

    volatility: Float64
    residual_volatility: Float64
    beta: Float64


def last_close(panel: Panel) -> Float64:
    """Return each stock's last close, shape (N,); a suspended stock keeps its old one."""
    traded = panel.traded
    last = len(traded) - 1 - np.argmax(traded[::-1], axis=0)
    return np.asarray(panel.close[last, np.arange(traded.shape[1])])


def measure_caps(panel: Panel) -> Caps:
    """Return caps at the last session, adv and turnover as means over the last RECENT sessions.

    Float cap is amount over turnover rate, pooled over a stock's last five sessions and moved to
    the last close: the rate is rounded to 0.01%, which the pool evens out. Where no rate is known,
    close times the listed float shares.
    """
    close = last_close(panel)
    traded = panel.traded & (panel.turnover > 0) & (panel.amount > 0)
    last = traded & (np.cumsum(traded[::-1], axis=0)[::-1] <= CAP_SESSIONS)
    moved = np.where(last, panel.amount * close / panel.close, 0.0).sum(axis=0)
    rate = np.where(last, panel.turnover, 0.0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        float_cap = moved / rate
    shares = panel.total_shares / _bonus(panel, close, last)
    known = np.isfinite(float_cap)
    float_cap = np.where(known, float_cap, close * panel.float_shares)
    total = close * shares
    enough = panel.traded[-RECENT:].sum(axis=0) >= LEAST
    return Caps(
        shares=shares,
        total=np.maximum(total, float_cap),
        float_=float_cap,
        adv=_known(_mean(panel.amount[-RECENT:]), enough),
        turnover=_known(_mean(panel.turnover[-RECENT:]), enough),
    )


def measure_moves(panel: Panel, group: Int8) -> Moves:
    """Return volatility, beta and residual volatility.

    Beta to CSI 300 over the last BETA_SESSIONS, shrunk by half to the mean of its size group;
    volatility, and the residual that this beta leaves, over the last RECENT sessions. A return
    counts where the stock traded on both days.
    """
    returns = np.diff(np.log(panel.close), axis=0)
    market = np.diff(np.log(panel.index))
    beta = shrink(_slope(returns[-BETA_SESSIONS:], market[-BETA_SESSIONS:]), group)
    recent = returns[-RECENT:]
    rest = recent - beta * market[-RECENT:, None]
    return Moves(volatility=_deviation(recent), residual_volatility=_deviation(rest), beta=beta)


def free_float(float_cap: Float64, adv: Float64) -> Float64:
    """Return the float that trades: the part that does not is told by its low turnover.

    >>> free_float(np.array([100.0, 100.0]), np.array([1.0, 0.25])).round(6).tolist()
    [100.0, 50.0]
    """
    return np.asarray(np.minimum(float_cap, adv / FREE_TURNOVER))


def fill(values: Float64, group: Int8) -> Float64:
    """Return values with NaN replaced by the median of the size group, else of all.

    All NaN stays NaN.
    """
    filled = values.copy()
    missing = np.isnan(values)
    if missing.all():
        return filled
    for g in range(len(GROUPS)):
        inside = group == g
        held = values[inside & ~missing]
        filled[inside & missing] = np.median(held if len(held) else values[~missing])
    return filled


def exposure(total_cap: Float64) -> Float64:
    """Return log cap with mean 0 and deviation 1 over all stocks; zeros where all are equal."""
    size = np.log(total_cap)
    spread = size.std()
    return np.asarray((size - size.mean()) / (spread if spread > 0 else 1.0))


def _bonus(panel: Panel, close: Float64, last: Bool) -> Float64:
    """Return shares of the list over shares at the snapshot where a bonus issue lies between.

    Told by the ratio of float shares then (volume over turnover rate) and now; other ratios are
    lock-ups that ended, which leave all shares alone. One where volume is unknown, or where the
    prices are already adjusted for the issue.
    """
    volume = np.where(last, panel.volume, 0.0).sum(axis=0)
    rate = np.where(last, panel.turnover, 0.0).sum(axis=0)
    amount = np.where(last, panel.amount, 0.0).sum(axis=0)
    factor = np.ones(len(close))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = volume / rate / panel.float_shares
        raw = np.abs(amount / volume / close - 1.0) < _ADJUSTED
        for bonus in BONUS:
            factor[raw & (np.abs(ratio * bonus - 1.0) < _BONUS_TOLERANCE)] = bonus
    return factor


def _known(values: Float64, enough: Bool) -> Float64:
    """Return values that are finite, above zero and rest on enough sessions; NaN for the rest."""
    return np.where(enough & np.isfinite(values) & (values > 0), values, np.nan)


def _mean(values: Float64) -> Float64:
    count = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    return np.asarray(np.nansum(values, axis=0) / count)


def _deviation(returns: Float64) -> Float64:
    held = ~np.isnan(returns)
    count = held.sum(axis=0)
    gap = np.where(held, returns - _mean(returns), 0.0)
    deviation = np.sqrt((gap**2).sum(axis=0) / np.maximum(count - 1, 1))
    return _known(deviation, count >= LEAST - 1)


def _slope(returns: Float64, market: Float64) -> Float64:
    held = ~np.isnan(returns)
    count = held.sum(axis=0)
    side = np.where(held, market[:, None], np.nan)
    gap = np.where(held, side - _mean(side), 0.0)
    spread = (gap**2).sum(axis=0)
    slope = (gap * np.where(held, returns, 0.0)).sum(axis=0) / np.where(spread > 0, spread, 1.0)
    return np.where((count >= LEAST - 1) & (spread > 0), slope, np.nan)


def shrink(beta: Float64, group: Int8) -> Float64:
    """Return betas (N,) shrunk by SHRINK to the mean of their group; NaN stays."""
    shrunk = beta.copy()
    for g in range(len(GROUPS)):
        inside = (group == g) & ~np.isnan(beta)
        if inside.any():
            shrunk[inside] = (1.0 - SHRINK) * beta[inside] + SHRINK * beta[inside].mean()
    return shrunk
