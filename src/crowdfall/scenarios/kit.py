"""The episode kit: a runnable scenario folder from a snapshot, an index path and a rescue schedule.

The folder holds the resolved scenario (every number with its source), the inputs as the engine
reads them, and, where a starting basis is given, the snapshot with that basis. What belongs to the
base's own days (policies, suspensions, assimilation, rescue) is left out: an episode has what its
command names.
"""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import isfinite
from pathlib import Path
from typing import Final

from crowdfall.data.calendar import sessions
from crowdfall.errors import ScenarioError
from crowdfall.market import store
from crowdfall.market.snapshot import Market
from crowdfall.scenarios.inputs import RESCUED, read_table, rescue_schedule
from crowdfall.scenarios.load import describe, library, load
from crowdfall.scenarios.schema import Clock, Inputs, Scenario

PINNED: Final = "csi300"
_PARTS: Final = ("open", "high", "low", "close")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_LARGEST: Final = 0.5
"""A close further than this share from the one before is a mistake, not a market."""


def new(
    name: str,
    market: Market,
    path_file: Path,
    *,
    base: str = "feb2024",
    rescue_file: Path | None = None,
    overrides: Sequence[str] = (),
    basis: Mapping[str, float] | None = None,
    folder: Path | None = None,
) -> Path:
    """Write an episode's folder, whole or not at all, and return its scenario file.

    ``path_file`` has the columns ``date`` and ``close``, better also ``open``, ``high`` and
    ``low`` (each may be called ``csi300_close`` and so on); its first row is the snapshot's date,
    and its levels are scaled so that this row is the snapshot's close. ``basis`` gives the basis
    of the main quarterly contract by underlying, as a fraction; other months keep their ratio of
    time to it. ScenarioError for a bad name, a taken folder, dates that are no sessions or have
    gaps, prices that are none, or anything that the resolved scenario can't have.
    """
    if not _NAME.fullmatch(name) or name in library():
        raise ScenarioError("kit_name", name=name)
    place = folder if folder is not None else Path(name)
    if place.exists():
        raise ScenarioError("kit_exists", path=place)
    bars = read_path(path_file, market)
    words = [*overrides, "clock.factors=solve"]
    scenario = _episode(name, load(base, words), market, max(bars), rescue_file is not None)
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        _write_path(draft / "index_path.csv", bars)
        if rescue_file is not None:
            _write_rescue(draft / "rescue.csv", rescue_file, scenario, draft)
        (draft / f"{name}.toml").write_text(describe(scenario), encoding="utf-8")
        if basis:
            store.save(with_basis(market, basis), draft / "market")
        load(str(draft / f"{name}.toml"))  # what is written must be what can be read
        draft.rename(place)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return place / f"{name}.toml"


def read_path(file: Path, market: Market) -> dict[date, list[float]]:
    """Return open, high, low and close by session, scaled to the snapshot's CSI 300.

    Where a file has closes only, a day opens at the close before and has no other extremes.
    """
    if not file.is_file():
        raise ScenarioError("missing_input", file=file.name, folder=file.parent)
    columns = _columns(file)
    table = read_table(file, columns)
    days = sorted(table)
    if not days or days[0] != market.date:
        raise ScenarioError(
            "kit_first_day", file=file.name, first=days[0] if days else "-", date=market.date
        )
    _check_days(file, days)
    level = market.levels[PINNED]
    scale = level / _positive(file, days[0], table[days[0]])[-1]
    out: dict[date, list[float]] = {}
    before = level
    for day in days:
        row = [value * scale for value in _positive(file, day, table[day])]
        close = row[-1]
        if len(row) == 1:
            row = [before, max(before, close), min(before, close), close]
        if not row[2] <= min(row[0], close) <= max(row[0], close) <= row[1]:
            raise ScenarioError("kit_bar", file=file.name, date=day)
        if abs(close / before - 1.0) > _LARGEST:
            raise ScenarioError(
                "kit_jump", file=file.name, date=day, move=f"{100 * (close / before - 1):.0f}%"
            )
        out[day], before = row, close
    return out


