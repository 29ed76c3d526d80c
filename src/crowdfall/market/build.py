"""From a source of facts to a market at the close of one date."""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np
import polars as pl

from crowdfall.data.sources.base import Source
from crowdfall.data.sources.synthetic import SyntheticSource
from crowdfall.errors import MarketError
from crowdfall.market import characteristics, universe
from crowdfall.market.futures import read_quotes
from crowdfall.market.history import NOTE, START, read_history
from crowdfall.market.panel import Panel, read_panel
from crowdfall.market.snapshot import BOARDS, GROUPS, INDICES, Market, Stocks
from crowdfall.rules.price_limits import board_of, price_limit
from crowdfall.types import Bool, Float64, Int8


def build(source: Source | SyntheticSource, on: date) -> Market:
    """Return the market at the close of ``on``.

    A source of bars needs those of every stock for at least 40 sessions before the date, better
    for the year before the last index review; the closes of the five indices; quotes of IC and IM.
    Raises DataError for what is wrong with the tables, MarketError for what is missing at the date.
    The synthetic source knows one date only.
    """
    if isinstance(source, SyntheticSource):
        if on != source.date:
            raise MarketError("market_synthetic_date", date=source.date, on=on)
        stocks, weights = invented(source.stocks(), on)
        name, sources = source.name, _SYNTHETIC
        note = "drawn from a law that was fitted to the indices of 2018 to 2023"
    else:
        panel = read_panel(source, universe.last_review(on).first, on)
        stocks, weights, filled = measure(panel)
        name, sources, note = "files", _sources(panel, filled), NOTE
    bars = source.index_bars(START, on)
    levels = _levels(bars, on)
    return Market(
        date=on,
        source=name,
        stocks=stocks,
        weights=weights,
        levels=levels,
        futures=read_quotes(source.futures_bars(on, on), levels, on),
        history=read_history(bars, on, note),
        sources=sources,
    )


_SYNTHETIC: Final[tuple[str, ...]] = (
    "invented stocks: no code belongs to a company; traits follow quantiles and correlations by "
    "size group, derived from public daily bars to 2023-12-29 and share counts of June 2024",
    "index levels of 2023-12-29: published by CSI and Wind; basis of futures: derived from CFFEX",
    "history: drawn from a law fitted to published index closes of 2018 to 2023",
    f"free float = min(float cap, adv / {characteristics.FREE_TURNOVER}) (assumption)",
)


def invented(table: pl.DataFrame, on: date) -> tuple[Stocks, dict[str, Float64]]:
    """Return stocks and index weights from the synthetic source's table of stocks.

    Members of an index are the stocks of its group that trade most, without special treatment:
    the real reviews drop the least traded.
    """
    group = np.array([GROUPS.index(name) for name in table["group"]], np.int8)
    board = np.array([BOARDS.index(name) for name in table["board"]], np.int8)
    is_st = table["is_st"].to_numpy()
    names = ("close", "total_cap", "float_cap", "adv", "turnover", "volatility",
             "residual_volatility", "beta")  # fmt: skip
    values = {name: table[name].to_numpy() for name in names}
    free = characteristics.free_float(values["float_cap"], values["adv"])
    stocks = Stocks(
        symbol=table["symbol"].to_numpy().astype(np.str_),
        board=board,
        is_st=is_st,
        free_float_cap=free,
        size_exposure=characteristics.exposure(values["total_cap"]),
        limit=limits(board, is_st, on),
        group=group,
        **values,
    )
    inside = {
        index: universe.smallest(-stocks.adv, (group == GROUPS.index(index)) & ~is_st, count)
        for index, count in universe.MEMBERS.items()
    }
    micro = (group == GROUPS.index("microcap")) & ~is_st
    return stocks, universe.weights(inside, stocks.total_cap, free, micro)


def measure(panel: Panel) -> tuple[Stocks, dict[str, Float64], int]:
    """Return stocks, index weights and how many stocks carry their group's medians.

    Stocks with fewer than 40 sessions in the last 60 do, in volatility, beta and turnover. Raises
    MarketError where caps or amounts are unknown for whole groups.
    """
    caps = characteristics.measure_caps(panel)
    inside = universe.members(panel, caps)
    group = universe.assign_groups(caps, panel.is_st, inside)
    moves = characteristics.measure_moves(panel, group)
    turnover = characteristics.fill(caps.turnover, group)
    adv = np.where(np.isnan(caps.adv), turnover * caps.float_, caps.adv)
    if not (np.isfinite(caps.total).all() and np.isfinite(adv).all()):
        raise MarketError("market_no_caps", on=panel.dates[-1])
    free = characteristics.free_float(caps.float_, adv)
    board = _boards(panel)
    stocks = Stocks(
        symbol=panel.symbol,
        board=board,
        is_st=panel.is_st,
        close=characteristics.last_close(panel),
        total_cap=caps.total,
        float_cap=caps.float_,
        free_float_cap=free,
        adv=adv,
        turnover=turnover,
        volatility=characteristics.fill(moves.volatility, group),
        residual_volatility=characteristics.fill(moves.residual_volatility, group),
        beta=characteristics.fill(moves.beta, group),
        size_exposure=characteristics.exposure(caps.total),
        limit=limits(board, panel.is_st, panel.dates[-1]),
        group=group,
    )
    micro = universe.smallest(caps.total, ~panel.is_st)
    weights = universe.weights(inside, caps.total, free, micro)
    return stocks, weights, int(np.isnan(moves.volatility).sum())


def limits(board: Int8, is_st: Bool, on: date) -> Float64:
    """Return each stock's price limit as a fraction of the previous close, shape (N,)."""
    known = {
        (b, st): price_limit(BOARDS[b], st, on) for b in np.unique(board) for st in (False, True)
    }
    return np.array([known[b, st] for b, st in zip(board, is_st.tolist(), strict=True)])


def _boards(panel: Panel) -> Int8:
    return np.array([BOARDS.index(board_of(symbol)) for symbol in panel.symbol], np.int8)


def _levels(bars: pl.DataFrame, on: date) -> dict[str, float]:
    today = bars.filter(pl.col("date") == on)
    levels = {name: float(close) for name, close in today.select("index", "close").iter_rows()}
    for name in INDICES:
        if name not in levels:
            raise MarketError("market_no_index", index=name, on=on)
    return levels


def _sources(panel: Panel, filled: int) -> tuple[str, ...]:
    rows = universe.review_rows(panel)
    first, last = panel.dates[rows[0]], panel.dates[rows[-1]]
    return (
        f"daily bars {panel.dates[0]} to {panel.dates[-1]} of {len(panel.symbol)} stocks; "
        f"{filled} with a short history carry the medians of their size group",
        f"index members by published rules on {first} to {last}; share counts of the stock list's "
        "vintage",
        f"free float = min(float cap, adv / {characteristics.FREE_TURNOVER}) (assumption)",
    )
