"""Charts of futures and snowballs: basis by month, dealers' position, knocked-in share."""

from __future__ import annotations

import polars as pl

from crowdfall.i18n import Language
from crowdfall.market.snapshot import UNDERLYINGS
from crowdfall.reports.charts.parts import Chart, banded, chart, frame, line
from crowdfall.reports.phrases import name_of
from crowdfall.results.metrics import bands, underlyings
from crowdfall.results.schema import CONTRACT_RANKS


def basis(daily: pl.DataFrame, underlying: str, lang: Language) -> Chart:
    """Return the basis of the four contracts of one underlying; band for the front month."""
    names = {rank: f"basis_{rank}_{underlying}" for rank in CONTRACT_RANKS}
    table = bands(daily, names.values())
    option = frame(table["date"], "percent")
    for rank, name in names.items():
        word, colour = name_of(rank, lang), f"@{rank}"
        if rank == "front":
            option["series"] += banded(name, word, table, colour)
        else:
            values = table[f"{name}_median"].to_list()
            option["series"].append(line(f"{name}.median", word, values, colour, width=1.6))
    words = {"underlying": underlying.upper(), "index": name_of(UNDERLYINGS[underlying], lang)}
    return chart("basis", option, lang, id=f"basis-{underlying}", values=words)


def dealers(daily: pl.DataFrame, lang: Language) -> Chart:
    """Return the snowball dealers' futures position by underlying, yuan."""
    names = {u: f"dealer_futures_{u}" for u in underlyings(daily)}
    table = bands(daily, names.values())
    option = frame(table["date"], "yuan")
    for underlying, name in names.items():
        colour = f"@{UNDERLYINGS[underlying]}"
        option["series"] += banded(name, underlying.upper(), table, colour)
    return chart("dealers", option, lang)


def knocked_in(daily: pl.DataFrame, lang: Language) -> Chart:
    """Return the knocked-in share of the snowballs on each index."""
    prefix = "knocked_in_share_"
    names = [name for name in daily.columns if name.startswith(prefix)]
    table = bands(daily, names)
    option = frame(table["date"], "percent0", min=0, max=1)
    for name in names:
        index = name.removeprefix(prefix)
        option["series"] += banded(name, name_of(index, lang), table, f"@{index}")
    return chart("knocked_in", option, lang)
