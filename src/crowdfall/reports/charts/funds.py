"""Charts of funds and of those who call or save them: margin, value, rescue."""

from __future__ import annotations

import polars as pl

from crowdfall.i18n import Language, translate
from crowdfall.reports.charts.parts import Chart, band, banded, bars, chart, frame, line, value_axis
from crowdfall.reports.phrases import name_of
from crowdfall.results.metrics import bands, nav_by_kind

SERIES_COLOURS = 8
HEDGED_FIRST = ("dma", "neutral", "enhanced")
"""Participants whose value is drawn first; the others can be switched on in the legend."""
RESCUED = ("csi300", "csi500", "csi1000", "csi2000")


def pressure(daily: pl.DataFrame, lang: Language) -> Chart:
    """Return forced and unfilled sales in yuan, and fund cells called (right axis)."""
    names = ["forced_sales", "unfilled_sales", "margin_calls"]
    table = bands(daily, names)
    forced, unfilled, calls = (translate(f"word.{name}", lang) for name in names)
    option = frame(table["date"], "yuan", min=0)
    option["yAxis"].append(value_axis("count", min=0, splitLine={"show": False}, minInterval=1))
    option["series"] = [
        *band("forced_sales", forced, table, "@down"),
        bars("forced_sales.median", forced, table["forced_sales_median"].to_list(), "@down"),
        line("unfilled_sales.median", unfilled, table["unfilled_sales_median"].to_list(), "@soft",
             dash=True, width=1.4),
        line("margin_calls.median", calls, table["margin_calls_median"].to_list(), "@ink",
             yAxisIndex=1, width=1.6, step="middle"),
    ]  # fmt: skip
    return chart("pressure", option, lang)


def value(agents: pl.DataFrame, lang: Language) -> Chart:
    """Return equity over invested capital of every participant that has invested any."""
    navs = nav_by_kind(agents)
    kinds = sorted(
        (kind for kind in navs["kind"].unique() if kind != "background"),
        key=lambda kind: (HEDGED_FIRST.index(kind) if kind in HEDGED_FIRST else 9, kind),
    )
    dates = agents.select("date").unique().sort("date")
    option = frame(dates["date"], "ratio", scale=True)
    shown = {}
    for k, kind in enumerate(kinds):
        name = name_of(kind, lang)
        shown[name] = kind in HEDGED_FIRST
        mine = bands(navs.filter(pl.col("kind") == kind).rename({"nav": kind}), [kind])
        table = dates.join(mine, on="date", how="left", maintain_order="left")
        option["series"] += banded(kind, name, table, f"@s{k % SERIES_COLOURS}")
    if any(shown.values()):
        option["legend"]["selected"] = shown
    return chart("value", option, lang, span=12, height=340)


def rescue(daily: pl.DataFrame, lang: Language) -> Chart:
    """Return the national team's purchases by index, stacked; medians."""
    names = {index: f"rescue_{index}" for index in RESCUED}
    table = bands(daily, names.values())
    option = frame(table["date"], "yuan", min=0)
    option["tooltip"]["axisPointer"] = {"type": "shadow"}
    option["series"] = [
        bars(f"{name}.median", name_of(index, lang), table[f"{name}_median"].to_list(),
             f"@{index}", stack="rescue")
        for index, name in names.items()
    ]  # fmt: skip
    return chart("rescue", option, lang)
