"""A dealer's daily profit and loss on a snowball it sold and hedges with futures.

The dealer takes in the note's price, keeps it as cash at the marked rate and holds futures worth
the note's delta. Its equity is cash less the note at model value. Every term below is worked out
from its own definition; what they do not explain is reported as ``residual`` and never spread.

====================  ==============================================================================
financing             interest on cash
index                 futures held x the index's return
roll_yield            futures held x (the futures' return - the index's): 贴水 earned, basis moves
delta                 - note's delta x the index's move: what ``index`` is there to offset
gamma                 - note's curvature over the move, from delta and gamma along it
theta                 - change of the note at the new index over a session without an event
observation           - the same over a session with one: knock-in, knock-out day, coupon, maturity
remark                - change of the note by the session's new marks
costs                 - commission and impact on what is traded
====================  ==============================================================================

``gamma`` adds up the note's slope along the move by the corrected trapezoid rule in two halves
(Euler-Maclaurin: slopes at both ends and the middle, curvatures at both ends), so the residual is
what that rule misses: it falls with the fifth power of the move where the value is smooth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.errors import DataError
from crowdfall.pricing.book import PLAIN, Book, Policy
from crowdfall.pricing.claims import note, together
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.sweeps import Sweep, grid_for
from crowdfall.pricing.value import par
from crowdfall.products.timetable import Timetable
from crowdfall.types import Bool, Float64

TERMS: Final = (
    "financing", "index", "roll_yield", "delta", "gamma", "theta", "observation", "remark", "costs",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Closes over the initial price along P paths of T sessions after the first.

    ``spot`` (P, T + 1). ``futures`` (P, T, 2): the contract held over each session, at its start
    and its end; where the dealer rolls, one session's end and the next one's start differ.
    """

    spot: Float64
    futures: Float64

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit and prices that are missing; raises DataError."""
        paths, sessions = self.spot.shape[0], self.spot.shape[1] - 1
        if self.futures.shape != (paths, sessions, 2) or sessions < 1:
            raise DataError("paths_shape", spot=self.spot.shape, futures=self.futures.shape)
        for name in ("spot", "futures"):
            values = getattr(self, name)
            wrong = ~(np.isfinite(values) & (values > 0))
            if wrong.any():
                raise DataError("paths_price", column=name, row=int(np.argwhere(wrong)[0][1]))


@dataclass(frozen=True, kw_only=True)
class Deal:
    """A note sold: its timetable, coupon, age and state at the start, and its price then.

    ``price`` per unit of notional; None sells it at par (at nothing where only margin is paid in).
    ``cost``: share of the futures' value lost on each trade.
    """

    table: Timetable
    coupon: float
    age: int = 0
    knocked_in: bool = False
    price: float | None = None
    policy: Policy = PLAIN
    cost: float = 0.0


@dataclass(frozen=True, kw_only=True)
class HedgeResult:
    """Profit and loss per unit of notional; ``terms`` and the others (P, T), zero after the end.

    ``terms`` holds the nine terms by name, ``total`` the change of equity from the cash account,
    which none of them enters. ``hedge`` is held over each session, ``cash`` and ``liability``
    (P, T + 1) stand after it. ``life`` (P,): sessions until the end, or T.
    """

    terms: dict[str, Float64]
    total: Float64
    hedge: Float64
    cash: Float64
    liability: Float64
    life: Float64

    @property
    def residual(self) -> Float64:
        """Return what the terms leave unexplained, shape (P, T)."""
        return np.asarray(self.total - sum(self.terms.values()))

    def sums(self) -> dict[str, float]:
        """Return each term, the residual and the total, added over sessions, mean of paths."""
        rows = {**self.terms, "residual": self.residual, "total": self.total}
        return {name: float(values.sum(axis=1).mean()) for name, values in rows.items()}


def backtest(deal: Deal, paths: Paths, marks: Marks | Sequence[Marks]) -> HedgeResult:
    """Return the dealer's daily profit and loss along paths.

    ``marks``: one set, or one for each close, T + 1 of them; a session is lived through at the
    marks of the close before. Raises DataError where marks or paths do not fit.
    """
    sessions = paths.spot.shape[1] - 1
    daily = [marks] * (sessions + 1) if isinstance(marks, Marks) else list(marks)
    if len(daily) != sessions + 1:
        raise DataError("marks_count", count=len(daily), needed=sessions + 1)
    return _Run(deal, paths, daily).result()


def backtest_book(
    book: Book, underlying: str, paths: Paths, marks: Marks | Sequence[Marks],
    policy: Policy = PLAIN, cost: float = 0.0,
) -> HedgeResult:  # fmt: skip
    """Return the profit and loss, in yuan, on all notes of a book on one underlying.

    ``paths``: one path in index points (1, T + 1). Notes of one family, age, coupon and state are
    run together; every note is hedged on its own, so a policy's band and cap hold note by note.
    ``life`` is that of the longest note. Raises DataError for more than one path.
    """
    if len(paths.spot) != 1:
        raise DataError("paths_shape", spot=paths.spot.shape, futures=paths.futures.shape)
    parts = []
    for (family, age, coupon, lost), members in _alike(book, underlying).items():
        deal = Deal(
            table=book.tables[int(family)], coupon=coupon, age=int(age), knocked_in=bool(lost),
            policy=policy, cost=cost,
        )  # fmt: skip
        scale = 1.0 / book.initial[members]
        own = Paths(spot=scale[:, None] * paths.spot, futures=scale[:, None, None] * paths.futures)
        parts.append((backtest(deal, own, marks), book.notional[members]))
    if not parts:
        raise DataError("book_empty", file=underlying)

    def whole(name: str) -> Float64:
        rows = [weight @ getattr(each, name) for each, weight in parts]
        return np.asarray(np.sum(rows, axis=0))[None]

    terms = {
        name: np.sum([weight @ each.terms[name] for each, weight in parts], axis=0)[None]
        for name in TERMS
    }
    return HedgeResult(
        terms=terms, total=whole("total"), hedge=whole("hedge"), cash=whole("cash"),
        liability=whole("liability"),
        life=np.array([max(float(each.life.max()) for each, _ in parts)]),
    )  # fmt: skip


def _alike(book: Book, underlying: str) -> dict[tuple[float, ...], list[int]]:
    """Return the numbers of notes by family, age, coupon and state."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for member in book.on(underlying).tolist():
        key = (book.family[member], book.age[member], book.coupon[member], book.knocked_in[member])
        groups.setdefault(tuple(float(each) for each in key), []).append(member)
    return groups


