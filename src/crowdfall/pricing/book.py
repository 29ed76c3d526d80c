"""A book of notes, many at once: each note is a family of terms and a few numbers of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.errors import TermsError
from crowdfall.pricing import kernels
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.surface import Surface, surface
from crowdfall.products.timetable import Timetable
from crowdfall.types import Bool, Float64, Int64, Text

FUTURES: Final = {"csi500": "ic", "csi1000": "im", "csi300": "if", "sse50": "ih"}
"""Index futures in which a note on an index is hedged."""


@dataclass(frozen=True, kw_only=True)
class Book:
    """M notes; arrays have shape (M,).

    ``family`` indexes ``tables``, ``underlying`` holds keys of ``FUTURES``. ``initial`` in points,
    ``notional`` in yuan, ``age`` in sessions of the family's timetable.
    """

    tables: tuple[Timetable, ...]
    family: Int64
    name: Text
    underlying: Text
    coupon: Float64
    initial: Float64
    notional: Float64
    age: Int64
    knocked_in: Bool

    def __len__(self) -> int:
        return len(self.family)

    @property
    def underlyings(self) -> tuple[str, ...]:
        """Return the underlyings that occur, in the order of ``FUTURES``."""
        held = set(self.underlying.tolist())
        return tuple(name for name in FUTURES if name in held)

    @property
    def knock_in_level(self) -> Float64:
        """Return each note's daily knock-in in points, 0 where there is none."""
        watched = np.array([table.watched for table in self.tables])
        return np.asarray(watched[self.family] * self.initial)

    def on(self, underlying: str) -> Int64:
        """Return the numbers of the notes on one underlying; TermsError for an unknown one."""
        if underlying not in FUTURES:
            raise TermsError("unknown_underlying", name=underlying, known=", ".join(FUTURES))
        return np.flatnonzero(self.underlying == underlying)

    def lost(self, underlying: str, level: float) -> Bool:
        """Return which notes on an underlying are knocked in once the index closed at a level."""
        mine = self.on(underlying)
        return np.asarray(
            self.knocked_in[mine] | (level <= self.knock_in_level[mine] * (1 + 1e-12))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """How a desk departs from the model's hedge.

    ``cap``: largest hedge per notional while a note is alive. ``ramp``: the desk lets protection's
    hedge go over this fraction below the knock-in instead of at once. ``band``: it leaves the hedge
    alone until it is off by more than this fraction of notional. ``mix``: shares of the hedge by
    instrument, keys of the futures (ic, im, if, ih) or ``etf``; empty means the own futures.
    """

    cap: float = math.inf
    ramp: float = 0.0
    band: float = 0.0
    mix: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        """Refuse impossible numbers; raises TermsError."""
        if not (self.cap > 0 and 0 <= self.ramp < 0.5 and 0 <= self.band < 1):
            raise TermsError("policy_wrong", cap=self.cap, ramp=self.ramp, band=self.band)
        shares = [share for _, share in self.mix]
        if self.mix and not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
            raise TermsError("mix_wrong", total=sum(shares))

    def instruments(self, underlying: str) -> dict[str, float]:
        """Return the share of the hedge held in each instrument."""
        return dict(self.mix) if self.mix else {FUTURES[underlying]: 1.0}


PLAIN: Final = Policy()


class MarkedBook:
    """A book with the surfaces of its families at one day's marks."""

    def __init__(self, book: Book, marks: Mapping[str, Marks]) -> None:
        self.book = book
        self.marks = dict(marks)
        self._groups: dict[tuple[int, str], Int64] = {}
        self._surfaces: dict[tuple[int, str], Surface] = {}
        made: dict[tuple[str, Marks], Surface] = {}
        for underlying in book.underlyings:
            mine = book.on(underlying)
            for family in np.unique(book.family[mine]).tolist():
                table = book.tables[family]
                key = (table.digest, self.marks[underlying])
                if key not in made:
                    made[key] = surface(table, self.marks[underlying])
                self._surfaces[family, underlying] = made[key]
                self._groups[family, underlying] = mine[book.family[mine] == family]

    @property
    def surfaces(self) -> dict[tuple[int, str], Surface]:
        """Return the surfaces by family number and underlying."""
        return self._surfaces

    def hedge(
        self, underlying: str, levels: Float64, *, days: int = 0, policy: Policy = PLAIN,
        rows: Int64 | None = None,
    ) -> Float64:  # fmt: skip
        """Return the futures, in yuan, that a desk holds at index levels, shape (rows, L).

        The index is taken to move to the level at once and to stay for ``days`` sessions: notes
        knocked out on the way, or matured, need none. ``rows`` (M,) sorts notes into rows of the
        result; all go to one row by default.
        """
        return self._read("hedge", underlying, levels, (days, policy, rows))

    def value(self, underlying: str, levels: Float64, *, days: int = 0) -> Float64:
        """Return the notes' value in yuan at index levels, shape (1, L)."""
        return self._read("value", underlying, levels, (days, PLAIN, None))

    def _read(
        self, what: str, underlying: str, levels: Float64, how: tuple[int, Policy, Int64 | None]
    ) -> Float64:
        days, policy, rows = how
        book = self.book
        row = np.zeros(len(book), dtype=np.int64) if rows is None else rows
        out = np.zeros((int(row.max(initial=0)) + 1, len(levels)))
        for (family, name), members in self._groups.items():
            if name != underlying:
                continue
            shape = self._surfaces[family, name]
            live = members[book.age[members] + days < shape.table.last]
            notes = kernels.Notes(
                row=row[live],
                age=book.age[live] + days,
                coupon=book.coupon[live],
                log_initial=np.log(book.initial[live]),
                weight=book.notional[live],
                alive=~book.knocked_in[live],
                gone=_gone(shape.table, book.age[live], days),
            )
            kernels.look_up(out, np.log(levels), notes, _tables(shape, what, policy))
        return out

    def jumps(self, underlying: str) -> Float64:
        """Return the hedge, in yuan, that each note's dealer sells at its knock-in, by note.

        Zero for notes knocked in, or without a daily knock-in; shape of ``book.on(underlying)``.
        """
        book = self.book
        out = np.zeros(len(book))
        for (family, name), members in self._groups.items():
            shape = self._surfaces[family, name]
            if name != underlying or shape.knock_in == -math.inf:
                continue
            live = members[(book.age[members] < shape.table.last) & ~book.knocked_in[members]]
            at = (shape.knock_in - shape.shield.first) / shape.shield.step
            k = min(max(int(at), 0), shape.shield.hedge.shape[2] - 2)
            pair = shape.shield.hedge[book.age[live]][:, :, k : k + 2].astype(np.float64)
            both = pair[:, :, 0] + (at - k) * (pair[:, :, 1] - pair[:, :, 0])
            out[live] = book.notional[live] * (both[:, 0] + book.coupon[live] * both[:, 1])
        return out[book.on(underlying)]


def mark(book: Book, marks: Marks | Mapping[str, Marks]) -> MarkedBook:
    """Return a book with its surfaces; one set of marks holds for every underlying."""
    if isinstance(marks, Marks):
        return MarkedBook(book, dict.fromkeys(book.underlyings, marks))
    missing = [name for name in book.underlyings if name not in marks]
    if missing:
        raise TermsError("marks_missing", name=missing[0])
    return MarkedBook(book, marks)


def _tables(shape: Surface, what: str, policy: Policy) -> kernels.Tables:
    held, shield = shape.held, shape.shield
    cap = policy.cap if what == "hedge" else math.inf
    ramp = -math.log(1.0 - policy.ramp) if shape.knock_in > -math.inf else 0.0
    return kernels.Tables(
        held=getattr(held, what),
        shield=getattr(shield, what),
        place=np.array([[held.first, held.step], [shield.first, shield.step]]),
        levels=np.array([shape.knock_in, ramp, cap]),
    )


def _gone(table: Timetable, age: Int64, days: int) -> Float64:
    """Return the lowest log knock-out observed within ``days`` sessions after each age."""
    if days == 0 or len(age) == 0:
        return np.full(len(age), np.inf)
    ages, back = np.unique(age, return_inverse=True)
    lowest = np.array([table.knock_out[a + 1 : a + days + 1].min() for a in ages.tolist()])
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(lowest)[back.ravel()])
