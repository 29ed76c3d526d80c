"""Read canonical tables from a folder of Parquet and CSV files that a layout describes."""

from __future__ import annotations

import difflib
from datetime import date
from functools import reduce
from pathlib import Path
from typing import Final

import polars as pl

from crowdfall.data import symbols
from crowdfall.data.checks import Finding, check
from crowdfall.data.schema import (
    FUTURES_BARS,
    INDEX_BARS,
    STOCK_BARS,
    STOCK_LIST,
    Column,
    Table,
)
from crowdfall.data.sources.layout import (
    OWN_LAYOUT,
    ColumnRule,
    FileRule,
    Layout,
    read_layout,
    shipped_layout,
)
from crowdfall.errors import DataError

_DATE_FORMATS: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d")
_ALL: Final = (date.min, date.max)
_TRUE: Final = ("true", "1", "yes", "y", "是")
_ST_NAME: Final = r"^S?\*?ST"
"""Names of stocks under special treatment begin with ST, *ST, SST or S*ST."""


class FilesSource:
    """Facts from the files of one folder.

    ``layout`` is the TOML file that describes the folder; without it the folder's own
    ``layout.toml`` counts, else the layout of the Crowdfall data folder that comes with the
    package. Symbols become canonical, numbers Float64, dates Date, and rows are sorted by the
    table's key. Every exchange that the files hold is kept, Beijing too: who wants Shanghai and
    Shenzhen only says so. A stock is ST if the flag column says so or its name begins with ST.

    What is loaded is checked (``data.checks``): an error raises DataError with its first sentence,
    warnings of the last reading stand in ``warnings`` under the table's name.
    """

    def __init__(self, folder: Path, layout: Path | None = None) -> None:
        """Read the layout; raises DataError where the folder or the layout is missing."""
        if not folder.is_dir():
            raise DataError("missing_folder", path=folder)
        self.folder: Final = folder
        self.layout: Final = _choose_layout(folder, layout)
        self.warnings: Final[dict[str, tuple[Finding, ...]]] = {}

    def stock_list(self) -> pl.DataFrame:
        """Return one row per stock."""
        return self._read(STOCK_LIST, self._files(STOCK_LIST))

    def stock_bars(self, start: date, end: date) -> pl.DataFrame:
        """Return one row per stock and session on which it traded, both ends included."""
        return self._read(STOCK_BARS, self._files(STOCK_BARS), (start, end))

    def index_bars(
        self, start: date, end: date, names: tuple[str, ...] | None = None
    ) -> pl.DataFrame:
        """Return one row per index and session.

        ``names`` keeps some of ``schema.INDEX_SYMBOLS``; None or empty means all the folder holds.
        Files of other indices are not read. Raises DataError for a name that no file can hold.
        """
        listed = self._files(INDEX_BARS)
        if not names:
            return self._read(INDEX_BARS, listed, (start, end))
        held = [one.constants.get("index") for one in listed]
        for name in names:
            if name not in held and None not in held:
                raise _no_index(name, [str(one) for one in held])
        # A file without a set name has the names in a column: it is read and then filtered.
        wanted = tuple(
            one for one, name in zip(listed, held, strict=True) if name is None or name in names
        )
        return self._read(INDEX_BARS, wanted, (start, end)).filter(pl.col("index").is_in(names))

    def futures_bars(self, start: date, end: date) -> pl.DataFrame:
        """Return one row per index futures contract and session."""
        return self._read(FUTURES_BARS, self._files(FUTURES_BARS), (start, end))

    def _files(self, table: Table) -> tuple[FileRule, ...]:
        listed = self.layout.tables.get(table.name)
        if listed is None:
            raise DataError("layout_table", table=table.name, folder=self.folder)
        return listed

    def _read(
        self, table: Table, listed: tuple[FileRule, ...], span: tuple[date, date] | None = None
    ) -> pl.DataFrame:
        if span is not None and span[0] > span[1]:
            raise DataError("bad_range", start=span[0], end=span[1])
        frame = pl.concat([self._read_file(table, rule, span) for rule in listed]).sort(table.key)
        if not frame.height and span is not None and span != _ALL:
            held = self._read(table, listed, _ALL)["date"]
            raise DataError(
                "no_rows", table=table.name, start=span[0], end=span[1],
                first=held.min(), last=held.max(),
            )  # fmt: skip
        findings = check(frame, table.name)
        if findings and findings[0].severity == "error":
            raise findings[0].as_error()
        self.warnings[table.name] = tuple(findings)
        return frame

    def _read_file(
        self, table: Table, rule: FileRule, span: tuple[date, date] | None
    ) -> pl.DataFrame:
        path = self.folder / rule.path
        if not path.is_file():
            raise DataError("missing_file", file=path)
        try:
            return _canonical(_load(path, rule, span), table, rule)
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError("unreadable_file", file=path, reason=reason) from error


