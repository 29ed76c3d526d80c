"""The stock-level impact law on its own data: prefactor and exponent before the crisis.

The engine moves a stock by ``sigma Y sign(Q) |Q|^delta``, Q its net volume over adv, fading with a
life of ``stock_life`` days (design:model 1 a.2). Daily bars do not sign trades. The proxy is the
close-location value, ``(2 close - high - low) / (high - low)``, times volume over adv.

Return of a day: log return less the cross-section's mean, over the stock's own sd of the sessions
before. Two ways, both least squares, intervals by resampling days:

* *same day*: the return on the day's change of ``sign(Q) |Q|^delta``. Proxy and return are made of
  the same prices: a random walk that no volume moves (``placebo``) gives Y too, so this is no
  measurement, only the size of the artefact.
* *fade*: the next day's return on how much of its move the law gives back, on average over that
  day's volumes. A random walk gives zero here. It is biased down where flows go on, up where
  prices revert for other reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from crowdfall.data.sources.base import Source
from crowdfall.errors import CalibrationError
from crowdfall.rules.price_limits import board_of, price_limit
from crowdfall.types import Bool, Float64

if TYPE_CHECKING:
    import polars as pl

FIRST: Final = date(2023, 6, 1)
LAST: Final = date(2023, 12, 29)
"""Nothing of January 2024 is looked at."""
LOOKBACK: Final = 60
LEAST: Final = 40
LIFE: Final = 4.0
"""Days that accumulated volume lives: the engine's ``impact.stock_life``."""
LARGE: Final = 3.0
"""A large-turnover day: volume over adv from here on."""
NEAR_LIMIT: Final = 0.004
EXPONENTS: Final = np.round(np.arange(0.30, 1.001, 0.05), 2)
ENGINE_EXPONENT: Final = 0.6
"""Default of ``impact.stock_exponent`` (Almgren et al. 2005)."""
PRIOR: Final = "fade_large_turnover"
"""The estimate that becomes the prior of ``impact.stock_impact``: its placebo is not above zero."""
RESAMPLES: Final = 400
NORMAL_90: Final = 3.29
"""Width of the middle 90% of a normal in standard deviations."""
OTHERS: Final = 200
"""Quantiles of the day's volumes over which an expected fade is averaged."""
GRID: Final = 81
"""Points of held volume between which it is interpolated."""
STEPS: Final = 48
"""Five-minute steps of a session, for the placebo."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Y and delta with their 90% intervals, on how many stock-days of how many days; R squared.

    ``at_engine``: Y with its interval where delta is ENGINE_EXPONENT, as the engine has it.
    """

    sample: str
    impact: float
    impact_low: float
    impact_high: float
    exponent: float
    exponent_low: float
    exponent_high: float
    at_engine: tuple[float, float, float]  # low, estimate, high
    explained: float
    stock_days: int
    days: int


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Sessions by stocks, (T, N), NaN where unknown: standardised return, signed volume over adv.

    ``turnover``: volume over adv; ``down``: closed at the lower limit; ``at_limit``: at either.
    """

    days: tuple[date, ...]
    move: Float64
    flow: Float64
    turnover: Float64
    down: Bool
    at_limit: Bool


def read_panel(source: Source, start: date, end: date = LAST) -> Panel:
    """Return the panel of a source's daily bars; needs open, high, low and ``change``.

    Raises CalibrationError where fewer than two sessions remain after the look-back.
    """
    import polars as pl

    listed = source.stock_list().select("symbol", "is_st")
    bars = (
        source.stock_bars(start, end)
        .join(listed, on="symbol")
        .filter(~pl.col("is_st"), pl.col("symbol").str.contains(r"\.(SH|SZ)$"))
    )
    days = bars["date"].unique().sort().to_list()
    if len(days) < LOOKBACK + 2:
        raise CalibrationError("impact_short_panel", days=len(days), least=LOOKBACK + 2)
    symbols = bars["symbol"].unique().sort()
    wide = _matrices(bars, days, symbols)
    limit = np.array([price_limit(board_of(s), False, end) for s in symbols.to_list()])
    change = wide["change"]
    at = np.abs(change) >= limit - NEAR_LIMIT
    span = wide["high"] - wide["low"]
    with np.errstate(invalid="ignore", divide="ignore"):
        # A bar without a span has no place in it, unless it stands at a limit: all one side.
        place = (2 * wide["close"] - wide["high"] - wide["low"]) / span
        place = np.where(span > 0.0, place, np.where(at, np.sign(change), 0.0))
        returns = np.log1p(change)
        returns -= np.nanmean(returns, axis=1, keepdims=True)
        sd, adv = _before(returns, np.nanstd), _before(wide["amount"], np.nanmean)
        turnover = wide["amount"] / adv
        return Panel(
            days=tuple(days), move=returns / sd, flow=place * turnover, turnover=turnover,
            down=at & (change < 0.0), at_limit=at,
        )  # fmt: skip


def _matrices(bars: pl.DataFrame, days: list[date], symbols: pl.Series) -> dict[str, Float64]:
    import polars as pl

    rows = pl.DataFrame({"date": days}).with_row_index("row")
    coded = bars.join(rows, on="date").join(
        symbols.to_frame("symbol").with_row_index("column"), on="symbol"
    )
    row, column = coded["row"].to_numpy(), coded["column"].to_numpy()
    out = {}
    for name in ("high", "low", "close", "amount", "change"):
        matrix = np.full((len(days), len(symbols)), np.nan)
        matrix[row, column] = coded[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        out[name] = matrix
    return out


def _before(values: Float64, reduce: object) -> Float64:
    """Return a statistic of the LOOKBACK sessions before each, NaN with fewer than LEAST known."""
    assert callable(reduce)
    out = np.full_like(values, np.nan)
    for t in range(LOOKBACK, len(values)):
        past = values[t - LOOKBACK : t]
        known = np.isfinite(past).sum(axis=0) >= LEAST
        out[t, known] = reduce(past[:, known], axis=0)
    return out


def estimates(panel: Panel, seed: int = 1) -> tuple[Estimate, ...]:
    """Return both fits on days without limits and on large-turnover days; limit-downs same day.

    Those named ``placebo`` have the panel's volumes and random walks that no volume moves: what
    the proxy finds where there is no impact at all.
    """
    free = ~panel.at_limit
    large = free & (panel.turnover >= LARGE)
    walk = placebo(panel, seed)
    found = []
    for kind, own in (("", panel), ("placebo_", walk)):
        found += [
            fit(own, f"{kind}same_day", free, seed),
            fit(own, f"{kind}same_day_large_turnover", large, seed),
            fit(own, f"{kind}fade", after(free) & free, seed, fades=True),
            fit(own, f"{kind}fade_large_turnover", after(large) & free, seed, fades=True),
        ]
        if not kind:
            found.append(fit(own, "same_day_limit_down", panel.down, seed))
    return tuple(found)


def after(rows: Bool) -> Bool:
    """Return the stock-days whose session before is chosen."""
    return np.vstack([np.zeros((1, rows.shape[1]), bool), rows[:-1]])


def placebo(panel: Panel, seed: int) -> Panel:
    """Return the panel with days of a driftless random walk of STEPS steps, sd one."""
    rng = np.random.default_rng([seed, STEPS])
    move, flow = np.full_like(panel.move, np.nan), np.full_like(panel.move, np.nan)
    for t in range(len(move)):
        walk = rng.standard_normal((STEPS, move.shape[1])).cumsum(axis=0) / np.sqrt(STEPS)
        high, low = np.maximum(walk.max(axis=0), 0.0), np.minimum(walk.min(axis=0), 0.0)
        move[t] = walk[-1]
        flow[t] = (2.0 * walk[-1] - high - low) / (high - low) * panel.turnover[t]
    return replace(panel, move=move, flow=flow)


def shaped(flow: Float64, exponents: Float64 = EXPONENTS, *, fades: bool = False) -> Float64:
    """Return the day's change of sign(Q) |Q|^delta, (deltas, T, N), Q fading with LIFE.

    With ``fades`` the change to be expected before the day's own volume is known: its mean over
    volumes drawn from the other stocks of the day (the law is concave, so leaving the day's volume
    out would make every fade too small and Y too large).
    """
    flow = np.where(np.isfinite(flow), flow, 0.0)
    fade = np.exp(-1.0 / LIFE)
    held = np.zeros_like(flow)
    for t in range(len(flow)):
        held[t] = flow[t] + (fade * held[t - 1] if t else 0.0)
    before = np.vstack([np.zeros((1, flow.shape[1])), held[:-1]])
    out = np.empty((len(exponents), *flow.shape))
    for k, exponent in enumerate(exponents):
        after_ = _expected(before, flow, exponent) if fades else _power(held, exponent)
        out[k] = after_ - _power(before, exponent)
    return out


def _expected(before: Float64, flow: Float64, exponent: float) -> Float64:
    """Return the mean of sign(Q) |Q|^delta over the day's volumes of all stocks, (T, N)."""
    fade = np.exp(-1.0 / LIFE)
    shares = (np.arange(OTHERS) + 0.5) / OTHERS
    out = np.empty_like(before)
    for t in range(len(before)):
        grid = np.unique(np.quantile(before[t], np.linspace(0.0, 1.0, GRID)))
        mean = _power(fade * grid[:, None] + np.quantile(flow[t], shares), exponent).mean(axis=1)
        out[t] = np.interp(before[t], grid, mean)
    return out