def _columns(file: Path) -> tuple[str, ...]:
    with file.open(encoding="utf-8", errors="replace", newline="") as rows:
        held = next(csv.reader(rows), [])
    for prefix in (f"{PINNED}_", ""):
        if f"{prefix}close" in held:
            full = tuple(prefix + part for part in _PARTS)
            return full if set(full) <= set(held) else (f"{prefix}close",)
    raise ScenarioError("input_column", file=file.name, column="close", columns=", ".join(held))


def _positive(file: Path, day: date, row: list[float]) -> list[float]:
    if not all(isfinite(value) and value > 0.0 for value in row):
        raise ScenarioError("input_date", file=file.name, date=day)
    return row


def _check_days(file: Path, days: Sequence[date]) -> None:
    wanted = sessions(days[0], days[-1])
    if len(days) < 2:
        raise ScenarioError("kit_short", file=file.name)
    for day in days:
        if day not in wanted:
            raise ScenarioError("kit_no_session", file=file.name, date=day)
    for day in wanted:
        if day not in days:
            raise ScenarioError("input_date", file=file.name, date=day)


def _episode(name: str, base: Scenario, market: Market, end: date, rescued: bool) -> Scenario:
    clock = Clock(
        mode="replay", start=market.date, end=end, bars=base.clock.bars,
        overnight_share=base.clock.overnight_share, block_length=base.clock.block_length,
    )  # fmt: skip
    inputs = Inputs(
        index_path="index_path.csv",
        rescue="rescue.csv" if rescued else "",
        rescue_profile=base.inputs.rescue_profile,
        sources={"index_path": "own file", **({"rescue": "own file"} if rescued else {})},
    )
    text = f"{market.date} to {end}, market {market.digest}, participants of {base.name}"
    return replace(
        base, name=name, clock=clock, inputs=inputs, policy=(), suspension=(), origin=None,
        title={"en": f"{name}: {text}", "zh": f"{name}：{market.date} 至 {end}"},
        story={"en": text, "zh": f"市场 {market.digest}，参与者取自 {base.name}"},
    )  # fmt: skip


def _write_path(file: Path, bars: Mapping[date, Sequence[float]]) -> None:
    lines = ["date," + ",".join(f"{PINNED}_{part}" for part in _PARTS)]
    lines += [f"{day}," + ",".join(f"{value:.6f}" for value in row) for day, row in bars.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_rescue(file: Path, given: Path, scenario: Scenario, folder: Path) -> None:
    if not given.is_file():
        raise ScenarioError("missing_input", file=given.name, folder=given.parent)
    table = read_table(given, RESCUED)
    days = scenario.sessions
    for day in table:
        if day not in days:
            raise ScenarioError("kit_no_session", file=given.name, date=day)
    lines = ["date," + ",".join(RESCUED)]
    lines += [f"{day}," + ",".join(f"{v:.6f}" for v in table[day]) for day in sorted(table)]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    rescue_schedule(replace(scenario, folder=folder), days)  # speaks of amounts that are none


def with_basis(market: Market, basis: Mapping[str, float]) -> Market:
    """Return a market whose futures start at another basis, by underlying as a fraction.

    The main contract (the nearest quarterly month) gets it; others by their time to expiry.
    """
    quotes = []
    for quote in market.futures:
        if quote.underlying not in basis:
            quotes.append(quote)
            continue
        own = market.contracts(quote.underlying)
        main = next((q for q in own if q.last_trading_day.month % 3 == 0), own[-1])
        spans = [max((q.last_trading_day - market.date).days, 1) for q in (quote, main)]
        new_basis = basis[quote.underlying] * spans[0] / spans[1]
        close = quote.close / (1.0 + quote.basis) * (1.0 + new_basis)
        quotes.append(replace(quote, basis=new_basis, close=close))
    known = {quote.underlying for quote in market.futures}
    for name, value in basis.items():
        if name not in known or not -0.3 <= value <= 0.3:
            raise ScenarioError("kit_basis", name=name.upper(), value=value)
    return replace(market, futures=tuple(quotes))