def _no_index(name: str, held: list[str]) -> DataError:
    near = difflib.get_close_matches(name, held, n=1, cutoff=0.0)
    return DataError("unknown_index", name=name, known=", ".join(held), suggestion=near[0])


def _choose_layout(folder: Path, layout: Path | None) -> Layout:
    if layout is not None:
        return read_layout(layout)
    own = folder / OWN_LAYOUT
    return read_layout(own) if own.is_file() else shipped_layout()


def _load(path: Path, rule: FileRule, span: tuple[date, date] | None) -> pl.DataFrame:
    """Return the raw columns that the rule names, rows inside the span only."""
    if path.suffix == ".parquet":
        lazy = pl.scan_parquet(path, glob=False)
    else:
        # As text: leading zeros of codes survive, and a bad number is named when it is cast.
        lazy = pl.scan_csv(path, infer_schema=False, glob=False)
    held = lazy.collect_schema()
    for name in rule.raw_columns:
        if name not in held:
            near = difflib.get_close_matches(name, held.names(), n=1, cutoff=0.0)
            raise DataError(
                "missing_column", file=path, column=name, suggestion=near[0] if near else "-"
            )
    lazy = lazy.select(rule.raw_columns)
    if span is not None:
        raw = rule.columns["date"].column
        day = _as_date(raw, held[raw])
        # A date that can't be read stays, so that the checks name its row.
        lazy = lazy.filter(day.is_between(*span) | day.is_null())
    return lazy.collect()


def _canonical(raw: pl.DataFrame, table: Table, rule: FileRule) -> pl.DataFrame:
    """Return the table's columns made from raw ones; what the rule leaves out is null."""
    made = []
    for column in table.columns:
        source = rule.columns.get(column.name)
        if column.name == "is_st":
            made.append(_special_treatment(raw, rule).alias(column.name))
        elif source is not None:
            made.append(_column(raw, column, source).alias(column.name))
        elif column.name in rule.constants:
            made.append(pl.lit(rule.constants[column.name]).alias(column.name))
        elif column.name == "underlying":
            made.append(_product(raw, rule.columns["symbol"]).alias(column.name))
        else:
            made.append(pl.lit(None, dtype=getattr(pl, column.kind)).alias(column.name))
    return raw.select(made)


def _column(raw: pl.DataFrame, column: Column, rule: ColumnRule) -> pl.Expr:
    dtype = raw.schema[rule.column]
    value = pl.col(rule.column)
    match column.kind:
        case "Date":
            return _as_date(rule.column, dtype)
        case "String":
            return _codes(raw, rule) if rule.spelling else value.cast(pl.String)
    value = value.cast(pl.Float64)
    factors = [pl.col(rule.times_column).cast(pl.Float64)] if rule.times_column else []
    if rule.times != 1.0:
        factors.append(pl.lit(rule.times))
    return reduce(lambda left, right: left * right, factors, value)


def _special_treatment(raw: pl.DataFrame, rule: FileRule) -> pl.Expr:
    """Return whether the flag column or the name marks a stock; a null flag does not."""
    named = pl.col(rule.columns["name"].column).str.contains(_ST_NAME).fill_null(value=False)
    flag = rule.columns.get("is_st")
    if flag is None:
        return named
    value = pl.col(flag.column)
    if raw.schema[flag.column] != pl.Boolean:
        value = value.cast(pl.String).str.to_lowercase().is_in(_TRUE)
    return named | value.fill_null(value=False)


def _as_date(name: str, dtype: pl.DataType) -> pl.Expr:
    """Return a Date from a Date, Datetime, text or YYYYMMDD number; unreadable ones are null."""
    value = pl.col(name)
    if isinstance(dtype, pl.Date | pl.Datetime):
        return value.cast(pl.Date)
    text = value.cast(pl.String)
    return pl.coalesce(text.str.to_date(form, strict=False) for form in _DATE_FORMATS)


def _codes(raw: pl.DataFrame, rule: ColumnRule) -> pl.Expr:
    """Return canonical symbols; each code is parsed once, however many rows it has."""
    text = pl.col(rule.column).cast(pl.String)
    if raw.schema[rule.column].is_integer():
        text = text.str.zfill(6)  # a number has lost the leading zeros of its code
    codes = raw.select(text.unique().drop_nulls()).to_series().to_list()
    mapping = {code: str(symbols.parse(code, rule.spelling)) for code in codes}
    return text.replace_strict(mapping, return_dtype=pl.String)


def _product(raw: pl.DataFrame, rule: ColumnRule) -> pl.Expr:
    return _codes(raw, rule).str.slice(0, 2).str.to_lowercase()
