"""Derive the tables of the synthetic market from a folder of real data.

    python scripts/derive_bundled.py [DATA] [OUT]

DATA is CROWDFALL_DATA, else ../shared/data; OUT is src/crowdfall/data/bundled. What is written are
quantiles, correlations, fitted parameters and published closing quotes: no row of any panel.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, ndtri
from scipy.stats import rankdata

from crowdfall.data.sources import invented_us
from crowdfall.data.sources.files import FilesSource
from crowdfall.data.sources.synthetic import PRODUCTS, TRAITS
from crowdfall.data.sources.us2007 import Us2007Source
from crowdfall.market.build import build
from crowdfall.market.history import START
from crowdfall.market.panel import RECENT
from crowdfall.market.snapshot import BOARDS, GROUPS, INDICES, UNDERLYINGS, Market, Stocks
from crowdfall.market.us import build_us
from crowdfall.types import Bool, Float64

ROOT: Final = Path(__file__).resolve().parents[1]
ON: Final = date(2023, 12, 29)
US_ON: Final = date(2007, 8, 6)
LEVELS: Final = (
    0.0, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5,
    0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99, 0.995, 1.0,
)  # fmt: skip
DIGITS: Final = 6
_MOST: Final = 0.97
"""Bound of a correlation and of the eigenvalue repair, so that the matrix has a root."""


def main(data: Path, out: Path) -> None:
    """Write the three tables of the Chinese market and the one of the US market."""
    source = FilesSource(data)
    market = build(source, ON)
    us = us_table(build_us(Us2007Source(data), US_ON))
    for name, content in {**tables(market), invented_us.NAME: us}.items():
        (out / f"{name}.json").write_text(_text(content) + "\n", encoding="utf-8")


def tables(market: Market) -> dict[str, dict[str, Any]]:
    """Return the tables by file name, rounded to six digits."""
    return {
        "stocks": stock_table(market.stocks),
        "quotes": quote_table(market),
        "history": history_table(market),
    }


def stock_table(stocks: Stocks) -> dict[str, Any]:
    """Return quantiles and dependence of the stocks' traits by size group."""
    trait = traits(stocks) | {"float_cap": stocks.float_cap, "adv": stocks.adv}
    groups = {}
    for g, name in enumerate(GROUPS):
        inside = stocks.group == g
        groups[name] = {
            "count": int(inside.sum()),
            "st": int(stocks.is_st[inside].sum()),
            "boards": np.bincount(stocks.board[inside], minlength=len(BOARDS)).tolist(),
            "quantiles": {
                label: _rounded(np.quantile(trait[label][inside], LEVELS))
                for label in (*TRAITS, *PRODUCTS)
                if label not in ("board", "st")
            },
            "correlation": [_rounded(row) for row in dependence(trait, inside)],
        }
    return {
        "title": "Stocks of Shanghai and Shenzhen by size group: counts, quantiles, dependence",
        "date": ON.isoformat(),
        "source": "derived from public daily bars to 2023-12-29 and share counts of June 2024",
        "note": "quantiles at 'levels'; 'correlation' is that of normal scores, corrected for ties",
        "traits": list(TRAITS),
        "levels": list(LEVELS),
        "groups": groups,
    }


def traits(stocks: Stocks) -> dict[str, Float64]:
    """Return the traits of the copula, each of shape (N,)."""
    return {
        "total_cap": stocks.total_cap,
        "float_share": stocks.float_cap / stocks.total_cap,
        "turnover": stocks.turnover,
        "adv_ratio": stocks.adv / (stocks.turnover * stocks.float_cap),
        "volatility": stocks.volatility,
        "residual_ratio": stocks.residual_volatility / stocks.volatility,
        "beta": stocks.beta,
        "close": stocks.close,
        "board": stocks.board.astype(np.float64),
        "st": stocks.is_st.astype(np.float64),
    }


def us_table(market: Market) -> dict[str, Any]:
    """Return quantiles and dependence of the US stocks' traits, and the law of their groups."""
    stocks, returns = market.stocks, market.history.returns
    assert market.last_return is not None  # build_us knows it
    trait = {
        "adv": stocks.adv,
        "volatility": stocks.volatility,
        "residual_ratio": stocks.residual_volatility / stocks.volatility,
        "beta": stocks.beta,
        "last_return": market.last_return,
        **market.styles,
    }
    alpha, beta, freedom = fit_clustering(returns)
    everybody = np.ones(len(stocks), bool)
    return {
        "title": "US stocks by dollar volume: quantiles, dependence, law of group returns",
        "date": market.date.isoformat(),
        "source": f"derived from {market.sources[0]}",
        "note": "quantiles at 'levels'; 'correlation' is that of normal scores",
        "count": len(stocks),
        "levels": list(LEVELS),
        "quantiles": {
            label: _rounded(np.quantile(trait[label], LEVELS)) for label in invented_us.TRAITS
        },
        "correlation": [_rounded(row) for row in dependence(trait, everybody, invented_us.TRAITS)],
        "history": {
            "first": market.history.first.isoformat(),
            "sessions": len(returns),
            "indices": list(GROUPS),
            **_law(returns, alpha, beta, freedom),
        },
    }


