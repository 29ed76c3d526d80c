"""One backward sweep per term family: claims of one timetable on panels, for all ages at once.

A note is two claims: ``held`` is the note once knocked in, ``shield`` is what the protection adds
(alive minus knocked in), which is nothing at or below the knock-in. Both obey the same recursion
and no other couples them, so each day costs two products with a banded matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from crowdfall.pricing import kernels
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.panels import (
    WIDTH,
    Grid,
    Strips,
    basis,
    basis_slope,
    density,
    expect,
    expect_value,
    legendre,
)
from crowdfall.products.timetable import Payoff, Timetable
from crowdfall.types import Float64

REACH: Final = 5.5
"""Standard deviations on the way from a price over the grid's end to a level."""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """C claims of one timetable that are swept together; amounts per unit of notional.

    ``redeemed`` (N + 1, C): paid at a knock-out. ``coupons`` (N + 1, C): paid at or above the
    coupon level, below the knock-out. ``end``: paid at maturity by log price. ``rate`` (C,):
    interest per year. ``shielded``: the claim is worth nothing at or below an observed knock-in.
    """

    redeemed: Float64
    coupons: Float64
    end: Strips
    rate: Float64
    shielded: bool


def grid_for(table: Timetable, marks: Marks, lowest: float, highest: float, since: int = 0) -> Grid:
    """Return panels beyond whose ends every claim may be taken as linear in price.

    ``lowest`` and ``highest``: prices to be read from session ``since`` on, as fractions of the
    initial price. An end lies so far out that no path gets from such a price to it and on to the
    outermost level: below in what is left of the life, above before the next knock-out observation.
    """
    step = 1.0 / table.year
    deviation = marks.vol * math.sqrt(step)
    drift = (marks.rate - marks.q - 0.5 * marks.vol**2) * step
    out = np.flatnonzero(np.isfinite(table.knock_out))
    levels = [*table.lost.low[1:], *table.survived.low[1:], *table.knock_out[out]]
    levels += [*table.coupon_level[np.isfinite(table.coupon_level)]]
    watched = table.watched
    if watched == 0.0:
        levels.append(table.knock_in[-1])
    levels = [float(level) for level in levels if level > 0] or [1.0]
    life = max(1, table.last - since)
    gap = int(np.max(np.diff(np.array([since, *out[out > since], table.last]))))
    way = REACH * deviation * math.sqrt(life)
    bottom, top = math.log(min(levels)), math.log(max(levels))
    left = 0.5 * (bottom + math.log(lowest) - way) - max(0.0, drift * life)
    left = min(left, bottom - deviation, math.log(lowest) - deviation)
    if watched > 0.0:
        left = min(left, math.log(watched) - deviation)
    near, far = (life, gap) if math.log(highest) < top else (gap, life)
    right = max(top, math.log(highest)) + max(0.0, -drift * gap)
    right += deviation * _detour(abs(math.log(highest) - top) / deviation, near, max(1, far))
    grid = Grid(left=left, count=1, drift=drift, deviation=deviation)
    return replace(grid, count=math.ceil((right - left) / grid.width))


def _detour(apart: float, life: int, gap: int) -> float:
    """Return D >= 1 with (D + apart)^2 / life + D^2 / gap = REACH^2, in daily deviations."""
    both = 1 / life + 1 / gap
    half = apart / life
    inside = half**2 - both * (apart**2 / life - REACH**2)
    return max(1.0, (math.sqrt(inside) - half) / both) if inside > 0 else 1.0


class Sweep:
    """The values of some claims on every session, read at any log price.

    ``values`` has shape (N, claims, panels, 16): session d holds the value at the grid's nodes just
    after that session's observation, the note still running. Sessions before ``since`` are left
    out: a single price at age ``since - 1`` needs no earlier ones.
    """

    def __init__(self, table: Timetable, claims: Claims, grid: Grid, since: int = 0) -> None:
        self.table, self.claims, self.grid = table, claims, grid
        self.discount = np.exp(-claims.rate / table.year)
        count = len(claims.rate)
        self.values = np.empty((table.last, count, grid.count, WIDTH))
        last = expect_value(claims.end, grid.nodes().ravel(), grid.drift, grid.deviation)
        self.values[-1] = (last * self.discount[:, None]).reshape(count, grid.count, WIDTH)
        self.outside = _outside(table, claims, grid, self.discount)
        if table.last > 1:
            kernels.sweep(self.values, _plan(self), since)

    def read(self, session: int, points: Float64) -> Float64:
        """Return value, first and second derivative in log price, shape (3, claims, points).

        Exact: one more day's expectation of the next session's values, not an interpolation.
        ``session`` is 0 to N - 1, just after that session's observation.
        """
        grid = self.grid
        if session == self.table.last - 1:
            whole = expect(self.claims.end, points, grid.drift, grid.deviation)
        else:
            at, weights, values = self._sources(session + 1)
            u = (at[:, None] - points - grid.drift) / grid.deviation
            bell = weights[:, None] * density(u) / grid.deviation
            steep = u / grid.deviation
            orders = (bell, bell * steep, bell * (steep**2 - grid.deviation**-2))
            whole = np.array([values @ order for order in orders])
            strips = self._strips(session + 1)
            whole += expect(strips, points, grid.drift, grid.deviation)
        return np.asarray(whole * self.discount[:, None])

    def interpolate(self, session: int, points: Float64) -> Float64:
        """Return value and first derivative in log price, shape (2, claims, points).

        By each panel's polynomial: sixteen products a point, error below 1e-4 of notional.
        ``points`` lie inside the grid.
        """
        grid = self.grid
        panel = np.clip(((points - grid.left) // grid.width).astype(np.int64), 0, grid.count - 1)
        local = (points - grid.left) / (0.5 * grid.width) - 2 * panel - 1
        values = self.values[session][:, panel]
        slope = basis_slope(local) / (0.5 * grid.width)
        return np.array(
            [np.einsum("cpj,pj->cp", values, weights) for weights in (basis(local), slope)]
        )

    def _sources(self, session: int) -> tuple[Float64, Float64, Float64]:
        """Return points, weights and values of the part of a session's grid that runs on."""
        grid = self.grid
        low, high = _window(self.table, self.claims, session)
        first = 0 if low == -math.inf else grid.panel(low)
        final = grid.count - 1 if high == math.inf else grid.panel(high)
        nodes, weights = legendre()
        at = grid.nodes()[first : final + 1]
        shares = np.tile(0.5 * grid.width * weights, (len(at), 1))
        values = self.values[session, :, first : final + 1].copy()
        for panel in {first, final}:
            start, end = grid.part(panel, low, high)
            if (start, end) == (-1.0, 1.0):
                continue
            inner = 0.5 * (start + end) + 0.5 * (end - start) * nodes
            k = panel - first
            at[k] = 0.5 * sum(grid.ends(panel)) + 0.5 * grid.width * inner
            shares[k] *= 0.5 * (end - start)
            values[:, k] = values[:, k] @ basis(inner).T
        return at.ravel(), shares.ravel(), values.reshape(len(values), -1)

    def _strips(self, session: int) -> Strips:
        """Return what a session pays, and what runs on beyond the grid, as strips."""
        claims, grid = self.claims, self.grid
        paid, levels = _paid(self.table, claims)[session], _levels(self.table, session)
        below, above = self.outside[session, :, 0], self.outside[session, :, 1].copy()
        if levels[0] < math.inf:
            above[:] = 0.0
        if claims.shielded and self.table.knock_in[session] > 0:
            below = np.zeros_like(below)
        none = np.zeros(len(claims.rate))
        return Strips(
            low=np.array([*levels, -math.inf, grid.right]),
            high=np.array([math.inf, math.inf, grid.left, math.inf]),
            fixed=np.array([paid[:, 0], paid[:, 1], below[:, 0], above[:, 0]]),
            slope=np.array([none, none, below[:, 1], above[:, 1]]),
        )


