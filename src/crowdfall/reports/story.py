"""The story of a run in words: dated dominoes with amounts, in Chinese and English.

One path is told, the one closest to the median of all. A day is told when something was at its
largest or happened for the first time; of that day, everything large enough is told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from crowdfall.errors import RunError
from crowdfall.i18n import Language, translate
from crowdfall.reports import chain
from crowdfall.reports.dominoes import (
    SMALLEST_MOVE,
    Domino,
    Form,
    PathTables,
    all_dominoes,
    end,
    largest_move,
    path_tables,
)
from crowdfall.reports.phrases import (
    amount,
    count,
    day,
    exchange_of,
    name_of,
    percent,
    share,
    speaking_of,
)
from crowdfall.reports.standing import assimilated_until
from crowdfall.results.metrics import typical_path
from crowdfall.results.store import RunFolder

MOST_DAYS: Final = 12
TOLD_SHARE: Final = 0.30
"""A domino is told from this share of the largest of its kind on (assumption)."""
FIRSTS: Final = ("knock_in", "margin_call", "rescue", "forced_sales", "stop_loss", "ban",
                 "rule")  # fmt: skip
"""Kinds whose first noticeable day matters."""
NOTICED_SHARE: Final = 0.10
"""A first time is noticeable from this share of the largest of its kind on (assumption)."""
PEAKS: Final = (
    *FIRSTS, "index_fall", "index_rise", "dealer_sale", "basis_open", "basis_back",
    "limit_downs", "both_legs", "shortfall", "redemption",
)  # fmt: skip
"""Kinds whose largest day matters."""
LISTED: Final = (
    "knock_in", "dealer_sale", "dealer_purchase", "basis_open", "basis_back", "value_fall",
    "stop_loss", "margin_call",
)  # fmt: skip
"""Kinds of which several on one day make one sentence: ``story.<kind>.item``, joined."""
APART: Final = 4
"""Sessions between two falls that are told as two."""


@dataclass(frozen=True, slots=True)
class StoryDay:
    """One day: its dominoes in order, and the sentences that tell them.

    ``follows_data``: indices were pulled to observed closes on that day, so its moves are no
    outcome.
    """

    date: date
    sentences: tuple[str, ...]
    dominoes: tuple[Domino, ...]
    follows_data: bool = False


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One link of a chain in words: when, what, how much."""

    link: chain.Link
    day: str
    words: str
    figure: str
    note: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain in words, root first."""

    title: str
    links: tuple[ChainLink, ...]

    def lines(self) -> list[str]:
        """Return one line a link."""
        return [
            f"{each.day}  {each.words} {each.figure}".rstrip() + each.note for each in self.links
        ]


@dataclass(frozen=True, slots=True)
class Story:
    """A run told in one language."""

    path: int
    opening: str
    days: tuple[StoryDay, ...]
    closing: str
    lang: Language
    chains: tuple[Chain, ...] = ()

    def lines(self) -> list[str]:
        """Return one line a day and a link, between the opening and the closing sentence."""
        joint = "；" if self.lang == "zh" else "; "
        mark, stop = ("：", "。") if self.lang == "zh" else (": ", ".")
        told = [self.heading(d) + mark + joint.join(d.sentences) + stop for d in self.days]
        links = [line for each in self.chains for line in (each.title + mark, *each.lines())]
        return [self.opening, *told, *links, self.closing]

    def heading(self, told: StoryDay) -> str:
        """Return the date in words, with a note where the indices follow data."""
        note = translate("story.follows_data", self.lang) if told.follows_data else ""
        return day(told.date, self.lang) + note

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: dates in ISO, every domino with its amount in its own unit."""
        return {
            "path": self.path,
            "opening": self.opening,
            "closing": self.closing,
            "days": [
                {
                    "date": told.date.isoformat(),
                    "follows_data": told.follows_data,
                    "sentences": list(told.sentences),
                    "dominoes": [
                        {"kind": d.kind, "subject": d.subject, "amount": d.amount}
                        for d in told.dominoes
                    ],
                }
                for told in self.days
            ],
            "chains": [
                {"title": each.title, "links": [_plain(link) for link in each.links]}
                for each in self.chains
            ],
        }


def _plain(told: ChainLink) -> dict[str, Any]:
    link = told.link
    return {
        "date": link.on.isoformat(),
        "event": link.event,
        "cause": link.cause,
        "kind": link.kind,
        "agent": link.agent,
        "cell": link.cell,
        "amount": link.amount,
        "unit": "fraction" if link.kind in chain.SHARES else "yuan",
        "books": link.books,
        "role": link.role,
        "again": link.again,
        "until": link.until.isoformat() if link.until else None,
        "words": told.words,
    }


def tell(run: RunFolder, lang: Language, path: int | None = None) -> Story:
    """Tell one path of a run, counted from 0; without a number the one closest to the median.

    Of a run in which no index moved noticeably, the opening says so. RunError: no such path.
    """
    with speaking_of(run.manifest):
        return _tell(run, lang, path)


