"""Charts of prices: indices by size with bands, depth, stocks at their limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from crowdfall.i18n import Language, translate
from crowdfall.market.snapshot import GROUPS, INDICES
from crowdfall.reports.charts.parts import (
    Chart,
    band,
    banded,
    bars,
    chart,
    frame,
    line,
    shaded,
)
from crowdfall.reports.phrases import name_of
from crowdfall.reports.standing import assimilated_until, is_pinned
from crowdfall.results.metrics import bands, since_start


def index_overview(daily: pl.DataFrame, manifest: dict[str, Any], lang: Language) -> Chart:
    """Return all indices in one figure: change since the start, median and band."""
    table = bands(since_start(daily), INDICES)
    option = frame(table["date"], "percent")
    for index in INDICES:
        option["series"] += banded(index, name_of(index, lang), table, f"@{index}")
    days = option["xAxis"]["data"]
    mark = shaded(days, assimilated_until(manifest), translate("report.assimilated", lang))
    option["series"][0].update(mark)
    return chart("indices", option, lang, span=12, height=400)


def index_panels(daily: pl.DataFrame, manifest: dict[str, Any], lang: Language) -> list[Chart]:
    """Return one small figure an index, all on one scale, with the actual closes if known."""
    changes = since_start(daily)
    table = bands(changes, INDICES)
    days = [str(day) for day in table["date"]]
    actual = {index: actual_change(manifest, index, days) for index in INDICES}
    low, high = _common_scale(table, actual)
    mark = shaded(days, assimilated_until(manifest), translate("report.assimilated", lang))
    out = []
    for index in INDICES:
        option = frame(days, "percent", min=low, max=high)
        option["series"] = banded(index, translate("word.median", lang), table, f"@{index}")
        pinned = index == "csi300" and is_pinned(manifest)
        if not pinned:
            option["series"][0].update(mark)
        if actual[index]:
            word = translate("word.actual", lang)
            option["series"].append(
                line(f"{index}.actual", word, actual[index], "@ink", dash=True, width=1.4, z=4)
            )
        standing = translate(f"report.index.{'input' if pinned else 'outcome'}", lang)
        dashed = translate("report.index.actual", lang) if actual[index] else ""
        values = {"index": name_of(index, lang), "standing": standing, "dashed": dashed}
        out.append(
            chart("index", option, lang, id=f"index-{index}", span=4, height=250, values=values)
        )
    return out


def actual_change(manifest: Mapping[str, Any], index: str, days: list[str]) -> list[float | None]:
    """Return the actual change since the start on each day; empty where nothing is known.

    ``manifest["actual"][index]`` maps ISO dates to closes; the last one before the first day is
    the start. Without such a close nothing can be compared, and nothing is drawn.
    """
    closes: dict[str, float] = manifest.get("actual", {}).get(index, {})
    before = [day for day in sorted(closes) if day < days[0]]
    if not before or not any(day in closes for day in days):
        return []
    start = closes[before[-1]]
    return [closes[day] / start - 1.0 if day in closes else None for day in days]


def _common_scale(
    table: pl.DataFrame, actual: Mapping[str, list[float | None]]
) -> tuple[float, float]:
    """Return the axis ends that hold every panel, in steps of ten points."""
    values = [0.0]
    for index in INDICES:
        values += [v for v in table[f"{index}_low"].to_list() if v is not None]
        values += [v for v in table[f"{index}_high"].to_list() if v is not None]
        values += [v for v in actual[index] if v is not None]
    return math.floor(min(values) * 10) / 10, math.ceil(max(values) * 10) / 10


def crowded(daily: pl.DataFrame, lang: Language) -> Chart:
    """Return what the contrarian and the momentum book made each day, at 8:1."""
    table = bands(daily, ("contrarian_return", "momentum_return"))
    option = frame(table["date"], "percent")
    for name, colour in (("contrarian_return", "@microcap"), ("momentum_return", "@csi300")):
        option["series"] += banded(name, translate(f"word.{name}", lang), table, colour)
    return chart("crowded", option, lang, span=12, height=300)


def depth(daily: pl.DataFrame, lang: Language) -> Chart:
    """Return depth by size group as a fraction of calm depth."""
    table = bands(daily, [f"depth_{group}" for group in GROUPS])
    option = frame(table["date"], "percent0", min=0, max=_full(table))
    for group in GROUPS:
        option["series"] += banded(f"depth_{group}", name_of(group, lang), table, f"@{group}")
    return chart("depth", option, lang, span=4, height=250)


def _full(table: pl.DataFrame) -> float | None:
    """Return the end of a scale of shares: 1, unless something lies above it."""
    tops = [table[name].max() for name in table.columns if name.endswith("_high")]
    return None if any(isinstance(top, float) and top > 1.0 for top in tops) else 1.0


def limits(daily: pl.DataFrame, lang: Language) -> Chart:
    """Return how many stocks close at a limit, and how many touched the lower one."""
    names = ["limit_down_count", "limit_down_touched", "limit_up_count"]
    table = bands(daily, names)
    option = frame(table["date"], "count", min=0)
    down, touched, up = (translate(f"word.{name}", lang) for name in names)
    option["series"] = [
        *band("limit_down_count", down, table, "@down"),
        bars("limit_down_count.median", down, table["limit_down_count_median"].to_list(), "@down"),
        bars("limit_up_count.median", up, table["limit_up_count_median"].to_list(), "@up"),
        line("limit_down_touched.median", touched, table["limit_down_touched_median"].to_list(),
             "@soft", dash=True, width=1.4),
    ]  # fmt: skip
    return chart("limits", option, lang, span=12, height=300)
