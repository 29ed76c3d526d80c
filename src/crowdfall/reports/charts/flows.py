"""The flow of yuan between participants on one day: sellers, what they sold, buyers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Literal

import polars as pl

from crowdfall.i18n import Language
from crowdfall.market.snapshot import GROUPS, UNDERLYINGS
from crowdfall.reports.charts.parts import Chart, Option, chart
from crowdfall.reports.phrases import amount, name_of, share
from crowdfall.results.metrics import exchanged

Venue = Literal["stocks", "futures"]
Trade = tuple[str, str, float]
"""Participant, place, purchase in yuan; a sale is negative."""

SMALLEST_LINK: Final = 0.002
"""Flows below this share of the day's total are not drawn: they would be hairlines."""


def exchange(exchanges: pl.DataFrame, path: int, venue: Venue, lang: Language) -> Chart:
    """Return who sold to whom on one path by day, the busiest day first to be seen.

    Sellers stand on the left, buyers on the right, with what each sold or bought; who did both
    stands on both sides. The busiest day is that of the largest sales of participants.
    """
    places = GROUPS if venue == "stocks" else tuple(UNDERLYINGS)
    mine = exchanges.filter(pl.col("path") == path)
    trades: dict[str, list[Trade]] = {str(day): [] for day in exchanges["date"].unique().sort()}
    sides = exchanged(mine.filter(pl.col("place").is_in(places)))
    for _, day, kind, place, bought, sold in sides.iter_rows():
        both = [(kind, place, -sold), (kind, place, bought)]
        trades[str(day)] += [trade for trade in both if trade[2] != 0.0]
    days = {day: _one_day(mine, places, lang) for day, mine in trades.items()}
    first = min(trades, key=lambda day: sum(_sales_of_participants(trades[day])), default="")
    shown = days.get(first, {"data": [], "links": []})
    return chart(
        f"flow_{venue}", {**_frame(), "series": [{**_sankey(), **shown}]}, lang,
        id=f"flow-{venue}", days=days, span=12, height=520 if venue == "stocks" else 300,
        values={"share": share(_residual(trades.get(first, [])))},
    )  # fmt: skip


def _sales_of_participants(trades: list[Trade]) -> list[float]:
    return [size for kind, _, size in trades if size < 0 and kind != "background"]


def _residual(trades: list[Trade]) -> float:
    """Return the share of what changed hands that the background bought or sold."""
    volume = sum(size for _, _, size in trades if size > 0)
    rest = sum(abs(size) for kind, _, size in trades if kind == "background")
    return rest / volume if volume else 0.0


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


def _one_day(trades: list[Trade], places: Sequence[str], lang: Language) -> Option:
    total = sum(size for _, _, size in trades if size > 0)
    kept = [trade for trade in trades if abs(trade[2]) >= SMALLEST_LINK * total]
    nodes = [*_side("sell", kept, lang), *_side("buy", kept, lang)]
    for place in places:
        through = [size for _, where, size in kept if where == place]
        if through:
            size = max(sum(s for s in through if s > 0), -sum(s for s in through if s < 0))
            nodes.append(_node(place, place, size, f"@{UNDERLYINGS.get(place, place)}", lang))
    return {"data": nodes, "links": [_link(*trade) for trade in kept]}


def _side(side: Literal["sell", "buy"], kept: list[Trade], lang: Language) -> list[Option]:
    """Return the nodes of all sellers or all buyers, largest first."""
    sign, colour = (-1.0, "@down") if side == "sell" else (1.0, "@up")
    sizes: dict[str, float] = defaultdict(float)
    for kind, _, size in kept:
        sizes[kind] += max(0.0, sign * size)
    ranked = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    return [_node(f"{side}:{kind}", kind, size, colour, lang) for kind, size in ranked if size > 0]


def _node(key: str, thing: str, size: float, colour: str, lang: Language) -> Option:
    depth = {"sell": 0, "buy": 2}.get(key.split(":")[0], 1)
    position = {0: "right", 1: "right", 2: "left"}[depth]
    return {
        "name": key, "depth": depth, "itemStyle": {"color": colour, "borderWidth": 0},
        "label": {"formatter": f"{name_of(thing, lang)}  {amount(size, lang)}",
                  "position": position},
    }  # fmt: skip


def _link(kind: str, place: str, size: float) -> Option:
    source, target = (f"sell:{kind}", place) if size < 0 else (place, f"buy:{kind}")
    colour = "@down" if size < 0 else "@up"
    return {"source": source, "target": target, "value": abs(size),
            "lineStyle": {"color": colour, "opacity": 0.28, "curveness": 0.5}}  # fmt: skip
