"""How one thing led to another on one path: events walked back from effect to cause.

The main chain ends in locked stocks and goes back to its root; then come the rescue, which is a
schedule and answers without being caused, and the rise that it caused. A second chain is told
where snowballs were knocked in. A pair of links that only goes round is told once, with the
number of times that it came back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final, Literal

import polars as pl

from crowdfall.i18n import Language, translate, words
from crowdfall.market.snapshot import UNDERLYINGS
from crowdfall.reports.dominoes import PathTables, has_books
from crowdfall.reports.phrases import amount, count, day, name_of, percent, share
from crowdfall.rules.futures import multiplier

Event = dict[str, Any]
Role = Literal["cause", "answer", "recovery"]

ENDS: Final = ("limit_lock", "forced_sale", "index_fall")
"""Kinds in which the main chain may end; the first one that happened counts."""
LARGE: Final = 0.3
"""A chain may end in an event from this share of the largest of its kind on (assumption)."""
ANSWERED_WITHIN: Final = 10
"""Sessions within which a rescue answers the end of a chain (assumption)."""
SHARES: Final = ("news", "good_news", "index_fall", "index_rise", "limit_lock", "basis_gap",
                 "basis_back", "policy")  # fmt: skip
"""Kinds whose amount is a fraction; of the others it is yuan."""
OF_ONE_BOOK: Final = (
    "knock_in", "index_fall", "index_rise", "limit_lock", "basis_gap", "basis_back",
    "futures_sale", "futures_purchase", "news", "good_news",
)  # fmt: skip
"""Kinds of which the event itself is told; of the others, all of that day and participant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link: the event that was walked, and what all books of its sort come to on that day.

    ``again``: further times that the same happened in the walk, the last on ``until``.
    """

    event: int
    cause: int | None
    on: date
    kind: str
    agent: str
    cell: str
    amount: float
    books: int
    role: Role = "cause"
    again: int = 0
    until: date | None = None


def chains(tables: PathTables) -> list[list[Link]]:
    """Return the chains worth telling: the main one, and that of the snowballs; none where quiet.

    Every cause in a chain is the link before it, unless a loop was left out in between.
    """
    events = {row["event"]: row for row in tables.events.iter_rows(named=True)}
    main = _longest(events, _large(events.values()))
    if not main:
        return []
    told = [[*_links(events, main), *_answer(events, main[-1])]]
    notes = [event for event in events.values() if event["kind"] == "knock_in"]
    if notes and not any(event["kind"] == "knock_in" for event in main):
        after = [event for event in events.values() if _leads_back(events, event, "knock_in")]
        told.append(_links(events, _longest(events, after or notes, main)))
    return told


def _leads_back(events: dict[int, Event], event: Event, kind: str) -> bool:
    return any(other["kind"] == kind for other in walk(events, event)[:-1])


def walk(events: dict[int, Event], event: Event) -> list[Event]:
    """Return an event and all that led to it, the root first."""
    found = [event]
    while (cause := found[-1]["cause"]) is not None:
        found.append(events[cause])
    return found[::-1]


def _large(events: Iterable[Event]) -> list[Event]:
    rows = list(events)
    for kind in ENDS:
        mine = [event for event in rows if event["kind"] == kind]
        if mine:
            most = max(event["amount"] for event in mine)
            return [event for event in mine if event["amount"] >= LARGE * most]
    return []


def _longest(
    events: dict[int, Event], ends: Sequence[Event], known: Sequence[Event] = ()
) -> list[Event]:
    """Return the walk with the most different links that are not ``known``, the earliest one."""
    best: list[Event] = []
    most = 0
    old = {event["event"] for event in known}
    for end in ends:
        found = walk(events, end)
        different = len({_sort(event) for event in found if event["event"] not in old})
        if different > most:
            best, most = found, different
    return best


def _sort(event: Event) -> tuple[str, str]:
    return event["kind"], event["agent"]


def _links(events: dict[int, Event], walked: list[Event]) -> list[Link]:
    links: list[Link] = []
    for event in walked:
        place = [n for n, link in enumerate(links) if (link.kind, link.agent) == _sort(event)]
        if place:
            link = links[place[0]]
            links[place[0]] = replace(link, again=link.again + 1, until=event["date"])
        else:
            links.append(_link(events, event))
    return links


def _link(events: dict[int, Event], event: Event, role: Role = "cause") -> Link:
    alike = [event]
    if event["kind"] not in OF_ONE_BOOK:
        alike = [
            other for other in events.values()
            if other["date"] == event["date"] and _sort(other) == _sort(event)
        ]  # fmt: skip
    return Link(
        event=event["event"], cause=event["cause"], on=event["date"], kind=event["kind"],
        agent=event["agent"], cell=event["cell"], amount=sum(e["amount"] for e in alike),
        books=len({e["cell"] for e in alike}), role=role,
    )  # fmt: skip


def _answer(events: dict[int, Event], end: Event) -> list[Link]:
    """Return the rescue that came after the end of a chain, and the largest rise it caused."""
    days = sorted({event["date"] for event in events.values()})
    late = days[days.index(end["date"]) :][: ANSWERED_WITHIN + 1]
    soon = [event for event in events.values() if event["date"] in late]
    rises = [
        event for event in soon
        if event["kind"] == "index_rise" and event["cause"] is not None
        and events[event["cause"]]["kind"] == "rescue"
        and events[event["cause"]]["date"] in late
    ]  # fmt: skip
    if rises:
        rise = max(rises, key=lambda event: event["amount"])
        rescue = events[rise["cause"]]
        return [_link(events, rescue, "answer"), _link(events, rise, "recovery")]
    bought = [event for event in soon if event["kind"] == "rescue"]
    return [_link(events, max(bought, key=lambda e: e["amount"]), "answer")] if bought else []


def told(link: Link, tables: PathTables, lang: Language) -> str:
    """Return the words of a link, without its amount."""
    values = {
        "agent": name_of(link.agent, lang), "cell": name_of(link.cell, lang),
        "books": _books(link, tables, lang), **_more(link, tables),
    }  # fmt: skip
    key = f"chain.{link.kind}"
    if link.kind in ("news", "good_news") and link.agent != "market":
        key += ".group"
    if link.kind == "policy" and link.agent == "rule":
        key += ".rule"
    return translate(key if key in words(lang) else "chain.other", lang, kind=link.kind, **values)


def note(link: Link, lang: Language) -> str:
    """Return how often a link came back, in words; empty where it did not."""
    if not link.again or link.until is None:
        return ""
    return translate("chain.again", lang, count=link.again, until=day(link.until, lang))


def figure(link: Link, lang: Language) -> str:
    """Return the amount of a link in words; empty where it has none."""
    if link.kind in ("start", "policy"):
        return ""
    if link.kind == "limit_lock":
        return share(link.amount)
    if link.kind in SHARES:
        sign = -1.0 if link.kind in ("news", "basis_gap") else 1.0
        return percent(sign * link.amount)
    return amount(link.amount, lang)


def _books(link: Link, tables: PathTables, lang: Language) -> str:
    if not has_books(tables, link.agent):
        return ""
    return translate("chain.books", lang, count=count(link.books))


def _more(link: Link, tables: PathTables) -> dict[str, str]:
    row = tables.daily.filter(pl.col("date") == link.on).row(0, named=True)
    more = {"stocks": count(row["limit_down_count"]), "share": "", "lots": ""}
    if link.kind == "knock_in":
        more["share"] = share(row.get(f"knocked_in_share_{link.cell}") or 0.0)
    if link.kind in ("futures_sale", "futures_purchase") and link.cell in UNDERLYINGS:
        lot = row[f"{UNDERLYINGS[link.cell]}_close"] * multiplier(link.cell, link.on)
        more["lots"] = count(round(link.amount / lot, -2))
    return more
