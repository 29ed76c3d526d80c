"""A run on disk: a folder of Parquet tables and JSON, written whole or not at all.

::

    runs/<id>/
      manifest.json           what determines the run (scenario, market digest, seed, versions)
      blocks/00000/*.parquet  finished blocks of paths, until the run is complete
      daily.parquet ...       the tables of ``results.schema``, after the last block
      summary.json            written last: a folder that holds it is a complete run

Every file is written under a temporary name and then renamed, so that a killed run leaves whole
files only. Everything that touches the disk is in this module: other kinds of storage need no
other change.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.exceptions import ComputeError, PolarsError

from crowdfall.errors import RunError
from crowdfall.results.schema import TABLES, Column, Kind, column_names

SCHEMA_VERSION: Final = 1
"""Version of the tables and the manifest; a run of another version is not read."""

_DTYPES: Final[dict[Kind, type[pl.DataType]]] = {
    "int": pl.Int64,
    "float": pl.Float64,
    "date": pl.Date,
    "str": pl.String,
}


@dataclass(frozen=True)
class RunFolder:
    """A run folder that is being written, or that is complete and read.

    ``manifest`` is what determined the run; ``summary`` its headline numbers, empty until
    ``finish``. Make one with ``create`` or ``open_run``.
    """

    path: Path
    manifest: dict[str, Any]
    summary: dict[str, Any] = field(default_factory=dict)
    _tables: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_complete(self) -> bool:
        """Whether the last file of the run has been written."""
        return (self.path / "summary.json").is_file()

    def write_block(self, number: int, tables: dict[str, pl.DataFrame]) -> None:
        """Write the tables of one block of paths; all of them appear at once.

        Rows are ordered by path and date, keeping their order within a day, so that the tables
        do not depend on the block size. RunError: a table or column is missing, unknown or of
        another kind, or the block was written before.
        """
        place = self._block(number)
        if place.exists():
            raise RunError("block_exists", path=self.path, block=number)
        checked = {name: _checked(name, frame) for name, frame in _all_tables(tables).items()}
        draft = place.with_name(f".{place.name}.{os.getpid()}")
        draft.mkdir(parents=True)
        try:
            for name, frame in checked.items():
                ordered = frame.sort("path", "date", maintain_order=True)
                ordered.write_parquet(draft / f"{name}.parquet", compression="zstd")
            draft.rename(place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def finished_blocks(self) -> list[int]:
        """Return the numbers of the blocks on disk, in order; empty once the run is complete."""
        folder = self.path / "blocks"
        if not folder.is_dir():
            return []
        return sorted(int(item.name) for item in folder.iterdir() if item.name.isdigit())

    def finish(self, summary: dict[str, Any]) -> None:
        """Join the blocks in order into one file a table, then write ``summary``.

        The blocks are removed at the end: the tables hold the same rows. RunError: no block.
        """
        blocks = self.finished_blocks()
        if not blocks:
            raise RunError("no_blocks", path=self.path)
        for name in TABLES:
            parts = [self._block(number) / f"{name}.parquet" for number in blocks]
            _whole(
                self.path / f"{name}.parquet",
                pl.scan_parquet(parts, glob=False, hive_partitioning=False).sink_parquet,
                compression="zstd",
                maintain_order=True,
            )
        _write_json(self.path / "summary.json", summary)
        self.summary.update(summary)
        shutil.rmtree(self.path / "blocks")

    def block_table(self, name: str) -> pl.DataFrame:
        """Return one table of the finished blocks, in order, before ``finish`` has joined them.

        RunError: no block, unknown table, damaged file.
        """
        blocks = self.finished_blocks()
        if not blocks:
            raise RunError("no_blocks", path=self.path)
        return pl.concat([_read_table(self._block(number), name) for number in blocks])

    def table(self, name: str) -> pl.DataFrame:
        """Return one table of a complete run; the frame is kept for the next call.

        RunError: unknown table, missing or damaged file, other columns.
        """
        if name not in self._tables:
            frame = _read_table(self.path, name)
            self._tables[name] = frame
        return self._tables[name]

    def discard(self) -> None:
        """Remove a run that has no finished block, or that its owner gives up."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _block(self, number: int) -> Path:
        return self.path / "blocks" / f"{number:05d}"


