"""Snowball dealers and those who run ahead of them.

A dealer is short the note and long futures: it buys as the index falls, until the knock-in takes
the put away from it and its hedge drops at once. Knock-in is observed on the close, so the sale
comes next morning.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal

import numpy as np

from crowdfall.agents.baskets import float_shares
from crowdfall.agents.book_map import book_map
from crowdfall.agents.protocol import (
    GROUP_OF,
    UNDER,
    KnockInMap,
    Notice,
    Opening,
    Orders,
    Plan,
    Positions,
    View,
)
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.pricing.street import Street
from crowdfall.pricing.street_grid import street_grid
from crowdfall.types import Bool, Float64
from crowdfall.units import TRADING_DAYS_A_YEAR

QUARTERS: Final = 4.0
"""The gap of the main contract counts as that of a quarter when it is put on a year."""

KNOCK_IN_MASS: Final = {
    "ic": (5300.0, (5, 10, 111.3, 158.6, 164.2, 166.9, 122.4, 72.3, 89, 77.9, 50.1, 27.8, 19.5)),
    "im": (5500.0, (2, 3, 9, 13, 13, 13, 12, 9, 7, 5, 4, 3, 2)),
}
"""Notional by 100-point bucket of knock-in level, from the top down. CSI 500: published histogram
(design:snowball 6); CSI 1000: shaped on the published density around 5,200 (assumption)."""


@dataclass(kw_only=True)
class DealerState:
    """The street's notes by bucket, and which have knocked in, (P, B)."""

    vol: Float64  # marks a year of each underlying, (P, 2)
    q: Float64
    tables: Float64  # hedges at these marks, (P, 2, 2, K)
    spot: Float64  # index points at the last close, (P, 2)
    notes: KnockInMap
    knocked_in: Bool
    size: Float64  # notional by underlying, (2,)


