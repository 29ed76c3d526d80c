"""A run on disk: a folder of Parquet tables and JSON, written whole or not at all.

::

    runs/<id>/
      manifest.json           what determines the run (scenario, market digest, seed, versions)
      inputs/                 the market and the files of the scenario, for resume and fork
      blocks/00000/*.parquet  blocks of paths, until the run is complete; ``done`` written last
      factors/*.npz           solved factors by path (replay)
      daily.parquet ...       the tables of ``results.schema``, after the last block
      summary.json            written last: a folder that holds it is a complete run

Every file is written under a temporary name and then renamed, so that a killed run leaves whole
files only. The folder is local or behind an fsspec URL: ``results.place`` knows the difference.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.exceptions import ComputeError, PolarsError

from crowdfall.errors import RunError
from crowdfall.results.place import Place, UrlPath, place, write_whole
from crowdfall.results.schema import TABLES, Column, Kind, column_names

SCHEMA_VERSION: Final = 1
"""Version of the tables and the manifest; a run of another version is not read."""

_DONE: Final = "done"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)

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

    path: Place
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
        self.write_encoded(number, encode(tables))

    def write_encoded(self, number: int, files: Mapping[str, bytes]) -> None:
        """Write one block as ``encode`` gave it; it counts once its last file, ``done``, stands.

        RunError: the block was written before, or the disk is full.
        """
        if (self._block(number) / _DONE).is_file():
            raise RunError("block_exists", path=self.path, block=number)
        with self.disk():
            self._block(number).mkdir(parents=True, exist_ok=True)
            for name, data in files.items():
                write_whole(self._block(number) / f"{name}.parquet", data)
            write_whole(self._block(number) / _DONE, b"")

    def write_file(self, name: str, data: bytes) -> None:
        """Write a file beside the tables, whole; RunError where the disk is full."""
        with self.disk():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, data)

    @contextmanager
    def disk(self) -> Iterator[None]:
        """Say in one sentence that the disk is full: what is finished stays, and can go on."""
        try:
            yield
        except (OSError, PolarsError) as error:
            if getattr(error, "errno", None) not in _FULL and "space left" not in str(error):
                raise
            raise RunError("disk_full", path=self.path) from error

    def finished_blocks(self) -> list[int]:
        """Return the numbers of the blocks on disk, in order; empty once the run is complete."""
        folder = self.path / "blocks"
        if self.is_complete or not folder.is_dir():
            return []
        numbers = [item.name for item in folder.iterdir() if item.name.isdigit()]
        return sorted(int(n) for n in numbers if (folder / n / _DONE).is_file())

    def finish(self, summary: dict[str, Any]) -> None:
        """Join the blocks in order into one file a table, then write ``summary``.

        The blocks are removed at the end: the tables hold the same rows. RunError: no block.
        """
        blocks = self.finished_blocks()
        if not blocks:
            raise RunError("no_blocks", path=self.path)
        with self.disk():
            for name in TABLES:
                self._join(name, blocks)
            write_whole(self.path / "summary.json", _json(summary).encode())
        self.summary.update(summary)
        self.tidy()

    def tidy(self) -> None:
        """Remove the blocks of a complete run: the tables hold the same rows."""
        _remove(self.path / "blocks")

    def _join(self, name: str, blocks: list[int]) -> None:
        target = self.path / f"{name}.parquet"
        if not isinstance(target, Path):
            write_whole(target, _parquet(self.block_table(name)))
            return
        parts = [Path(str(self._block(number))) / target.name for number in blocks]
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            rows = pl.scan_parquet(parts, glob=False, hive_partitioning=False)
            rows.sink_parquet(draft, compression="zstd", maintain_order=True)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)

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
        _remove(self.path)

    def _block(self, number: int) -> Place:
        return self.path / "blocks" / f"{number:05d}"


def create(
    path: str | Place, manifest: dict[str, Any], inputs: Mapping[str, bytes] | None = None
) -> RunFolder:
    """Make a new run folder with its manifest and inputs; it appears with all of them.

    RunError: the folder exists (nothing is written over), or it can't be made.
    """
    folder = place(path)
    check_free(folder)
    stamped = {**manifest, "schema": SCHEMA_VERSION}
    files = {**(inputs or {}), "manifest.json": _json(stamped).encode()}
    # Behind a URL folders can't be renamed: there the manifest, written last, makes the run.
    draft = folder.with_name(f".{folder.name}.{os.getpid()}") if _is_local(folder) else folder
    run = RunFolder(draft, stamped)
    try:
        draft.mkdir(parents=True)
        for name, data in files.items():
            run.write_file(name, data)
        if isinstance(draft, Path):
            draft.rename(Path(str(folder)))
    except OSError as error:
        _remove(draft)
        reason = error.strerror or str(error)
        raise RunError("folder_unwritable", path=folder, reason=reason) from error
    except BaseException:
        _remove(draft)
        raise
    return RunFolder(folder, stamped)


def check_free(path: str | Place) -> None:
    """Raise RunError where something already stands at ``path`` or its name can't be used."""
    folder = place(path)
    try:
        taken = folder.exists() or folder.is_symlink()
    except (OSError, ValueError) as error:
        raise RunError("folder_unwritable", path=folder, reason=str(error)) from error
    if not taken:
        return
    if (folder / "manifest.json").is_file() and not (folder / "summary.json").is_file():
        raise RunError("run_exists_incomplete", path=folder)
    raise RunError("run_exists", path=folder)


def open_run(path: str | Place, *, incomplete: bool = False) -> RunFolder:
    """Open a run folder; ``incomplete`` allows one whose last block is still to come.

    RunError: no run at ``path``, an unreadable manifest, another schema version, not complete.
    """
    folder = place(path)
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


def encode(tables: Mapping[str, pl.DataFrame]) -> dict[str, bytes]:
    """Return the five tables of a block as Parquet files, rows by path and date.

    Rows keep their order within a day, so that the tables do not depend on the block size.
    RunError: a table or column is missing, unknown or of another kind.
    """
    checked = {name: _checked(name, frame) for name, frame in _all_tables(tables).items()}
    return {
        name: _parquet(frame.sort("path", "date", maintain_order=True))
        for name, frame in checked.items()
    }


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _is_local(folder: Place) -> bool:
    return isinstance(folder, Path)


def _remove(folder: Place) -> None:
    if isinstance(folder, UrlPath):
        folder.remove_all()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _all_tables(tables: Mapping[str, pl.DataFrame]) -> Mapping[str, pl.DataFrame]:
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


def _read_table(folder: Place, name: str) -> pl.DataFrame:
    if name not in TABLES:
        raise RunError("unknown_table", table=name, known=", ".join(TABLES))
    file = folder / f"{name}.parquet"
    if not file.is_file():
        raise RunError("table_missing", path=folder, table=name)
    try:
        source = file if isinstance(file, Path) else BytesIO(file.read_bytes())
        frame = pl.read_parquet(source, glob=False, hive_partitioning=False)
    except (PolarsError, ComputeError, OSError) as error:
        raise RunError("table_unreadable", path=file) from error
    return _checked(name, frame)


def write_text(target: Place, text: str) -> None:
    """Write a text file whole, then rename it, replacing an older one."""
    write_whole(target, text.encode())


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _read_json(folder: Place, name: str) -> dict[str, Any]:
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