class _Valuer:
    """Reads a note at one day's marks; sweeps anew only where the marks change."""

    def __init__(self, deal: Deal, low: float, high: float) -> None:
        self.deal, self.range = deal, (low, high)
        self.marks: Marks | None = None

    def use(self, marks: Marks, age: int) -> None:
        if marks == self.marks:
            return
        table = self.deal.table
        grid = grid_for(table, marks, *self.range)
        claims = note(table, marks.rate, together(self.deal.coupon))
        self.held, self.shield = (Sweep(table, claim, grid, age) for claim in claims)
        self.marks = marks

    def read(self, age: int, spot: Float64, lost: Bool) -> Float64:
        """Return value and first two derivatives in log price, shape (3, P)."""
        at = np.log(spot)
        out = self.held.read(age, at)[:, 0]
        alive = ~lost
        if alive.any():
            out[:, alive] += self.shield.read(age, at[alive])[:, 0]
        return out

    def ramp(self, age: int, spot: Float64, lost: Bool, width: float) -> Float64:
        """Return the part of protection's hedge a desk still holds a little below the knock-in."""
        level = self.deal.table.watched
        if width == 0 or level == 0:
            return np.zeros(len(spot))
        whole = float(self.shield.read(age, np.array([math.log(level)]))[1, 0, 0])
        left = 1 - np.log(level / spot) / -math.log(1 - width)
        return np.where(lost, whole * np.clip(left, 0.0, 1.0), 0.0)


