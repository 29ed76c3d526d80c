"""The tables of a run: every column with its type, unit and meaning.

The engine writes these tables and nothing else; reports, experiments and users read them. A change
here needs an entry in the changelog. Mean and sign conventions: money in yuan, basis = futures /
spot - 1, sales and purchases are positive amounts, net flows are purchases minus sales.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from crowdfall.market.snapshot import GROUPS, INDICES

Kind = Literal["int", "float", "date", "str"]
CONTRACT_RANKS: Final = ("front", "next", "quarter", "far")
EVENT_KINDS: Final = (
    "start", "news", "good_news", "policy", "index_fall", "index_rise", "limit_lock",
    "basis_gap", "basis_back", "sale", "purchase", "futures_sale", "futures_purchase",
    "forced_sale", "rescue", "knock_in", "margin_call", "futures_call", "forced_cover", "top_up",
    "stop_loss", "locked_out", "redemption", "broker_shortfall", "refused", "shock",
)  # fmt: skip
ROOT_KINDS: Final = ("start", "news", "good_news", "policy", "rescue", "shock")
"""Kinds that come from outside: the state at the start, the factors that follow an index path or
are drawn, policies, the schedule of the rescue, and sales of the scenario. They alone have no
cause; policies of rules, and purchases that rules set off, have one."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``may_be_constant`` gives the reason where all rows may be equal or null."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    may_be_constant: str = ""


_KEYS = (
    Column("path", "int", "", "number of the path, from 0", "one path"),
    Column("date", "date", "", "session"),
)


def daily(underlyings: tuple[str, ...] = ("ic", "im")) -> tuple[Column, ...]:
    """Return the columns of ``daily``: one row per path and session."""
    columns = [*_KEYS]
    for index in INDICES:
        columns.append(Column(f"{index}_close", "float", "points", f"close of {index}"))
        columns.append(Column(f"{index}_return", "float", "fraction", "close to close"))
    unlisted = "null where the venue lists no index futures"
    for u in underlyings:
        for rank in CONTRACT_RANKS:
            columns.append(
                Column(
                    f"basis_{rank}_{u}", "float", "fraction", f"close / spot - 1, {rank} month",
                    unlisted,
                )
            )  # fmt: skip
        columns.append(
            Column(f"open_interest_{u}", "float", "yuan", "all months, one side", unlisted)
        )
    why_not = "depends on the scenario: none may occur"
    for name, meaning in (
        ("limit_down_count", "stocks that close at their lower limit"),
        ("limit_up_count", "stocks that close at their upper limit"),
        ("limit_down_touched", "stocks that touched their lower limit"),
    ):
        columns.append(Column(name, "int", "stocks", meaning + ", not ST", why_not))
    columns.append(
        Column("stocks", "int", "stocks", "not ST, of which counted", "the universe is fixed")
    )
    columns.append(Column("turnover", "float", "yuan", "traded, all groups"))
    for group in GROUPS:
        columns.append(Column(f"turnover_share_{group}", "float", "fraction", "of turnover"))
        columns.append(Column(f"depth_{group}", "float", "fraction", "of calm depth, at the close"))
    for group in GROUPS:
        columns.append(
            Column(f"dispersion_{group}", "float", "fraction", "sd of stocks' returns, not ST")
        )
    for index in ("csi500", "csi1000"):
        columns.append(
            Column(
                f"knocked_in_share_{index}", "float", "fraction",
                "of snowball notional knocked in", why_not,
            )
        )  # fmt: skip
    for u in underlyings:
        columns.append(
            Column(f"dealer_futures_{u}", "float", "yuan", "snowball dealers' position, + long")
        )
    for name, unit, meaning in (
        ("margin_calls", "calls", "fund cells called at this close"),
        ("forced_sales", "yuan", "filled sales that brokers forced"),
        ("unfilled_sales", "yuan", "orders to sell not filled, at most what is still held"),
        ("broker_shortfall", "yuan", "paid by brokers so far for swaps under zero"),
    ):
        columns.append(Column(name, "int" if unit == "calls" else "float", unit, meaning, why_not))
    for group in GROUPS:
        columns.append(
            Column(f"forced_share_{group}", "float", "fraction", "forced sales over float", why_not)
        )
    for group in GROUPS:
        columns.append(
            Column(
                f"compelled_share_{group}", "float", "fraction",
                "sales by funds' own stop-loss and warning lines over float", why_not,
            )
        )  # fmt: skip
    for index in ("csi300", "csi500", "csi1000", "csi2000"):
        columns.append(
            Column(f"rescue_{index}", "float", "yuan", "bought by the national team", why_not)
        )
    for name, meaning in (
        ("contrarian_return", "8:1 book of yesterday's losers against its winners, before costs"),
        ("momentum_return", "8:1 book of the market's momentum scores, before costs"),
    ):
        reason = "null where the market does not know the returns it rests on"
        columns.append(Column(name, "float", "fraction", meaning, reason))
    columns.append(
        Column(
            "loop_gain", "float", "ratio", "fall from one extra bn of forced sales over calm",
            "null unless asked for",
        )
    )  # fmt: skip
    return tuple(columns)