def _power(held: Float64, exponent: float) -> Float64:
    return np.asarray(np.sign(held) * np.abs(held) ** exponent)


def fit(panel: Panel, name: str, rows: Bool, seed: int, *, fades: bool = False) -> Estimate:
    """Return the estimate on some stock-days, (T, N) chosen by ``rows``."""
    usable = rows & np.isfinite(panel.move) & np.isfinite(panel.flow)
    sums = _sums(panel, usable, fades)
    counts = usable.sum(axis=1)
    days = np.flatnonzero(counts)
    if len(days) < 2:
        raise CalibrationError("impact_short_panel", days=len(days), least=2)
    sums = {key: value[..., days] for key, value in sums.items()}
    best = _solve({key: value.sum(axis=-1) for key, value in sums.items()})
    rng = np.random.default_rng([seed, len(days)])
    drawn = []
    for _ in range(RESAMPLES):
        taken = rng.integers(0, len(days), len(days))
        drawn.append(_solve({key: value[..., taken].sum(axis=-1) for key, value in sums.items()}))
    spread = np.quantile(np.array(drawn), [0.05, 0.95], axis=0)
    return Estimate(
        sample=name, impact=best[0], impact_low=float(spread[0, 0]),
        impact_high=float(spread[1, 0]), exponent=best[1], exponent_low=float(spread[0, 1]),
        exponent_high=float(spread[1, 1]), explained=best[2],
        at_engine=(float(spread[0, 3]), best[3], float(spread[1, 3])), stock_days=int(counts.sum()),
        days=len(days),
    )  # fmt: skip


