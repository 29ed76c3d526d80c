"""A US market at a close, from the panel of 2006 to 2008: for the quant quake of August 2007.

The panel has no shares, so size is dollar volume: six groups of equal count, largest first, which
take the places of the Chinese size groups; float follows from dollar volume at one turnover for
all. Styles are what quant books of the time crowded into and the panel can tell: short-term
reversal and price momentum, from returns up to the date and no later.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import numpy as np

from crowdfall.data.sources import invented_us
from crowdfall.data.sources.us2007 import Us2007Source, UsPanel
from crowdfall.errors import MarketError
from crowdfall.market import characteristics
from crowdfall.market.panel import RECENT
from crowdfall.market.snapshot import GROUPS, INDICES, History, Market, Stocks
from crowdfall.types import Bool, Float64, Int8, Int64, Text

YEAR: Final = 252
"""Sessions of a year: a stock needs them all before the date."""
BAD_SPLIT: Final = 0.5
"""A daily return beyond this is a bad split: the stock is left out (16 in the panel)."""
TURNOVER: Final = 0.0075
"""Dollar volume a day over float (assumption, 0.005-0.01): some 13 tn dollars of S&P 500 market
value in mid-2007, from memory, against 97 bn a day on the panel."""
REVERSAL: Final = 5
"""Sessions of the reversal signal (assumption, 1-20): a week, as in Lehmann (1990)."""
SKIPPED: Final = 21
"""Last sessions that momentum leaves out: a month (Jegadeesh and Titman 1993)."""
MOST: Final = 3.0
"""Scores are cut at this many deviations (assumption, 2-5)."""
LEVEL: Final = 100.0
"""Points of every index at the date."""
_FLOAT: Final = f"float = dollar volume / {TURNOVER} (assumption): the panel has no shares"


def build_us(source: Us2007Source, on: date) -> Market:
    """Return the US market at the close of ``on``.

    Raises DataError where the date is no session of the panel, MarketError where fewer than a
    year of sessions lie before it, or too few stocks have them all.
    """
    panel = source.panel(on)
    if len(panel.dates) <= YEAR:
        raise MarketError("us_short_panel", on=on, count=len(panel.dates) - 1, least=YEAR)
    keep = _complete(panel)
    if keep.sum() < 10 * len(GROUPS):
        raise MarketError("us_few_stocks", on=on, count=int(keep.sum()), least=10 * len(GROUPS))
    close, amount = panel.close[:, keep], panel.amount[:, keep]
    adv = amount[-RECENT:].mean(axis=0)
    group = by_volume(adv)
    stocks = _observed(panel.symbol[keep], close, adv, group)
    past = close[-YEAR - 1 :]
    styles = {
        "reversal": score(-(past[-1] / past[-1 - REVERSAL] - 1.0)),
        "momentum": score(past[-1 - SKIPPED] / past[0] - 1.0),
    }
    return _market(
        on, source.name, stocks, _history(panel, keep, group, stocks.free_float_cap),
        _sources(panel, keep), styles, close[-1] / close[-2] - 1.0,
    )  # fmt: skip


def invented() -> Market:
    """Return the US market of 6 August 2007 that comes with the package: invented stocks."""
    trait = invented_us.traits()
    returns, first, last = invented_us.group_returns()
    adv = trait["adv"]
    stocks = _stocks(
        np.array([f"US{k:04d}" for k in range(len(adv))]), np.full(len(adv), 50.0), adv,
        by_volume(adv), trait["volatility"], trait["residual_ratio"] * trait["volatility"],
        trait["beta"],
    )  # fmt: skip
    history = History(
        returns=returns, first=first, last=last,
        note="drawn from a law fitted to six groups by dollar volume, 2006 to 6 August 2007",
    )  # fmt: skip
    sources = (
        "invented stocks: traits follow quantiles and correlations derived from daily bars of "
        "survivors of the S&P 500 to 2007-08-06; no row of them is here",
        _FLOAT,
    )
    styles = {name: score(trait[name]) for name in ("momentum", "reversal")}
    return _market(last, "synthetic", stocks, history, sources, styles, trait["last_return"])


def _market(
    on: date, source: str, stocks: Stocks, history: History, sources: tuple[str, ...],
    styles: dict[str, Float64], last_return: Float64,
) -> Market:  # fmt: skip
    weights = {
        name: np.where(stocks.group == g, stocks.free_float_cap, 0.0)
        for g, name in enumerate(GROUPS)
        if name in INDICES
    }
    return Market(
        date=on,
        source=source,
        stocks=stocks,
        weights={name: mass / mass.sum() for name, mass in weights.items()},
        levels=dict.fromkeys(INDICES, LEVEL),
        futures=(),
        history=history,
        sources=sources,
        styles=styles,
        last_return=last_return,
        currency="USD",
    )


def by_volume(adv: Float64) -> Int8:
    """Return six groups of equal count by dollar volume, largest first, (N,).

    >>> by_volume(np.arange(12.0)).tolist()
    [5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0]
    """
    rank = np.argsort(np.argsort(-adv, kind="stable"))
    return np.asarray(rank * len(GROUPS) // len(adv), np.int8)


def score(signal: Float64) -> Float64:
    """Return a signal (..., N) with mean 0 and deviation 1 over stocks, tails cut.

    >>> score(np.array([1.0, 2.0, 3.0])).round(3).tolist()
    [-1.225, 0.0, 1.225]
    """
    out = np.clip(_standard(signal), -MOST, MOST)
    return _standard(out)


def _standard(signal: Float64) -> Float64:
    mean = signal.mean(axis=-1, keepdims=True)
    return np.asarray((signal - mean) / signal.std(axis=-1, keepdims=True))


def _complete(panel: UsPanel) -> Bool:
    close = panel.close[-YEAR - 1 :]
    whole = np.isfinite(close).all(axis=0) & np.isfinite(panel.amount[-YEAR:]).all(axis=0)
    jump = np.abs(close[1:] / close[:-1] - 1.0)
    return np.asarray(whole & (np.nan_to_num(jump).max(axis=0) < BAD_SPLIT))


def _observed(symbol: Text, close: Float64, adv: Float64, group: Int8) -> Stocks:
    cap = adv / TURNOVER
    returns = np.diff(np.log(close[-YEAR - 1 :]), axis=0)
    market = returns @ (cap / cap.sum())
    gap = market - market.mean()
    beta = (gap[:, None] * returns).sum(axis=0) / (gap**2).sum()
    beta = characteristics.shrink(beta, group)
    recent = returns[-RECENT:]
    rest = recent - market[-RECENT:, None] * beta
    sd, own = recent.std(axis=0, ddof=1), rest.std(axis=0, ddof=1)
    return _stocks(symbol, close[-1], adv, group, sd, own, beta)


def _stocks(
    symbol: Text, close: Float64, adv: Float64, group: Int8, volatility: Float64,
    residual_volatility: Float64, beta: Float64,
) -> Stocks:  # fmt: skip
    cap = adv / TURNOVER
    count = len(cap)
    return Stocks(
        symbol=symbol,
        board=np.zeros(count, np.int8),  # boards are of China: none of their rules is used here
        is_st=np.zeros(count, bool),
        close=close,
        total_cap=cap,
        float_cap=cap,
        free_float_cap=cap,
        adv=adv,
        turnover=np.full(count, TURNOVER),
        volatility=volatility,
        residual_volatility=residual_volatility,
        beta=beta,
        size_exposure=characteristics.exposure(cap),
        limit=np.ones(count),  # there is none
        group=group,
    )


def _history(panel: UsPanel, keep: Bool, group: Int8, cap: Float64) -> History:
    """Return the groups' daily log returns, weights fixed at the date's float."""
    simple = panel.close[1:, keep] / panel.close[:-1, keep] - 1.0
    held = np.isfinite(simple) & (np.abs(simple) < BAD_SPLIT)
    out = np.empty((len(simple), len(GROUPS)))
    for g in range(len(GROUPS)):
        inside: Int64 = np.flatnonzero(group == g)
        weight = held[:, inside] * cap[inside]
        made = (weight * np.where(held, simple, 0.0)[:, inside]).sum(axis=1) / weight.sum(axis=1)
        out[:, g] = np.log1p(made)
    return History(
        returns=out,
        first=panel.dates[1],
        last=panel.dates[-1],
        note="daily log returns of six groups by dollar volume, survivors of the S&P 500",
    )


def _sources(panel: UsPanel, keep: Bool) -> tuple[str, ...]:
    return (
        f"daily bars {panel.dates[0]} to {panel.dates[-1]} of {int(keep.sum())} survivors of the "
        f"S&P 500 with a whole year before the date; {int((~keep).sum())} left out",
        _FLOAT,
        f"styles: reversal over {REVERSAL} sessions, momentum over a year without the last month",
    )
