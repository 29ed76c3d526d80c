"""Invent a market from derived tables: no stock, quote history or index path in it is observed.

The tables in ``data/bundled`` hold, for each size group of 29 December 2023, how many stocks there
are, the quantiles of their traits and how the traits go together (a Gaussian copula); the index
levels and futures quotes of that date, which are published; and the law of the joint index returns
of 2018 to 2023. Everything is drawn from one seed, the same on every machine.
"""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import polars as pl
from scipy.special import gammaincinv, ndtri

from crowdfall.data.calendar import sessions
from crowdfall.data.schema import FUTURES_BARS, INDEX_BARS
from crowdfall.errors import DataError
from crowdfall.types import Float64, Int64

SEED: Final = 57
"""Of the first 200, the seed whose index history comes nearest to the observed kurtosis and worst
day; the stocks' marginal quantiles do not depend on it."""
BOARDS: Final = ("main", "chinext", "star")
TRAITS: Final = (
    "total_cap", "float_share", "turnover", "adv_ratio", "volatility", "residual_ratio", "beta",
    "close", "board", "st",
)  # fmt: skip
"""What the copula joins. Ratios: float over total cap; adv over turnover times float cap; residual
over whole volatility. ``board`` and ``st`` are the ranks of labels."""
PRODUCTS: Final = ("float_cap", "adv")
"""Sizes that follow from traits; the copula gives their order, a table of quantiles their values,
or the product of three medians would miss the median of the product."""
_LINEAR: Final = ("beta",)
_LABELS: Final = ("board", "st")
_FIRST_CODES: Final = {"main": 600001, "chinext": 300001, "star": 688001}
_EXCHANGES: Final = {"main": "SH", "chinext": "SZ", "star": "SH"}
_STREAM_HISTORY: Final = 1000
_STREAM_CODES: Final = 1001
_BURN_IN: Final = 250


class SyntheticSource:
    """Stocks by trait instead of bars, and the tables of index and futures bars.

    ``seed`` chooses the draw; the package's bundled market is that of SEED. Codes are invented:
    they count up on each board and belong to no company.
    """

    name: Final = "synthetic"

    def __init__(self, seed: int = SEED) -> None:
        self.seed: Final = seed
        self.date: Final = date.fromisoformat(table("stocks")["date"])

    def stocks(self) -> pl.DataFrame:
        """Return one row per stock in order of symbol.

        ``symbol, board, is_st, group``; ``close, total_cap, float_cap, adv`` in yuan; ``turnover,
        volatility, residual_volatility`` a day; ``beta``. Each trait has exactly the quantiles of
        the table whatever the seed: draws only decide which stock has which.
        """
        groups: dict[str, dict[str, Any]] = table("stocks")["groups"]
        drawn = [self._group(k, name, facts) for k, (name, facts) in enumerate(groups.items())]
        return self._name(pl.concat(drawn))

    def index_bars(
        self, start: date, end: date, names: tuple[str, ...] | None = None
    ) -> pl.DataFrame:
        """Return invented closes of five indices from 2018 on; they end at the published levels."""
        law = table("history")
        days = sessions(date.fromisoformat(law["first"]), self.date)
        returns = draw_returns(law, len(days) - 1, self.seed)
        parts = []
        for k, index in enumerate(law["indices"]):
            level = table("quotes")["levels"][index]
            behind = np.concatenate([[0.0], np.cumsum(returns[::-1, k])])[::-1]
            closes = level * np.exp(-behind)
            parts.append(pl.DataFrame({"date": days, "index": index, "close": closes}))
        bars = _shaped(pl.concat(parts), INDEX_BARS.columns)
        if names:
            bars = bars.filter(pl.col("index").is_in(names))
        return bars.filter(pl.col("date").is_between(start, end)).sort(INDEX_BARS.key)

    def futures_bars(self, start: date, end: date) -> pl.DataFrame:
        """Return the quotes of the one date, made from its basis; no row for other dates."""
        rows = pl.DataFrame(table("quotes")["futures"]).with_columns(
            pl.lit(self.date).alias("date"),
            pl.col("underlying").replace_strict(_spots()).alias("spot_close"),
        )
        rows = rows.with_columns(close=(pl.col("spot_close") * (1.0 + pl.col("basis"))).round(1))
        bars = _shaped(rows, FUTURES_BARS.columns)
        return bars.filter(pl.col("date").is_between(start, end)).sort(FUTURES_BARS.key)

    def _group(self, stream: int, name: str, facts: dict[str, Any]) -> pl.DataFrame:
        count = facts["count"]
        correlation = np.array(facts["correlation"])
        scores = recolour(ndtri(uniforms(self.seed, stream, count, len(TRAITS))), correlation)
        ranks = np.argsort(np.argsort(scores, axis=0), axis=0)
        trait = {
            label: _quantile(facts["quantiles"][label], ranks[:, k], label)
            for k, label in enumerate(TRAITS)
            if label not in _LABELS
        }
        board = np.repeat(np.arange(len(BOARDS)), facts["boards"])[ranks[:, TRAITS.index("board")]]
        values = facts["quantiles"]
        float_cap = _in_order(trait["total_cap"] * trait["float_share"], values, "float_cap")
        float_cap = np.minimum(float_cap, trait["total_cap"])
        adv = _in_order(float_cap * trait["turnover"] * trait["adv_ratio"], values, "adv")
        return pl.DataFrame(
            {
                "board": np.array(BOARDS)[board],
                "is_st": _marked(board, ranks[:, TRAITS.index("st")], facts["st"]),
                "group": np.full(count, name),
                "close": trait["close"].round(2),
                "total_cap": trait["total_cap"],
                "float_cap": float_cap,
                "adv": adv,
                "turnover": trait["turnover"],
                "volatility": trait["volatility"],
                "residual_volatility": trait["residual_ratio"] * trait["volatility"],
                "beta": trait["beta"],
            }
        )

    def _name(self, stocks: pl.DataFrame) -> pl.DataFrame:
        """Give codes in random order, so that the groups lie mixed in order of symbol."""
        order = np.argsort(uniforms(self.seed, _STREAM_CODES, stocks.height, 1)[:, 0])
        stocks = stocks[order]
        place = pl.int_range(pl.len()).over("board") + pl.col("board").replace_strict(_FIRST_CODES)
        exchange = pl.col("board").replace_strict(_EXCHANGES)
        symbol = pl.format("{}.{}", place, exchange).alias("symbol")
        return stocks.select(symbol, *stocks.columns).sort("symbol")


