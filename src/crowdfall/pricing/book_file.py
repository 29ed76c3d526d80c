"""A book as a CSV or Parquet file: its columns, an example, and a reader that drops nothing.

Every cell that can't be right is named with its row and column. Rows count from 1, the header of a
CSV left out.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from crowdfall.errors import CrowdfallError, DataError
from crowdfall.i18n import translate
from crowdfall.pricing.book import FUTURES, Book
from crowdfall.products.schedule import IDEAL_MONTH, add_months
from crowdfall.products.timetable import Timetable
from crowdfall.products.variants import VARIANTS, terms_of
from crowdfall.types import Int64

MOST_NAMED: Final = 20
"""Cells named in one error; the number of all is told."""


@dataclass(frozen=True, slots=True)
class BookColumn:
    """One column of a book file; ``default`` None means that the column must be there."""

    name: str
    kind: type[pl.DataType]
    meaning: str
    example: object
    default: object = None
    low: float = -np.inf
    high: float = np.inf


COLUMNS: Final = (
    BookColumn("id", pl.String, "name of the note", "N1", ""),
    BookColumn("underlying", pl.String, "csi500, csi1000, csi300 or sse50", "csi500"),
    BookColumn("notional", pl.Float64, "yuan", 5e7, None, 1.0, 1e12),
    BookColumn("initial", pl.Float64, "initial price in points", 6200.0, None, 10.0, 1e6),
    BookColumn("coupon", pl.Float64, "fraction a year: 0.12 is 12%", 0.12, None, -0.5, 1.5),
    BookColumn("knock_in", pl.Float64, "fraction of initial", 0.75, None, 0.05, 1.5),
    BookColumn("knock_out", pl.Float64, "fraction of initial", 1.03, None, 0.2, 5.0),
    BookColumn("start", pl.Date, "day of issue", date(2023, 6, 15)),
    BookColumn("months", pl.Int64, "tenor", 24, 24, 1, 120),
    BookColumn("lockup", pl.Int64, "month of the first knock-out observation", 3, 3, 1, 120),
    BookColumn("step_down", pl.Float64, "fall of the knock-out a month", 0.0, 0.0, 0.0, 0.05),
    BookColumn("strike", pl.Float64, "fraction of initial", 1.0, 1.0, 0.1, 2.0),
    BookColumn("floor", pl.Float64, "least paid back, fraction", 0.0, 0.0, 0.0, 1.0),
    BookColumn("variant", pl.String, "name of the structure", "standard", "standard"),
    BookColumn("knocked_in", pl.Boolean, "has it knocked in before", False, False),
)
_LISTED: Final = {column.name: column for column in COLUMNS}
_TERMS: Final = ("months", "lockup", "knock_in", "knock_out", "step_down", "strike", "floor")


@dataclass(frozen=True, slots=True)
class BadCell:
    """One wrong cell: its row, its column and why."""

    row: int
    column: str
    reason: str


def template() -> pl.DataFrame:
    """Return an example of a book with all columns, three notes."""
    rows = [
        {column.name: column.example for column in COLUMNS},
        {"id": "N2", "underlying": "csi1000", "initial": 6600.0, "knock_in": 0.80},
        {"id": "N3", "variant": "step-down", "step_down": 0.005, "start": date(2023, 3, 15)},
    ]
    return pl.DataFrame(
        [{**rows[0], **row} for row in rows],
        schema={column.name: column.kind for column in COLUMNS},
    )


def read_book(path: Path, on: date, *, skip_ended: bool = False) -> tuple[Book, int]:
    """Return the book of a CSV or Parquet file on a day, and how many ended notes it left out.

    ``on`` is the day whose close is over. Matured notes are an error unless ``skip_ended``.
    Raises DataError that names every wrong cell (the first twenty in words).
    """
    table, bad = _typed(path)
    if bad:
        _refuse(bad + _out_of_range(table) + _wrong_names(table), path.name)
    return book_of(table, on, path.name, skip_ended=skip_ended)


def book_of(
    table: pl.DataFrame, on: date, source: str = "book", *, skip_ended: bool = False
) -> tuple[Book, int]:
    """Return the book of a table with the columns of ``COLUMNS``; see ``read_book``."""
    bad = _out_of_range(table) + _wrong_names(table)
    started = table["start"].to_list()
    bad += [
        BadCell(k + 1, "start", translate("book.future", value=day, on=on))
        for k, day in enumerate(started)
        if day is not None and day > on
    ]
    _refuse(bad, source)
    age = _ages(table, on)
    months = table["months"].to_numpy()
    ended = age >= months * IDEAL_MONTH
    if not skip_ended:
        for k in np.flatnonzero(ended).tolist():
            bad.append(BadCell(k + 1, "start", translate("book.matured", value=started[k], on=on)))
        _refuse(bad, source)
    live = table.filter(pl.Series(~ended))
    tables, family, wrong = _families(live, np.flatnonzero(~ended))
    _refuse(wrong, source)
    book = Book(
        tables=tables,
        family=family,
        name=np.array(live["id"].to_list(), dtype=np.str_),
        underlying=np.array(live["underlying"].to_list(), dtype=np.str_),
        coupon=live["coupon"].to_numpy(),
        initial=live["initial"].to_numpy(),
        notional=live["notional"].to_numpy(),
        age=age[~ended],
        knocked_in=live["knocked_in"].to_numpy(),
    )
    return book, int(ended.sum())


def ideal_age(start: date, on: date) -> int:
    """Return a note's age in idealised 21-session months, at most one session off.

    Whole months count 21 sessions each, the month that runs its elapsed share: so every monthly
    observation stays where it is, however many holidays a month has.

    >>> ideal_age(date(2023, 6, 15), date(2024, 1, 15)) == 7 * 21
    True
    """
    whole = (on.year - start.year) * 12 + on.month - start.month
    while add_months(start, whole) > on:
        whole -= 1
    past, ahead = add_months(start, whole), add_months(start, whole + 1)
    return whole * IDEAL_MONTH + int(IDEAL_MONTH * (on - past).days / (ahead - past).days)


def _typed(path: Path) -> tuple[pl.DataFrame, list[BadCell]]:
    """Return a file's columns in their types, defaults filled in, and the cells it can't read."""
    if not path.is_file():
        raise DataError("book_missing", path=path)
    try:
        if path.suffix == ".parquet":
            raw = pl.read_parquet(path)
        else:
            raw = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError("book_unreadable", file=path.name, reason=str(error)[:120]) from error
    for name in raw.columns:
        if name not in _LISTED:
            near = difflib.get_close_matches(name, _LISTED, n=1, cutoff=0.0)[0]
            raise DataError("book_column_unknown", file=path.name, column=name, near=near)
    if not len(raw):
        raise DataError("book_empty", file=path.name)
    columns, bad = [], []
    for column in COLUMNS:
        if column.name not in raw.columns:
            if column.default is None:
                raise DataError("book_column_missing", file=path.name, column=column.name)
            columns.append(pl.Series(column.name, [column.default] * len(raw), column.kind))
            continue
        typed, wrong = _cast(raw[column.name], column)
        columns.append(typed)
        bad += wrong
    return pl.DataFrame(columns), bad


def _cast(raw: pl.Series, column: BookColumn) -> tuple[pl.Series, list[BadCell]]:
    """Return a column in its type and the cells that can't be read or are missing."""
    if raw.dtype == pl.String:
        raw = raw.str.strip_chars()
        raw = raw.set(raw == "", None)
    if column.kind == pl.Boolean and raw.dtype == pl.String:
        low = raw.str.to_lowercase()
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        typed = low.replace_strict(words, default=None, return_dtype=pl.Boolean)
    elif column.kind == pl.Date and raw.dtype == pl.String:
        typed = raw.str.to_date("%Y-%m-%d", strict=False)
    else:
        typed = raw.cast(column.kind, strict=False)
    if column.default is not None:
        typed = typed.set(raw.is_null(), column.default)
    bad = [
        BadCell(int(k) + 1, column.name, translate("book.unreadable", value=raw[int(k)]))
        for k in np.flatnonzero(typed.is_null().to_numpy())
    ]
    return typed, bad


