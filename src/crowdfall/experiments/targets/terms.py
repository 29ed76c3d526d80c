"""What a target says: which number of a run, on which days, and what it should be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

TargetKind = Literal["free", "input", "assimilated"]

UNITS: Final = {
    "percent": 100.0,
    "percent a year": 100.0,
    "fraction": 1.0,
    "sessions": 1.0,
    "stocks": 1.0,
    "points": 1.0,
    "yuan": 1.0,
    "bn yuan": 1e-9,
}
"""Multiple of the result tables' own unit in which a target counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """What the quantity ``rows`` reads: see ``targets.rows``.

    ``where`` holds conditions (column, "in" | "at_least" | "at_most", value or values); ``per`` is
    the column of the denominator, empty for none.
    """

    table: str
    across: str
    over: str
    per: str
    where: tuple[tuple[str, str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One number: a quantity of the result tables, its wanted value and tolerance.

    ``value`` and ``tolerance`` count in ``unit``; a tolerance of None is one that nobody set. Of
    ``index``, ``contract``, ``column``, ``participant``, ``margin``, ``pick``, ``day``, ``start``
    and ``end`` those are set which the quantity needs. ``start`` may be the session before the
    first one of a run.
    """

    id: str
    title: dict[str, str]
    kind: TargetKind
    quantity: str
    unit: str
    value: float
    source: str
    tolerance: float | None = None
    index: str = ""
    contract: str = ""
    column: str = ""
    participant: str = ""
    margin: float = 0.0
    pick: Pick | None = None
    day: date | None = None
    start: date | None = None
    end: date | None = None

    @property
    def scale(self) -> float:
        """Return by what a number of the tables is multiplied."""
        return UNITS[self.unit]

    def holds(self, measured: float) -> bool:
        """Return whether a number lies within the tolerance; NaN never does.

        >>> Target(id="A", title={}, kind="free", quantity="basis", unit="percent", value=-6.0,
        ...        tolerance=2.0, source="a table").holds(-4.1)
        True
        """
        if self.tolerance is None:
            return False
        return abs(measured - self.value) <= self.tolerance * (1.0 + 1e-12)
