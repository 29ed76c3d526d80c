"""Measure the term structure of index futures on real contracts, to 2 February 2024.

``uv run python scripts/fit_futures.py FOLDER`` prints what the engine ships as defaults: the
loading of a month's gap on the common one, how fast gaps close on either side, and how open
interest spreads over months. FOLDER holds ``contracts_daily_2019_2024.csv.gz``.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from scipy.optimize import minimize

from crowdfall.rules.futures import last_trading_day

CARRY: Final = {"IC": -0.06, "IM": -0.085}
KNOTS: Final = (0.0, 25.0, 53.0, 150.0)
"""Days to expiry at which the loading is measured; it is one at 53 days."""
WINDOW: Final = 20
"""Sessions of the trailing mean from which a gap is measured: the calm carry itself drifts."""
LEAST: Final = 0.004
"""Smallest gap, log, that counts when its decay is measured."""
FIRST: Final = date(2023, 1, 1)
LAST: Final = date(2024, 2, 2)


def contracts(folder: Path) -> pl.DataFrame:
    """Return log gap beyond the calm carry, days to expiry and open interest by contract."""
    path = folder / "contracts_daily_2019_2024.csv.gz"
    bars = pl.read_csv(path, try_parse_dates=True).filter(
        pl.col("date").is_between(FIRST, LAST) & pl.col("symbol").str.head(2).is_in(list(CARRY))
    )
    rows = []
    for symbol, day, basis, hold in bars.select("symbol", "date", "basis_rate", "hold").iter_rows():
        end = last_trading_day(2000 + int(symbol[2:4]), int(symbol[4:6]))
        left = (end - day).days
        gap = np.log1p(basis / 100) - CARRY[symbol[:2]] * left / 365
        rows.append((symbol[:2], symbol, day, left, end.month % 3 == 0, gap, hold))
    names = ["product", "symbol", "date", "days", "quarterly", "gap", "hold"]
    return pl.DataFrame(rows, schema=names, orient="row").sort("symbol", "date")


def loading(days: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return the loading of a month on the gap of a 53-day contract, linear between knots."""
    levels = np.concatenate([[0.0], knots[:1], [1.0], knots[1:]])
    return np.asarray(np.interp(days, KNOTS, levels))


def common(table: pl.DataFrame, knots: np.ndarray) -> pl.DataFrame:
    """Return the table with its daily common gap and what is left of each month."""
    days = table["days"].to_numpy().astype(float)
    table = table.with_columns(pl.Series("load", loading(days, knots)))
    weight = pl.col("load") * pl.col("hold")
    level = (weight * pl.col("gap")).sum() / (weight * pl.col("load")).sum()
    table = table.with_columns(level.over("product", "date").alias("common"))
    return table.with_columns((pl.col("gap") - pl.col("load") * pl.col("common")).alias("rest"))


def misfit(knots: np.ndarray, changes: pl.DataFrame) -> float:
    """Return the open-interest weighted square of what the common change leaves, by day."""
    table = common(changes, knots)
    return float((table["hold"] * table["rest"] ** 2).sum())


def daily_changes(table: pl.DataFrame) -> pl.DataFrame:
    """Return changes of each contract's gap from session to session."""
    moved = pl.col("gap") - pl.col("gap").shift(1).over("symbol")
    return table.with_columns(moved.alias("gap")).drop_nulls().filter(pl.col("hold") > 0)


def speed(level: np.ndarray, after: np.ndarray) -> float:
    """Return the decay per day of a mean-reverting series, least squares through the origin."""
    return float(-np.log(np.clip((level * after).sum() / (level**2).sum(), 1e-6, 1.0)))


def shares(days: np.ndarray, quarterly: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """Return weights of months: fading with maturity, more for quarters, less before expiry."""
    life, extra, roll = np.exp(terms)
    ramp = np.minimum(1.0, days / roll)
    return np.asarray(ramp * np.where(quarterly, extra, 1.0) * np.exp(-days / life))


def fit_shares(table: pl.DataFrame) -> tuple[np.ndarray, float]:
    """Return life, preference and roll days of open interest by month, and the rms misfit."""
    table = table.filter(pl.col("days") > 0).sort("product", "date", "days")
    code = table.select(pl.struct("product", "date").rank("dense")).to_series().to_numpy() - 1
    days = table["days"].to_numpy().astype(float)
    quarterly = table["quarterly"].to_numpy()
    hold = table["hold"].to_numpy().astype(float)
    seen = hold / np.bincount(code, hold)[code]

    def miss(terms: np.ndarray) -> float:
        mass = shares(days, quarterly, terms)
        return float(((mass / np.bincount(code, mass)[code] - seen) ** 2).mean())

    best = minimize(miss, np.log([120.0, 2.0, 10.0]), method="Nelder-Mead")
    return np.exp(best.x), float(np.sqrt(best.fun))


def print_speeds(held: pl.DataFrame) -> None:
    """Print how fast the common gap returns to its trailing mean, on either side of it."""
    level = held.group_by("product", "date").agg(pl.col("common").first()).sort("product", "date")
    mean = pl.col("common").shift(1).rolling_mean(WINDOW, min_samples=5).over("product")
    after = pl.col("common").shift(-1).over("product")
    level = level.with_columns(
        (pl.col("common") - mean).alias("here"), (after - mean).alias("after")
    ).drop_nulls()
    for side, part in (("under", pl.col("here") < -LEAST), ("over", pl.col("here") > LEAST)):
        chosen = level.filter(part)
        value = speed(chosen["here"].to_numpy(), chosen["after"].to_numpy())
        print(f"decay of a gap {side} its mean: {value:.2f} a day, {len(chosen)} days")


def main() -> None:
    """Print every number with its sample."""
    table = contracts(Path(sys.argv[1]))
    changes = daily_changes(table)
    start = np.array([0.6, 1.3])
    found = minimize(misfit, start, args=(changes,), method="Nelder-Mead").x
    total = float((changes["hold"] * changes["gap"] ** 2).sum())
    print(f"{len(changes)} changes {FIRST} to {LAST}; explained "
          f"{1 - misfit(found, changes) / total:.3f}")  # fmt: skip
    for days in KNOTS:
        print(f"  loading of {days:.0f} days: {loading(np.array([days]), found)[0]:.2f}")
    print_speeds(common(table.filter(pl.col("hold") > 0), found))
    terms, rms = fit_shares(table)
    print(f"open interest: life {terms[0]:.0f} days, quarters x {terms[1]:.2f}, "
          f"roll {terms[2]:.1f} days, rms {rms:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
