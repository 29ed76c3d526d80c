"""How margin debt answers a fall: the exchanges' balances on the moves of all shares."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from crowdfall.agents.margin_accounts import MarginAccounts
from crowdfall.market.impact import Impact
from crowdfall.types import Float64

BEFORE: Final = date(2024, 1, 1)


def test_the_shipped_repayment_is_what_the_balances_show(real_data: Path) -> None:
    file = real_data / "margin" / "margin_financing_2023_2024.csv"
    held = pl.read_csv(file, try_parse_dates=True).select("date", "financing_balance_1e8cny")
    shares = pl.read_csv(real_data / "index" / "csi_all.csv.gz", try_parse_dates=True)
    frame = shares.sort("date").select("date", "close").join(held, on="date", how="left")
    moves = np.diff(np.log(frame["close"].to_numpy()), prepend=np.nan)
    kept, memory = np.exp(-1.0 / Impact().memory), np.zeros(len(moves))
    for day in range(1, len(moves)):
        memory[day] = kept * memory[day - 1] + moves[day]
    balance = frame["financing_balance_1e8cny"].to_numpy()
    change = balance[1:] / balance[:-1] - 1.0
    known, fall = np.isfinite(change), np.maximum(0.0, -memory[1:])
    slope, new, error = regression(change[known], fall[known])
    early = known & (frame["date"].to_numpy()[1:] < np.datetime64(BEFORE))
    calm, _, calm_error = regression(change[early], fall[early])
    print(f"repaid a day per unit of fall: {slope:.3f} (s.e. {error:.3f}); new loans {new:.5f}")
    print(f"before January 2024: {calm:.3f} (s.e. {calm_error:.3f})")
    terms = MarginAccounts()
    assert abs(terms.repay - slope) < error
    assert abs(terms.repay_after - new / slope) < 0.002
    assert slope - calm > calm_error  # a calm autumn shows less: said in the docs


def regression(change: Float64, fall: Float64) -> tuple[float, float, float]:
    """Return repayment per unit of fall, new loans a day, and the former's standard error."""
    wide = np.column_stack([fall, np.ones_like(fall)])
    (slope, new), *_ = np.linalg.lstsq(wide, change, rcond=None)
    rest = change - wide @ np.array([slope, new])
    variance = rest @ rest / (len(rest) - 2) * np.linalg.inv(wide.T @ wide)
    return float(-slope), float(new), float(np.sqrt(variance[0, 0]))
