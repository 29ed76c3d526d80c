"""The report of a run: one HTML file that needs nothing else, in Chinese and English.

Script, styles and numbers are inside; a content security policy in the file forbids any request.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from math import isnan
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crowdfall.errors import RunError
from crowdfall.i18n import LANGUAGES, Language, language, translate
from crowdfall.reports.catalogue import key_numbers, options, sections
from crowdfall.reports.palette import PALETTES, SCHEMES, Scheme, scheme_of
from crowdfall.reports.phrases import share, speaking_of
from crowdfall.reports.standing import assimilated_until, is_pinned, mode
from crowdfall.reports.story import tell
from crowdfall.results.metrics import FALL_CALLED_CRASH, background_share, crash_share
from crowdfall.results.place import Place
from crowdfall.results.store import RunFolder, write_text

TILES: Final = (
    "drawdown_microcap", "drawdown_csi1000", "limit_downs", "basis_im", "knocked_in_csi1000",
    "nav_dma",
)  # fmt: skip
"""Key numbers that open the page."""
DIGITS: Final = 7
"""Significant digits of the numbers in the file, to keep it small."""


def write_report(
    run: RunFolder, *, lang: Language | None = None, scheme: Scheme | None = None,
    target: Path | None = None,
) -> Place:  # fmt: skip
    """Write the report of a complete run and return its path, ``report.html`` in the run folder.

    ``lang`` and ``scheme`` choose what is shown first; a reader can switch both. The file is
    written whole and replaces an older report. RunError: a table of the run can't be read, or the
    target can't be written.
    """
    place: Place = target or run.path / "report.html"
    text = render(run, lang=lang, scheme=scheme)
    try:
        write_text(place, text)
    except OSError as error:
        raise RunError("file_unwritable", path=place, reason=error.strerror) from error
    return place


def render(run: RunFolder, *, lang: Language | None = None, scheme: Scheme | None = None) -> str:
    """Return the report as HTML text."""
    first = lang or language()
    with speaking_of(run.manifest):
        parts = {each: sections(run, each) for each in LANGUAGES}
        texts = {each: _texts(run, each) for each in LANGUAGES}
    script_data = {
        "charts": {each: options(parts[each]) for each in LANGUAGES},
        "palettes": PALETTES,
        "schemes": {each: scheme_of(each) for each in LANGUAGES},
        "title": {each: texts[each]["title"] for each in LANGUAGES},
    }
    environment = Environment(
        loader=PackageLoader("crowdfall.reports"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html.j2").render(
        lang=first,
        scheme=scheme or scheme_of(first),
        schemes=SCHEMES,
        languages=LANGUAGES,
        texts=texts,
        sections=parts,
        say=translate,
        data=embedded(script_data),
        echarts=_static("echarts.min.js"),
        script=_static("report.js"),
        style=_static("report.css"),
    )


def embedded(value: object) -> Markup:
    """Return JSON that is safe inside a script element: no tag can be opened or closed in it.

    >>> "<" in embedded({"title": "</script>"})
    False
    """
    text = json.dumps(_rounded(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


@cache
def _static(name: str) -> Markup:
    return Markup(files("crowdfall.reports").joinpath("static", name).read_text(encoding="utf-8"))


def _texts(run: RunFolder, lang: Language) -> dict[str, Any]:
    """Return everything the page says in one language."""
    story = tell(run, lang)
    numbers = key_numbers(run, lang)
    manifest = run.manifest
    return {
        "title": _title(manifest, lang),
        "facts": _facts(run, lang),
        "story": story,
        "headings": [story.heading(told) for told in story.days],
        "numbers": numbers,
        "tiles": [n for name in TILES for n in numbers if n.name == name],
        "kinds": _kinds(manifest, lang),
        "notes": _notes(run, lang),
        "sources": _sources(manifest),
        "command": _command(manifest),
    }


def _title(manifest: dict[str, Any], lang: Language) -> str:
    scenario = manifest.get("scenario", {})
    title = scenario.get("title") or {}
    return str(title.get(lang) or title.get("en") or scenario.get("name", "Crowdfall"))


def _facts(run: RunFolder, lang: Language) -> list[tuple[str, str]]:
    manifest = run.manifest
    market = manifest.get("market", {})
    days = [day.isoformat() for day in run.table("daily")["date"].unique().sort()]
    values = {
        "market": market.get("source"),
        "date": market.get("date"),
        "sessions": f"{days[0]} … {days[-1]} ({len(days)})",
        "scenario": manifest.get("scenario", {}).get("name"),
        "paths": manifest.get("paths"),
        "seed": manifest.get("seed"),
        "version": manifest.get("version"),
        "id": run.path.name,
        "market_digest": market.get("digest"),
        "scenario_digest": manifest.get("scenario_hash"),
    }
    return [
        (translate(f"report.fact.{key}", lang), str(value))
        for key, value in values.items()
        if value is not None
    ]


def _kinds(manifest: dict[str, Any], lang: Language) -> str:
    until = assimilated_until(manifest)
    if mode(manifest) != "replay":
        return translate("report.kinds.free", lang)
    if not is_pinned(manifest):
        return translate("report.kinds.variation", lang)
    if until is None:
        return translate("report.kinds.pinned", lang)
    return translate("report.kinds.replay", lang, until=until)


def _notes(run: RunFolder, lang: Language) -> list[str]:
    left_over = background_share(run.table("exchanges"))
    crash = translate(
        "report.crash", lang, fall=share(FALL_CALLED_CRASH),
        share=share(crash_share(run.table("daily"))),
    )  # fmt: skip
    notes = [crash, translate("report.conventions", lang)]
    if not isnan(left_over):
        notes.append(translate("report.background", lang, share=share(left_over)))
    return notes


def _sources(manifest: dict[str, Any]) -> list[str]:
    """Return one sentence a source, with all that it is the source of."""
    named: dict[str, list[str]] = {}
    for key, text in manifest.get("sources", {}).items():
        named.setdefault(str(text), []).append(str(key))
    own = [f"{', '.join(keys)}: {text}" for text, keys in named.items()]
    return [*manifest.get("market", {}).get("sources", []), *own]


def _command(manifest: dict[str, Any]) -> str:
    name = manifest.get("scenario", {}).get("name", "feb2024")
    return f"crowdfall run {name} --paths {manifest.get('paths')} --seed {manifest.get('seed')}"
