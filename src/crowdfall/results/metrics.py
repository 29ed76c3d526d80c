"""Numbers asked of a run's tables: bands, drawdowns, flows, net asset values.

Plain functions from frames to frames. Money in yuan, ratios as fractions. Nulls are left out of
every quantile; a day without any value gives null. An empty frame gives an empty frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import polars as pl

from crowdfall.market.snapshot import GROUPS, INDICES

LOW: Final = 0.05
HIGH: Final = 0.95
"""Ends of every band shown: nine paths in ten lie inside."""

FALL_CALLED_CRASH: Final = 0.20
"""Drawdown of CSI 1000 that counts as a crash (assumption, 0.15-0.25)."""


SPIRAL_FALL: Final = 0.15
SPIRAL_DAYS: Final = 5
SPIRAL_FORCED: Final = 0.005
"""A spiral: a size group down this far in so many sessions, forced sales above this of float."""
FORCED: Final = ("forced_share",)
"""Sales that a broker or lender makes."""
COMPELLED: Final = ("forced_share", "compelled_share")
"""These and what stop-loss and warning lines ask for. Both lines are clauses of private funds'
contracts that oblige the manager to cut (usually 0.8 and 0.7 of a share's first value: Linjin,
bncfund.com, 10 April 2024), but which DMA product had which line is not published."""


def bands(frame: pl.DataFrame, columns: Iterable[str]) -> pl.DataFrame:
    """Return median and 5-95% band over the paths, by date.

    Columns: ``date`` and, for each column c, ``c_low, c_median, c_high``; quantiles interpolate
    linearly between paths.
    """
    asked = []
    for name in columns:
        column = pl.col(name).cast(pl.Float64)
        asked += [
            column.quantile(LOW, "linear").alias(f"{name}_low"),
            column.median().alias(f"{name}_median"),
            column.quantile(HIGH, "linear").alias(f"{name}_high"),
        ]
    return frame.group_by("date").agg(asked).sort("date")


def since_start(daily: pl.DataFrame) -> pl.DataFrame:
    """Return path, date and, for each index, its change since the close before the first session.

    The level before the first session follows from the first close and return.
    """
    changes = []
    for index in INDICES:
        close, move = pl.col(f"{index}_close"), pl.col(f"{index}_return")
        before = (close.first() / (1.0 + move.first())).over("path", order_by="date")
        changes.append((close / before - 1.0).alias(index))
    return daily.select("path", "date", *changes).sort("path", "date")


def drawdowns(daily: pl.DataFrame) -> pl.DataFrame:
    """Return the deepest fall of each index from its highest close so far, by path.

    Columns: path, index, drawdown (a positive fraction, 0 where it never fell) and the date of
    the trough. The level before the first session counts as a high.
    """
    parts = []
    for index in INDICES:
        level = 1.0 + pl.col(index)
        peak = pl.max_horizontal(level.cum_max(), pl.lit(1.0)).over("path", order_by="date")
        falls = since_start(daily).select("path", "date", (1.0 - level / peak).alias("drawdown"))
        parts.append(
            falls.group_by("path", maintain_order=True)
            .agg(
                pl.lit(index).alias("index"),
                pl.col("drawdown").max(),
                pl.col("date").sort_by("drawdown", descending=True, maintain_order=True).first(),
            )
            .sort("path")
        )
    return pl.concat(parts)


def typical_path(daily: pl.DataFrame) -> int:
    """Return the path whose index levels stay closest to the median path.

    Squared distance in log level, summed over sessions and indices, each index by its own
    variance over paths; the lowest number wins a tie.
    """
    terms = []
    for index in INDICES:
        level = pl.col(f"{index}_close").log()
        gap = (level - level.median().over("date")) ** 2
        terms.append(gap / pl.max_horizontal(gap.mean(), pl.lit(1e-18)))
    distance = daily.select("path", pl.sum_horizontal(terms).alias("distance"))
    ranked = distance.group_by("path").agg(pl.col("distance").sum()).sort("distance", "path")
    return int(ranked["path"][0])


def nav_by_kind(agents: pl.DataFrame) -> pl.DataFrame:
    """Return path, date, kind, nav: equity over invested capital of all cells of a kind.

    Cells in which nothing was ever invested are left out; a kind of such cells has no rows.
    """
    cell = ["path", "kind", "cell"]
    invested = (
        pl.when(pl.col("nav") != 0.0)
        .then(pl.col("equity") / pl.col("nav"))
        .forward_fill()
        .over(cell, order_by="date")
    )
    return (
        agents.with_columns(invested.alias("invested"))
        .filter(pl.col("nav").is_not_null() & (pl.col("invested") > 0.0))
        .group_by("path", "date", "kind")
        .agg(pl.col("equity").sum() / pl.col("invested").sum())
        .rename({"equity": "nav"})
        .sort("path", "date", "kind")
    )


def events_by_day(events: pl.DataFrame) -> pl.DataFrame:
    """Return path, date, agent, kind, count and amount of each sort of event."""
    return (
        events.group_by("path", "date", "agent", "kind")
        .agg(pl.len().cast(pl.Int64).alias("count"), pl.col("amount").sum())
        .sort("path", "date", "agent", "kind")
    )


def net_flows(flows: pl.DataFrame) -> pl.DataFrame:
    """Return path, date, kind, place and net = bought - sold, cells of a kind taken together."""
    return (
        flows.group_by("path", "date", "kind", "place")
        .agg((pl.col("bought").sum() - pl.col("sold").sum()).alias("net"))
        .sort("path", "date", "kind", "place")
    )


def exchanged(exchanges: pl.DataFrame) -> pl.DataFrame:
    """Return path, date, kind, place, bought and sold of all, the background too, in yuan."""
    key = ["path", "date", "kind", "place"]
    sides = [
        exchanges.rename({role: "kind"}).group_by(key).agg(pl.col("yuan").sum().alias(name))
        for role, name in (("buyer", "bought"), ("seller", "sold"))
    ]
    both = sides[0].join(sides[1], on=key, how="full", coalesce=True)
    yuan = pl.col("bought", "sold").fill_null(0.0)
    return both.select(*key, yuan).sort(key)


def background_share(exchanges: pl.DataFrame) -> float:
    """Return the share of the yuan of stock changing hands that the background bought or sold.

    It stands on one side only, in each bar and size group, and takes what participants leave over:
    no smaller share would balance. NaN where nothing was traded.
    """
    mine = exchanges.filter(pl.col("place").is_in(GROUPS))
    beside = (pl.col("seller") == "background") | (pl.col("buyer") == "background")
    # Summed in the order of the rows: a sum by blocks would depend on the size of the blocks.
    traded = float(mine["yuan"].to_numpy().sum())
    met = float(mine.filter(beside)["yuan"].to_numpy().sum())
    return met / traded if traded else float("nan")


def crash_share(daily: pl.DataFrame) -> float:
    """Return the share of paths in which CSI 1000 fell further than FALL_CALLED_CRASH."""
    falls = drawdowns(daily).filter(pl.col("index") == "csi1000")["drawdown"]
    return int((falls > FALL_CALLED_CRASH).sum()) / max(len(falls), 1)


def spirals(daily: pl.DataFrame, sold: Sequence[str] = FORCED) -> pl.DataFrame:
    """Return the sessions that end a spiral: path, index, date, fall and forced share.

    A spiral is a size group that fell 15% within 5 sessions while forced sales of these sessions
    exceed 0.5% of its float. Size groups without an index of their own are left out. ``fall``: the
    return over the sessions, ``forced``: their forced sales over float, both fractions.

    ``sold``: beginnings of the columns that count as forced, added up: what brokers and lenders
    sell (FORCED), or that and what funds sell at their own lines (COMPELLED).
    """
    found = []
    order = daily.sort("path", "date")
    for index in INDICES:
        growth = (1.0 + pl.col(f"{index}_return")).log().rolling_sum(SPIRAL_DAYS, min_samples=1)
        shares = pl.sum_horizontal(f"{name}_{index}" for name in sold)
        forced = shares.rolling_sum(SPIRAL_DAYS, min_samples=1)
        rows = order.select(
            "path",
            pl.lit(index).alias("index"),
            "date",
            (growth.over("path").exp() - 1.0).alias("fall"),
            forced.over("path").alias("forced"),
        )
        found.append(
            rows.filter((pl.col("fall") <= -SPIRAL_FALL) & (pl.col("forced") > SPIRAL_FORCED))
        )
    return pl.concat(found).sort("path", "date", maintain_order=True)


def headline(daily: pl.DataFrame, agents: pl.DataFrame) -> pl.DataFrame:
    """Return the numbers a reader asks for first: name, unit, low, median and high over paths.

    Names: ``drawdown_<index>``, ``limit_downs``, ``basis_<u>``, ``knocked_in_<index>``,
    ``forced_sales``, ``margin_calls``, ``shortfall``, ``rescue``, ``nav_<kind>``.
    """
    return (
        headline_by_path(daily, agents)
        .group_by("name", "unit", maintain_order=True)
        .agg(
            pl.col("value").quantile(LOW, "linear").alias("low"),
            pl.col("value").median().alias("median"),
            pl.col("value").quantile(HIGH, "linear").alias("high"),
        )
        .filter(pl.col("median").is_not_null())
    )


def headline_by_path(daily: pl.DataFrame, agents: pl.DataFrame) -> pl.DataFrame:
    """Return the numbers of ``headline`` for each path: path, name, unit, value."""
    return pl.concat([_falls(daily), _extremes(daily), _lowest_nav(agents)])


def _falls(daily: pl.DataFrame) -> pl.DataFrame:
    return drawdowns(daily).select(
        "path",
        (pl.lit("drawdown_") + pl.col("index")).alias("name"),
        pl.lit("fraction").alias("unit"),
        (-pl.col("drawdown")).alias("value"),
    )


def _extremes(daily: pl.DataFrame) -> pl.DataFrame:
    """Return the worst day or the total of a column, by path."""
    rescue = pl.sum_horizontal(name for name in daily.columns if name.startswith("rescue_"))
    asked = {
        ("limit_downs", "stocks"): pl.col("limit_down_count").max(),
        **{
            (f"basis_{u}", "fraction"): pl.col(f"basis_front_{u}").min() for u in underlyings(daily)
        },
        **{
            (f"knocked_in_{index}", "fraction"): pl.col(f"knocked_in_share_{index}").max()
            for index in ("csi500", "csi1000")
        },
        ("margin_calls", "calls"): pl.col("margin_calls").sum(),
        ("forced_sales", "yuan"): pl.col("forced_sales").sum(),
        ("shortfall", "yuan"): pl.col("broker_shortfall").max(),
        ("rescue", "yuan"): rescue.sum(),
    }
    parts = []
    for (name, unit), expression in asked.items():
        value = daily.group_by("path").agg(expression.cast(pl.Float64).alias("value")).sort("path")
        parts.append(
            value.select("path", pl.lit(name).alias("name"), pl.lit(unit).alias("unit"), "value")
        )
    return pl.concat(parts)


def _lowest_nav(agents: pl.DataFrame) -> pl.DataFrame:
    lowest = nav_by_kind(agents).group_by("path", "kind").agg(pl.col("nav").min())
    return lowest.sort("kind", "path").select(
        "path",
        (pl.lit("nav_") + pl.col("kind")).alias("name"),
        pl.lit("ratio").alias("unit"),
        pl.col("nav").alias("value"),
    )


def underlyings(daily: pl.DataFrame) -> tuple[str, ...]:
    """Return the futures of a run, as its columns name them: ic, im."""
    prefix = "basis_front_"
    return tuple(name.removeprefix(prefix) for name in daily.columns if name.startswith(prefix))