def _window(table: Timetable, claims: Claims, session: int) -> tuple[float, float]:
    """Return the log prices between which a claim runs on past a session's observation."""
    level = table.knock_in[session]
    low = math.log(level) if claims.shielded and level > 0 else -math.inf
    high = table.knock_out[session]
    return low, math.log(high) if high < math.inf else math.inf


def _levels(table: Timetable, session: int) -> list[float]:
    """Return the log prices above which a session's knock-out and its coupon are paid."""
    out, coupon = float(table.knock_out[session]), float(table.coupon_level[session])
    first = math.log(out) if out < math.inf else math.inf
    if coupon >= out:
        return [first, math.inf]
    return [first, math.log(coupon) if coupon > 0 else -math.inf]


def _paid(table: Timetable, claims: Claims) -> Float64:
    """Return the amounts paid above the two levels of each session, shape (N + 1, claims, 2).

    The coupon counts from its level on: above the knock-out it is taken back from the redemption.
    """
    paid = np.zeros((table.last + 1, len(claims.rate), 2))
    out, coupon = np.isfinite(table.knock_out), table.coupon_level < table.knock_out
    paid[out, :, 0] = claims.redeemed[out]
    paid[coupon, :, 1] = claims.coupons[coupon]
    paid[out & coupon, :, 0] -= claims.coupons[out & coupon]
    return paid


