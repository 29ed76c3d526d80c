"""Files of questions (targets, ablations): read, with a sentence for every mistake.

``where`` names the file and the entry in each sentence. Everything raises DataError.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any

from crowdfall.errors import DataError


def read(kind: str, name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    """Return the words of a file that ships under ``experiments/<kind>``, or of a path.

    The second value is how to call the file in a sentence.
    """
    shipped = Path(str(files("crowdfall.experiments").joinpath(kind, f"{name_or_path}.toml")))
    file = shipped if shipped.is_file() else Path(name_or_path)
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), file.name
    except FileNotFoundError:
        raise DataError("experiment_file_missing", file=file) from None
    except (OSError, ValueError) as error:  # a folder, a strange name, no text, no TOML
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError("experiment_file_unreadable", file=file, why=reason) from None


def entries(words: Mapping[str, Any], table: str, file: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the ``[[table]]`` entries of a file, each with how to call it."""
    found = words.get(table)
    if not isinstance(found, list) or not found:
        raise DataError("experiment_empty", file=file, table=table)
    out = []
    for number, entry in enumerate(found, 1):
        where = f"{file}, {table} {number}"
        if not isinstance(entry, dict):
            raise wrong(where, table, entry, "a table")
        name = entry.get("id")
        out.append((f"{file}, {name}" if isinstance(name, str) and name else where, entry))
    return out


def check_keys(
    where: str, entry: Mapping[str, Any], needed: Iterable[str], may: Iterable[str] = ()
) -> None:
    """Raise where a key is unknown or one that is needed is missing."""
    known = (*needed, *may)
    for key in entry:
        check_choice(where, "key", key, known)
    for key in needed:
        if key not in entry:
            raise DataError("experiment_key_missing", where=where, key=key)


def check_unique(file: str, ids: Iterable[str]) -> None:
    """Raise where an id stands twice."""
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise DataError("experiment_twice", file=file, id=name)
        seen.add(name)


def check_choice(where: str, key: str, value: object, known: Iterable[str]) -> None:
    """Raise where a value is none of those known, naming the nearest."""
    names = list(known)
    if value not in names:
        near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.0)
        raise DataError(
            "experiment_choice", where=where, key=key, value=value, near=near[0],
            known=", ".join(names),
        )  # fmt: skip


def text(where: str, key: str, value: object) -> str:
    """Return a text that is not empty."""
    if isinstance(value, str) and value.strip():
        return value
    raise wrong(where, key, value, "a text")


def title(where: str, value: object) -> dict[str, str]:
    """Return a title by language; one text stands for both."""
    if isinstance(value, str) and value.strip():
        return {"en": value, "zh": value}
    if isinstance(value, dict) and set(value) == {"en", "zh"}:
        return {lang: text(where, f"title.{lang}", each) for lang, each in value.items()}
    raise wrong(where, "title", value, 'a text, or { en = "...", zh = "..." }')


def number(where: str, key: str, value: object) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise wrong(where, key, value, "a number")
    return float(value)


def day(where: str, key: str, value: object) -> date:
    """Return a date."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise wrong(where, key, value, "a date such as 2024-02-05")


def wrong(where: str, key: str, value: object, wanted: str) -> DataError:
    """Return the error of a value that is not what it must be."""
    return DataError("experiment_wrong", where=where, key=key, value=value, wanted=wanted)
