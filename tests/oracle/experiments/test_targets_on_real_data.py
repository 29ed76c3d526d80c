"""The published values of targets against the real series, as far as those reach."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.data.calendar import sessions
from crowdfall.experiments import targets
from crowdfall.results.schema import CONTRACT_RANKS
from crowdfall.rules.futures import contract_symbols

FIRST, LAST = date(2024, 1, 2), date(2024, 2, 2)
INDICES = ("csi300", "csi500", "csi1000", "csi2000", "wind_microcap")
ROUNDING = 0.06
"""Published numbers carry one decimal."""
SINCE_ASSIMILATION = ("K06a", "K06c", "K09a", "K09b", "K09c", "K09d", "K12a", "K12b")


@pytest.fixture(scope="module")
def real_daily(real_data: Path) -> pl.DataFrame:
    days = pl.DataFrame({"path": 0, "date": sessions(FIRST, LAST)})
    for name in INDICES:
        bars = pl.read_csv(real_data / "index" / f"{name}.csv.gz", try_parse_dates=True)
        own = name.removeprefix("wind_")
        days = days.join(
            bars.sort("date").select(
                "date",
                pl.col("close").alias(f"{own}_close"),
                (pl.col("close") / pl.col("close").shift(1) - 1.0).alias(f"{own}_return"),
            ),
            on="date",
        )
    quotes = pl.read_csv(
        real_data / "futures" / "contracts_daily_2019_2024.csv.gz", try_parse_dates=True
    ).filter(pl.col("date") >= FIRST)
    basis = {
        (row["symbol"], row["date"]): row["close"] / row["spot_close"] - 1.0
        for row in quotes.iter_rows(named=True)
    }
    for underlying in ("ic", "im"):
        for k, rank in enumerate(CONTRACT_RANKS):
            values = [
                basis.get((contract_symbols(underlying, day)[k].removesuffix(".CFE"), day))
                for day in days["date"]
            ]
            days = days.with_columns(pl.Series(f"basis_{rank}_{underlying}", values, pl.Float64))
    return days


@pytest.mark.parametrize("name", SINCE_ASSIMILATION)
def test_a_published_number_is_what_the_series_give(name: str, real_daily: pl.DataFrame) -> None:
    asked = next(each for each in targets.load() if each.id == name)
    found = float(targets.measure_matrix([asked], real_daily)[0, 0])
    assert found == pytest.approx(asked.value, abs=ROUNDING), f"{name}: {found:.2f}"


def test_inputs_of_the_scenario_give_the_published_inputs(real_data: Path) -> None:
    path = _columns(real_data / "scenario_inputs" / "feb2024.csv", "csi300_close")
    rescue = _columns(real_data / "scenario_inputs" / "feb2024_rescue.csv", "csi300", "csi500",
                      "csi1000", "csi2000")  # fmt: skip
    days = [day for day in path if day >= FIRST]
    closes = np.array([path[day][0] for day in path])
    bought = np.array([rescue.get(day, [0.0] * 4) for day in days]) * 1e9
    daily = pl.DataFrame(
        {"path": 0, "date": days, "csi300_close": closes[1:],
         "csi300_return": closes[1:] / closes[:-1] - 1.0}
        | {f"rescue_{name}": bought[:, k]
           for k, name in enumerate(("csi300", "csi500", "csi1000", "csi2000"))}
    )  # fmt: skip
    asked = [each for each in targets.load() if each.id in ("K01", "K13a", "K13b")]
    found = targets.measure_matrix(asked, daily)[0]
    assert (np.abs(found - [-6.7, 403.0, 76.0]) < [0.06, 0.6, 0.6]).all(), found


def _columns(file: Path, *names: str) -> dict[date, list[float]]:
    with file.open(encoding="utf-8", newline="") as rows:
        return {
            date.fromisoformat(row["date"]): [float(row[name] or 0.0) for name in names]
            for row in csv.DictReader(rows)
        }