class _Run:
    """The state of a backtest: struct of arrays over paths."""

    def __init__(self, deal: Deal, paths: Paths, marks: list[Marks]) -> None:
        self.deal, self.paths, self.marks = deal, paths, marks
        count, sessions = paths.spot.shape[0], paths.spot.shape[1] - 1
        self.book = {name: np.zeros((count, sessions)) for name in (*TERMS, "total", "hedge")}
        self.cash = np.zeros((count, sessions + 1))
        self.liability = np.zeros((count, sessions + 1))
        self.open = np.ones(count, dtype=np.bool_)
        self.lost = np.full(count, deal.knocked_in)
        if deal.age > 0:
            self.lost |= paths.spot[:, 0] <= deal.table.knock_in[deal.age]
        self.life = np.full(count, float(sessions))
        self.hedge = np.zeros(count)
        self.valuer = _Valuer(deal, float(paths.spot.min()), float(paths.spot.max()))

    def result(self) -> HedgeResult:
        deal, spot = self.deal, self.paths.spot
        first = deal.age
        self.valuer.use(self.marks[0], first)
        self.value = self.valuer.read(first, spot[:, 0], self.lost)
        self.cash[:, 0] = par(deal.table) if deal.price is None else deal.price
        self.liability[:, 0] = self.value[0]
        for t in range(spot.shape[1] - 1):
            if first + t < deal.table.last and self.open.any():
                self._step(t, first + t)
            else:
                self.cash[:, t + 1] = self.cash[:, t]
        return HedgeResult(
            terms={name: self.book[name] for name in TERMS},
            total=self.book["total"],
            hedge=self.book["hedge"],
            cash=self.cash,
            liability=self.liability,
            life=self.life,
        )

    def _step(self, t: int, age: int) -> None:
        """Hedge at a close, live through the next session, settle what it pays."""
        book, on = self.book, self.open.copy()
        start, end = self.paths.spot[:, t], self.paths.spot[:, t + 1]
        entry, leave = self.paths.futures[:, t].T
        held, traded = self._rebalance(t, age, start)
        growth = math.exp(self.marks[t].rate / self.deal.table.year) - 1
        book["hedge"][:, t] = held
        book["costs"][:, t] = -self.deal.cost * traded
        book["financing"][:, t] = on * self.cash[:, t] * growth
        book["index"][:, t] = held * (end / start - 1)
        book["roll_yield"][:, t] = held * (leave / entry - end / start)
        before = self._explain_move(t, age, start, end)
        paid, worth = self._settle(t, age + 1, end, before)
        flows = held * (leave / entry - 1) - self.deal.cost * traded - paid
        self.cash[:, t + 1] = self.cash[:, t] * np.where(on, 1 + growth, 1.0) + flows
        self.liability[:, t + 1] = worth
        equity = self.cash - self.liability
        book["total"][:, t] = np.where(on, equity[:, t + 1] - equity[:, t], 0.0)
        self.hedge = held * leave / entry

    def _rebalance(self, t: int, age: int, spot: Float64) -> tuple[Float64, Float64]:
        """Return the futures held from a close on, and what was traded for it."""
        policy = self.deal.policy
        hedge = self.value[1]
        wanted = np.where(self.lost, hedge, np.minimum(hedge, policy.cap))
        wanted = wanted + self.valuer.ramp(age, spot, self.lost, policy.ramp)
        if t > 0 and policy.band > 0:
            wanted = np.where(np.abs(wanted - self.hedge) <= policy.band, self.hedge, wanted)
        held = np.where(self.open, wanted, 0.0)
        return held, np.where(self.open, np.abs(held - self.hedge), 0.0)

    def _explain_move(self, t: int, age: int, start: Float64, end: Float64) -> Float64:
        """Book delta and gamma of the move; return the note at the new index, at the old time."""
        after = self.valuer.read(age, end, self.lost)
        middle = 0.5 * (start + end)
        between = self.valuer.read(age, middle, self.lost)[1] / middle
        slope, steep = self.value[1] / start, (self.value[2] - self.value[1]) / start**2
        slope_end, steep_end = after[1] / end, (after[2] - after[1]) / end**2
        move = end - start
        whole = (0.25 * (slope + slope_end) + 0.5 * between) * move
        whole += (steep - steep_end) * move**2 / 48
        self.book["delta"][:, t] = np.where(self.open, -slope * move, 0.0)
        self.book["gamma"][:, t] = np.where(self.open, slope * move - whole, 0.0)
        return np.asarray(after[0])

    def _settle(self, t: int, age: int, spot: Float64, before: Float64) -> tuple[Float64, Float64]:
        """Observe a close; book theta or observation; return what is paid and the note's worth."""
        table, on = self.deal.table, self.open
        out = on & (spot >= table.knock_out[age])
        fell = on & ~out & ~self.lost & (spot <= table.knock_in[age])
        self.lost = self.lost | fell
        coupon = on & ~out & (spot >= table.coupon_level[age])
        paid = np.where(out, self._amount(table.redemption[age]), 0.0)
        paid += np.where(coupon, self._amount(table.coupon_amount[age]), 0.0)
        running, worth = on & ~out, np.zeros_like(spot)
        if age == table.last:
            payoffs = (table.lost.value(spot, self.deal.coupon),
                       table.survived.value(spot, self.deal.coupon))  # fmt: skip
            paid += np.where(running, np.where(self.lost, *payoffs), 0.0)
            running = np.zeros_like(on)
        else:
            self.value = self.valuer.read(age, spot, self.lost)
            worth = np.where(running, self.value[0], 0.0)
        change = np.where(on, before - worth - paid, 0.0)
        event = fell | coupon | math.isfinite(table.knock_out[age]) | (age == table.last)
        self.book["observation"][:, t] = np.where(event, change, 0.0)
        self.book["theta"][:, t] = np.where(event, 0.0, change)
        self.life[on & ~running] = t + 1
        self.open = running
        if age < table.last and self.marks[t + 1] != self.marks[t]:
            worth = self._remark(t, age, spot, worth)
        return paid, worth

    def _remark(self, t: int, age: int, spot: Float64, worth: Float64) -> Float64:
        """Mark the note anew at a close; return its worth then."""
        self.valuer.use(self.marks[t + 1], age)
        self.value = self.valuer.read(age, spot, self.lost)
        marked = np.where(self.open, self.value[0], 0.0)
        self.book["remark"][:, t] = worth - marked
        return marked

    def _amount(self, pair: Float64) -> float:
        return float(pair[0] + self.deal.coupon * pair[1])
