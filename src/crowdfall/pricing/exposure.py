"""What a book will buy and sell: knock-in map, ladder, shocks, pin risk and totals.

A hedge is what the dealers hold, so a positive number is long futures; a trade is its change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np

from crowdfall.pricing.book import FUTURES, PLAIN, MarkedBook, Policy, mark
from crowdfall.pricing.value import BUMP, POINT
from crowdfall.rules.futures import multiplier
from crowdfall.types import Float64

MOVES: Final = (-0.10, -0.05, -0.03, -0.01, 0.01, 0.03)
"""Index moves that desks ask about (design:system D.1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an underlying stands: its level in points, the day, and futures' open interest.

    ``open_interest`` in lots, all months, one side; None where shares of it are not asked for.
    """

    underlying: str
    level: float
    on: date
    open_interest: float | None = None

    @property
    def yuan_a_lot(self) -> float:
        """Return what one lot of the own futures is worth at the level."""
        return self.level * multiplier(FUTURES[self.underlying], self.on)

    def lots(self, yuan: Float64, levels: Float64) -> Float64:
        """Return yuan of hedge as lots of the own futures at each level."""
        return yuan / (levels * multiplier(FUTURES[self.underlying], self.on))


@dataclass(frozen=True, kw_only=True, slots=True)
class Totals:
    """A book's value and greeks on one underlying, in yuan.

    ``delta``: hedge held. ``gamma``: change of the hedge when the index rises one percent. ``vega``
    and ``dv_dq`` per percentage point, ``theta`` per session at an unchanged index.
    """

    underlying: str
    notes: int
    notional: float
    knocked_in_share: float
    value: float
    delta: float
    lots: float
    gamma: float
    vega: float
    dv_dq: float
    theta: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """Notes that knock in within half a bucket of ``level``; yuan, lots and fractions.

    ``distance``: of the level from the index. ``cumulative``: share of the book with a knock-in at
    or above it. ``sold``: hedge that goes at the knock-in; ``lots`` of it, and of open interest.
    """

    level: float
    distance: float
    notional: float
    share: float
    cumulative: float
    sold: float
    lots: float
    open_interest_share: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shock:
    """What the dealers trade when the index moves at once by ``move``; sales are negative."""

    move: float
    level: float
    knocked_in_share: float
    hedge: float
    trade: float
    lots: float
    open_interest_share: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """A level near the index at which the hedge jumps: a knock-in, or a knock-out to come."""

    kind: str
    level: float
    distance: float
    sessions: int
    notional: float
    jump: float
    lots: float


def totals(marked: MarkedBook, place: Place) -> Totals:
    """Return a book's totals on one underlying; vega and dv_dq by re-marking it either side."""
    book, name = marked.book, place.underlying
    mine = book.on(name)
    at = np.array([place.level])
    notional = float(book.notional[mine].sum())
    lost = float(book.notional[mine][book.lost(name, place.level)].sum())
    slopes = []
    for field in ("vol", "q"):
        ends = []
        for bump in (-BUMP, BUMP):
            marks = dict(marked.marks)
            marks[name] = replace(marks[name], **{field: getattr(marks[name], field) + bump})
            ends.append(float(mark(book, marks).value(name, at)[0, 0]))
        slopes.append((ends[1] - ends[0]) / (2 * BUMP) * POINT)
    value = float(marked.value(name, at)[0, 0])
    hedge = float(marked.hedge(name, at)[0, 0])
    near = marked.hedge(name, place.level * np.array([0.995, 1.005]))[0]
    return Totals(
        underlying=name, notes=len(mine), notional=notional,
        knocked_in_share=lost / notional if notional else 0.0,
        value=value, delta=hedge, lots=hedge / place.yuan_a_lot,
        gamma=float(near[1] - near[0]), vega=slopes[0], dv_dq=slopes[1],
        theta=float(marked.value(name, at, days=1)[0, 0]) - value,
    )  # fmt: skip


def ladder(
    marked: MarkedBook, place: Place, levels: Float64, days: Sequence[int] = (0,),
    policy: Policy = PLAIN,
) -> Float64:  # fmt: skip
    """Return the hedge in yuan over days ahead x index levels, shape (D, L)."""
    return np.array(
        [marked.hedge(place.underlying, levels, days=day, policy=policy)[0] for day in days]
    )


def levels_around(place: Place, low: float = 0.8, high: float = 1.1, step: float = 100) -> Float64:
    """Return round index levels between two fractions of the present one, falling."""
    bottom = np.ceil(place.level * low / step) * step
    return np.arange(np.floor(place.level * high / step) * step, bottom - step / 2, -step)


def knock_in_map(marked: MarkedBook, place: Place, width: float = 100.0) -> list[Bucket]:
    """Return the knock-in map 敲入分布图 of notes still alive, highest level first.

    A bucket holds the levels within half a ``width`` of a multiple of it, as brokers publish.
    """
    book, name = marked.book, place.underlying
    mine = book.on(name)
    levels, notional = book.knock_in_level[mine], book.notional[mine]
    alive = ~book.lost(name, place.level) & (levels > 0)
    jumps = marked.jumps(name)
    label = np.floor(levels / width + 0.5) * width
    whole = float(notional.sum())
    passed = float(notional[~alive & (levels > 0)].sum())
    rows = []
    for level in np.unique(label[alive])[::-1].tolist():
        inside = alive & (label == level)
        amount, sold = float(notional[inside].sum()), float(jumps[inside].sum())
        passed += amount
        lots = sold / (level * place.yuan_a_lot / place.level)
        share = None if place.open_interest is None else lots / place.open_interest
        rows.append(
            Bucket(
                level=level, distance=level / place.level - 1, notional=amount,
                share=amount / whole, cumulative=passed / whole, sold=sold, lots=lots,
                open_interest_share=share,
            )
        )  # fmt: skip
    return rows


def shocks(
    marked: MarkedBook, place: Place, moves: Sequence[float] = MOVES, policy: Policy = PLAIN
) -> list[Shock]:
    """Return what must be traded for each move of the index, and the share then knocked in.

    A trade smaller than the policy's band is left alone and told as zero.
    """
    book, name = marked.book, place.underlying
    notional = book.notional[book.on(name)]
    whole = float(notional.sum())
    levels = place.level * (1 + np.array([0.0, *moves]))
    hedge = marked.hedge(name, levels, policy=policy)[0]
    rows = []
    for move, level, held in zip(moves, levels[1:].tolist(), hedge[1:].tolist(), strict=True):
        trade = held - float(hedge[0])
        trade = trade if abs(trade) > policy.band * whole else 0.0
        lots = trade / (level * place.yuan_a_lot / place.level)
        lost = float(notional[book.lost(name, level)].sum()) / whole
        share = None if place.open_interest is None else lots / place.open_interest
        rows.append(
            Shock(
                move=move, level=level, knocked_in_share=lost, hedge=held, trade=trade, lots=lots,
                open_interest_share=share,
            )
        )  # fmt: skip
    return rows


def by_instrument(
    place: Place, yuan: float, policy: Policy, levels: dict[str, float]
) -> dict[str, float]:
    """Return a hedge split by the policy's mix: lots of futures, yuan of ETF.

    ``levels``: index points of the other underlyings whose futures the mix names.
    """
    home = {future: index for index, future in FUTURES.items()}
    out = {}
    for name, share in policy.instruments(place.underlying).items():
        if name == "etf":
            out[name] = share * yuan
            continue
        level = place.level if home[name] == place.underlying else levels[home[name]]
        out[name] = share * yuan / (level * multiplier(name, place.on))
    return out


def pin_risk(
    marked: MarkedBook, place: Place, window: float = 0.03, sessions: int = 5, width: float = 50.0
) -> list[Pin]:
    """Return levels within ``window`` of the index where the hedge jumps within some sessions.

    Knock-ins count at their next close; knock-outs where a note's observation is at most
    ``sessions`` ahead. ``jump`` is what the hedge changes by when the level is crossed.
    """
    book, name = marked.book, place.underlying
    mine = book.on(name)
    lost, jumps = book.lost(name, place.level), marked.jumps(name)
    found: dict[tuple[str, float, int], tuple[float, float]] = {}
    for k, note in enumerate(mine.tolist()):
        table = book.tables[int(book.family[note])]
        age, initial = int(book.age[note]), float(book.initial[note])
        notional = float(book.notional[note])
        crossings = []
        if not lost[k] and table.watched > 0 and age < table.last:
            crossings.append(("knock_in", table.watched * initial, 1, -float(jumps[k])))
        ahead = table.knock_out[age + 1 : age + 1 + sessions]
        for wait in np.flatnonzero(np.isfinite(ahead))[:1].tolist():
            crossings.append(("knock_out", float(ahead[wait]) * initial, wait + 1, -np.inf))
        for kind, level, wait, jump in crossings:
            if abs(level / place.level - 1) <= window:
                if kind == "knock_out":
                    jump = -_hedge_of(marked, note, level, wait - 1)
                key = (kind, float(np.round(level / width) * width), wait)
                old = found.get(key, (0.0, 0.0))
                found[key] = (old[0] + notional, old[1] + jump)
    largest = sorted(found.items(), key=lambda item: -abs(item[1][1]))
    return [
        Pin(
            kind=kind, level=level, distance=level / place.level - 1, sessions=wait,
            notional=notional, jump=jump, lots=jump / (level * place.yuan_a_lot / place.level),
        )
        for (kind, level, wait), (notional, jump) in largest
    ]  # fmt: skip


def _hedge_of(marked: MarkedBook, note: int, level: float, days: int) -> float:
    """Return one note's hedge just below its knock-out, ``days`` sessions ahead."""
    rows = np.ones(len(marked.book), dtype=np.int64)
    rows[note] = 0
    at = np.array([level * (1 - 1e-9)])
    return float(marked.hedge(marked.book.underlying[note], at, days=days, rows=rows)[0, 0])