def _out_of_range(table: pl.DataFrame) -> list[BadCell]:
    """Return the numbers outside their column's range: percents, points, slips of the pen."""
    bad = []
    for column in COLUMNS:
        if column.kind not in (pl.Float64, pl.Int64):
            continue
        values = table[column.name].to_numpy()
        wrong = ~((values >= column.low) & (values <= column.high))
        wrong &= table[column.name].is_not_null().to_numpy()  # nulls are named as unreadable
        for k in np.flatnonzero(wrong).tolist():
            reason = translate(
                "book.range", value=values[k], low=column.low, high=column.high,
                meaning=column.meaning,
            )  # fmt: skip
            bad.append(BadCell(k + 1, column.name, reason))
    return bad


def _wrong_names(table: pl.DataFrame) -> list[BadCell]:
    bad = []
    for name, known in (("underlying", tuple(FUTURES)), ("variant", tuple(VARIANTS))):
        values = table[name]
        for k in np.flatnonzero(~values.is_in(known).fill_null(True).to_numpy()).tolist():
            near = difflib.get_close_matches(values[k], known, n=1, cutoff=0.0)[0]
            bad.append(BadCell(k + 1, name, translate("book.unknown", value=values[k], near=near)))
    return bad


def _ages(table: pl.DataFrame, on: date) -> Int64:
    starts = table["start"]
    ages = {day: ideal_age(day, on) for day in starts.unique().to_list()}
    return np.array([ages[day] for day in starts.to_list()], dtype=np.int64)