FUTURES: Final = (
    *_KEYS,
    Column("contract", "str", "", "IM2403"),
    Column("underlying", "str", "", "ic, im"),
    Column("rank", "str", "", "front, next, quarter or far on that day"),
    Column("settle", "float", "points", "mean of the last hour"),
    Column("close", "float", "points", "last price"),
    Column("basis", "float", "fraction", "close / spot close - 1"),
    Column("volume", "float", "yuan", "traded by participants and the background"),
    Column("open_interest", "float", "yuan", "one side"),
)

AGENTS: Final = (
    *_KEYS,
    Column("kind", "str", "", "participant: dma, neutral, enhanced, snowball_dealers, ..."),
    Column("cell", "str", "", "one book of that kind; 'all' where there is one"),
    Column("equity", "float", "yuan", "stock value + cash"),
    Column("stock_value", "float", "yuan", "at the close; short positions of stock books count -"),
    Column("cash", "float", "yuan", "negative = borrowed; futures P&L is settled into it"),
    Column("futures_ic", "float", "yuan", "position, + long"),
    Column("futures_im", "float", "yuan", "position, + long"),
    Column("gross", "float", "yuan", "stock held and sold short + |futures|"),
    Column("net", "float", "yuan", "stock value + futures"),
    Column("leverage", "float", "ratio", "stock held and short / equity; null where equity <= 0"),
    Column(
        "margin_ratio",
        "float",
        "fraction",
        "equity at settlement / stock held and short; null without stock",
    ),
    Column("nav", "float", "ratio", "equity / invested capital; null where none was invested"),
    Column("excess", "float", "fraction", "return since the start less the benchmark's"),
    Column("pnl_stock", "float", "yuan", "of the day: price change of stock held"),
    Column("pnl_futures", "float", "yuan", "of the day: spot part of the futures' change"),
    Column("pnl_basis", "float", "yuan", "of the day: basis part of the futures' change"),
    Column("pnl_financing", "float", "yuan", "of the day: interest"),
    Column("pnl_costs", "float", "yuan", "of the day: commission and stamp duty, negative"),
    Column("capital_flow", "float", "yuan", "of the day: top-ups in, redemptions out"),
    Column("stock_bought", "float", "yuan", "of the day"),
    Column("stock_sold", "float", "yuan", "of the day"),
    Column("status", "str", "", "open, called, forced, closed, refused"),
)

FLOWS: Final = (
    *_KEYS,
    Column("kind", "str", "", "participant, or 'background' for the residual holder"),
    Column("place", "str", "", "size group, or underlying of the futures (ic, im)"),
    Column("bought", "float", "yuan", "filled purchases of the day"),
    Column("sold", "float", "yuan", "filled sales of the day"),
    Column("wanted_bought", "float", "yuan", "ordered purchases of the day"),
    Column(
        "wanted_sold",
        "float",
        "yuan",
        "filled sales and unfilled orders, at most what is still held",
    ),
)

EVENTS: Final = (
    *_KEYS,
    Column("event", "int", "", "number within the path, in order of time"),
    Column("bar", "int", "", "bar of the session, 0-7; 8 = at the close"),
    Column("agent", "str", "", "participant, size group, underlying, market or policy"),
    Column("cell", "str", "", "book of that participant, bucket or index; all"),
    Column("kind", "str", "", "one of EVENT_KINDS"),
    Column("amount", "float", "yuan", "size; fraction for moves, gaps, news, locks and policies"),
    Column(
        "cause",
        "int",
        "",
        "number of the event of this path that led to it",
        "null for roots, which come from outside",
    ),
)

EXCHANGES: Final = (
    *_KEYS,
    Column("place", "str", "", "size group, or underlying of the futures (ic, im)"),
    Column("seller", "str", "", "participant, or 'background' for the residual holder"),
    Column("buyer", "str", "", "participant, or 'background' for the residual holder"),
    Column("yuan", "float", "yuan", "sold by the one to the other, sums of the bars"),
)

TABLES: Final = {
    "daily": daily(),
    "futures": FUTURES,
    "agents": AGENTS,
    "flows": FLOWS,
    "events": EVENTS,
    "exchanges": EXCHANGES,
}


def column_names(table: str) -> tuple[str, ...]:
    """Return the column names of a table, in order."""
    return tuple(column.name for column in TABLES[table])
