"""Exogenous inputs of a scenario as arrays: the pinned index path, closes, the rescue schedule."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from crowdfall.errors import ScenarioError
from crowdfall.market.snapshot import GROUPS
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Float64

RESCUED = ("csi300", "csi500", "csi1000", "csi2000")
ASSIMILATED = ("csi500", "csi1000", "csi2000", "microcap")


def read_table(path: Path, columns: Sequence[str]) -> dict[date, list[float]]:
    """Return the named columns of a CSV by date; empty cells are NaN.

    Raises ScenarioError for a missing column, or a cell that is no number or date.
    """
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.DictReader(file)
        for column in ("date", *columns):
            if column not in (reader.fieldnames or ()):
                raise ScenarioError(
                    "input_column", file=path.name, column=column,
                    columns=", ".join(reader.fieldnames or ()),
                )  # fmt: skip
        out: dict[date, list[float]] = {}
        for line, row in enumerate(reader, start=2):
            try:
                day = date.fromisoformat(row["date"])
                if day in out:
                    raise ScenarioError("input_twice", file=path.name, line=line, date=day)
                out[day] = [float(row[c]) if row[c] else np.nan for c in columns]
            except (ValueError, TypeError) as error:
                raise ScenarioError(
                    "input_cell", file=path.name, line=line, why=str(error)
                ) from None
    return out


def index_bars(scenario: Scenario, days: Sequence[date]) -> Float64:
    """Return the pinned CSI 300 path, points, shape (T, K).

    Open, low, high and close are laid on 8 bars: an up day goes open, half-way to low, low, two
    steps to high, high, half-way to close, close; a down day is the mirror image. The true order
    inside the day is unknown (design:model 10).
    """
    columns = [f"csi300_{part}" for part in ("open", "high", "low", "close")]
    table = read_table(scenario.input_file(scenario.inputs.index_path), columns)
    out = np.array([_day(_row(scenario, table, day)) for day in days])
    step = 8 // scenario.clock.bars if 8 % scenario.clock.bars == 0 else 1
    return np.ascontiguousarray(out[:, step - 1 :: step][:, : scenario.clock.bars])


def _row(scenario: Scenario, table: dict[date, list[float]], day: date) -> list[float]:
    row = table.get(day)
    if row is None or not all(0.0 < value < np.inf for value in row):
        raise ScenarioError("input_date", file=scenario.inputs.index_path, date=day)
    return row


def _day(row: Sequence[float]) -> list[float]:
    opening, high, low, close = row
    first, second = (low, high) if close >= opening else (high, low)
    step = (second - first) / 3
    return [
        opening, (opening + first) / 2, first, first + step, first + 2 * step, second,
        (second + close) / 2, close,
    ]  # fmt: skip


def assimilation_closes(scenario: Scenario, days: Sequence[date]) -> Float64:
    """Return closes to assimilate, points, shape (T, 4) in the order of ASSIMILATED; NaN after."""
    out = np.full((len(days), len(ASSIMILATED)), np.nan)
    until = scenario.clock.assimilate_until
    if until is None or not scenario.inputs.assimilation:
        return out
    columns = ["wind_microcap" if name == "microcap" else name for name in ASSIMILATED]
    table = read_table(scenario.input_file(scenario.inputs.assimilation), columns)
    for t, day in enumerate(days):
        if day <= until:
            row = table.get(day)
            if row is None or not all(0.0 < value < np.inf for value in row):
                raise ScenarioError("input_date", file=scenario.inputs.assimilation, date=day)
            out[t] = row
    return out


def pinned_closes(scenario: Scenario) -> dict[str, dict[str, float]]:
    """Return the closes that a replay is given, points by index and ISO date."""
    days = scenario.sessions
    known = {"csi300": index_bars(scenario, days)[:, -1]}
    closes = assimilation_closes(scenario, days)
    known |= {name: closes[:, k] for k, name in enumerate(ASSIMILATED)}
    return {
        name: {
            day.isoformat(): float(value)
            for day, value in zip(days, values, strict=True)
            if np.isfinite(value)
        }
        for name, values in known.items()
    }


def rescue_schedule(scenario: Scenario, days: Sequence[date]) -> Float64:
    """Return rescue purchases by session, bar and size group, yuan, shape (T, K, 6)."""
    bars = scenario.clock.bars
    out = np.zeros((len(days), bars, 6))
    if not scenario.inputs.rescue:
        return out
    table = read_table(scenario.input_file(scenario.inputs.rescue), RESCUED)
    for t, day in enumerate(days):
        amount = np.array(table.get(day, [0.0] * len(RESCUED))) * 1e9
        if not (np.isfinite(amount) & (amount >= 0.0)).all():
            raise ScenarioError("rescue_amount", file=scenario.inputs.rescue, date=day)
        out[t, :, :4] = bar_shares(scenario, day)[:, None] * amount
    if scenario.inputs.rescue_first:
        _buy_first(out, scenario)
    return out


def bar_shares(scenario: Scenario, day: date) -> Float64:
    """Return how the rescue of a session spreads over its bars, (K,)."""
    inputs = scenario.inputs
    profile = np.array(inputs.rescue_profiles.get(day.isoformat(), inputs.rescue_profile))
    return np.asarray(profile.reshape(scenario.clock.bars, -1).sum(axis=1))


def shock_schedule(scenario: Scenario, days: Sequence[date]) -> Float64:
    """Return sales from outside by session, bar and size group, yuan, shape (T, K, 6)."""
    bars = scenario.clock.bars
    out = np.zeros((len(days), bars, len(GROUPS)))
    for entry in scenario.shock:
        row = out[list(days).index(entry.date), :, GROUPS.index(entry.group)]
        if entry.bar is None:
            row += entry.yuan / bars
        else:
            row[entry.bar] += entry.yuan
    return out


def _buy_first(schedule: Float64, scenario: Scenario) -> None:
    """Turn all purchases into one index until its amount is reached, in place, bar by bar."""
    first = RESCUED.index(scenario.inputs.rescue_first)
    left = scenario.inputs.rescue_first_amount
    for bar in schedule.reshape(-1, schedule.shape[2]):
        total = bar.sum()
        share = min(1.0, left / total) if total > 0.0 else 0.0
        bar *= 1.0 - share
        bar[first] += share * total
        left -= share * total
