"""The listed index futures at the close of the snapshot."""

from __future__ import annotations

from datetime import date

import polars as pl

from crowdfall.errors import MarketError
from crowdfall.market.snapshot import UNDERLYINGS, FuturesQuote
from crowdfall.rules.futures import contract_months, last_trading_day, multiplier

NEEDED = ("ic", "im")
"""Without these two there is no market: dealers hedge with them."""


def read_quotes(bars: pl.DataFrame, levels: dict[str, float], on: date) -> tuple[FuturesQuote, ...]:
    """Return the contracts listed on a date, by underlying and nearest first.

    ``bars`` is a canonical ``futures_bars`` table, ``levels`` the index closes. The basis is
    measured against the bar's own spot close, else against the level. Unknown volume and open
    interest count as zero. Raises MarketError where IC or IM have no contract on the date.
    """
    quotes: list[FuturesQuote] = []
    today = bars.filter(pl.col("date") == on)
    held = {row["symbol"].partition(".")[0]: row for row in today.iter_rows(named=True)}
    for underlying, index in UNDERLYINGS.items():
        for month in contract_months(on):
            symbol = f"{underlying.upper()}{month.code}"
            if symbol not in held:
                continue
            row = held[symbol]
            spot = row["spot_close"] or levels.get(index)
            if not spot or not row["close"]:
                raise MarketError("market_no_spot", symbol=symbol, on=on)
            quotes.append(
                FuturesQuote(
                    symbol=symbol,
                    underlying=underlying,
                    last_trading_day=last_trading_day(*month),
                    close=float(row["close"]),
                    basis=float(row["close"] / spot - 1.0),
                    open_interest=float(row["open_interest"] or 0.0),
                    volume=float(row["volume"] or 0.0),
                    multiplier=multiplier(underlying, on),
                )
            )
    for underlying in NEEDED:
        if not any(quote.underlying == underlying for quote in quotes):
            raise MarketError("market_no_futures", underlying=underlying.upper(), on=on)
    return tuple(quotes)
