"""An invented market and invented scenarios, small enough for tests; no number is observed.

The size groups have the orders of magnitude of the real ones, so that participants' books in yuan
fit into them; stocks are drawn by formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np

from crowdfall.data.calendar import sessions
from crowdfall.market.snapshot import GROUPS, FuturesQuote, History, Market, Stocks
from crowdfall.rules.futures import last_trading_day
from crowdfall.scenarios import load
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Float64, Int8

START = date(2023, 12, 29)
COUNTS = (50, 50, 60, 70, 40, 50)
FLOAT = (20e12, 9e12, 8e12, 7e12, 3e12, 2e12)
ADV = (180e9, 125e9, 180e9, 220e9, 60e9, 40e9)
BETA = (1.0, 0.9, 0.9, 0.8, 0.75, 0.7)
LEVELS = {"csi300": 3400.0, "csi500": 5000.0, "csi1000": 5100.0, "csi2000": 2400.0,
          "microcap": 280_000.0}  # fmt: skip
FACTOR_SD = 0.011
RESIDUAL_SD = (0.0, 0.006, 0.008, 0.009, 0.010, 0.012)
MONTHS = ((2024, 1), (2024, 2), (2024, 3), (2024, 6))


def invented_market(*, every: int = 1, days: int = 1500, noise: float = 1.0) -> Market:
    """Return a market of 320 stocks (fewer with ``every``); ``noise`` scales stocks' own moves."""
    rng = np.random.default_rng(20231229)
    group = np.repeat(np.arange(6), [n // every for n in COUNTS]).astype(np.int8)
    count = len(group)
    size = np.exp(0.6 * rng.standard_normal(count))
    free = _shared(size, group, FLOAT)
    st = (group == 4) & (rng.random(count) < 0.2)
    wide = rng.random(count) < 0.35
    volatility = rng.uniform(0.018, 0.032, count)
    order = rng.permutation(count)  # in order of symbol the groups lie mixed
    values = {
        "symbol": np.array([f"{600000 + i}.SH" for i in range(count)]),
        "board": np.where(wide, 1, 0).astype(np.int8),
        "is_st": st,
        "close": rng.uniform(4.0, 60.0, count),
        "total_cap": 1.6 * free,
        "float_cap": 1.15 * free,
        "free_float_cap": free,
        "adv": _shared(size * rng.uniform(0.5, 1.5, count), group, ADV),
        "turnover": np.full(count, 0.02),
        "volatility": volatility,
        "residual_volatility": 0.8 * noise * volatility,
        "beta": np.array(BETA)[group] * rng.uniform(0.7, 1.3, count),
        "size_exposure": (np.log(free) - np.log(free).mean()) / np.log(free).std(),
        "limit": np.where(st, 0.05, np.where(wide, 0.20, 0.10)),
        "group": group,
    }
    mixed = {k: v if k == "symbol" else v[order] for k, v in values.items()}
    stocks = Stocks(**mixed)
    return Market(
        date=START,
        source="invented",
        stocks=stocks,
        weights={name: _weights(stocks, name) for name in LEVELS},
        levels=dict(LEVELS),
        futures=_futures(),
        history=_history(rng, days),
        sources=("invented for tests",),
    )


def _shared(mass: Float64, group: Int8, totals: Sequence[float]) -> Float64:
    sums = np.bincount(group, weights=mass)
    return np.asarray(mass * (np.array(totals) / sums)[group])


def _weights(stocks: Stocks, name: str) -> Float64:
    mass = np.ones(len(stocks)) if name == "microcap" else stocks.free_float_cap
    mass = np.where((stocks.group == GROUPS.index(name)) & ~stocks.is_st, mass, 0.0)
    return np.asarray(mass / mass.sum())


def _futures() -> tuple[FuturesQuote, ...]:
    quotes = []
    for underlying, index in (("ic", "csi500"), ("im", "csi1000")):
        for k, (year, month) in enumerate(MONTHS):
            basis = -0.002 - 0.006 * k
            quotes.append(
                FuturesQuote(
                    symbol=f"{underlying.upper()}{year % 100}{month:02d}",
                    underlying=underlying,
                    last_trading_day=last_trading_day(year, month),
                    close=LEVELS[index] * (1.0 + basis),
                    basis=basis,
                    open_interest=(90e3, 20e3, 110e3, 60e3)[k],
                    volume=(40e3, 8e3, 30e3, 10e3)[k],
                    multiplier=200.0,
                )
            )
    return tuple(quotes)


def _history(rng: np.random.Generator, days: int) -> History:
    """Return independent normal days, so that standard errors are clean."""
    draw = rng.standard_normal((days, 6))
    draw -= draw.mean(axis=0)
    returns = FACTOR_SD * draw[:, :1] * np.array(BETA) + np.array(RESIDUAL_SD) * draw
    return History(returns=returns, first=date(2018, 1, 2), last=START, note="invented")


def play_days(count: int) -> list[date]:
    """Return the first sessions after the start."""
    return sessions(START, date(2024, 12, 31))[1 : count + 1]


CALM = {"csi300": (-0.004, 0.003, -0.006, 0.005), "csi500": (-0.003, 0.004, -0.008, 0.004),
        "csi1000": (-0.006, 0.003, -0.009, 0.006), "csi2000": (-0.005, 0.002, -0.008, 0.007),
        "microcap": (-0.002, 0.003, -0.004, 0.006)}  # fmt: skip
CRASH = {"csi300": (-0.004, -0.006, -0.008, -0.005), "csi500": (-0.010, -0.015, -0.020, -0.010),
         "csi1000": (-0.015, -0.020, -0.025, -0.015), "csi2000": (-0.04, -0.05, -0.06, -0.05),
         "microcap": (-0.05, -0.075, -0.08, -0.07)}  # fmt: skip
"""Small caps fall much more than what their holders are hedged with."""


def closes(moves: dict[str, tuple[float, ...]], count: int) -> dict[str, list[float]]:
    """Return closes of the start and of ``count`` sessions; moves come round again."""
    out = {}
    for name, steps in moves.items():
        levels = [LEVELS[name]]
        for k in range(count):
            levels.append(levels[-1] * (1.0 + steps[k % len(steps)]))
        out[name] = levels
    return out


def write_scenario(
    folder: Path,
    *,
    moves: dict[str, tuple[float, ...]] = CALM,
    days: int = 4,
    assimilated: int = 2,
    rescue: float = 0.0,
    more: str = "",
) -> Path:
    """Write a replay with its inputs and return the scenario file.

    ``assimilated`` sessions follow ``moves`` in all indices; ``rescue`` bn are bought of each
    index on the last two sessions; ``more`` is TOML put at the end, keys in full.
    """
    dates = [START, *play_days(days)]
    levels = closes(moves, days)
    names = ("csi500", "csi1000", "csi2000", "microcap")
    _write(
        folder / "path.csv",
        ("date", "csi300_open", "csi300_high", "csi300_low", "csi300_close"),
        [
            (day, last * 1.001, max(last, close) * 1.004, min(last, close) * 0.995, close)
            for day, last, close in zip(
                dates, [LEVELS["csi300"], *levels["csi300"]], levels["csi300"], strict=False
            )
        ],
    )
    _write(
        folder / "closes.csv",
        ("date", "csi500", "csi1000", "csi2000", "wind_microcap"),
        [(day, *(levels[name][k] for name in names)) for k, day in enumerate(dates)],
    )
    _write(
        folder / "rescue.csv",
        ("date", "csi300", "csi500", "csi1000", "csi2000"),
        [(day, *[rescue if k > days - 2 else 0.0] * 4) for k, day in enumerate(dates)],
    )
    text = f"""clock.start = {START}
clock.end = {dates[-1]}
{f"clock.assimilate_until = {dates[assimilated]}" if assimilated else ""}
inputs.index_path = "path.csv"
inputs.assimilation = "closes.csv"
inputs.rescue = "rescue.csv"
{more}
"""
    target = folder / "invented.toml"
    target.write_text(text, encoding="utf-8")
    return target


def invented_scenario(
    folder: Path,
    *words: str,
    moves: dict[str, tuple[float, ...]] = CALM,
    days: int = 4,
    assimilated: int = 2,
    rescue: float = 0.0,
) -> Scenario:
    """Return the scenario that ``write_scenario`` writes, with more lines of TOML."""
    path = write_scenario(
        folder, moves=moves, days=days, assimilated=assimilated, rescue=rescue,
        more="\n".join(words),
    )  # fmt: skip
    return load(str(path))


def _write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    lines = [",".join(header), *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