def _outside(table: Timetable, claims: Claims, grid: Grid, discount: Float64) -> Float64:
    """Return a + b S beyond both ends, shape (N, claims, 2 ends, 2), after each session.

    Beyond the ends a claim is linear in price: nothing there can reach a level any more.
    """
    growth = math.exp(grid.drift + 0.5 * grid.deviation**2)
    end = claims.end
    ahead = np.zeros((len(claims.rate), 2, 2))
    for place, far in ((0, end.low == -math.inf), (1, end.high == math.inf)):
        ahead[:, place, 0] = end.fixed[far].sum(axis=0)
        ahead[:, place, 1] = end.slope[far].sum(axis=0)
    seen = table.coupon_level < table.knock_out
    added = np.zeros((table.last + 1, len(claims.rate), 2))
    added[seen, :, 1] = claims.coupons[seen]
    added[seen & (table.coupon_level == 0), :, 0] = claims.coupons[seen & (table.coupon_level == 0)]
    reset = np.zeros((table.last + 1, 2), dtype=np.bool_)
    reset[:, 0] = claims.shielded & (table.knock_in > 0)
    reset[:, 1] = np.isfinite(table.knock_out)
    out = np.empty((table.last, len(claims.rate), 2, 2))
    kernels.recede(out, ahead, added, reset, claims.redeemed, growth, discount)
    return out


def _plan(sweep: Sweep) -> kernels.Plan:
    """Return the arrays of the compiled recursion; each distinct set of levels worked out once."""
    table, claims, grid = sweep.table, sweep.claims, sweep.grid
    nodes = grid.nodes()
    parts, above = [(-1.0, 1.0)], [math.inf]
    known: dict[tuple[float, ...], int] = {}
    firsts, which = table.kinds
    days = np.zeros((table.last + 1, 6), dtype=np.int64)

    def step(level: float) -> int:
        if level == math.inf:
            return 0
        if (level,) not in known:
            known[(level,)] = len(above)
            above.append(level)
        return known[(level,)]

    def block(panel: int, low: float, high: float) -> int:
        part = grid.part(panel, low, high)
        if (panel, *part) not in known:
            known[(panel, *part)] = len(parts)
            parts.append(part)
        return known[(panel, *part)]

    for kind, session in enumerate(firsts.tolist()):
        low, high = _window(table, claims, session)
        paid_above = _levels(table, session)
        bottom = 0 if low == -math.inf else grid.panel(low)
        top = grid.count - 1 if high == math.inf else grid.panel(high)
        first = 0 if low == -math.inf else block(bottom, low, high)
        final = first if top == bottom else 0
        final = final if high == math.inf else block(top, low, high)
        row = (bottom, first, top, final, step(paid_above[0]), step(paid_above[1]))
        days[: table.last][which == kind] = row
    return kernels.Plan(
        blocks=grid.blocks(np.array(parts)), days=days,
        steps=grid.above(nodes, np.array(above)[:, None, None]), paid=_paid(table, claims),
        edges=_edges(sweep), discount=sweep.discount,
    )  # fmt: skip


def _edges(sweep: Sweep) -> Float64:
    """Return what next day's values beyond the grid add at its outermost panels."""
    table, claims, grid = sweep.table, sweep.claims, sweep.grid
    nodes = grid.nodes()
    ends = []
    for panel, low, high in ((0, -math.inf, grid.left), (-1, grid.right, math.inf)):
        strip = Strips(
            low=np.array([low]), high=np.array([high]),
            fixed=np.array([[1.0, 0.0]]), slope=np.array([[0.0, 1.0]]),
        )  # fmt: skip
        ends.append(expect_value(strip, nodes[panel], grid.drift, grid.deviation))
    edges = np.zeros((table.last + 1, len(claims.rate), 2, WIDTH))
    edges[: table.last] = np.einsum("scea,ean->scen", sweep.outside, np.array(ends))
    edges[:-1, :, 1][np.isfinite(table.knock_out[:-1])] = 0.0
    if claims.shielded:
        edges[:-1, :, 0][table.knock_in[:-1] > 0] = 0.0
    return edges


def strips_of(rows: list[tuple[float, float, Float64, Float64]]) -> Strips:
    """Return strips from rows (low price, high price, fixed per claim, slope per claim)."""
    with np.errstate(divide="ignore"):
        low = np.log(np.array([row[0] for row in rows]))
        high = np.log(np.array([row[1] for row in rows]))
    fixed = np.array([row[2] for row in rows])
    return Strips(low=low, high=high, fixed=fixed, slope=np.array([row[3] for row in rows]))


def payoff_rows(
    payoff: Payoff, low: float, high: float, mix: Float64, sign: float = 1.0
) -> list[tuple[float, float, Float64, Float64]]:
    """Return a payoff's pieces inside low..high, its pair of amounts mixed into claims.

    ``mix`` has shape (2, C): how much of (fixed, per coupon) each claim holds; slopes go along
    with the fixed part.
    """
    rows = []
    for k in range(len(payoff.low)):
        start, end = max(low, float(payoff.low[k])), min(high, float(payoff.high[k]))
        if start < end:
            pair = np.array([payoff.fixed[k], payoff.per_coupon[k]])
            rows.append((start, end, sign * pair @ mix, sign * payoff.slope[k] * mix[0]))
    return rows
