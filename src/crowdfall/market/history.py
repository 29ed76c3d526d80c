"""The joint history of the size groups, from index closes."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import polars as pl

from crowdfall.errors import MarketError
from crowdfall.market.snapshot import GROUPS, INDICES, History

START: Final = date(2018, 1, 2)
"""First session of the data folder's index files."""
LEAST: Final = 60
NOTE: Final = (
    "daily log returns of CSI 300, 500, 1000, 2000 and the micro-cap index; the tail has no index "
    "and stands as the mean of CSI 2000 and the micro-cap index"
)


def read_history(bars: pl.DataFrame, on: date, note: str = NOTE) -> History:
    """Return joint daily log returns up to ``on``, shape (T, 6).

    ``bars`` is a canonical ``index_bars`` table. Days on which any of the five indices has no
    close are left out; MarketError where fewer than 60 returns remain, or an index is absent.
    """
    closes = None
    for name in INDICES:
        one = bars.filter((pl.col("index") == name) & (pl.col("date") <= on))
        if not one.height:
            raise MarketError("market_no_index", index=name, on=on)
        one = one.select("date", pl.col("close").alias(name))
        closes = one if closes is None else closes.join(one, on="date")
    assert closes is not None
    closes = closes.sort("date")
    if closes.height <= LEAST:
        raise MarketError("market_short_history", on=on, count=closes.height - 1, least=LEAST)
    logs = np.log(closes.select(INDICES).to_numpy())
    moves = dict(zip(INDICES, np.diff(logs, axis=0).T, strict=True))
    moves["tail"] = (moves["csi2000"] + moves["microcap"]) / 2.0
    return History(
        returns=np.column_stack([moves[name] for name in GROUPS]),
        first=closes["date"][1],
        last=closes["date"][-1],
        note=note,
    )
