"""What the 8:1 contrarian book made on the real US panel in August 2007 (E1 on survivors).

An `aug2007` episode has to explain these sizes by an unwind; nothing here is simulated.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.monitor.indices import contrarian
from crowdfall.types import Float64

PANEL = "us2007/sp500_quantquote_daily_20060103_20081231.parquet"
DAYS = [date(2007, 8, d) for d in (6, 7, 8, 9, 10)]
BAD_SPLIT = 0.5


@pytest.fixture(scope="module")
def returns(real_data: Path) -> dict[date, Float64]:
    bars = (
        pl.read_parquet(real_data / PANEL)
        .with_columns(pl.col("date").cast(pl.Date), pl.col("close").cast(pl.Float64))
        .sort("ticker", "date")
        .with_columns(move=pl.col("close") / pl.col("close").shift(1).over("ticker") - 1.0)
        .filter(pl.col("date").is_in(DAYS), pl.col("move").abs() < BAD_SPLIT)
    )
    wide = bars.pivot("date", index="ticker", values="move").drop_nulls()
    return {day: wide[str(day)].to_numpy() for day in DAYS}


def test_the_book_loses_for_three_days_and_recovers_on_the_fourth(
    returns: dict[date, Float64],
) -> None:
    made = [contrarian(returns[one], returns[other]).levered for one, other in pairwise(DAYS)]
    print("8:1 contrarian book, 7 to 10 August 2007:", [f"{100 * each:.2f}%" for each in made])
    np.testing.assert_allclose(made, [-0.0312, -0.0380, -0.0880, 0.1396], atol=0.003)
    assert sum(made[:3]) == pytest.approx(-0.157, abs=0.003)
    assert made[3] == pytest.approx(0.140, abs=0.003)


def test_the_tenth_undoes_part_of_each_of_the_four_sessions_before(
    returns: dict[date, Float64],
) -> None:
    """What docs/en/aug2007.md says of the rebound: more than the last day's push came back."""
    gap = {day: each - each.mean() for day, each in returns.items()}
    before = np.stack([gap[day] for day in DAYS[3::-1]], axis=1)
    undone = np.linalg.lstsq(before, gap[DAYS[4]], rcond=None)[0]
    rest = gap[DAYS[4]] - before @ undone
    explained = 1.0 - rest.var() / gap[DAYS[4]].var()
    spread = [float(returns[day].std()) for day in DAYS]
    print("10 August on the 9th, 8th, 7th, 6th:", undone, explained, "spreads:", spread)
    np.testing.assert_allclose(undone, [-0.40, -0.33, -0.28, -0.25], atol=0.01)
    assert explained == pytest.approx(0.42, abs=0.05)
    assert spread[3] == pytest.approx(0.027, abs=0.002)
