"""The flow of yuan between participants on one day: sellers, what they sold, buyers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import polars as pl

from crowdfall.i18n import Language
from crowdfall.market.snapshot import GROUPS, UNDERLYINGS
from crowdfall.reports.charts.parts import Chart, Option, chart
from crowdfall.reports.phrases import amount, name_of
from crowdfall.results.metrics import net_flows

Venue = Literal["stocks", "futures"]

SMALLEST_LINK: Final = 0.002
"""Flows below this share of the day's total are not drawn: they would be hairlines."""


def exchange(flows: pl.DataFrame, path: int, venue: Venue, lang: Language) -> Chart:
    """Return the flows of one path by day, the busiest day first to be seen.

    A participant that sold more of a group than it bought stands on the left, by the net amount.
    """
    net = net_flows(flows.filter(pl.col("path") == path)).filter(pl.col("net") != 0.0)
    places = GROUPS if venue == "stocks" else tuple(UNDERLYINGS)
    net = net.filter(pl.col("place").is_in(places))
    dates = flows["date"].unique().sort()
    days = {str(day): _one_day(net.filter(pl.col("date") == day), places, lang) for day in dates}
    sold = net.filter(pl.col("net") < 0, pl.col("kind") != "background")
    by_day = sold.group_by("date").agg(pl.col("net").sum()).sort("net", "date")
    first = str(by_day["date"][0]) if len(by_day) else str(dates[0])
    return chart(
        f"flow_{venue}", {**_frame(), "series": [{**_sankey(), **days[first]}]}, lang,
        id=f"flow-{venue}", days=days, span=12,
        height=520 if venue == "stocks" else 300, values={"day": first},
    )  # fmt: skip


def _frame() -> Option:
    return {
        "animation": False,
        "aria": {"enabled": True},
        "tooltip": {"trigger": "item", "formatter": "@flow", "confine": True,
                    "textStyle": {"color": "@ink", "fontSize": 12}},
    }  # fmt: skip


def _sankey() -> Option:
    return {
        "id": "flow", "type": "sankey", "left": 8, "right": 8, "top": 8, "bottom": 8,
        "nodeWidth": 12, "nodeGap": 14, "layoutIterations": 0, "draggable": False,
        "label": {"color": "@ink", "fontSize": 12, "lineHeight": 15},
        "emphasis": {"focus": "adjacency"},
    }  # fmt: skip


def _one_day(net: pl.DataFrame, places: Sequence[str], lang: Language) -> Option:
    total = float(net.filter(pl.col("net") > 0)["net"].sum())
    kept = net.filter(pl.col("net").abs() >= SMALLEST_LINK * total)
    nodes, links = [], []
    for side, sign in (("sell", -1.0), ("buy", 1.0)):
        part = kept.with_columns((sign * pl.col("net")).alias("size")).filter(pl.col("size") > 0)
        sizes = part.group_by("kind").agg(pl.col("size").sum())
        for kind, size in sizes.sort("size", "kind", descending=[True, False]).iter_rows():
            colour = "@down" if side == "sell" else "@up"
            nodes.append(_node(f"{side}:{kind}", kind, size, colour, lang))
        for _, _, kind, place, _, size in part.iter_rows():
            source, target = (f"sell:{kind}", place) if side == "sell" else (place, f"buy:{kind}")
            links.append(_link(source, target, size, "@down" if side == "sell" else "@up"))
    for place in places:
        size = float(kept.filter(pl.col("place") == place, pl.col("net") > 0)["net"].sum())
        if any(place in (link["source"], link["target"]) for link in links):
            colour = f"@{UNDERLYINGS.get(place, place)}"
            nodes.append(_node(place, place, size, colour, lang))
    return {"data": nodes, "links": links}


def _node(key: str, thing: str, size: float, colour: str, lang: Language) -> Option:
    depth = {"sell": 0, "buy": 2}.get(key.split(":")[0], 1)
    position = {0: "right", 1: "right", 2: "left"}[depth]
    return {
        "name": key, "depth": depth, "itemStyle": {"color": colour, "borderWidth": 0},
        "label": {"formatter": f"{name_of(thing, lang)}  {amount(size, lang)}",
                  "position": position},
    }  # fmt: skip


def _link(source: str, target: str, size: float, colour: str) -> Option:
    return {"source": source, "target": target, "value": size,
            "lineStyle": {"color": colour, "opacity": 0.28, "curveness": 0.5}}  # fmt: skip
