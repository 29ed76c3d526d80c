"""Describe a folder of files: which raw column feeds which canonical one, and its unit.

A layout is a small TOML file::

    title = "what these files are"

    [stock_bars]
    columns.date = "date"
    columns.symbol = { column = "code", spelling = "stock" }
    columns.turnover = { column = "turnover_pct", times = 0.01 }

    [[stock_bars.files]]
    path = "stocks/bars.parquet"
    columns.volume = { column = "volume_lots", times = 100 }

Columns of a table hold for all its files, those of a file for that file. ``times`` and
``times_column`` multiply, ``spelling`` says what kind of code a symbol column holds, ``set`` gives
a column of words one value. A key that is none of these is an error.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_args

from crowdfall.data import symbols
from crowdfall.data.schema import TABLES, Table
from crowdfall.errors import DataError

OWN_LAYOUT: Final = "layout.toml"
"""A folder may bring its own layout under this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRule:
    """How one canonical column is made from a raw one."""

    column: str
    times: float = 1.0
    times_column: str | None = None
    spelling: symbols.Kind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRule:
    """One file of a table; ``constants`` holds the columns that have one value."""

    path: str
    columns: dict[str, ColumnRule]
    constants: dict[str, str] = field(default_factory=dict)

    @property
    def raw_columns(self) -> tuple[str, ...]:
        """Return the names of all raw columns used, each once."""
        used = [rule.column for rule in self.columns.values()]
        used += [rule.times_column for rule in self.columns.values() if rule.times_column]
        return tuple(dict.fromkeys(used))


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A whole folder; a table without files is one that the folder does not hold."""

    title: str
    tables: dict[str, tuple[FileRule, ...]]


def read_layout(path: Path) -> Layout:
    """Return the layout in a TOML file.

    Raises DataError where it is missing, is not TOML, or says something it can't say.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("unreadable_file", file=path, reason=_first_line(error)) from error
    return parse_layout(text, str(path))


def shipped_layout(name: str = "crowdfall_data") -> Layout:
    """Return a layout that comes with the package."""
    text = files("crowdfall.data").joinpath("layouts", f"{name}.toml").read_text(encoding="utf-8")
    return parse_layout(text, f"{name}.toml")


def parse_layout(text: str, origin: str) -> Layout:
    """Return the layout that ``text`` describes; ``origin`` is what errors call it."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError("unreadable_file", file=origin, reason=_first_line(error)) from error
    _only(raw, ("title", *TABLES), origin)
    title = _text(raw.pop("title", ""), "title", origin)
    return Layout(
        title=title,
        tables={name: _table(body, TABLES[name], origin) for name, body in raw.items()},
    )


def _table(raw: object, table: Table, origin: str) -> tuple[FileRule, ...]:
    where = f"{origin} [{table.name}]"
    body = _mapping(raw, where, ("columns", "files"))
    shared = _columns(body.get("columns", {}), table, where)
    listed = body.get("files", [])
    if not isinstance(listed, list) or not listed:
        raise DataError("layout_value", layout=where, key="files", value=listed)
    return tuple(_file(one, shared, table, where) for one in listed)


def _file(raw: object, shared: dict[str, ColumnRule], table: Table, where: str) -> FileRule:
    body = _mapping(raw, where, ("path", "columns", "set"))
    path = _text(body.get("path"), "path", where)
    if not path or Path(path).is_absolute() or ".." in Path(path).parts:
        raise DataError("layout_value", layout=where, key="path", value=path)
    constants = _mapping(body.get("set", {}), where, _settable(table))
    rule = FileRule(
        path=path,
        columns=shared | _columns(body.get("columns", {}), table, where),
        constants={key: _text(value, key, where) for key, value in constants.items()},
    )
    given = {*rule.columns, *rule.constants, *_DERIVED.get(table.name, ())}
    for column in table.columns:
        if column.needed and column.name not in given:
            raise DataError("layout_column", layout=f"{where} {path}", column=column.name)
    return rule


def _settable(table: Table) -> tuple[str, ...]:
    """Return the columns that may have one value in a whole file: words, but not symbols."""
    return tuple(
        column.name
        for column in table.columns
        if column.kind == "String" and column.name != "symbol"
    )


# Columns that the source derives itself where a layout is silent about them.
_DERIVED: Final = {"stock_list": ("is_st",), "futures_bars": ("underlying",)}


def _columns(raw: object, table: Table, where: str) -> dict[str, ColumnRule]:
    body = _mapping(raw, where, table.names)
    return {name: _column(one, f"{where} columns.{name}") for name, one in body.items()}


def _column(raw: object, where: str) -> ColumnRule:
    if isinstance(raw, str):
        return ColumnRule(column=raw)
    body = _mapping(raw, where, ("column", "times", "times_column", "spelling"))
    times = body.get("times", 1.0)
    if isinstance(times, bool) or not isinstance(times, int | float) or not times > 0:
        raise DataError("layout_value", layout=where, key="times", value=times)
    spelling = body.get("spelling")
    if spelling is not None and spelling not in get_args(symbols.Kind):
        raise DataError("layout_value", layout=where, key="spelling", value=spelling)
    factor = body.get("times_column")
    return ColumnRule(
        column=_text(body.get("column"), "column", where),
        times=float(times),
        times_column=None if factor is None else _text(factor, "times_column", where),
        spelling=spelling,
    )


def _mapping(raw: object, where: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise DataError("layout_value", layout=where, key=where, value=raw)
    _only(raw, allowed, where)
    return raw


def _only(raw: dict[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in raw:
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.0)
            raise DataError(
                "layout_key", layout=where, key=key, suggestion=near[0] if near else "-"
            )


def _text(value: object, key: str, where: str) -> str:
    if not isinstance(value, str):
        raise DataError("layout_value", layout=where, key=key, value=value)
    return value


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
