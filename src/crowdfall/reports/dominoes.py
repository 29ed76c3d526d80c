"""What happened on one path, day by day, as facts with amounts.

Each rule looks at the tables of one path and returns a domino for every day on which its thing
happened at all: a domino whose amount is zero, or too small to be noticed, does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

import polars as pl

from crowdfall.market.snapshot import INDICES, UNDERLYINGS
from crowdfall.results.metrics import nav_by_kind, net_flows
from crowdfall.results.store import RunFolder
from crowdfall.rules.futures import multiplier

Form = Literal["percent", "size", "share", "yuan", "count", "ratio", "name", "text", "books"]
"""How a value is written: with sign, without sign, as money, ...; no ``books`` are not counted."""
Values = dict[str, tuple[Form, float | str]]

SMALLEST_MOVE: Final = 0.015
SMALLEST_GAP: Final = 0.008
SMALLEST_COUNT: Final = 20
SMALLEST_YUAN: Final = 1e8
"""What a reader would not notice is no domino (assumptions: halves and doubles change little)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domino:
    """One thing that happened on one day.

    ``amount`` orders dominoes of one ``kind`` and ``subject``; ``values`` fill the sentence
    ``story.<kind>``, each with the form in which it is written.
    """

    date: date
    kind: str
    amount: float
    subject: str = ""
    values: Values = field(default_factory=dict)


@dataclass(frozen=True)
class PathTables:
    """The tables of one path, each ordered by date."""

    daily: pl.DataFrame
    futures: pl.DataFrame
    agents: pl.DataFrame
    flows: pl.DataFrame
    events: pl.DataFrame
    manifest: dict[str, Any]


def path_tables(run: RunFolder, path: int) -> PathTables:
    """Return the rows of one path from every table."""
    mine = {
        name: run.table(name).filter(pl.col("path") == path).sort("date", maintain_order=True)
        for name in ("daily", "futures", "agents", "flows", "events")
    }
    return PathTables(**mine, manifest=run.manifest)


def all_dominoes(tables: PathTables) -> list[Domino]:
    """Return every domino of a path, by day, in the order in which causes lead to effects."""
    found = [domino for rule in RULES for domino in rule(tables)]
    return sorted(found, key=lambda domino: domino.date)


def policies(tables: PathTables) -> Iterator[Domino]:
    """Return the dated policies of the scenario."""
    days = tables.daily["date"].to_list()
    for entry in tables.manifest.get("scenario", {}).get("policy", ()):
        later = [day for day in days if day.isoformat() >= str(entry.get("start"))]
        if later:
            title = entry.get("title", entry.get("kind", ""))
            kind = "ban" if entry.get("kind") == "sell_ban" else "policy"
            values: Values = {
                "title": ("text", title),
                "title_zh": ("text", entry.get("title_zh") or title),
            }
            yield Domino(date=later[0], kind=kind, amount=1.0, subject=str(title), values=values)


def rules(tables: PathTables) -> Iterator[Domino]:
    """Return the rules of the scenario that fired on this path."""
    known = {entry["title"]: entry for entry in tables.manifest.get("scenario", {}).get("rule", ())}
    fired = tables.events.filter((pl.col("kind") == "policy") & (pl.col("agent") == "rule"))
    for when, title in fired.select("date", "cell").iter_rows():
        values: Values = {
            "title": ("text", title), "title_zh": ("text", known[title]["title_zh"] or title)
        }  # fmt: skip
        yield Domino(date=when, kind="rule", amount=1.0, subject=title, values=values)


def index_moves(tables: PathTables) -> Iterator[Domino]:
    """Return the largest move of each day, with the second of another size beside it."""
    for row in tables.daily.iter_rows(named=True):
        moves = {index: row[f"{index}_return"] for index in INDICES}
        index = max(moves, key=lambda name: abs(moves[name]))
        if abs(moves[index]) < SMALLEST_MOVE:
            continue
        other = "csi1000" if index != "csi1000" else "csi300"
        kind = "index_fall" if moves[index] < 0 else "index_rise"
        values: Values = {
            "index": ("name", index),
            "move": ("size", moves[index]),
        }
        if moves[other] * moves[index] > 0:
            kind += "_two"
            values |= {"other": ("name", other), "other_move": ("size", moves[other])}
        yield Domino(date=row["date"], kind=kind, amount=abs(moves[index]), values=values)


