"""What changes while a block of paths runs, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crowdfall.engine.limits import log_limits
from crowdfall.engine.months import Listing
from crowdfall.engine.random import normals
from crowdfall.engine.setting import MICROCAP, Setting
from crowdfall.market.snapshot import GROUPS
from crowdfall.types import Bool, Float64, Int64


@dataclass(kw_only=True)
class Factors:
    """Market and group factors by bar, solved or read: ``*_first`` before orders are filled.

    ``market`` (P, B), ``group`` (P, B, G), B = T x K bars.
    """

    market: Float64
    market_first: Float64
    group: Float64
    group_first: Float64

    @classmethod
    def empty(cls, paths: int, bars: int) -> Factors:
        """Return factors to be solved, all zero."""
        flat, wide = (paths, bars), (paths, bars, len(GROUPS))
        return cls(
            market=np.zeros(flat), market_first=np.zeros(flat),
            group=np.zeros(wide), group_first=np.zeros(wide),
        )  # fmt: skip

    def take(self, rows: slice) -> Factors:
        """Return the factors of some paths."""
        return Factors(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})

    @classmethod
    def joined(cls, parts: Sequence[Factors]) -> Factors:
        """Return the factors of the paths of all parts."""
        names = cls.__dataclass_fields__
        return cls(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


@dataclass(kw_only=True)
class Prices:
    """Stocks and size groups. P paths, N stocks, G groups."""

    log_price: Float64  # relative to the first close
    price: Float64  # yuan
    low: Float64
    high: Float64
    last_close: Float64  # (P, N) log price at the close before
    counted: Bool  # (N,) stocks whose locks count today
    base: Float64  # what index weights refer to, over the first close: 1, previous in micro-cap
    noise: Float64
    volume: Float64  # accumulated net volume over adv
    impact: Float64  # of that volume, log price
    loading: Float64  # on the group's factor and dislocation
    day_scale: Float64  # of noise, one draw a day in free mode
    market: Float64  # (P,) market factor
    group: Float64  # (P, G) group factors
    fast: Float64
    slow: Float64  # (P, G) dislocation
    parts: Float64  # (P, G, K) of the fast one, if it fades as a power law
    memory: Float64
    variance: Float64  # realised, a day
    peak: Float64  # highest level so far, fading with impact.peak_memory
    stress: Float64  # log depth withdrawn
    capital: Float64  # of value buyers, share left
    expected: Float64  # log price that announcements are still worth
    backstop: Float64
    pending: Float64  # rescue not yet recognised
    seen: Bool  # groups bought on an earlier day
    level: Float64  # (P, G) index over its first level
    close_level: Float64
    locked: Bool
    touched: Bool
    locked_share: Float64
    depth: Float64
    down: Int64
    up: Int64


@dataclass(kw_only=True)
class FuturesState:
    """Listed months. ``gap`` (P, U, M): log basis beyond the carry; ``points``: prices.

    ``days`` (M,) to expiry at the last move; ``mix`` (S, M): how traders' and hedgers' positions
    spread over months; ``flow`` (P, S, U): net orders of the last bar, yuan.
    """

    listed: Listing
    days: Float64
    mix: Float64
    gap: Float64
    points: Float64
    settle_sum: Float64
    index_sum: Float64  # (P, U), for the final settlement
    previous_settle: Float64
    first_short: Float64
    flow: Float64

    def of_books(self, points: Float64, sort: Int64) -> Float64:
        """Return the price of each book's months (P, R, U) from points by month, (P, U, M).

        ``sort`` (R,): of the books.
        """
        return np.asarray(self.mix[sort] @ points.transpose(0, 2, 1))

    @property
    def price(self) -> Float64:
        """Return the points of the main contracts, (P, U)."""
        return self.points[:, :, self.listed.main]

    @property
    def main_gap(self) -> Float64:
        """Return the gap of the main contracts, (P, U)."""
        return self.gap[:, :, self.listed.main]


def first_prices(setting: Setting, first_path: int, paths: int) -> Prices:
    """Return the prices at the first close."""
    stocks = setting.market.stocks
    count, groups = len(stocks), len(GROUPS)
    wide, by_group = (paths, count), (paths, groups)
    price = np.tile(stocks.close, (paths, 1))
    low, high = log_limits(setting.market, setting.scenario, setting.days[0], price)
    return Prices(
        log_price=np.zeros(wide),
        price=price,
        low=low,
        high=high,
        last_close=np.zeros(wide),
        counted=setting.counted.copy(),
        base=np.ones(wide),
        noise=np.zeros(wide),
        volume=np.zeros(wide),
        impact=np.zeros(wide),
        loading=_loadings(setting, first_path, paths),
        day_scale=np.tile(setting.noise_scale, (paths, 1)),
        market=np.zeros(paths),
        group=np.zeros(by_group),
        fast=np.zeros(by_group),
        slow=np.zeros(by_group),
        parts=np.zeros((*by_group, 0)),
        memory=np.zeros(by_group),
        variance=np.tile(setting.calm_volatility**2, (paths, 1)),
        peak=np.ones(by_group),
        stress=np.zeros(by_group),
        capital=np.ones(by_group),
        expected=np.zeros(by_group),
        backstop=np.zeros(by_group),
        pending=np.zeros(by_group),
        seen=np.zeros(by_group, bool),
        level=np.ones(by_group),
        close_level=np.ones(by_group),
        locked=np.zeros(wide, bool),
        touched=np.zeros(wide, bool),
        locked_share=np.zeros(by_group),
        depth=np.ones(by_group),
        down=np.zeros(paths, np.int64),
        up=np.zeros(paths, np.int64),
    )


def _loadings(setting: Setting, first_path: int, paths: int) -> Float64:
    # Averages to one over each index: dispersion must not move the index itself.
    draw = normals(setting.seed, "loading", first_path, 0, (paths, len(setting.slope)))
    out = np.clip(1.0 + setting.scenario.impact.loading_dispersion * draw, 0.1, 2.5)
    for first, last in zip(setting.edges[:-1], setting.edges[1:], strict=True):
        part = out[:, first:last]
        part /= (part * setting.index_weight[first:last]).sum(axis=1, keepdims=True)
    return out


def open_day(prices: Prices, setting: Setting, day: int) -> None:
    """Set the day's limits from the close and forget yesterday's touches.

    A suspended stock has both limits at its last price and is not counted among those that lock.
    """
    prices.last_close[:] = prices.log_price
    scenario, halted = setting.scenario, setting.suspended[day]
    today = setting.days[day]
    prices.low, prices.high = log_limits(setting.market, scenario, today, prices.price)
    prices.low[:, halted] = prices.high[:, halted] = prices.log_price[:, halted]
    prices.counted = setting.counted & ~halted
    first, last = setting.edges[MICROCAP], setting.edges[MICROCAP + 1]
    close = setting.market.stocks.close[first:last]
    prices.base[:, first:last] = prices.price[:, first:last] / close
    prices.close_level[:] = prices.level
    prices.touched[:] = False
    prices.locked[:] = False  # yesterday's queues are gone; depth still remembers their share
