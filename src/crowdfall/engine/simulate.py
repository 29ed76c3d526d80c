"""One block of paths from the first close to the last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crowdfall.engine.close import close_day
from crowdfall.engine.futures import add_to_settlement
from crowdfall.engine.record import Record, tables
from crowdfall.engine.rules import Watch
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import Setting
from crowdfall.engine.state import Factors, open_day
from crowdfall.engine.step import step
from crowdfall.engine.student import day_scales
from crowdfall.engine.turns import turn
from crowdfall.scenarios.rules import Firing

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, kw_only=True)
class BlockResult:
    """Tables of a block by name, and the factors it solved or read (None in free mode)."""

    tables: dict[str, pl.DataFrame]
    factors: Factors | None

    def take(self, first: int, rows: slice) -> BlockResult:
        """Return the result of some paths; ``first``: number of the first path of the block."""
        import polars as pl

        mine = pl.col("path").is_between(first + rows.start, first + rows.stop - 1)
        factors = None if self.factors is None else self.factors.take(rows)
        return BlockResult(
            tables={name: table.filter(mine) for name, table in self.tables.items()},
            factors=factors,
        )


def simulate(
    setting: Setting, *, first_path: int, paths: int, factors: Factors | None = None
) -> BlockResult:
    """Run ``paths`` paths from number ``first_path``.

    A path's result depends on its number and the seed alone, not on its block. ``factors`` (of
    these paths) are read instead of solved in replay mode. Paths on which a rule fires are played
    again with it, until no other rule fires.
    """
    pending: list[tuple[int, int, tuple[Firing, ...]]] = [(0, paths, ())]
    pieces: list[tuple[int, BlockResult]] = []
    while pending:
        first, count, fired = pending.pop()
        here = slice(first, first + count)
        known = replace(setting, fired=fired) if fired else setting
        watch = Watch(known, count)
        played = _play(
            known, first_path + first, count, None if factors is None else factors.take(here), watch
        )
        for start, length, more in watch.stretches():
            if more:
                pending.append((first + start, length, (*fired, *more)))
            elif played is not None:
                rows = slice(start, start + length)
                part = played if length == count else played.take(first_path + first, rows)
                pieces.append((first + start, part))
    return _joined([piece for _, piece in sorted(pieces, key=lambda pair: pair[0])])


def _play(
    setting: Setting, first_path: int, paths: int, factors: Factors | None, watch: Watch
) -> BlockResult | None:
    """Play some paths with the firings known so far; None once a rule has fired on all of them."""
    run = open_run(setting, first_path, paths, factors)
    record = Record()
    looks = bool(setting.scenario.rule) and setting.scenario.channels.rules
    for day in range(len(setting.days)):
        play_day(run, record, day)
        if looks and watch.look(run, day):
            return None
    return BlockResult(tables=tables(record, run), factors=run.factors)


def _joined(pieces: list[BlockResult]) -> BlockResult:
    import polars as pl

    if len(pieces) == 1:
        return pieces[0]
    solved = [piece.factors for piece in pieces if piece.factors is not None]
    return BlockResult(
        tables={name: pl.concat([p.tables[name] for p in pieces]) for name in pieces[0].tables},
        factors=Factors.joined(solved) if solved else None,
    )


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