def _sums(panel: Panel, usable: Bool, fades: bool) -> dict[str, Float64]:
    """Return the sums that least squares needs, by exponent and day."""
    move = np.where(usable, panel.move, 0.0)
    shapes = shaped(panel.flow, fades=fades)
    return {
        "xy": np.einsum("dtn,tn->dt", shapes, move),
        "xx": np.einsum("dtn,tn->dt", shapes**2, usable.astype(np.float64)),
        "yy": (move**2).sum(axis=1),
    }


def _solve(sums: Mapping[str, Float64]) -> tuple[float, float, float, float]:
    gain = sums["xy"] ** 2 / np.maximum(sums["xx"], 1e-12)
    k = int(np.argmax(gain))
    impact = float(sums["xy"][k] / sums["xx"][k])
    fixed = int(np.argmin(np.abs(EXPONENTS - ENGINE_EXPONENT)))
    at_engine = float(sums["xy"][fixed] / sums["xx"][fixed])
    return impact, float(EXPONENTS[k]), float(gain[k] / sums["yy"]), at_engine


def text(found: tuple[Estimate, ...], seed: int) -> str:
    """Return the numbers as TOML, with mean and sd of the prior of ``impact.stock_impact``."""
    chosen = next(each for each in found if each.sample == PRIOR).at_engine
    lines = [
        "# Stock-level impact law on daily bars, written by `crowdfall experiment impact-law`.",
        f"# {FIRST} to {LAST}, Shanghai and Shenzhen, not ST; close-location proxy of order flow;",
        f"# 5%, estimate, 95% from {RESAMPLES} resamplings of days, seed {seed}. See docs: impact.",
        "", "[prior]", f'sample = "{PRIOR}"', f"exponent = {ENGINE_EXPONENT}",
        f"mean = {chosen[1]:.3f}", f"sd = {(chosen[2] - chosen[0]) / NORMAL_90:.3f}",
    ]  # fmt: skip
    for each in found:
        lines += [
            "", f"[{each.sample}]",
            f"impact = [{each.impact_low:.3f}, {each.impact:.3f}, {each.impact_high:.3f}]",
            f"exponent = [{each.exponent_low:.2f}, {each.exponent:.2f}, {each.exponent_high:.2f}]",
            f"impact_at_exponent = [{', '.join(f'{value:.3f}' for value in each.at_engine)}]",
            f"explained = {each.explained:.4f}",
            f"stock_days = {each.stock_days}", f"days = {each.days}",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"