def dependence(
    trait: dict[str, Float64], inside: Bool, labels: tuple[str, ...] = TRAITS
) -> Float64:
    """Return the correlation of normal scores among the stocks inside.

    Ties (labels, fully floated companies) make a score coarse and its correlation small; dividing
    by the score's deviation undoes that. A label that all share is independent of the rest.
    """
    count = int(inside.sum())
    ranks = np.column_stack([rankdata(trait[label][inside]) for label in labels])
    scores = ndtri((ranks - 0.5) / count)
    spread = scores.std(axis=0)
    varies = spread > 1e-9
    gap = (scores - scores.mean(axis=0)) / np.where(varies, spread, 1.0)
    loss = np.where(varies, spread / scores[:, 0].std(), 1.0)
    raw = gap.T @ gap / count / np.outer(loss, loss)
    matrix = np.clip(raw, -_MOST, _MOST)
    np.fill_diagonal(matrix, 1.0)
    values, vectors = np.linalg.eigh(matrix)
    repaired = (vectors * np.maximum(values, 1.0 - _MOST)) @ vectors.T
    scale = np.sqrt(np.diag(repaired))
    return np.asarray(repaired / np.outer(scale, scale))


def quote_table(market: Market) -> dict[str, Any]:
    """Return index levels of the date, which are published, and the futures' basis.

    Volume and open interest to 100 lots, the basis to 0.001%.
    """
    quotes = [
        {
            "symbol": f"{quote.symbol}.CFE",
            "underlying": quote.underlying,
            "basis": round(quote.basis, 5),
            "volume": round(quote.volume, -2),
            "open_interest": round(quote.open_interest, -2),
        }
        for quote in market.futures
    ]
    names = {*INDICES, *UNDERLYINGS.values()}
    return {
        "title": "Closes of indices; basis and open interest of index futures",
        "date": ON.isoformat(),
        "source": "published closes of CSI and Wind; derived from published closes of CFFEX",
        "levels": {name: market.levels[name] for name in sorted(names)},
        "underlyings": UNDERLYINGS,
        "futures": quotes,
    }


def history_table(market: Market) -> dict[str, Any]:
    """Return the law of the indices' joint daily log returns."""
    columns = [GROUPS.index(name) for name in INDICES]
    returns: Float64 = market.history.returns[:, columns]
    alpha, beta, _ = fit_clustering(returns)
    # The joint fit sees the tails of small differences between indices too and finds 9.6 degrees,
    # with which draws have half the excess kurtosis of the indices; fits of one index find 5 to 6.
    freedom = float(np.mean([fit_clustering(returns[:, [k]])[2] for k in range(len(columns))]))
    return {
        "title": "Law of the joint daily log returns of five indices",
        "date": ON.isoformat(),
        "source": "fitted to published closes, 2018-01-02 to 2023-12-29, by maximum likelihood",
        "note": "multivariate Student t, one GARCH(1,1) variance common to all, fitted jointly; "
        "degrees of freedom: mean of fits to each index; no asymmetry",
        "first": START.isoformat(),
        "indices": list(INDICES),
        **_law(returns, alpha, beta, freedom),
    }


def _law(returns: Float64, alpha: float, beta: float, freedom: float) -> dict[str, Any]:
    """Return what draws of joint log returns (T, K) need to know."""
    return {
        "mean": _rounded(returns.mean(axis=0)),
        "sd": _rounded(returns.std(axis=0, ddof=1)),
        "correlation": [_rounded(row) for row in np.atleast_2d(np.corrcoef(returns.T))],
        "alpha": round(alpha, 4),
        "beta": round(beta, 4),
        "freedom": round(freedom, 2),
        "recent_sessions": RECENT,
        "recent_sd": _rounded(returns[-RECENT:, :1].std(axis=0, ddof=1))[0],
    }


def fit_clustering(returns: Float64) -> tuple[float, float, float]:
    """Return GARCH alpha and beta of the common variance and the innovations' degrees of freedom.

    Maximum likelihood of the multivariate t with the sample's mean and covariance.
    """
    gap = returns - returns.mean(axis=0)
    white = np.linalg.solve(np.linalg.cholesky(np.atleast_2d(np.cov(gap.T))), gap.T).T
    energy = (white**2).mean(axis=1)
    wide = returns.shape[1]

    def loss(point: Float64) -> float:
        alpha, beta, freedom = (float(x) for x in point)
        if alpha < 0 or beta < 0 or alpha + beta > 0.999 or not 2.1 < freedom < 50:
            return 1e12
        variance, path = 1.0, np.empty(len(energy))
        for t, one in enumerate(energy.tolist()):
            path[t] = variance
            variance = 1.0 - alpha - beta + alpha * one + beta * variance
        q = wide * energy / path
        constant = gammaln((freedom + wide) / 2) - gammaln(freedom / 2)
        constant -= wide / 2 * np.log(np.pi * (freedom - 2))
        tail = (freedom + wide) / 2 * np.log1p(q / (freedom - 2))
        return -float((constant - wide / 2 * np.log(path) - tail).sum())

    found = minimize(loss, (0.08, 0.88, 6.0), method="Nelder-Mead",
                     options={"xatol": 1e-6, "fatol": 1e-6, "maxiter": 2000})  # fmt: skip
    alpha, beta, freedom = (float(x) for x in found.x)
    return alpha, beta, freedom


def _rounded(values: Float64) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in values]


def _text(value: object, depth: int = 0) -> str:
    """Return JSON with a line for each key and each list of numbers on one line."""
    indent = "\n" + " " * (depth + 1)
    if isinstance(value, dict):
        lines = [f"{json.dumps(key)}: {_text(item, depth + 1)}" for key, item in value.items()]
    elif isinstance(value, list) and value and isinstance(value[0], list | dict):
        lines = [_text(item, depth + 1) for item in value]
    else:
        return json.dumps(value, ensure_ascii=False)
    left, right = "{}" if isinstance(value, dict) else "[]"
    return left + indent + ("," + indent).join(lines) + indent[:-1] + right


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:]]
    shared = Path(os.environ.get("CROWDFALL_DATA", ROOT.parent / "shared" / "data"))
    bundled = ROOT / "src" / "crowdfall" / "data" / "bundled"
    main(given[0] if given else shared, given[1] if len(given) > 1 else bundled)
