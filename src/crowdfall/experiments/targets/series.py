"""A ``[[series]]`` of a target file: one entry that stands for a target on each of its dates.

It has the keys of a target, but ``dates``, ``values`` and ``tolerances`` (or one ``tolerance``) in
place of a day and a value. Where the quantity takes a window, it ends on each date and begins at
``from``: a date, or ``"previous"`` for the session before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from crowdfall.data.calendar import previous_session
from crowdfall.experiments import reading

PREVIOUS: Final = "previous"
_LISTS: Final = ("dates", "values", "tolerances")


def days(where: str, entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the words of one target for each date.

    DataError, naming the entry and the key: ``id``, ``dates`` or ``values`` missing, no lists, or
    lists of different lengths. What a single target lacks is told when it is read.
    """
    for key in ("id", "dates", "values"):
        reading.check_keys(where, {key: entry[key]} if key in entry else {}, (key,))
    name = reading.text(where, "id", entry["id"])
    lists = {key: entry[key] for key in _LISTS if key in entry}
    for key, value in lists.items():
        if not isinstance(value, list) or len(value) != len(lists["dates"]):
            wanted = "a list" if key == "dates" else "a list as long as dates"
            raise reading.wrong(where, key, value, wanted)
    common = {key: value for key, value in entry.items() if key not in _LISTS}
    window = "from" in entry
    for k, on in enumerate(lists["dates"]):
        day = reading.day(where, "dates", on)
        words = common | {"id": f"{name} {day:%m-%d}", "value": lists["values"][k]}
        words |= {"to": day} if window else {"date": day}
        if entry.get("from") == PREVIOUS:
            words["from"] = _session_before(where, day)
        if "tolerances" in lists:
            words["tolerance"] = lists["tolerances"][k]
        words["title"] = _dated(where, entry, day)
        yield words


def _session_before(where: str, day: date) -> date:
    before = previous_session(day)
    if before is None:
        raise reading.wrong(where, "dates", day, "days of the calendar's range")
    return before


def _dated(where: str, entry: Mapping[str, Any], day: date) -> dict[str, str]:
    reading.check_keys(where, {"title": entry["title"]} if "title" in entry else {}, ("title",))
    titles = reading.title(where, entry["title"])
    return {lang: f"{words}, {day}" for lang, words in titles.items()}
