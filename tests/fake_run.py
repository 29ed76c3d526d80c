"""A run folder made without the engine: every table of the schema, random but consistent.

Two falls and a rescue, as in early 2024; flows of every place sum to zero with the background.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from crowdfall.market.snapshot import GROUPS, INDICES
from crowdfall.results.schema import CONTRACT_RANKS, column_names
from crowdfall.results.store import RunFolder, create, open_run

START = date(2024, 1, 2)
LEVELS = {"csi300": 3431.1, "csi500": 5429.2, "csi1000": 5887.2, "csi2000": 2399.5,
          "microcap": 2871.9}  # fmt: skip
CELLS = {
    "snowball_dealers": ("csi500", "csi1000"),
    "dma": ("tilt+0.10-im-25", "tilt+0.35-im-27", "tilt-0.12-mix-40"),
    "neutral": ("tilt+0.00-im", "tilt+0.40-ic"),
    "enhanced": ("csi500-tilt0.10", "csi1000-tilt0.35"),
    "trend_retail": ("all",),
    "national_team": ("all",),
    "background": ("all",),
}
RESCUE_DAYS = {12: 8e9, 14: 20e9, 24: 43e9, 27: 30e9}
EXPIRIES = {
    "2401": date(2024, 1, 19),
    "2402": date(2024, 2, 16),
    "2403": date(2024, 3, 15),
    "2404": date(2024, 4, 19),
    "2406": date(2024, 6, 21),
    "2409": date(2024, 9, 20),
}


def sessions(count: int = 37) -> list[date]:
    """Weekdays from 2 January 2024 without the holiday of February."""
    days, day = [], START
    while len(days) < count:
        if day.weekday() < 5 and not date(2024, 2, 9) <= day <= date(2024, 2, 16):
            days.append(day)
        day += timedelta(days=1)
    return days


def manifest(paths: int = 6, **changes: object) -> dict[str, Any]:
    """What the engine says of a run."""
    days = sessions()
    base: dict[str, Any] = {
        "version": "0.1.0",
        "market": {
            "date": "2023-12-29",
            "digest": "aaaabbbbccccdddd",
            "source": "synthetic",
            "sources": ["Random numbers."],
        },
        "scenario": {
            "name": "feb2024",
            "title": {"en": "January-February 2024", "zh": "2024年1-2月"},
            "clock": {
                "mode": "replay",
                "start": "2023-12-29",
                "end": days[-1].isoformat(),
                "assimilate_until": "2024-01-19",
            },
            "policy": [
                {"kind": "sell_ban", "title": "A ban", "start": "2024-02-05", "source": "a test"}
            ],
        },
        "scenario_name": "feb2024",
        "scenario_hash": "1111222233334444",
        "seed": 7,
        "paths": paths,
        "sources": {"rescue": "A test fixture."},
        "actual": {
            "csi1000": {"2023-12-29": 5887.2}
            | {day.isoformat(): 5800.0 - 10 * t for t, day in enumerate(days)}
        },
    }
    return base | changes


def write(folder: Path, *, paths: int = 6, count: int = 37, seed: int = 1, calm: bool = False,
          block: int = 4, **changes: object) -> RunFolder:  # fmt: skip
    """Write a complete fake run; ``calm`` makes one in which nothing happens."""
    run = create(folder, manifest(paths, **changes))
    for number, first in enumerate(range(0, paths, block)):
        ids = range(first, min(first + block, paths))
        parts = [tables(path, count, seed, calm) for path in ids]
        run.write_block(number, {n: pl.concat([p[n] for p in parts]) for n in parts[0]})
    run.finish({"paths": paths, "seed": 7, "version": "0.1.0"})
    return run


@cache
def shared(*, calm: bool = False) -> RunFolder:
    """Return one fake run that all tests of a session may read, in a folder that ends with it."""
    folder = tempfile.mkdtemp(prefix="crowdfall-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return open_run(write(Path(folder) / "run", calm=calm, paths=2 if calm else 6).path)


def tables(path: int, count: int, seed: int, calm: bool) -> dict[str, pl.DataFrame]:
    """Return the tables of one path."""
    rng = np.random.default_rng([seed, path])
    days = sessions(count)
    flows = _flows(path, days, rng, calm)
    daily = _daily(path, days, rng, calm)
    parts = {
        "daily": daily,
        "futures": _futures(path, days, daily, rng),
        "agents": _agents(path, days, flows, rng, calm),
        "flows": flows,
        "events": _events(path, days, daily, calm),
        "exchanges": _exchanges(flows),
    }
    return {n: part.sort("date", maintain_order=True) for n, part in parts.items()}


def _shape(count: int, calm: bool) -> np.ndarray:
    """Fall of the day, from 0 (none) to 1 (the worst)."""
    t = np.arange(count)
    if calm:
        return np.zeros(count)
    return np.exp(-((t - 14) ** 2) / 2.0) * 0.8 + np.exp(-((t - 24) ** 2) / 4.0)


def _daily(path: int, days: list[date], rng: np.random.Generator, calm: bool) -> pl.DataFrame:
    count, fall = len(days), _shape(len(days), calm)
    out: dict[str, Any] = {"path": [path] * count, "date": days}
    for g, index in enumerate(INDICES):
        noise = rng.normal(0, 0.001 if calm else 0.006, count)
        moves = noise - fall * 0.018 * g + (0 if calm else 0.02 * g * (np.arange(count) == 27))
        out[f"{index}_return"] = moves
        out[f"{index}_close"] = LEVELS[index] * np.cumprod(1 + moves)
    for k, u in enumerate(("ic", "im")):
        for r, rank in enumerate(CONTRACT_RANKS):
            carry = -0.004 * (r + 1)
            out[f"basis_{rank}_{u}"] = (
                carry - fall * (0.04 + 0.01 * k) + rng.normal(0, 0.001, count)
            )
        out[f"open_interest_{u}"] = rng.uniform(2.8e11, 3.2e11, count)
        book = 1.2e11 * (1 + 0.1 * np.arange(count) / count) * (1 - 0.5 * np.cumsum(fall) / 8)
        out[f"dealer_futures_{u}"] = book + rng.normal(0, 1e8, count)
    down = np.round(fall * 1400 * rng.uniform(0.7, 1.2, count)).astype(int)
    out["limit_down_count"] = down
    out["limit_down_touched"] = down + np.round(down * 0.5).astype(int)
    out["limit_up_count"] = rng.integers(0, 60, count) if not calm else np.zeros(count, int)
    out["stocks"] = [4742] * count
    out["turnover"] = rng.uniform(6e11, 9e11, count)
    share = rng.dirichlet(np.full(6, 20.0), count)
    for g, group in enumerate(GROUPS):
        out[f"turnover_share_{group}"] = share[:, g]
        out[f"forced_share_{group}"] = 0.002 * g * fall
        out[f"compelled_share_{group}"] = 0.004 * g * fall
        out[f"depth_{group}"] = np.clip(1 - 0.12 * g * fall, 0.35, 1.0)
        out[f"dispersion_{group}"] = 0.02 + 0.02 * fall + rng.uniform(0, 0.002, count)
    for k, index in enumerate(("csi500", "csi1000")):
        out[f"knocked_in_share_{index}"] = np.minimum(0.9, np.cumsum(fall) / 8 * (0.7 + 0.3 * k))
    out["margin_calls"] = np.round(fall * 20).astype(int)
    out["forced_sales"] = fall * 2.1e10 * rng.uniform(0.8, 1.2, count)
    out["unfilled_sales"] = fall * 5e10
    out["broker_shortfall"] = np.where(fall > 0.8, 4e8, 0.0)
    for i, index in enumerate(("csi300", "csi500", "csi1000", "csi2000")):
        out[f"rescue_{index}"] = [
            0.0 if calm else RESCUE_DAYS.get(t, 0.0) * (0.7, 0.15, 0.1, 0.05)[i]
            for t in range(count)
        ]
    for name in ("loop_gain", "contrarian_return", "momentum_return"):
        out[name] = pl.Series([None] * count, dtype=pl.Float64)
    return pl.DataFrame(out).select(column_names("daily"))


def _futures(path: int, days: list[date], daily: pl.DataFrame,
             rng: np.random.Generator) -> pl.DataFrame:  # fmt: skip
    rows = []
    for t, day in enumerate(days):
        live = [m for m, end in EXPIRIES.items() if end >= day][:4]
        for u, spot in (("ic", "csi500"), ("im", "csi1000")):
            level = daily[f"{spot}_close"][t]
            for rank, month in zip(CONTRACT_RANKS, live, strict=True):
                basis = daily[f"basis_{rank}_{u}"][t]
                rows.append((path, day, u.upper() + month, u, rank, level * (1 + basis * 0.9),
                             level * (1 + basis), basis, rng.uniform(1e10, 9e10),
                             daily[f"open_interest_{u}"][t] / 4))  # fmt: skip
    return pl.DataFrame(rows, schema=list(column_names("futures")), orient="row")


def _flows(path: int, days: list[date], rng: np.random.Generator, calm: bool) -> pl.DataFrame:
    fall = _shape(len(days), calm)
    rows = []
    for t, day in enumerate(days):
        for p, place in enumerate((*GROUPS, "ic", "im")):
            net = 0.0
            for kind in list(CELLS)[:-1]:
                sold, bought = _trade(kind, place, p, fall[t], rng)
                if kind == "national_team":
                    sold = 0.0
                    bought = 0.0 if calm or place != "csi300" else RESCUE_DAYS.get(t, 0.0)
                net += bought - sold
                rows.append((path, day, kind, place, bought, sold, bought, sold * 1.5))
            rows.append((path, day, "background", place, max(0.0, -net), max(0.0, net),
                         max(0.0, -net), max(0.0, net)))  # fmt: skip
    return pl.DataFrame(rows, schema=list(column_names("flows")), orient="row")


def _trade(
    kind: str, place: str, p: int, fall: float, rng: np.random.Generator
) -> tuple[float, float]:
    in_futures = place in ("ic", "im")
    if kind == "snowball_dealers":
        return (fall * 8e9 * rng.uniform(0.5, 1.5), 1e8) if in_futures else (0.0, 0.0)
    if kind in ("dma", "neutral"):
        size = fall * (4e9 if kind == "dma" else 1.5e9) * rng.uniform(0.5, 1.5)
        return (0.0, size) if in_futures else (size * (p + 1) / 4, 0.0)
    return (0.0, 0.0) if in_futures else (fall * 2e9, 1e8 if kind == "enhanced" else 0.0)


def _agents(path: int, days: list[date], flows: pl.DataFrame, rng: np.random.Generator,
            calm: bool) -> pl.DataFrame:  # fmt: skip
    fall = _shape(len(days), calm)
    rows = []
    for kind, cells in CELLS.items():
        for c, cell in enumerate(cells):
            capital, stock = 1e10 * (c + 1), 4e10 * (c + 1) if kind == "dma" else 1e10
            hurt = {"dma": 0.12, "neutral": 0.02, "enhanced": 0.04}.get(kind, 0.01)
            nav = np.maximum(-0.1, 1 - np.cumsum(fall * hurt) + rng.normal(0, 0.001, len(days)))
            change = np.diff(nav, prepend=1.0) * capital
            for t, day in enumerate(days):
                equity = capital * nav[t]
                short = -stock if kind in ("dma", "neutral") else 0.0
                status = "called" if kind == "dma" and fall[t] > 0.5 else "open"
                rows.append((
                    path, day, kind, cell, equity, stock, equity - stock, short * 0.3, short * 0.7,
                    stock - short, stock + short, stock / equity if equity > 0 else None,
                    equity / stock, nav[t], nav[t] - 1, change[t] * 1.2, change[t] * 0.1,
                    -change[t] * 0.3, -1e6, -1e5, 0.0, 0.0, fall[t] * 1e9, status,
                ))  # fmt: skip
    return pl.DataFrame(rows, schema=list(column_names("agents")), orient="row")


def _exchanges(flows: pl.DataFrame) -> pl.DataFrame:
    """Let everybody sell to everybody in proportion, day by day and place by place."""
    sold = flows.filter(pl.col("sold") > 0).select("path", "date", "place", "kind", "sold")
    bought = flows.filter(pl.col("bought") > 0).select("path", "date", "place", "kind", "bought")
    pairs = sold.join(bought, on=["path", "date", "place"], suffix="_buyer", maintain_order="left")
    by_place = bought.group_by("path", "date", "place").agg(pl.col("bought").sum().alias("total"))
    total = pl.col("total")
    return pairs.join(by_place, on=["path", "date", "place"], maintain_order="left").select(
        "path", "date", "place", pl.col("kind").alias("seller"),
        pl.col("kind_buyer").alias("buyer"),
        (pl.col("sold") * pl.col("bought") / total).alias("yuan"),
    )  # fmt: skip


LED_TO = {
    "index_fall": ("sale", "news"), "knock_in": ("index_fall",), "futures_sale": ("knock_in",),
    "basis_gap": ("futures_sale",), "sale": ("basis_gap",), "margin_call": ("index_fall",),
    "forced_sale": ("margin_call",), "limit_lock": ("forced_sale", "index_fall"),
    "index_rise": ("rescue",),
}  # fmt: skip
"""The kinds whose latest event led to an event of a kind; the first known one counts."""


def _events(path: int, days: list[date], daily: pl.DataFrame, calm: bool) -> pl.DataFrame:
    fall = _shape(len(days), calm)
    rows: list[tuple[object, ...]] = []
    last: dict[str, int] = {}
    for t, day in enumerate(days):
        for item in sorted(_of_day(t, fall[t], daily, calm), key=lambda item: item[0]):
            known = [last[kind] for kind in LED_TO.get(item[3], ()) if kind in last]
            if item[3] in LED_TO and not known:
                continue
            last[item[3]] = len(rows)
            rows.append((path, day, len(rows), *item, known[0] if known else None))
    schema = {"path": pl.Int64, "date": pl.Date, "event": pl.Int64, "bar": pl.Int64,
              "agent": pl.String, "cell": pl.String, "kind": pl.String, "amount": pl.Float64,
              "cause": pl.Int64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _of_day(t: int, fall: float, daily: pl.DataFrame, calm: bool) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    if not calm and t in RESCUE_DAYS:
        found.append((5, "national_team", "csi300", "rescue", RESCUE_DAYS[t]))
        found.append((8, "csi1000", "all", "index_rise", 0.03))
    if not calm and t == 25:
        found.append((0, "policy", "sell_ban", "policy", 0.68))
    if fall > 0.05:
        book = "tilt+0.10-im-25"
        found += [
            (0, "market", "all", "news", 0.02 * fall),
            (0, "snowball_dealers", "im", "futures_sale", 9e9 * fall),
            (1, "im", "all", "basis_gap", 0.05 * fall),
            (2, "neutral", "all", "sale", 3e9 * fall),
            (3, "dma", book, "forced_sale", daily["forced_sales"][t]),
            (8, "csi1000", "all", "index_fall", 0.04 * fall),
            (8, "microcap", "all", "index_fall", 0.07 * fall),
            (8, "microcap", "all", "limit_lock", 0.5 * fall),
            (8, "snowball_dealers", "csi500", "knock_in", fall * 5e9),
            (8, "snowball_dealers", "csi1000", "knock_in", fall * 7e9),
        ]  # fmt: skip
        found += [(8, "dma", book, "margin_call", 3e8)] * daily["margin_calls"][t]
    return found
