"""Which charts a report holds, section by section; also a list of the key numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from crowdfall.i18n import Language, translate
from crowdfall.reports.charts import flows, funds, futures, prices
from crowdfall.reports.charts.parts import Chart
from crowdfall.reports.phrases import amount, count, exchange_of, name_of, percent, venue_of
from crowdfall.reports.standing import Standing, of_headline
from crowdfall.results.metrics import headline, typical_path, underlyings
from crowdfall.results.store import RunFolder

FUND_KINDS: Final = ("dma", "neutral", "enhanced", "factor_books")
CHINESE: Final = ("basis", "knocked_in", "limit_downs", "rescue")
"""Key numbers of what only China has: left out elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page: the key of its heading and its charts."""

    id: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True, kw_only=True)
class Number:
    """One key number in words: median and band over the paths, and its standing."""

    name: str
    label: str
    median: str
    band: str
    standing: Standing


def sections(run: RunFolder, lang: Language) -> list[Section]:
    """Return every chart of a run in the order of the page."""
    daily, agents, trades = run.table("daily"), run.table("agents"), run.table("exchanges")
    path = typical_path(daily)
    listed = venue_of(run.manifest).get("futures", True)
    abroad = bool(exchange_of(run.manifest))
    crowded = daily["momentum_return"].count() > 0
    by_name: dict[str, list[Chart]] = {
        "prices": [
            *([prices.crowded(daily, lang)] if crowded else []),
            prices.index_overview(daily, run.manifest, lang),
            *prices.index_panels(daily, run.manifest, lang),
            prices.depth(daily, lang),
            *([] if abroad else [prices.limits(daily, lang)]),
        ],
        "futures": [
            *(futures.basis(daily, u, lang) for u in underlyings(daily)),
            futures.dealers(daily, lang),
            futures.knocked_in(daily, lang),
        ] if listed else [],
        "funds": [
            funds.pressure(daily, lang),
            *([] if abroad else [funds.rescue(daily, lang)]),
            funds.value(agents, lang),
        ],
        "flows": [
            flows.exchange(trades, path, "stocks", lang),
            *([flows.exchange(trades, path, "futures", lang)] if listed else []),
        ],
    }  # fmt: skip
    return [Section(id=name, charts=tuple(charts)) for name, charts in by_name.items() if charts]


def key_numbers(run: RunFolder, lang: Language) -> list[Number]:
    """Return the headline numbers in words; funds only, of the participants."""
    table = headline(run.table("daily"), run.table("agents"))
    out = []
    for row in table.iter_rows(named=True):
        stem, thing = _split(row["name"])
        if stem == "nav" and thing not in FUND_KINDS:
            continue
        if exchange_of(run.manifest) and stem in CHINESE:
            continue
        write = _writer(row["unit"], lang)
        out.append(
            Number(
                name=row["name"],
                label=label_of(row["name"], lang),
                median=write(row["median"]),
                band=f"{write(row['low'])} … {write(row['high'])}",
                standing=of_headline(row["name"], run.manifest),
            )
        )
    return out


def label_of(name: str, lang: Language) -> str:
    """Return the words for a headline number."""
    stem, thing = _split(name)
    return translate(f"headline.{stem}", lang, index=name_of(thing, lang))


def _split(name: str) -> tuple[str, str]:
    for stem in ("drawdown", "basis", "knocked_in", "nav"):
        if name.startswith(stem + "_"):
            return stem, name.removeprefix(stem + "_")
    return name, ""


def _writer(unit: str, lang: Language) -> Callable[[float], str]:
    writers: dict[str, Callable[[float], str]] = {
        "fraction": percent,
        "yuan": lambda value: amount(value, lang),
        "ratio": lambda value: f"{value:.2f}",
    }
    return writers.get(unit, count)


def options(parts: Iterable[Section]) -> dict[str, Any]:
    """Return the option of every chart by id, and the days of the flows: plain JSON values."""
    return {
        chart.id: {"option": chart.option, "days": chart.days}
        for section in parts
        for chart in section.charts
    }
