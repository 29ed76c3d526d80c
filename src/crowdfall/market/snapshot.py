"""The market at one close: what every participant finds there before the first bar."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np

from crowdfall.types import Bool, Float64, Int8, Int64, Text

GROUPS: Final = ("csi300", "csi500", "csi1000", "csi2000", "tail", "microcap")
"""Size groups, largest first; all but ``tail`` are also published indices."""
INDICES: Final = ("csi300", "csi500", "csi1000", "csi2000", "microcap")
UNDERLYINGS: Final = {"if": "csi300", "ih": "sse50", "ic": "csi500", "im": "csi1000"}
BOARDS: Final = ("main", "chinext", "star")


@dataclass(frozen=True, kw_only=True)
class Stocks:
    """The cross-section, N stocks in order of symbol; every array has shape (N,).

    Money in yuan, ratios as fractions. ``free_float_cap`` leaves out holdings that do not trade
    (see ``market.characteristics``); impact rests on it, index weights too.
    """

    symbol: Text
    board: Int8  # index into BOARDS
    is_st: Bool
    close: Float64
    total_cap: Float64
    float_cap: Float64
    free_float_cap: Float64
    adv: Float64  # mean yuan traded a day
    turnover: Float64  # of float, a day
    volatility: Float64  # of daily log returns
    residual_volatility: Float64  # of what beta leaves
    beta: Float64  # to CSI 300
    size_exposure: Float64  # standardised log total cap
    limit: Float64  # price limit, fraction of the previous close
    group: Int8  # index into GROUPS

    def __len__(self) -> int:
        return len(self.symbol)


@dataclass(frozen=True, kw_only=True)
class FuturesQuote:
    """One listed contract at the close. ``basis`` = close / spot - 1, not annualised."""

    symbol: str  # IM2403
    underlying: str  # key of UNDERLYINGS
    last_trading_day: date
    close: float
    basis: float
    open_interest: float  # lots
    volume: float  # lots
    multiplier: float  # yuan a point


@dataclass(frozen=True, kw_only=True)
class History:
    """Joint daily log returns of the size groups, from which free runs draw.

    ``returns`` has shape (T, 6), columns in the order of GROUPS.
    """

    returns: Float64
    first: date
    last: date
    note: str


@dataclass(frozen=True, kw_only=True)
class Market:
    """A snapshot at a close, from real data or from the synthetic generator.

    ``weights`` maps an index to the weight of each stock, shape (N,), summing to one;
    ``levels`` to its close in points. ``styles`` maps a style that books crowd into to the
    stocks' scores on it, (N,), mean 0 and deviation 1; ``last_return`` (N,): simple returns of
    the date itself, where they are known. Money is in ``currency``: where tables say yuan and it
    is not CNY, they mean this one.
    """

    date: date
    source: str
    stocks: Stocks
    weights: dict[str, Float64]
    levels: dict[str, float]
    futures: tuple[FuturesQuote, ...]
    history: History
    sources: tuple[str, ...]  # where the numbers come from, one sentence each
    styles: dict[str, Float64] = field(default_factory=dict)
    last_return: Float64 | None = None
    currency: str = "CNY"

    @cached_property
    def digest(self) -> str:
        """Return a sha256 of every number in the snapshot (16 hex digits)."""
        digest = hashlib.sha256(self.date.isoformat().encode())
        for column in fields(self.stocks):
            digest.update(np.ascontiguousarray(getattr(self.stocks, column.name)).tobytes())
        for name in sorted(self.weights):
            digest.update(name.encode() + np.ascontiguousarray(self.weights[name]).tobytes())
        digest.update(repr(sorted(self.levels.items())).encode())
        digest.update(repr(self.futures).encode())
        digest.update(np.ascontiguousarray(self.history.returns).tobytes())
        for name in sorted(self.styles):
            digest.update(name.encode() + np.ascontiguousarray(self.styles[name]).tobytes())
        if self.last_return is not None:
            digest.update(np.ascontiguousarray(self.last_return).tobytes())
        if self.currency != "CNY":
            digest.update(self.currency.encode())
        return digest.hexdigest()[:16]

    def take(self, rows: Int64 | Bool, stocks: Stocks | None = None) -> Market:
        """Return the market with some stocks, in the order of ``rows``; index weights as before.

        ``stocks`` replaces the cross-section, already in that order.
        """
        if stocks is None:
            stocks = Stocks(
                **{
                    column.name: np.ascontiguousarray(getattr(self.stocks, column.name)[rows])
                    for column in fields(self.stocks)
                }
            )
        last = self.last_return
        return replace(
            self,
            stocks=stocks,
            weights={name: np.ascontiguousarray(w[rows]) for name, w in self.weights.items()},
            styles={name: np.ascontiguousarray(z[rows]) for name, z in self.styles.items()},
            last_return=None if last is None else np.ascontiguousarray(last[rows]),
        )

    def contracts(self, underlying: str) -> tuple[FuturesQuote, ...]:
        """Return the listed contracts of one underlying, nearest first."""
        mine = [quote for quote in self.futures if quote.underlying == underlying]
        return tuple(sorted(mine, key=lambda quote: quote.last_trading_day))
