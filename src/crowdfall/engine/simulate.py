"""One block of paths from the first close to the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crowdfall.engine.close import close_day
from crowdfall.engine.futures import add_to_settlement
from crowdfall.engine.record import Record, tables
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import Setting
from crowdfall.engine.state import Factors, open_day
from crowdfall.engine.step import step
from crowdfall.engine.student import day_scales
from crowdfall.engine.turns import turn

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, kw_only=True)
class BlockResult:
    """Tables of a block by name, and the factors it solved or read (None in free mode)."""

    tables: dict[str, pl.DataFrame]
    factors: Factors | None


def simulate(
    setting: Setting, *, first_path: int, paths: int, factors: Factors | None = None
) -> BlockResult:
    """Run ``paths`` paths from number ``first_path``.

    A path's result depends on its number and the seed alone, not on its block. ``factors`` (of
    these paths) are read instead of solved in replay mode.
    """
    run = open_run(setting, first_path, paths, factors)
    record = Record()
    for day in range(len(setting.days)):
        play_day(run, record, day)
    return BlockResult(tables=tables(record, run), factors=run.factors)


def play_day(run: Run, record: Record, day: int) -> None:
    """Play one session: open, bars, close."""
    turn(run, day)
    setting = run.setting
    open_day(run.prices, setting, day)
    if setting.scenario.clock.mode == "free":
        scales = day_scales(setting, run.first_path, run.paths, day)
        run.prices.day_scale[:] = setting.noise_scale * scales
    run.witness.open_session(run)
    record.open_session(run, day)
    for bar in range(setting.bars):
        step(run, day, bar)
        add_to_settlement(run.futures, run.prices, setting, bar)
    before = setting.days[day - 1] if day else setting.scenario.clock.start
    close_day(run, record, day, float((setting.days[day] - before).days))