def knock_ins(tables: PathTables) -> Iterator[Domino]:
    """Return the notional knocked in on each day and index, and the share it comes to."""
    fresh = tables.events.filter(pl.col("kind") == "knock_in").group_by("date", "cell")
    for day, index, amount in fresh.agg(pl.col("amount").sum()).sort("date", "cell").iter_rows():
        column = f"knocked_in_share_{index}"
        if amount < SMALLEST_YUAN or column not in tables.daily.columns:
            continue
        share = tables.daily.filter(pl.col("date") == day)[column][0]
        yield Domino(
            date=day, kind="knock_in", subject=index, amount=amount,
            values={"share": ("size", share), "index": ("name", index), "amount": ("yuan", amount)},
        )  # fmt: skip


def dealer_trades(tables: PathTables) -> Iterator[Domino]:
    """Return the dealers' net trade in each future, in yuan and lots."""
    net = net_flows(tables.flows.filter(pl.col("kind") == "snowball_dealers"))
    net = net.filter(pl.col("place").is_in(list(UNDERLYINGS)), pl.col("net").abs() > SMALLEST_YUAN)
    spots = tables.daily.select("date", *(f"{index}_close" for index in INDICES))
    for row in net.join(spots, on="date", maintain_order="left").iter_rows(named=True):
        place = row["place"]
        lot = row[f"{UNDERLYINGS[place]}_close"] * multiplier(place, row["date"])
        yield Domino(
            date=row["date"], kind="dealer_sale" if row["net"] < 0 else "dealer_purchase",
            subject=place, amount=abs(row["net"]),
            values={
                "lots": ("count", round(abs(row["net"]) / lot, -2)),
                "underlying": ("text", place.upper()),
                "amount": ("yuan", row["net"]),
            },
        )  # fmt: skip


def basis_moves(tables: PathTables) -> Iterator[Domino]:
    """Return the days on which the basis of the front contract opened or came back."""
    own = tables.futures.sort("contract", "date").with_columns(
        pl.col("basis").diff().over("contract").alias("change")
    )
    front = own.filter(pl.col("rank") == "front", pl.col("change").abs() >= SMALLEST_GAP)
    for row in front.sort("date", "contract").iter_rows(named=True):
        opens = row["change"] < 0
        if opens and row["basis"] > 0:
            continue
        yield Domino(
            date=row["date"], kind="basis_open" if opens else "basis_back",
            subject=row["underlying"], amount=-row["basis"] if opens else row["change"],
            values={"contract": ("text", row["contract"]), "basis": ("percent", row["basis"])},
        )  # fmt: skip


def _column(
    kind: str, column: str, smallest: float, form: Form = "yuan"
) -> Callable[[PathTables], Iterator[Domino]]:
    """Return a rule that tells one column of ``daily`` where it reaches ``smallest``."""

    def rule(tables: PathTables) -> Iterator[Domino]:
        told = tables.daily.filter(pl.col(column) >= smallest)
        for day, amount in told.select("date", column).iter_rows():
            values: Values = {"amount": (form, amount)}
            yield Domino(date=day, kind=kind, amount=float(amount), values=values)

    return rule


def has_books(tables: PathTables, agent: str) -> bool:
    """Return whether a participant has several books, so that to count them says something."""
    own = tables.agents.filter(pl.col("kind") == agent)
    return own["cell"].n_unique() > 1


def _events(
    kind: str, event: str, smallest: float = 0.0
) -> Callable[[PathTables], Iterator[Domino]]:
    """Return a rule that counts one kind of event by day and participant, above ``smallest``."""

    def rule(tables: PathTables) -> Iterator[Domino]:
        mine = tables.events.filter(pl.col("kind") == event, pl.col("amount") > 0)
        days = mine.group_by("date", "agent").agg(
            pl.col("cell").n_unique().alias("cells"), pl.col("amount").sum()
        )
        large = days.filter(pl.col("amount") > smallest).sort("date", "agent")
        for day, agent, cells, amount in large.iter_rows():
            books = cells if has_books(tables, agent) else 0
            yield Domino(
                date=day, kind=kind, subject=agent, amount=amount,
                values={"agent": ("name", agent), "books": ("books", books),
                        "amount": ("yuan", amount)},
            )  # fmt: skip

    return rule