@dataclass(frozen=True, kw_only=True)
class SnowballDealers:
    """Terms of the street's snowball book and its hedging.

    ``book`` names a book file of the snowball desk (columns of ``pricing.book_file``) that takes
    the place of the built-in map, ``notional`` and ``share_ic``; ``map`` spreads the built-in mass
    as published, or evenly over the same levels. ``delta_cap``, ``ramp`` and ``band`` are those of
    the desk's hedging policy.
    """

    enabled: bool = True
    remark: bool = True
    book: str = ""
    map: Literal["published", "even"] = "published"
    notional: float = parameter(
        311e9, "notes outstanding", unit="yuan", source=PROTOTYPE + "; UBS 320 bn, others 200 bn",
        low=0.0, high=1000e9,
    )  # fmt: skip
    share_ic: float = parameter(
        0.5, "share on CSI 500", source="assumption (0.4-0.6)", low=0.0, high=1.0
    )
    speed: float = parameter(
        0.35, "share of the hedge gap traded a bar", source="assumption", low=0.01, high=1.0
    )
    in_futures: float = parameter(
        0.85, "share of the hedge held in futures, the rest in stocks", source="assumption",
        low=0.0, high=1.0,
    )  # fmt: skip
    peak_shift: float = parameter(
        0.0, "shift of the CSI 1000 knock-in mass (others put its peak at 4,800)",
        unit="points", source="assumption (-400 to 200)", low=-1000.0, high=1000.0,
    )  # fmt: skip

    delta_cap: float = parameter(
        1.5, "largest hedge per notional of a living note",
        source="assumption (1.0-2.0): desks limit the delta near the barrier", low=0.1, high=5.0,
    )  # fmt: skip
    ramp: float = parameter(
        0.0, "fall below the knock-in over which its hedge is let go, 0 = at once",
        source="assumption (0-0.03)", low=0.0, high=0.5,
    )  # fmt: skip
    band: float = parameter(
        0.0, "gap in the hedge, over notional, that is left alone", source="assumption (0-0.02)",
        low=0.0, high=1.0,
    )  # fmt: skip
    mark_life: float = parameter(
        40.0, "memory of the marks of volatility and discount", unit="days",
        source="assumption (10-60)", low=1.0, high=500.0,
    )  # fmt: skip

    def knock_in_map(self, folder: Path = Path(), on: date = date(2023, 12, 29)) -> KnockInMap:
        """Return the notes by 50-point bucket, as published maps show them by 100.

        A ``book`` file lies in ``folder`` and is read as of ``on``; DataError names wrong cells.
        """
        if self.book:
            return book_map(folder / self.book, on)
        level, notional, underlying = [], [], []
        for u, (name, share) in enumerate((("ic", self.share_ic), ("im", 1 - self.share_ic))):
            top, published = KNOCK_IN_MASS[name]
            mass = np.ones(len(published)) if self.map == "even" else np.array(published)
            shift = self.peak_shift if name == "im" else 0.0
            for k, part in enumerate(mass):
                for half in (25.0, -25.0):
                    level.append(top - 100.0 * k + half + shift)
                    notional.append(self.notional * share * part / mass.sum() / 2)
                    underlying.append(u)
        return KnockInMap(
            level=np.array(level), notional=np.array(notional), underlying=np.array(underlying)
        )

    def open(self, opening: Opening) -> tuple[Positions, DealerState]:
        """Return one book an underlying, hedged for the spot of the start."""
        notes = opening.knock_in_map
        levels = opening.market.levels
        spot = np.tile([levels["csi500"], levels["csi1000"]], (opening.paths, 1))
        street = Street()
        state = DealerState(
            vol=np.full(spot.shape, street.vol),
            q=np.full(spot.shape, street.q),
            spot=spot,
            tables=street_grid().at(
                *np.broadcast_arrays(street.vol, np.full(spot.shape, street.q))
            ),
            notes=notes,
            knocked_in=_knocked_in(notes, spot),
            size=notes.by_underlying(notes.notional[None, :])[0],
        )
        target = self._target(spot, state)
        worth = np.zeros((2, 6))
        worth[(0, 1), GROUP_OF] = target[0] * (1 - self.in_futures)
        book = Positions(
            cells=("csi500", "csi1000"),
            shares=float_shares(opening, worth),
            cash=np.zeros((opening.paths, 2)),
            futures=self.in_futures * target[:, :, None] * np.eye(2),
            capital=np.zeros((opening.paths, 2)),  # no nav: the notes owed are not on these books
            hedge_mix=np.zeros((2, 2)),
            buys=True,
        )
        return book, state

    def _target(self, spot: Float64, state: DealerState) -> Float64:
        notes = state.notes
        ratio = np.log(spot[:, notes.underlying] / notes.level)
        grid, gone = street_grid(), state.knocked_in
        hedge = grid.hedge(state.tables, notes.underlying, ratio, gone)
        if self.ramp > 0.0:  # protection's hedge is let go over the ramp below the level
            alive = grid.hedge(state.tables, notes.underlying, np.maximum(ratio, 0.0), ~gone & gone)
            kept = np.clip(self.ramp + ratio, 0.0, self.ramp) / self.ramp * (ratio < 0.0)
            hedge = np.where(gone, hedge + kept * np.maximum(alive - hedge, 0.0), hedge)
        hedge = np.where(gone, hedge, np.minimum(hedge, self.delta_cap))
        return notes.by_underlying(notes.notional * hedge)

    def decide(self, view: View, state: DealerState) -> Orders:
        """Trade a share of the gap between the hedge wanted at the last price and the one held."""
        target = self._target(view.spot, state)
        held = view.own.futures[:, (0, 1), (0, 1)]
        gap = self.in_futures * target - held
        order = self.speed * gap * (np.abs(gap) > self.band * state.size)
        rest = (1 - self.in_futures) * target - view.own.stock_value
        stock = self.speed * rest * (np.abs(rest) > self.band * state.size)
        basket = np.zeros((len(stock), 2, 6))
        basket[:, (0, 1), GROUP_OF] = stock
        return Orders(
            sell=np.maximum(-basket, 0.0),
            buy=np.maximum(basket, 0.0),
            futures=order[:, :, None] * np.eye(2),
        )

    def _mark(self, view: View, state: DealerState) -> None:
        """Move the marks with the day's return and the discount, and the hedges with them."""
        share = 1.0 / self.mark_life
        move = np.log(view.spot / state.spot)
        state.spot = view.spot.copy()
        state.vol = np.sqrt((1 - share) * state.vol**2 + share * move**2 * TRADING_DAYS_A_YEAR)
        state.q = state.q + share * (Street().q - QUARTERS * view.basis - state.q)
        state.tables = street_grid().at(state.vol, state.q)

    def plan(self, view: View, state: DealerState) -> Plan:
        """Flag what knocked in at this close; re-mark volatility and discount for tomorrow."""
        if self.remark:
            self._mark(view, state)
        inside = view.spot[:, state.notes.underlying] <= state.notes.level
        fresh = state.notes.by_underlying((inside & ~state.knocked_in) * state.notes.notional)
        state.knocked_in |= inside
        notices = [
            Notice(path=int(p), cell=("csi500", "csi1000")[u], kind="knock_in",
                   amount=float(fresh[p, u]))
            for p, u in zip(*np.nonzero(fresh), strict=True)
        ]  # fmt: skip
        return Plan(notices=notices)