def create(path: str | Path, manifest: dict[str, Any]) -> RunFolder:
    """Make a new run folder and write its manifest.

    RunError: the folder exists (nothing is written over), or it can't be made.
    """
    folder = Path(path)
    check_free(folder)
    stamped = {**manifest, "schema": SCHEMA_VERSION}
    text = _json(stamped)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise RunError("folder_unwritable", path=folder, reason=error.strerror) from error
    _whole(folder / "manifest.json", Path.write_text, text, encoding="utf-8")
    return RunFolder(folder, stamped)


def check_free(path: str | Path) -> None:
    """Raise RunError where something already stands at ``path`` or its name can't be used."""
    folder = Path(path)
    try:
        taken = folder.exists() or folder.is_symlink()
    except (OSError, ValueError) as error:
        raise RunError("folder_unwritable", path=folder, reason=str(error)) from error
    if not taken:
        return
    if (folder / "manifest.json").is_file() and not (folder / "summary.json").is_file():
        raise RunError("run_exists_incomplete", path=folder)
    raise RunError("run_exists", path=folder)


def open_run(path: str | Path, *, incomplete: bool = False) -> RunFolder:
    """Open a run folder; ``incomplete`` allows one whose last block is still to come.

    RunError: no run at ``path``, an unreadable manifest, another schema version, not complete.
    """
    folder = Path(path)
    manifest = _read_json(folder, "manifest.json")
    version = manifest.get("schema")
    if version != SCHEMA_VERSION:
        raise RunError("run_version", path=folder, version=version, wanted=SCHEMA_VERSION)
    run = RunFolder(folder, manifest)
    if run.is_complete:
        return RunFolder(folder, manifest, _read_json(folder, "summary.json"))
    if not incomplete:
        raise RunError("run_incomplete", path=folder, blocks=len(run.finished_blocks()))
    return run


def run_id(**determinants: object) -> str:
    """Return 12 hex digits that name a run by what determines its result.

    >>> run_id(scenario="a1", market="b2", seed=1, paths=20, version="0.1.0")
    '8718a9f54070'
    """
    text = json.dumps(determinants, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _all_tables(tables: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    if set(tables) != set(TABLES):
        odd = ", ".join(sorted(set(tables) ^ set(TABLES)))
        raise RunError("block_tables", tables=odd, wanted=", ".join(TABLES))
    return tables


def _checked(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with the columns, order and types of the schema."""
    wanted = column_names(table)
    if set(frame.columns) != set(wanted):
        odd = ", ".join(sorted(set(frame.columns) ^ set(wanted)))
        raise RunError("table_columns", table=table, columns=odd)
    kinds = frame.schema
    return frame.select(_typed(table, column, kinds[column.name]) for column in TABLES[table])


def _typed(table: str, column: Column, found: pl.DataType) -> pl.Expr:
    wanted = _DTYPES[column.kind]
    fits = {
        "int": found.is_integer(),
        "float": found.is_numeric(),
        "date": found == pl.Date,
        "str": found in (pl.String, pl.Categorical) or isinstance(found, pl.Enum),
    }
    if not (fits[column.kind] or found == pl.Null):
        raise RunError(
            "column_kind", table=table, column=column.name, kind=column.kind, found=found
        )
    return pl.col(column.name).cast(wanted)


def _read_table(folder: Path, name: str) -> pl.DataFrame:
    if name not in TABLES:
        raise RunError("unknown_table", table=name, known=", ".join(TABLES))
    file = folder / f"{name}.parquet"
    if not file.is_file():
        raise RunError("table_missing", path=folder, table=name)
    try:
        frame = pl.read_parquet(file, glob=False, hive_partitioning=False)
    except (PolarsError, ComputeError, OSError) as error:
        raise RunError("table_unreadable", path=file) from error
    return _checked(name, frame)


def _whole(target: Path, write: Callable[..., object], *values: object, **options: object) -> None:
    """Call ``write`` on a temporary name beside ``target``, then rename it."""
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        write(draft, *values, **options)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write a text file whole, then rename it, replacing an older one."""
    _whole(target, Path.write_text, text, encoding="utf-8")


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _write_json(target: Path, value: dict[str, Any]) -> None:
    write_text(target, _json(value))


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    file = folder / name
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RunError("not_a_run", path=folder) from error
    except (OSError, ValueError) as error:
        raise RunError("run_unreadable", path=file) from error
    if not isinstance(value, dict):
        raise RunError("run_unreadable", path=file)
    return value