def both_legs(tables: PathTables) -> Iterator[Domino]:
    """Return the days on which hedged books lose on their stocks and on their futures."""
    hedged = tables.agents.filter(pl.col("kind").is_in(["dma", "neutral"]))
    days = hedged.group_by("date", "kind").agg(
        pl.col("pnl_stock").sum().alias("stock"),
        (pl.col("pnl_futures") + pl.col("pnl_basis")).sum().alias("futures"),
    )
    lost = days.filter(pl.max_horizontal("stock", "futures") < -SMALLEST_YUAN)
    for day, kind, stock, futures in lost.sort("date", "kind").iter_rows():
        values: Values = {
            "agent": ("name", kind), "stock": ("yuan", stock), "futures": ("yuan", futures)
        }  # fmt: skip
        lost_amount = -stock - futures
        yield Domino(date=day, kind="both_legs", subject=kind, amount=lost_amount, values=values)


def value_falls(tables: PathTables) -> Iterator[Domino]:
    """Return the days on which the value of a kind of fund falls most."""
    funds = tables.agents.filter(pl.col("kind").is_in(["dma", "neutral", "enhanced"]))
    navs = nav_by_kind(funds).with_columns(
        pl.col("nav").diff().over("kind", order_by="date").alias("change")
    )
    fell = navs.filter(pl.col("change") <= -SMALLEST_MOVE).sort("date", "kind")
    for _, day, kind, nav, change in fell.iter_rows():
        yield Domino(
            date=day, kind="value_fall", subject=kind, amount=-change,
            values={"agent": ("name", kind), "change": ("size", change), "nav": ("ratio", nav)},
        )  # fmt: skip


def rescues(tables: PathTables) -> Iterator[Domino]:
    """Return the national team's purchases by day and the index it bought most."""
    names = [name for name in tables.daily.columns if name.startswith("rescue_")]
    for row in tables.daily.select("date", *names).iter_rows(named=True):
        total = sum(row[name] for name in names)
        if total < SMALLEST_YUAN:
            continue
        most = max(names, key=lambda name: row[name])
        values: Values = {
            "amount": ("yuan", total),
            "index": ("name", most.removeprefix("rescue_")),
            "share": ("share", row[most] / total),
        }
        yield Domino(date=row["date"], kind="rescue", amount=total, values=values)


def end(tables: PathTables) -> Domino:
    """Return where the path ends: micro-caps, CSI 1000 and CSI 300 since the start."""
    last = tables.daily.row(-1, named=True)
    first = tables.daily.row(0, named=True)
    values: Values = {}
    for index in ("microcap", "csi1000", "csi300"):
        start = first[f"{index}_close"] / (1 + first[f"{index}_return"])
        values[index] = ("percent", last[f"{index}_close"] / start - 1)
    return Domino(date=last["date"], kind="end", amount=1.0, values=values)


def largest_move(tables: PathTables) -> float:
    """Return the largest daily move of any index, without sign."""
    moves = [tables.daily[f"{index}_return"].abs().max() for index in INDICES]
    return max(float(move) for move in moves if isinstance(move, float))


RULES: Final[tuple[Callable[[PathTables], Iterator[Domino]], ...]] = (
    policies,
    rules,
    index_moves,
    _events("redemption", "redemption", SMALLEST_YUAN),
    dealer_trades,
    basis_moves,
    _column("limit_downs", "limit_down_count", SMALLEST_COUNT, "count"),
    _column("limit_ups", "limit_up_count", 2.5 * SMALLEST_COUNT, "count"),
    _column("forced_sales", "forced_sales", SMALLEST_YUAN),
    _column("unfilled", "unfilled_sales", SMALLEST_YUAN),
    rescues,
    both_legs,
    value_falls,
    knock_ins,
    _events("stop_loss", "stop_loss"),
    _events("margin_call", "margin_call"),
    _column("shortfall", "broker_shortfall", SMALLEST_YUAN / 100),
)
"""In the order of a session: what is traded in it, then what the close decides."""
