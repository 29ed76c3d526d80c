"""Charts of a snowball book: knock-in map, hedge ladder, delta against spot; and a page of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crowdfall.errors import RunError
from crowdfall.i18n import LANGUAGES, Language, language, translate
from crowdfall.pricing.exposure import Bucket, Place
from crowdfall.reports.charts.parts import Chart, Option, bars, chart, frame, line, value_axis
from crowdfall.reports.page import embedded
from crowdfall.reports.palette import PALETTES, SCHEMES, scheme_of
from crowdfall.reports.phrases import name_of
from crowdfall.results.store import write_text
from crowdfall.types import Float64

COLOURS: Final = 8


def knock_in_chart(buckets: Sequence[Bucket], place: Place, lang: Language) -> Chart:
    """Return the knock-in map 敲入分布图: yuan by level, and the share above it (right axis)."""
    option = _levels([bucket.level for bucket in buckets], "yuan")
    option["yAxis"].append(value_axis("percent0", min=0, max=1, splitLine={"show": False}))
    option["series"] = [
        bars("notional", translate("word.notional", lang), [b.notional for b in buckets], "@s1"),
        bars("sold", translate("word.hedge_sold", lang), [b.sold for b in buckets], "@down"),
        line("cumulative", translate("word.knocked_in_above", lang),
             [b.cumulative for b in buckets], "@soft", yAxisIndex=1),
    ]  # fmt: skip
    return chart("knock_in_map", option, lang, id=f"map-{place.underlying}", span=12,
                 values=_words(place, lang))  # fmt: skip


def ladder_chart(
    hedge: Float64, levels: Float64, days: Sequence[int], place: Place, lang: Language
) -> Chart:
    """Return the hedge ladder: futures held at each index level, one line a horizon.

    ``hedge`` (D, L) in yuan as ``exposure.ladder`` gives it.
    """
    option = _levels(levels.tolist(), "yuan")
    option["series"] = [
        line(f"days{day}", _horizon(day, lang), row.tolist(),
             f"@s{k % COLOURS}", dash=k > 0)
        for k, (day, row) in enumerate(zip(days, hedge, strict=True))
    ]  # fmt: skip
    return chart("hedge_ladder", option, lang, id=f"ladder-{place.underlying}", span=12,
                 values=_words(place, lang))  # fmt: skip


def delta_chart(spots: Float64, hedges: dict[int, Float64], lang: Language) -> Chart:
    """Return the hedge per notional against the index, one line an age (sessions)."""
    option = _levels([round(float(spot), 4) for spot in spots], "ratio")
    option["series"] = [
        line(f"age{age}", translate("word.age_of", lang, count=age), row.tolist(),
             f"@s{k % COLOURS}")
        for k, (age, row) in enumerate(hedges.items())
    ]  # fmt: skip
    return chart("delta_by_age", option, lang, span=12)


def write_page(charts: Callable[[Language], list[Chart]], on: date, target: Path) -> Path:
    """Write charts as one HTML file in both languages and return its path.

    RunError: the target can't be written.
    """
    drawn = {lang: charts(lang) for lang in LANGUAGES}
    first = language()
    environment = Environment(
        loader=PackageLoader("crowdfall.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    # The page's script looks for the flows of a run's days: here there is one day without any.
    no_flows: Option = {"option": {"series": [{"links": []}]}, "days": {on.isoformat(): {}}}
    data = {
        "charts": {
            lang: {
                "flow-stocks": no_flows,
                **{each.id: {"option": each.option, "days": None} for each in drawn[lang]},
            }
            for lang in LANGUAGES
        },
        "palettes": PALETTES,
        "schemes": {lang: scheme_of(lang) for lang in LANGUAGES},
        "title": {lang: translate("report.snowball.title", lang) for lang in LANGUAGES},
    }
    text = environment.get_template("snowball.html.j2").render(
        lang=first, scheme=scheme_of(first), schemes=SCHEMES, languages=LANGUAGES,
        charts=drawn, on=on.isoformat(), say=translate, data=embedded(data),
        echarts=_static("echarts.min.js"), script=_static("report.js"),
        style=_static("report.css"),
    )  # fmt: skip
    try:
        write_text(target, text)
    except OSError as error:
        raise RunError("file_unwritable", path=target, reason=error.strerror) from error
    return target


def _horizon(day: int, lang: Language) -> str:
    if day == 0:
        return translate("word.today", lang)
    return translate("word.sessions_ahead", lang, count=day)


def _levels(levels: Sequence[float], unit: str) -> Option:
    """Return a frame whose category axis holds index levels instead of days."""
    option = frame([f"{level:g}" for level in levels], unit)
    del option["xAxis"]["axisLabel"]["formatter"]
    option["xAxis"]["name"] = ""
    return option


def _words(place: Place, lang: Language) -> dict[str, object]:
    return {"index": name_of(place.underlying, lang), "level": f"{place.level:,.0f}"}


def _static(name: str) -> Markup:
    return Markup(files("crowdfall.reports").joinpath("static", name).read_text(encoding="utf-8"))
