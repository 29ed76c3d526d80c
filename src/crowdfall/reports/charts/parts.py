"""Pieces of chart options: frame, lines, bands, bars, marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from crowdfall.i18n import Language, translate

Option = dict[str, Any]
"""An ECharts option, or a part of one: JSON values only."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One figure: its option, its words, and how much of the page it takes.

    ``span``: columns of the page's twelve. ``days``: for a flow, the nodes and links by date.
    """

    id: str
    option: Option
    title: str
    reading: str
    span: int = 6
    height: int = 320
    days: dict[str, Option] | None = None


def chart(name: str, option: Option, lang: Language, **more: Any) -> Chart:  # noqa: ANN401
    """Return a chart with its title and reading from ``report.<name>.title`` and ``.reading``.

    ``more``: the other fields of Chart, and ``id`` and ``values`` for the sentences.
    """
    values = more.pop("values", {})
    return Chart(
        id=more.pop("id", name),
        option=option,
        title=translate(f"report.{name}.title", lang, **values),
        reading=translate(f"report.{name}.reading", lang, **values),
        **more,
    )


def frame(dates: Iterable[object], unit: str, **axis: object) -> Option:
    """Return an option with a date axis and one value axis of ``unit``; no series yet."""
    return {
        "animation": False,
        "aria": {"enabled": True},
        "grid": {"left": 8, "right": 14, "top": 40, "bottom": 8, "containLabel": True},
        "legend": {"top": 0, "left": 0, "type": "scroll", "icon": "roundRect",
                   "itemWidth": 14, "itemHeight": 4, "itemGap": 14,
                   "textStyle": {"color": "@soft", "fontSize": 12}},
        "tooltip": {"trigger": "axis", "formatter": "@tooltip", "confine": True,
                    "axisPointer": {"type": "line", "lineStyle": {"color": "@soft"}},
                    "textStyle": {"color": "@ink", "fontSize": 12}},
        "xAxis": {"type": "category", "data": [str(day) for day in dates],
                  "axisLabel": {"formatter": "@day", "color": "@soft", "hideOverlap": True,
                                "alignMaxLabel": "right", "alignMinLabel": "left"},
                  "axisLine": {"onZero": False, "lineStyle": {"color": "@faint"}},
                  "axisTick": {"show": False}},
        "yAxis": [value_axis(unit, **axis)],
        "series": [],
    }  # fmt: skip


def value_axis(unit: str, **more: object) -> Option:
    """Return a value axis whose labels are written in ``unit``."""
    return {
        "type": "value",
        "axisLabel": {"formatter": f"@{unit}", "color": "@soft"},
        "splitLine": {"lineStyle": {"color": "@faint", "width": 0.7}},
        **more,
    }


def line(
    key: str, name: str, values: Sequence[float | None], colour: str, **more: object
) -> Option:
    """Return a line; ``more`` goes into the series, ``dash`` draws it dashed."""
    stroke: Option = {"width": more.pop("width", 2.0), "color": colour}
    if more.pop("dash", False):
        stroke["type"] = "dashed"
    return {
        "id": key, "name": name, "type": "line", "data": list(values), "symbol": "none",
        "lineStyle": stroke, "itemStyle": {"color": colour}, "emphasis": {"disabled": True}, **more,
    }  # fmt: skip


def band(key: str, name: str, table: pl.DataFrame, colour: str) -> list[Option]:
    """Return the 5-95% band of a column as two stacked lines: its low edge and its width."""
    low = table[f"{key}_low"]
    width = table[f"{key}_high"] - low
    shared: Option = {
        "name": name, "type": "line", "stack": key, "stackStrategy": "all", "symbol": "none",
        "lineStyle": {"opacity": 0}, "itemStyle": {"color": colour}, "silent": True,
        "emphasis": {"disabled": True}, "z": 1,
    }  # fmt: skip
    return [
        {**shared, "id": f"{key}.low", "data": low.to_list()},
        {**shared, "id": f"{key}.width", "data": width.to_list(),
         "areaStyle": {"color": colour, "opacity": 0.13}},
    ]  # fmt: skip


def banded(key: str, name: str, table: pl.DataFrame, colour: str) -> list[Option]:
    """Return the band and the median line of a column of ``metrics.bands``."""
    median = line(f"{key}.median", name, table[f"{key}_median"].to_list(), colour, z=3)
    return [*band(key, name, table, colour), median]


def bars(
    key: str, name: str, values: Sequence[float | None], colour: str, **more: object
) -> Option:
    """Return bars."""
    return {
        "id": key, "name": name, "type": "bar", "data": list(values), "barMaxWidth": 18,
        "itemStyle": {"color": colour}, "emphasis": {"disabled": True}, **more,
    }  # fmt: skip


def shaded(days: Sequence[str], until: str | None, words: str) -> Option:
    """Return a mark that shades the days up to ``until``; empty where no day is that early."""
    early = [day for day in days if until is not None and day <= until]
    if not early:
        return {}
    return {
        "markArea": {
            "silent": True, "itemStyle": {"color": "@shade"}, "z": 0,
            "label": {"color": "@soft", "fontSize": 11, "position": "insideTop"},
            "data": [[{"xAxis": early[0], "name": words}, {"xAxis": early[-1]}]],
        }
    }  # fmt: skip
