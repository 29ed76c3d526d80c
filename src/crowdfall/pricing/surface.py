"""Surfaces: value and hedge of a whole term family for every session, price and state at once.

A family is every note with the same timetable, whatever its entry level, issue date and coupon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.pricing.claims import APART, note
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.panels import WIDTH, basis, basis_slope
from crowdfall.pricing.sweeps import Sweep, grid_for
from crowdfall.products.timetable import Timetable
from crowdfall.types import Float32, Float64

LOWEST: Final = 0.45
HIGHEST: Final = 1.5
"""Prices over the initial price between which surfaces are tabulated."""
FINE: Final = 32
"""Table points a panel: a step is a quarter of a daily standard deviation."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Tables of one claim on even steps of ln(S / initial), T points from ``first`` on.

    ``value`` and ``hedge`` have shape (N, 2, T): session just observed, (fixed part, part per
    coupon), log price. Hedge is dV / d ln S: futures in yuan per yuan of notional, the same number
    as S delta / initial.
    """

    first: float
    step: float
    value: Float32
    hedge: Float32

    def line(self, session: int, coupon: float, log_price: Float64) -> Float64:
        """Return the hedge of a session at log prices, by straight lines between the points."""
        at = self.first + self.step * np.arange(self.hedge.shape[2])
        fixed, per_coupon = self.hedge[session].astype(np.float64)
        return np.asarray(np.interp(log_price, at, fixed + coupon * per_coupon))


@dataclass(frozen=True, kw_only=True)
class Surface:
    """Tables of one family: the note once knocked in, and what protection adds while it lasts.

    At or below the knock-in protection is gone, whatever the table says there.
    """

    table: Timetable
    marks: Marks
    held: Sheet
    shield: Sheet

    @property
    def knock_in(self) -> float:
        """Return the log price at or below which a daily observed protection is gone."""
        level = self.table.watched
        return math.log(level) if level > 0 else -math.inf

    def hedge_at(self, session: int, coupon: float, log_price: Float64) -> Float64:
        """Return the hedge per notional of a note not knocked in before, linear in the table.

        For charts and single looks; ``pricing.book`` reads whole books by cubics.
        """
        out = self.held.line(session, coupon, log_price)
        kept = self.shield.line(session, coupon, log_price)
        return np.asarray(out + np.where(log_price > self.knock_in, kept, 0.0))


def surface(table: Timetable, marks: Marks) -> Surface:
    """Return the surfaces of a family; single precision, 1e-5 per 100 in value."""
    grid = grid_for(table, marks, LOWEST, HIGHEST)
    held, shield = (Sweep(table, claims, grid) for claims in note(table, marks.rate, APART))
    return Surface(
        table=table,
        marks=marks,
        held=_sheet(held, LOWEST),
        shield=_sheet(shield, max(table.watched * math.exp(-grid.width), LOWEST)),
    )


def _sheet(sweep: Sweep, lowest: float) -> Sheet:
    """Return a sweep's tables from one price on: one product with a small matrix each."""
    grid, sessions = sweep.grid, sweep.table.last
    first = max(0, grid.panel(math.log(lowest)))
    final = min(grid.count, grid.panel(math.log(HIGHEST)) + 1)
    local = (np.arange(FINE) + 0.5) / FINE * 2 - 1
    level = basis(local).T.astype(np.float32)
    slope = (basis_slope(local).T / (0.5 * grid.width)).astype(np.float32)
    # One small product a session: a single large one would be spread over threads, and the threads
    # of a run's other processes are in the way.
    nodes = sweep.values[:, :, first:final].astype(np.float32).reshape(sessions, -1, WIDTH)
    step = grid.width / FINE
    return Sheet(
        first=grid.ends(first)[0] + 0.5 * step,
        step=step,
        value=(nodes @ level).reshape(sessions, 2, -1),
        hedge=(nodes @ slope).reshape(sessions, 2, -1),
    )
