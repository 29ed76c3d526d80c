"""Target files: read, and checked with a sentence for every mistake."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any, Final, get_args

from crowdfall.errors import DataError
from crowdfall.experiments.targets.quantities import KNOCKED_IN, QUANTITIES, RESCUED
from crowdfall.experiments.targets.terms import UNITS, Target, TargetKind
from crowdfall.market.snapshot import INDICES
from crowdfall.results.schema import TABLES

SHIPPED: Final = "feb2024"
"""Name of the targets that ship."""

_TEXTS: Final = ("id", "kind", "quantity", "unit", "source")
_ALWAYS: Final = (*_TEXTS, "title", "value")
_COLUMNS: Final = tuple(c.name for c in TABLES["daily"] if c.kind in ("int", "float"))
_INDICES: Final = {"knocked_in_share": KNOCKED_IN, "rescue_share": RESCUED}


def load(path: str | Path | None = None) -> tuple[Target, ...]:
    """Return the targets of a file in its order, or the shipped ones where ``path`` is None.

    DataError, naming the file, the target and the key: no such file, no valid TOML, a missing or
    unknown key, an unknown quantity, unit, index, contract or column, a value that is no number,
    a negative tolerance, a free target without one, days out of order, an id used twice.

    >>> [target.id for target in load()][:2]
    ['K01', 'K02']
    """
    words, name = _words(path)
    extra = set(words) - {"target", "title", "note"}
    if extra:
        raise DataError("targets_key", file=name, keys=", ".join(sorted(extra)))
    entries = words.get("target")
    if not isinstance(entries, list) or not entries:
        raise DataError("targets_none", file=name)
    targets = tuple(_target(entry, name, number) for number, entry in enumerate(entries, 1))
    seen: set[str] = set()
    for target in targets:
        if target.id in seen:
            raise DataError("targets_twice", file=name, id=target.id)
        seen.add(target.id)
    return targets


def _words(path: str | Path | None) -> tuple[dict[str, Any], str]:
    if path is None:
        place = files("crowdfall.experiments").joinpath("targets", f"{SHIPPED}.toml")
        return tomllib.loads(place.read_text(encoding="utf-8")), f"{SHIPPED}.toml"
    file = Path(path)
    try:
        return tomllib.loads(file.read_text(encoding="utf-8")), str(file)
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise DataError("targets_missing_file", file=file) from None
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError("targets_unreadable", file=file, why=reason) from None


def _target(entry: object, file: str, number: int) -> Target:
    where = f"{file}, target {number}"
    if not isinstance(entry, Mapping):
        raise DataError("targets_wrong", where=where, key="target", value=entry, wanted="a table")
    if isinstance(entry.get("id"), str):
        where = f"{file}, {entry['id']}"
    for key in _ALWAYS:
        if key not in entry:
            raise DataError("targets_missing_key", where=where, key=key)
    for key in _TEXTS:
        if not isinstance(entry[key], str) or not entry[key]:
            raise _wrong(where, key, entry[key], "a text")
    _choice(where, "kind", entry["kind"], get_args(TargetKind))
    _choice(where, "unit", entry["unit"], UNITS)
    _choice(where, "quantity", entry["quantity"], QUANTITIES)
    asked = _asked(entry, where)
    tolerance = entry.get("tolerance")
    if tolerance is None and entry["kind"] == "free":
        raise DataError("targets_missing_key", where=where, key="tolerance")
    if tolerance is not None and _number(where, "tolerance", tolerance) < 0.0:
        raise _wrong(where, "tolerance", tolerance, "a number of at least 0")
    return Target(
        **{key: entry[key] for key in _TEXTS},
        title=_title(where, entry["title"]),
        value=_number(where, "value", entry["value"]),
        tolerance=None if tolerance is None else float(tolerance),
        **asked,
    )


def _asked(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the keys of the entry's quantity, checked."""
    quantity = QUANTITIES[entry["quantity"]]
    known = (*_ALWAYS, "tolerance", *quantity.needs, *quantity.may)
    for key in entry:
        if key not in known:
            _choice(where, "key", key, known)
    for key in quantity.needs:
        if key not in entry:
            raise DataError("targets_missing_key", where=where, key=key)
    asked: dict[str, Any] = {}
    for key, name in (("from", "start"), ("to", "end"), ("date", "day")):
        if key in entry:
            asked[name] = _date(where, key, entry[key])
    if "start" in asked and "end" in asked and asked["start"] >= asked["end"]:
        raise _wrong(where, "to", asked["end"], f"a day after {asked['start']}")
    if "index" in entry:
        _choice(where, "index", entry["index"], _INDICES.get(entry["quantity"], INDICES))
    if "column" in entry:
        _choice(where, "column", entry["column"], _COLUMNS)
    if "contract" in entry and not re.fullmatch(
        r"I[CM]\d\d(0[1-9]|1[0-2])", str(entry["contract"])
    ):
        raise _wrong(
            where, "contract", entry["contract"], "IC or IM with year and month, as IM2403"
        )
    return asked | {key: entry[key] for key in ("index", "column", "contract") if key in entry}


def _title(where: str, value: object) -> dict[str, str]:
    if isinstance(value, str) and value:
        return {"en": value, "zh": value}
    if isinstance(value, Mapping) and set(value) == {"en", "zh"}:
        texts = {str(key): text for key, text in value.items() if isinstance(text, str) and text}
        if len(texts) == len(value):
            return texts
    raise _wrong(where, "title", value, 'a text, or { en = "...", zh = "..." }')


def _number(where: str, key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise _wrong(where, key, value, "a number")
    return float(value)


def _date(where: str, key: str, value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise _wrong(where, key, value, "a date such as 2024-02-05")


def _choice(where: str, key: str, value: object, known: Iterable[str]) -> None:
    names = list(known)
    if value not in names:
        near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.0)
        raise DataError(
            "targets_choice", where=where, key=key, value=value, near=near[0],
            known=", ".join(names),
        )  # fmt: skip


def _wrong(where: str, key: str, value: object, wanted: str) -> DataError:
    return DataError("targets_wrong", where=where, key=key, value=value, wanted=wanted)
