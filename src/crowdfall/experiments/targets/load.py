"""Target files: read, and checked with a sentence for every mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

from crowdfall.experiments import reading
from crowdfall.experiments.targets import series
from crowdfall.experiments.targets.quantities import KNOCKED_IN, QUANTITIES, RESCUED
from crowdfall.experiments.targets.rows import read_pick
from crowdfall.experiments.targets.terms import UNITS, Target, TargetKind
from crowdfall.market.snapshot import INDICES
from crowdfall.results.schema import TABLES
from crowdfall.scenarios.schema import PARTICIPANTS

SHIPPED: Final = "feb2024"
"""Name of the targets that ship."""

_TEXTS: Final = ("id", "kind", "quantity", "unit", "source")
_ALWAYS: Final = (*_TEXTS, "title", "value")
_DAYS: Final = {"from": "start", "to": "end", "date": "day"}
_COLUMNS: Final = tuple(c.name for c in TABLES["daily"] if c.kind in ("int", "float"))
_INDICES: Final = {"knocked_in_share": KNOCKED_IN, "rescue_share": RESCUED}
_CONTRACT: Final = re.compile(r"I[CM][0-9]{2}(0[1-9]|1[0-2])")


def load(name_or_path: str | Path | None = None) -> tuple[Target, ...]:
    """Return the targets of a file in its order; those that ship where None is given.

    A ``[[series]]`` stands for one target a day (see ``targets.series``).

    DataError, naming the file, the target and the key: no such file, no valid TOML, a missing or
    unknown key, an unknown quantity, unit, index, contract or column, a value that is no number,
    a negative tolerance, a free target without one, days out of order, an id used twice.

    >>> [target.id for target in load()][:2]
    ['K01', 'K02']
    """
    words, file = reading.read("targets", SHIPPED if name_or_path is None else name_or_path)
    reading.check_keys(file, words, (), ("target", "series", "title", "note"))
    found = (
        read_targets(words, "target", file) if "target" in words or "series" not in words else ()
    )
    found += expand_series(words, file) if "series" in words else ()
    reading.check_unique(file, (target.id for target in found))
    return found


def read_targets(words: Mapping[str, Any], table: str, file: str) -> tuple[Target, ...]:
    """Return the targets in the ``[[table]]`` entries of a file; raises as ``load``."""
    targets = tuple(_target(where, entry) for where, entry in reading.entries(words, table, file))
    reading.check_unique(file, (target.id for target in targets))
    return targets


def expand_series(words: Mapping[str, Any], file: str) -> tuple[Target, ...]:
    """Return the targets of the ``[[series]]`` entries of a file, one for each date."""
    return tuple(
        _target(f"{file}, {day['id']}", day)
        for where, entry in reading.entries(words, "series", file)
        for day in series.days(where, entry)
    )


def _target(where: str, entry: Mapping[str, Any]) -> Target:
    if "quantity" in entry:
        reading.check_choice(where, "quantity", entry["quantity"], QUANTITIES)
        quantity = QUANTITIES[entry["quantity"]]
        needed, may = (*_ALWAYS, *quantity.needs), ("tolerance", *quantity.may)
    else:
        needed, may = _ALWAYS, tuple(entry)  # the missing key speaks, not one that it explains
    if entry.get("kind") == "free":
        needed = (*needed, "tolerance")
    reading.check_keys(where, entry, needed, may)
    texts = {key: reading.text(where, key, entry[key]) for key in _TEXTS}
    reading.check_choice(where, "kind", texts["kind"], get_args(TargetKind))
    reading.check_choice(where, "unit", texts["unit"], UNITS)
    tolerance = entry.get("tolerance")
    if tolerance is not None and reading.number(where, "tolerance", tolerance) < 0.0:
        raise reading.wrong(where, "tolerance", tolerance, "a number of at least 0")
    picks = entry.get("quantity") == "rows"
    pick = read_pick(where, entry) if picks else None
    if "margin" in entry and not 0.0 < reading.number(where, "margin", entry["margin"]) < 1.0:
        raise reading.wrong(where, "margin", entry["margin"], "a number between 0 and 1")
    terms: dict[str, Any] = texts | _days(where, entry) | _names(where, entry)
    return Target(
        **terms,
        pick=pick,
        margin=float(entry.get("margin", 0.0)),
        title=reading.title(where, entry["title"]),
        value=reading.number(where, "value", entry["value"]),
        tolerance=None if tolerance is None else float(tolerance),
    )


def _days(where: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    days = {
        name: reading.day(where, key, entry[key]) for key, name in _DAYS.items() if key in entry
    }
    if "start" in days and "end" in days and days["start"] >= days["end"]:
        raise reading.wrong(where, "to", days["end"], f"a day after {days['start']}")
    return days


def _names(where: str, entry: Mapping[str, Any]) -> dict[str, str]:
    known = {
        "index": _INDICES.get(entry["quantity"], INDICES),
        "column": (entry["column"],)
        if entry["quantity"] == "rows" and "column" in entry
        else _COLUMNS,
        "participant": PARTICIPANTS,
    }
    names: dict[str, str] = {}
    for key, choices in known.items():
        if key in entry:
            reading.check_choice(where, key, entry[key], choices)
            names[key] = entry[key]
    if "contract" in entry:
        names["contract"] = str(entry["contract"])
        if not _CONTRACT.fullmatch(names["contract"]):
            wanted = "IC or IM with year and month, as IM2403"
            raise reading.wrong(where, "contract", entry["contract"], wanted)
    return names
