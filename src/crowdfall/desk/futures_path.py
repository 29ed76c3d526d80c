"""Paths to hedge along: real closes with the contract a dealer would hold, or drawn ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl

from crowdfall.desk.snowball_hedge import Paths
from crowdfall.errors import DataError
from crowdfall.pricing.marks import Marks
from crowdfall.products.timetable import Timetable


@dataclass(frozen=True, kw_only=True)
class RolledPath:
    """One path in index points with its sessions and the contract held over each of them."""

    dates: tuple[date, ...]
    contracts: tuple[str, ...]
    paths: Paths


def rolled(bars: pl.DataFrame, underlying: str) -> RolledPath:
    """Return the path of one underlying's futures, holding the contract with most open interest.

    ``bars``: canonical futures bars with ``spot_close``. A dealer rolls forward at a close when
    a later contract has become the largest, and never back. Raises DataError where the bars hold
    fewer than two sessions, or the contract held has no close on the next one.
    """
    mine = bars.filter(pl.col("underlying") == underlying).sort("date", "symbol")
    days = mine["date"].unique().sort().to_list()
    if len(days) < 2:
        raise DataError("path_short", file=underlying, rows=len(days))
    closes: dict[date, dict[str, float]] = {day: {} for day in days}
    largest: dict[date, str] = {}
    spot: dict[date, float] = {}
    for day, symbol, close, spot_close in mine.select(
        "date", "symbol", "close", "spot_close"
    ).iter_rows():
        closes[day][symbol] = close
        spot[day] = spot_close
    for day, symbol in (
        mine.sort("open_interest", descending=True).unique("date", keep="first")
        .select("date", "symbol").iter_rows()
    ):  # fmt: skip
        largest[day] = symbol
    held, contracts, futures = "", [], []
    for day, after in pairwise(days):
        held = max(held, largest[day])  # symbols of one product sort by expiry
        if held not in closes[after]:
            raise DataError("contract_gone", symbol=held, day=after)
        contracts.append(held)
        futures.append((closes[day][held], closes[after][held]))
    return RolledPath(
        dates=tuple(days),
        contracts=tuple(contracts),
        paths=Paths(spot=np.array([[spot[day] for day in days]]), futures=np.array([futures])),
    )


def drawn_paths(table: Timetable, marks: Marks, count: int, seed: int) -> Paths:
    """Return lognormal paths at the marks, over the note's life; the same for the same seed."""
    sessions, step = table.last, 1.0 / table.year
    normal = np.random.default_rng(seed).standard_normal((count, sessions))
    drift = (marks.rate - marks.q - 0.5 * marks.vol**2) * step
    walk = np.cumsum(drift + marks.vol * np.sqrt(step) * normal, axis=1)
    spot = np.exp(np.hstack([np.zeros((count, 1)), walk]))
    carry = np.exp(-(marks.rate - marks.q) * step)
    futures = np.stack([spot[:, :-1], spot[:, 1:] * carry], axis=2)
    return Paths(spot=spot, futures=futures)
