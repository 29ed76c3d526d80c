"""The quantity ``rows``: any number that the result tables hold, said in data, never in code.

``table`` and ``column`` name what is read, ``where`` which rows. ``across`` makes one number of the
rows of a day, ``per`` divides it by another column reduced alike, and ``over`` makes one number of
the days of the window. Nothing is evaluated: a file can only choose among what stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from crowdfall.errors import CalibrationError
from crowdfall.experiments import reading
from crowdfall.experiments.targets.terms import Pick, Target
from crowdfall.results.schema import TABLES
from crowdfall.types import Float64

if TYPE_CHECKING:
    import polars as pl

    from crowdfall.experiments.targets.quantities import Sheet

COUNT: Final = "count"
"""The one way to reduce the rows of a day that reads no column."""
ACROSS: Final = ("sum", "mean", "highest", "lowest", COUNT)
BOUNDS: Final = ("at_least", "at_most")
Over = Callable[[Float64], Float64]
OVER: Final[dict[str, Over]] = {
    "last": lambda x: x[:, -1],
    "sum": lambda x: np.asarray(x[:, 1:].sum(axis=1)),
    "mean": lambda x: np.asarray(x[:, 1:].mean(axis=1)),
    "highest": lambda x: np.asarray(x[:, 1:].max(axis=1)),
    "lowest": lambda x: np.asarray(x[:, 1:].min(axis=1)),
    "difference": lambda x: x[:, -1] - x[:, 0],
    "change": lambda x: np.asarray(x[:, -1] / np.where(x[:, 0] == 0.0, np.nan, x[:, 0]) - 1.0),
}
"""How the days of a window make one number; column 0 is the day ``from``, (P, 1 + days)."""
NEEDS_FROM: Final = ("difference", "change")


@dataclass(frozen=True, slots=True)
class _Words:
    where: str
    entry: Mapping[str, Any]

    def choice(self, key: str, known: tuple[str, ...], default: str) -> str:
        value = self.entry.get(key, default)
        reading.check_choice(self.where, key, value, known)
        return str(value)


def read_pick(where: str, entry: Mapping[str, Any]) -> Pick:
    """Return what a target of the quantity ``rows`` reads.

    DataError, naming the entry and the key: an unknown table, column or way, a condition on a
    column that the table lacks or of the wrong kind, ``column`` missing, or a window that lacks
    its beginning.
    """
    words = _Words(where, entry)
    table = words.choice("table", tuple(TABLES), "")
    across = words.choice("across", ACROSS, "sum")
    over = words.choice("over", tuple(OVER), "last")
    numeric = tuple(c.name for c in TABLES[table] if c.kind in ("int", "float"))
    needed = () if across == COUNT else ("column",)
    reading.check_keys(where, {key: entry[key] for key in needed if key in entry}, needed)
    for key in ("column", "per"):
        if key in entry:
            reading.check_choice(where, key, entry[key], numeric)
    if "date" in entry:
        reading.check_choice(where, "over", over, ("last",))
    else:
        ends = ("from", "to") if over in NEEDS_FROM else ("to",)
        reading.check_keys(where, {key: entry[key] for key in ends if key in entry}, ends)
    return Pick(
        table=table, across=across, over=over, per=str(entry.get("per", "")),
        where=_conditions(where, table, entry.get("where", {})),
    )  # fmt: skip


def _conditions(where: str, table: str, asked: object) -> tuple[tuple[str, str, Any], ...]:
    if not isinstance(asked, Mapping):
        raise reading.wrong(where, "where", asked, 'a table such as { kind = "dma" }')
    kinds = {column.name: column.kind for column in TABLES[table] if column.name != "date"}
    out: list[tuple[str, str, Any]] = []
    for name, value in asked.items():
        reading.check_choice(where, "where", name, kinds)
        if isinstance(value, Mapping):
            for bound, limit in value.items():
                reading.check_choice(where, f"where.{name}", bound, BOUNDS)
                out.append((name, bound, reading.number(where, f"where.{name}.{bound}", limit)))
                if kinds[name] == "str":
                    raise reading.wrong(where, f"where.{name}", value, "a text or a list of texts")
            continue
        values = value if isinstance(value, list) else [value]
        for each in values:
            if kinds[name] == "str":
                reading.text(where, f"where.{name}", each)
            else:
                reading.number(where, f"where.{name}", each)
        out.append((name, "in", tuple(values)))
    return tuple(out)


def take(sheet: Sheet, target: Target) -> Float64:
    """Return one value a path, (P,), in the table's own unit; NaN where no row has one."""
    pick = target.pick
    assert pick is not None  # load has read one for this quantity
    days = _days(sheet, target)
    frame = _filtered(sheet.table(pick.table), pick.where)
    values = _by_day(sheet, frame, days, pick.across, target.column)
    if pick.per:
        under = _by_day(sheet, frame, days, pick.across, pick.per)
        values = values / np.where(under == 0.0, np.nan, under)
    return OVER[pick.over](values)


def _days(sheet: Sheet, target: Target) -> list[date | None]:
    if target.day is not None:
        return [sheet.days[sheet.place(target, target.day)]]
    last = sheet.place(target, target.end)
    if target.start is None:
        return [None, *sheet.days[: last + 1]]
    if target.start < sheet.days[0] and target.pick and target.pick.over not in NEEDS_FROM:
        return [None, *sheet.days[: last + 1]]
    return list(sheet.days[sheet.place(target, target.start) : last + 1])


def _filtered(frame: pl.DataFrame, where: tuple[tuple[str, str, Any], ...]) -> pl.DataFrame:
    import polars as pl

    for name, how, value in where:
        column = pl.col(name)
        if how == "in":
            frame = frame.filter(column.is_in(list(value)))
        else:
            frame = frame.filter(column >= value if how == "at_least" else column <= value)
    return frame


def _by_day(
    sheet: Sheet, frame: pl.DataFrame, days: list[date | None], across: str, column: str
) -> Float64:
    """Return one number a path and day, (P, days); a day without rows sums and counts to zero."""
    import polars as pl

    if across != COUNT and column not in frame.columns:
        raise CalibrationError("target_column_missing", column=column)
    how = {
        "sum": pl.col(column or "path").sum(), "mean": pl.col(column or "path").mean(),
        "highest": pl.col(column or "path").max(), "lowest": pl.col(column or "path").min(),
        COUNT: pl.len(),
    }[across].alias("value")  # fmt: skip
    found = frame.filter(pl.col("date").is_in([day for day in days if day is not None]))
    # Sorted before it is summed: the same bits whatever order the blocks were written in.
    keys = [name for name in found.columns if found.schema[name] in (pl.String, pl.Int64)]
    reduced = found.sort(["path", "date", *keys]).group_by("path", "date").agg(how)
    out = np.full((sheet.paths, len(days)), 0.0 if across in ("sum", COUNT) else np.nan)
    place = {day: k for k, day in enumerate(days)}
    names = {path: k for k, path in enumerate(sheet.path_names)}
    for path, day, value in reduced.select("path", "date", "value").iter_rows():
        key = day.date() if isinstance(day, datetime) else day
        out[names[path], place[key]] = np.nan if value is None else float(value)
    return out