@cache
def table(name: str) -> dict[str, Any]:
    """Return a derived table of the package; DataError where it is missing or no JSON.

    >>> table("stocks")["date"]
    '2023-12-29'
    """
    place = files("crowdfall.data").joinpath("bundled", f"{name}.json")
    try:
        found: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError("unreadable_file", file=f"{name}.json", reason=error) from error
    return found


def draw_returns(law: dict[str, Any], count: int, seed: int) -> Float64:
    """Return joint daily log returns, shape (count, indices), drawn from a fitted law.

    Multivariate Student t innovations times one volatility that clusters as GARCH(1, 1)
    (Bollerslev 1986), recoloured to the law's mean and covariance. The last sessions are scaled to
    the calm in which the stocks' volatility was measured (``recent_sessions``, ``recent_sd``).
    """
    freedom, react, persist = law["freedom"], law["alpha"], law["beta"]
    wide = len(law["indices"])
    draws = uniforms(seed, _STREAM_HISTORY, count + _BURN_IN, wide + 1)
    chi2 = 2.0 * gammaincinv(freedom / 2.0, draws[:, -1]) / freedom
    shocks = ndtri(draws[:, :-1]) * np.sqrt((freedom - 2.0) / freedom / chi2)[:, None]
    variance, scale = 1.0, np.empty(len(shocks))
    energy = (shocks**2).mean(axis=1)
    for t in range(len(shocks)):
        scale[t] = variance**0.5
        variance = 1.0 - react - persist + variance * (react * energy[t] + persist)
    deviation = np.array(law["sd"])
    moves = recolour((shocks * scale[:, None])[_BURN_IN:], np.array(law["correlation"]))
    moves = np.array(law["mean"]) + moves * deviation
    recent = law["recent_sessions"]
    moves[-recent:] *= law["recent_sd"] / moves[-recent:, 0].std(ddof=1)
    return np.asarray(moves)


def uniforms(seed: int, stream: int, rows: int, columns: int) -> Float64:
    """Return numbers strictly between 0 and 1, a function of seed and stream alone.

    From raw Philox words, whose sequence numpy promises to keep; its distributions it does not.
    """
    words = np.random.Philox(key=np.array([seed, stream], np.uint64)).random_raw(rows * columns)
    return np.asarray(((words >> np.uint64(11)) + 0.5) * 2.0**-53).reshape(rows, columns)


def recolour(draws: Float64, correlation: Float64) -> Float64:
    """Return draws whose sample has mean 0, deviation 1 and exactly this correlation."""
    gap = draws - draws.mean(axis=0)
    held = np.linalg.cholesky(np.cov(gap.T))
    white = np.linalg.solve(held, gap.T)
    return np.asarray((np.linalg.cholesky(correlation) @ white).T)


def _quantile(values: list[float], rank: Int64, label: str) -> Float64:
    levels = np.array(table("stocks")["levels"])
    share = (rank + 0.5) / len(rank)
    if label in _LINEAR:
        return np.interp(share, levels, values)
    return np.asarray(np.exp(np.interp(share, levels, np.log(values))))


def _in_order(rough: Float64, values: dict[str, list[float]], label: str) -> Float64:
    """Return the quantiles of one label, given out in the order of ``rough``."""
    return _quantile(values[label], np.argsort(np.argsort(rough)), label)


def _marked(board: Int64, rank: Int64, count: int) -> Any:  # noqa: ANN401
    """Return which stocks are under special treatment: main board only, as in the real list."""
    order = np.argsort(np.where(board == BOARDS.index("main"), -rank, 1))
    marked = np.zeros(len(board), bool)
    marked[order[:count]] = True
    return marked


def _spots() -> dict[str, float]:
    quotes = table("quotes")
    return {u: quotes["levels"][index] for u, index in quotes["underlyings"].items()}


def _shaped(rows: pl.DataFrame, columns: tuple[Any, ...]) -> pl.DataFrame:
    """Return exactly the schema's columns; what is not invented is null."""
    return rows.select(
        (pl.col(one.name) if one.name in rows.columns else pl.lit(None))
        .cast(getattr(pl, one.kind))
        .alias(one.name)
        for one in columns
    )
