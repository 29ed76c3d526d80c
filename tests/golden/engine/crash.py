"""The golden run: a small invented crash, every number of it written down.

    python tests/golden/engine/crash.py    writes it again after a deliberate change of results

The scenario file beside it names every parameter, so fitting defaults again moves nothing here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from crowdfall.engine.setting import setting  # noqa: E402
from crowdfall.engine.simulate import simulate  # noqa: E402
from crowdfall.scenarios import describe, load  # noqa: E402
from invented_market import invented_market  # noqa: E402
from stress_run import stress_scenario  # noqa: E402

SCENARIO, DAILY, BOOKS = HERE / "crash.toml", HERE / "daily.csv", HERE / "books.csv"


def play() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ``daily`` of one path, and equity and stock by day and kind of book."""
    constants = setting(invented_market(), load(str(SCENARIO)), 1)
    tables = simulate(constants, first_path=0, paths=1).tables
    books = tables["agents"].group_by("date", "kind", maintain_order=True).agg(
        pl.col("equity", "stock_value", "futures_ic", "futures_im", "stock_bought", "stock_sold",
               "pnl_costs").sum()
    )  # fmt: skip
    return tables["daily"].drop("loop_gain"), books


def refresh() -> None:
    """Write the scenario with all its parameters, and what it gives."""
    scenario = stress_scenario(HERE)
    (HERE / "invented.toml").unlink()
    SCENARIO.write_text(describe(scenario), encoding="utf-8")
    for frame, path in zip(play(), (DAILY, BOOKS), strict=True):
        frame.write_csv(path)


if __name__ == "__main__":
    refresh()