def _families(
    table: pl.DataFrame, rows: Int64
) -> tuple[tuple[Timetable, ...], Int64, list[BadCell]]:
    """Return the timetables of all term families, each note's family, and rows that have none."""
    keys = table.select("variant", *_TERMS)
    kinds = keys.unique(maintain_order=True).with_row_index("family")
    family = keys.join(kinds, on=keys.columns, how="left", maintain_order="left")["family"]
    numbers = family.to_numpy().astype(np.int64)
    tables, bad = [], []
    for kind in kinds.drop("family").iter_rows(named=True):
        variant = str(kind.pop("variant"))
        try:
            tables.append(terms_of(variant, _own_terms(variant, kind)).timetable())
        except CrowdfallError as error:
            mine = np.flatnonzero(numbers == len(tables))
            tables.append(terms_of("standard").timetable())
            bad += [BadCell(int(rows[k]) + 1, "knock_in", str(error)) for k in mine]
    return tuple(tables), numbers, bad


def _own_terms(variant: str, row: dict[str, object]) -> dict[str, object]:
    """Return the terms a variant has, those at the file's defaults left to the variant."""
    base = VARIANTS[variant][1]
    always = ("months", "lockup", "knock_in", "knock_out")
    return {
        name: value
        for name, value in row.items()
        if hasattr(base, name) and (name in always or value != _LISTED[name].default)
    }


def _refuse(bad: list[BadCell], source: str) -> None:
    if not bad:
        return
    bad = sorted(bad, key=lambda cell: (cell.row, cell.column))
    words = [
        translate("book.cell", row=cell.row, column=cell.column, reason=cell.reason)
        for cell in bad[:MOST_NAMED]
    ]
    if len(bad) > MOST_NAMED:
        words.append(translate("book.more", count=len(bad) - MOST_NAMED))
    raise DataError("book_rows", file=source, count=len(bad), cells="; ".join(words))
