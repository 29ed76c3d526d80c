"""From the state of each close to the tables of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from crowdfall.agents.protocol import UNDERLYINGS
from crowdfall.engine.causes import find_causes
from crowdfall.engine.causes_of_prices import trades_of
from crowdfall.engine.happenings import (
    policy_events,
    rule_events,
    session_events,
    shock_events,
    start_events,
)
from crowdfall.engine.rows import Row, agents_row, daily_row, flows_row, futures_row
from crowdfall.engine.run_state import Run
from crowdfall.engine.scene import Scene
from crowdfall.engine.trail import Event, Trail
from crowdfall.engine.witness import look_back
from crowdfall.market.snapshot import GROUPS
from crowdfall.results.schema import column_names
from crowdfall.types import Float64, Int64

if TYPE_CHECKING:
    import polars as pl


@dataclass(kw_only=True)
class Record:
    """Columns of every table, one entry a session, each of shape (P, ...)."""

    daily: list[Row] = field(default_factory=list)
    futures: list[Row] = field(default_factory=list)
    agents: list[Row] = field(default_factory=list)
    flows: list[Row] = field(default_factory=list)
    exchanges: list[Float64] = field(default_factory=list)
    trail: Trail = field(default_factory=Trail)
    scene: Scene | None = None
    statuses: list[tuple[slice, list[list[str]] | None]] = field(default_factory=list)
    _explained: int = 0

    def event(
        self, path: int, day: int, bar: int, agent: str, cell: str, kind: str, amount: float
    ) -> None:
        """Write one event."""
        self.trail.write(path, day, bar, agent, cell, kind, amount)

    def open_session(self, run: Run, day: int) -> None:
        """Begin a session: note where it starts from, and the policies that begin with it."""
        run.witness.open_session(run)
        if self.scene is None:
            self.scene = Scene(run=run, trail=self.trail)
            start_events(run, self.trail)
        policy_events(run, self.trail, day)
        shock_events(run, self.trail, day)

    def see_session(self, run: Run, day: int) -> None:
        """Write the events of the bars and find their causes, before anybody plans ahead."""
        scene = self._scene()
        sight = look_back(run.witness, run.setting)
        scene.see(sight)
        session_events(run, self.trail, day, sight)
        scene.trades = trades_of(scene, self.trail.events[self._explained :])
        self.exchanges.append(run.witness.exchanges())
        self._explain()

    def _scene(self) -> Scene:
        assert self.scene is not None  # a session is opened first
        return self.scene

    def _explain(self) -> None:
        find_causes(self._scene(), self.trail.events[self._explained :])
        self._explained = len(self.trail.events)

    def status(self, rows: slice, names: list[list[str]] | None) -> None:
        """Keep the status of a participant's books until the close is written."""
        self.statuses.append((rows, names))

    def close(self, run: Run, day: int, before: Float64, settle: Float64) -> None:
        """Write the close of a session, and find the causes of what was decided at it."""
        rule_events(run, self.trail, day)
        self._explain()
        everything = run.accounts()
        self.daily.append(daily_row(run, day, everything))
        self.futures.append(futures_row(run, settle))
        settled = everything.equity + run.settled(settle)
        self.agents.append(agents_row(run, before, everything, settled, self.statuses))
        self.flows.append(flows_row(run))
        self.statuses = []


def tables(record: Record, run: Run) -> dict[str, pl.DataFrame]:
    """Return the tables of a block, path by path, in the columns of ``results.schema``."""
    import polars as pl

    days, paths = list(run.setting.days), run.paths
    where = np.arange(run.first_path, run.first_path + paths)
    kinds = [m.name for m in run.members for _ in m.cells]
    cells = [cell for m in run.members for cell in m.cells]
    names = [m.name for m in run.members] + ["background"]
    places = [*GROUPS, *UNDERLYINGS]
    labels = record.futures[0]
    out = {
        "daily": _frame(record.daily, where, days, {}),
        "futures": _frame(record.futures, where, days, {
            key: [label for row in record.futures for label in row[key]]
            for key in ("contract", "underlying", "rank")
        }, len(labels["contract"])),
        "agents": _frame(record.agents, where, days, {
            "kind": kinds * len(days), "cell": cells * len(days)
        }, len(cells)),
        "flows": _frame(record.flows, where, days, {
            "kind": [n for n in names for _ in places] * len(days),
            "place": places * len(names) * len(days),
        }, len(names) * len(places)),
        "events": _events(record.trail.events, run.first_path, days),
        "exchanges": _exchanges(record.exchanges, names, places, run.first_path, days),
    }  # fmt: skip
    if not run.setting.scenario.venue.futures:
        out["futures"] = out["futures"].clear()
    return {
        name: frame.select(column_names(name)).fill_nan(None)
        if isinstance(frame, pl.DataFrame)
        else frame
        for name, frame in out.items()
    }


def _frame(
    rows: list[Row],
    paths: Int64,
    days: list[Any],
    labels: dict[str, list[str]],
    width: int = 1,
) -> pl.DataFrame:
    import polars as pl

    columns: dict[str, Any] = {
        "path": np.repeat(paths, len(days) * width),
        "date": days * len(paths)
        if width == 1
        else np.tile(np.repeat(np.array(days, dtype="datetime64[D]"), width), len(paths)),
    }
    for key, values in labels.items():
        columns[key] = pl.Series(values * len(paths), dtype=pl.String)
    for key, value in rows[0].items():
        if key in labels:
            continue
        stacked = np.stack([row[key] for row in rows], axis=1)  # (P, T, ...)
        flat = stacked.reshape(-1)
        columns[key] = flat.astype(str) if value.dtype.kind == "U" else flat
    return pl.DataFrame(columns).with_columns(pl.col("date").cast(pl.Date))


def _events(events: list[Event], first_path: int, days: list[Any]) -> pl.DataFrame:
    import polars as pl

    schema = {"path": pl.Int64, "day": pl.Int64, "bar": pl.Int64, "agent": pl.String,
              "cell": pl.String, "kind": pl.String, "amount": pl.Float64,
              "order": pl.Int64, "led": pl.Int64}  # fmt: skip
    rows = [
        (e.path, e.day, e.bar, e.agent, e.cell, e.kind, e.amount, e.number,
         None if e.cause is None else e.cause.number)
        for e in events
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=schema, orient="row").sort("path", "day", "bar", "order")
    frame = frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).over("path").alias("event"))
    numbers = frame.select(pl.col("order").alias("led"), pl.col("event").alias("cause"))
    return frame.join(numbers, on="led", how="left", maintain_order="left").with_columns(
        (pl.col("path") + first_path),
        pl.Series("date", days, dtype=pl.Date).gather(frame["day"]).alias("date"),
    )


def _exchanges(
    sums: list[Float64], names: list[str], places: list[str], first_path: int, days: list[Any]
) -> pl.DataFrame:
    """Return who sold to whom, one row where anything changed hands."""
    import polars as pl

    stacked = np.stack(sums, axis=1)  # (P, T, seller, buyer, place)
    path, day, seller, buyer, place = np.nonzero(stacked > 0.0)
    who, where = pl.Series(names, dtype=pl.String), pl.Series(places, dtype=pl.String)
    return pl.DataFrame(
        {
            "path": path + first_path,
            "date": pl.Series(days, dtype=pl.Date).gather(day),
            "place": where.gather(place),
            "seller": who.gather(seller),
            "buyer": who.gather(buyer),
            "yuan": stacked[path, day, seller, buyer, place],
        }
    )
