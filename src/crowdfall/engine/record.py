"""From the state of each close to the tables of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from crowdfall.agents.protocol import UNDERLYINGS
from crowdfall.engine.rows import Row, agents_row, daily_row, flows_row, futures_row
from crowdfall.engine.run_state import Run
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
    events: list[tuple[Any, ...]] = field(default_factory=list)
    statuses: list[tuple[slice, list[list[str]] | None]] = field(default_factory=list)

    def event(
        self, path: int, day: int, bar: int, agent: str, cell: str, kind: str, amount: float
    ) -> None:
        """Write one event."""
        self.events.append((path, day, bar, agent, cell, kind, amount))

    def status(self, rows: slice, names: list[list[str]] | None) -> None:
        """Keep the status of a participant's books until the close is written."""
        self.statuses.append((rows, names))

    def close(self, run: Run, day: int, before: Float64, settle: Float64) -> None:
        """Write the close of a session."""
        everything = run.accounts()
        self.daily.append(daily_row(run, day, everything))
        self.futures.append(futures_row(run, day, settle))
        settled = run.accounts(settle).equity
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
        "events": _events(record.events, run.first_path, days),
    }  # fmt: skip
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


def _events(events: list[tuple[Any, ...]], first_path: int, days: list[Any]) -> pl.DataFrame:
    import polars as pl

    schema = {"path": pl.Int64, "day": pl.Int64, "bar": pl.Int64, "agent": pl.String,
              "cell": pl.String, "kind": pl.String, "amount": pl.Float64}  # fmt: skip
    frame = pl.DataFrame(events, schema=schema, orient="row")
    frame = frame.with_row_index("order").sort("path", "day", "bar", "order")
    return frame.with_columns(
        (pl.col("path") + first_path),
        pl.Series("date", days, dtype=pl.Date).gather(frame["day"]).alias("date"),
        pl.int_range(pl.len(), dtype=pl.Int64).over("path").alias("event"),
        pl.lit(None, dtype=pl.Int64).alias("cause"),
    )