def _knocked_in(notes: KnockInMap, spot: Float64) -> Bool:
    inside = spot[:, notes.underlying] <= notes.level
    return inside if notes.lost is None else inside | notes.lost


def knocked_in_share(state: DealerState) -> Float64:
    """Return the share of notional knocked in, by path and underlying, (P, 2)."""
    notes = state.notes
    total = notes.by_underlying(notes.notional[None, :])
    return notes.by_underlying(state.knocked_in * notes.notional) / np.maximum(total, 1.0)


@dataclass(kw_only=True)
class RunnerState:
    """The published map, and which notes have knocked in, (P, B)."""

    notes: KnockInMap
    knocked_in: Bool


@dataclass(frozen=True, kw_only=True)
class FrontRunners:
    """Traders who sell futures ahead of a cluster of knock-ins and cover when it has passed."""

    enabled: bool = True
    size: float = parameter(
        0.15, "short per notional within 5% of its knock-in", source=PROTOTYPE, low=0.0, high=2.0
    )
    speed: float = parameter(
        0.12, "share of the gap traded a bar", source="design:model 1 a.4", low=0.01, high=1.0
    )

    def open(self, opening: Opening) -> tuple[Positions, RunnerState]:
        """Return one empty book."""
        notes = opening.knock_in_map
        levels = opening.market.levels
        spot = np.tile([levels["csi500"], levels["csi1000"]], (opening.paths, 1))
        return empty_book(opening), RunnerState(notes=notes, knocked_in=_knocked_in(notes, spot))

    def decide(self, view: View, state: RunnerState) -> Orders:
        """Be short in proportion to the published map around the index, in a falling market."""
        notes = state.notes
        ratio = notes.level / view.spot[:, notes.underlying]
        near = (ratio >= 0.95) & (ratio <= 1.02) & ~state.knocked_in
        fall = np.maximum(0.0, -view.memory[:, UNDER] - 0.02) / 0.04
        fall = np.minimum(1.0, fall) * view.panic[:, UNDER]
        target = -self.size * notes.by_underlying(near * notes.notional) * fall
        return Orders(futures=self.speed * (target[:, None, :] - view.own.futures))

    def plan(self, view: View, state: RunnerState) -> None:
        """Remember which notes have knocked in: the map is published."""
        state.knocked_in |= view.spot[:, state.notes.underlying] <= state.notes.level


def empty_book(opening: Opening) -> Positions:
    """Return one book without stock, cash or futures."""
    wide = (opening.paths, 1)
    return Positions(
        cells=("all",),
        shares=np.zeros((*wide, len(opening.market.stocks))),
        cash=np.zeros(wide),
        futures=np.zeros((*wide, 2)),
        capital=np.zeros(wide),
        hedge_mix=np.zeros((1, 2)),
    )