def _tell(run: RunFolder, lang: Language, path: int | None) -> Story:
    daily = run.table("daily")
    paths = daily["path"].n_unique()
    if path is not None and not 0 <= path < paths:
        raise RunError("no_such_path", path=path + 1, paths=paths)
    asked, path = path, typical_path(daily) if path is None else path
    tables = path_tables(run, path)
    chosen = choose(all_dominoes(tables), tables.daily["date"].to_list())
    until = assimilated_until(run.manifest) or ""
    days = tuple(
        StoryDay(when, tuple(_sentences(told, lang)), tuple(told), when.isoformat() <= until)
        for when, told in chosen.items()
    )
    key = "story.opening" if asked is None else "story.opening_path"
    opening = translate(key, lang, path=path + 1, paths=paths)
    if largest_move(tables) < SMALLEST_MOVE:
        opening += " " + translate("story.quiet", lang, move=percent(largest_move(tables)))
    return Story(path, opening, days, _closing(tables, lang), lang, _chains(tables, lang))


def _chains(tables: PathTables, lang: Language) -> tuple[Chain, ...]:
    titles = (translate("chain.title", lang), translate("chain.title.notes", lang))
    return tuple(
        Chain(
            title,
            tuple(
                ChainLink(
                    link, day(link.on, lang), chain.told(link, tables, lang),
                    chain.figure(link, lang), chain.note(link, lang),
                )
                for link in links
            ),
        )
        for title, links in zip(titles, chain.chains(tables), strict=False)
    )  # fmt: skip


def choose(dominoes: Sequence[Domino], sessions: Sequence[date]) -> dict[date, list[Domino]]:
    """Return the days that matter with the dominoes to tell, in order of time."""
    largest: dict[tuple[str, str], float] = defaultdict(float)
    for domino in dominoes:
        key = _series(domino)
        largest[key] = max(largest[key], domino.amount)
    relative = {id(d): d.amount / largest[_series(d)] for d in dominoes}
    marked = _marked(dominoes, list(sessions))
    score: dict[date, float] = defaultdict(float)
    for domino in dominoes:
        score[domino.date] += (2.0 if id(domino) in marked else 0.2) * relative[id(domino)]
    wanted = {d.date for d in dominoes if id(d) in marked}
    kept = sorted(wanted, key=lambda when: (-score[when], when))[:MOST_DAYS]
    return {
        when: [
            d for d in dominoes
            if d.date == when and (id(d) in marked or relative[id(d)] >= TOLD_SHARE)
        ]
        for when in sorted(kept)
    }  # fmt: skip


def _series(domino: Domino) -> tuple[str, str]:
    kind = domino.kind.removesuffix("_two")
    return kind, "" if kind in ("policy", "ban") else domino.subject


def _marked(dominoes: Sequence[Domino], sessions: list[date]) -> set[int]:
    """Return the ids of the dominoes that make their day matter."""
    series: dict[tuple[str, str], list[Domino]] = defaultdict(list)
    for domino in dominoes:
        if _series(domino)[0] in PEAKS:
            series[_series(domino)].append(domino)
    marked = set()
    for (kind, _), mine in series.items():
        ranked = sorted(mine, key=lambda d: (-d.amount, d.date))
        marked.add(id(ranked[0]))
        if kind in FIRSTS:
            noticed = [d for d in mine if d.amount >= NOTICED_SHARE * ranked[0].amount]
            marked.add(id(min(noticed, key=lambda d: d.date)))
        if kind == "index_fall":
            place = sessions.index(ranked[0].date)
            apart = [d for d in ranked if abs(sessions.index(d.date) - place) >= APART]
            marked |= {id(d) for d in apart[:1]}
    return marked


def _sentences(dominoes: Sequence[Domino], lang: Language) -> list[str]:
    """Return one sentence a domino, or one for all of a kind that is listed."""
    by_kind: dict[str, list[Domino]] = {}
    for place, domino in enumerate(dominoes):
        key = domino.kind if domino.kind in LISTED else f"{domino.kind}#{place}"
        by_kind.setdefault(key, []).append(domino)
    return [_sentence(mine, lang) for mine in by_kind.values()]


def _sentence(dominoes: Sequence[Domino], lang: Language) -> str:
    kind = dominoes[0].kind
    words = [
        {key: _written(*value, lang) for key, value in domino.values.items()} for domino in dominoes
    ]
    if kind not in LISTED:
        return translate(f"story.{kind}", lang, **words[0])
    items = (translate(f"story.{kind}.item", lang, **each) for each in words)
    total = amount(sum(domino.amount for domino in dominoes), lang)
    joint = translate("story.joint", lang)
    return translate(f"story.{kind}", lang, items=joint.join(items), total=total)


def _written(form: Form, value: object, lang: Language) -> str:
    if form == "name":
        return name_of(str(value), lang)
    if form == "text":
        return str(value.get(lang, value)) if isinstance(value, dict) else str(value)
    if form == "books":
        return translate("story.books", lang, count=count(float(str(value)))) if value else ""
    number = float(str(value))
    written = {
        "percent": lambda: percent(number),
        "size": lambda: percent(abs(number)),
        "share": lambda: share(number),
        "yuan": lambda: amount(number, lang),
        "count": lambda: count(number),
        "ratio": lambda: f"{number:.2f}",
    }
    return written[form]()


def _closing(tables: PathTables, lang: Language) -> str:
    last = end(tables)
    words = {key: _written(*value, lang) for key, value in last.values.items()}
    when = day(last.date, lang)
    if not exchange_of(tables.manifest):
        return translate("story.end", lang, day=when, **words)
    told = translate("story.end_abroad", lang, day=when, **words)
    made = tables.daily["contrarian_return"].fill_null(0.0)
    worst = made.arg_min() or 0
    return told + translate(
        "story.crowded", lang, day=day(tables.daily["date"][worst], lang),
        worst=percent(made[worst]), total=percent(float(made.sum())),
    )  # fmt: skip
