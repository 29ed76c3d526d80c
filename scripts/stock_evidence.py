"""Estimate from real days what the stock market's channels rest on, and print the numbers.

    python scripts/stock_evidence.py DATA      the folder of the real data (see its README)

1. Volume law: log turnover of a size group over its 60-day mean against the size and the sign of
   the day's move, on days before 2024; tested on January 2024 to 2 February. What recent
   volatility would add is printed, and left out: no group's t value reaches two.
2. Size kernel: correlation of the groups' residual returns against their distance, before 2024.
3. Rescue: returns of the groups beyond their beta to CSI 300 against net creations of ETFs,
   2 January to 2 February 2024.

Nothing after 2024-02-02 is read. The results stand in ``docs`` and, as parameters, in
``engine.volume`` and ``market.impact``.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

FIRST_TEST, LAST = date(2024, 1, 2), date(2024, 2, 2)
BOUNDS = (300, 800, 1800, 3800)
MICRO = 400
NAMES = ("csi300", "csi500", "csi1000", "csi2000", "tail", "microcap")
Frame = pl.DataFrame
Array = np.ndarray


def panel(data: Path) -> Frame:
    """Return turnover, return and share of locked stocks by day and size group."""
    days = pl.read_parquet(data / "stocks" / "a_share_daily_20230601_20240202.parquet")
    days = days.with_columns(pl.col("code").cast(pl.String))
    listed = pl.read_csv(
        data / "stocks" / "stock_list.csv.gz", schema_overrides={"code": pl.String}
    )
    days = days.join(
        listed.select("code", "total_shares", "float_shares", "st_2024_02"), on="code"
    ).filter((pl.col("turnover_pct") > 0) & ~pl.col("st_2024_02"))
    days = days.filter(pl.col("code").str.slice(0, 1).is_in(["0", "3", "6"]))  # not Beijing
    days = days.with_columns(
        (pl.col("amount_cny") / (pl.col("turnover_pct") / 100)).alias("float_cap"),
        pl.col("code").str.slice(0, 2).is_in(["30", "68"]).alias("wide"),
    ).with_columns(
        (pl.col("float_cap") * pl.col("total_shares") / pl.col("float_shares")).alias("cap"),
        pl.when("wide").then(-19.6).otherwise(-9.6).alias("limit"),
    )
    # Ranks of the last session of the month before, so that the day's move moves no stock's group.
    days = days.with_columns(pl.col("date").cast(pl.Date).dt.truncate("1mo").alias("month"))
    last = days.sort("date").group_by("code", "month", maintain_order=True).agg(
        pl.col("cap").last()
    )  # fmt: skip
    last = last.with_columns(
        pl.col("month").dt.offset_by("1mo"),
        pl.col("cap").rank("ordinal", descending=True).over("month").alias("rank"),
        pl.len().over("month").alias("count"),
    ).drop("cap")
    days = days.join(last, on=["code", "month"])
    place = pl.lit(0)
    for bound in BOUNDS:
        place = place + (pl.col("rank") > bound).cast(pl.Int32)
    micro = (pl.col("rank") > pl.col("count") - MICRO).cast(pl.Int32)
    days = days.with_columns((place + micro).alias("group"))
    weight = pl.when(pl.col("group") == 5).then(1.0).otherwise(pl.col("float_cap"))
    return days.group_by("date", "group").agg(
        pl.col("amount_cny").sum().alias("amount"),
        pl.col("float_cap").sum(),
        pl.col("cap").log().mean().alias("log_cap"),
        ((pl.col("pct_chg") * weight).sum() / weight.sum() / 100).alias("return"),
        (pl.col("pct_chg") <= pl.col("limit")).mean().alias("locked"),
    ).sort("date", "group")  # fmt: skip


def wide(frame: Frame, name: str) -> Array:
    """Return one column by day and group, (T, 6)."""
    return frame[name].to_numpy().reshape(-1, 6)


def fit(y: Array, *columns: Array) -> tuple[Array, Array]:
    """Return least-squares coefficients and their standard errors, Newey-West with 5 lags."""
    x = np.column_stack([np.ones_like(y), *columns])
    inverse = np.linalg.inv(x.T @ x)
    coefficients = inverse @ x.T @ y
    score = x * (y - x @ coefficients)[:, None]
    middle = score.T @ score
    for lag in range(1, 6):
        cross = score[lag:].T @ score[:-lag]
        middle += (1 - lag / 6) * (cross + cross.T)
    return coefficients, np.sqrt(np.diag(inverse @ middle @ inverse))


def trailing(values: Array, count: int) -> Array:
    """Return the mean of the ``count`` days before each day, NaN where there are fewer than 40."""
    out = np.full_like(values, np.nan)
    for t in range(40, len(values)):
        out[t] = values[max(0, t - count) : t].mean(axis=0)
    return out


def volume_law(frame: Frame, days: list[date]) -> None:
    """Print the law by group, and how it does out of sample against a constant."""
    turnover = wide(frame, "amount") / wide(frame, "float_cap")
    returns = wide(frame, "return")
    sample = np.array([day < FIRST_TEST for day in days])
    calm = returns[sample].std(axis=0)
    recent = np.full_like(returns, np.nan)
    state = calm**2
    for t, row in enumerate(returns):  # as the engine: the days before, and this one
        state = state * np.exp(-0.2) + (1 - np.exp(-0.2)) * row**2
        recent[t] = np.sqrt(state) / calm
    log_ratio = np.log(turnover / trailing(turnover, 60))
    known = np.isfinite(log_ratio[:, 0])
    test = known & ~sample
    base = np.log(turnover / turnover[sample][-60:].mean(axis=0))
    print("volume law: group; constant, |return| and return in calm sd (se); R2; calm sd")
    for g, name in enumerate(NAMES):
        use, signed = known & sample, returns[:, g] / calm[g]
        size, beyond = np.abs(signed), np.log(recent[:, g])
        found, error = fit(log_ratio[use, g], size[use], signed[use])
        guess = found[0] + found[1] * size + found[2] * signed
        r2 = 1 - np.var(log_ratio[use, g] - guess[use]) / np.var(log_ratio[use, g])
        more, more_error = fit(log_ratio[use, g], size[use], signed[use], beyond[use])
        rms = np.sqrt(np.mean((base[test, g] - guess[test]) ** 2))
        flat = np.sqrt(np.mean(base[test, g] ** 2))
        print(name, np.round(found, 3), np.round(error, 3), round(r2, 2), round(calm[g], 4),
              f"out of sample: rms {rms:.3f}, constant {flat:.3f},",
              f"correlation {np.corrcoef(base[test, g], guess[test])[0, 1]:.2f};",
              f"recent volatility would add {more[3]:.2f} ({more_error[3]:.2f})")  # fmt: skip


def size_kernel(frame: Frame, days: list[date]) -> None:
    """Print the correlation of residual returns and what rank and log cap explain of it."""
    sample = np.array([day < FIRST_TEST for day in days])
    returns, caps = wide(frame, "return")[sample], wide(frame, "log_cap")[sample].mean(axis=0)
    market = (returns * wide(frame, "float_cap")[sample]).sum(axis=1)
    market /= wide(frame, "float_cap")[sample].sum(axis=1)
    beta = [np.polyfit(market, column, 1)[0] for column in returns.T]
    residual = returns - np.outer(market, beta)
    together = np.corrcoef(residual.T)
    rank = np.abs(np.subtract.outer(np.arange(6), np.arange(6))).astype(float)
    cap = np.abs(np.subtract.outer(caps, caps))
    cap /= np.diagonal(cap, 1).mean()
    upper = np.triu_indices(6, 1)
    print("log caps", np.round(caps, 2), "steps", np.round(np.diagonal(cap, 1), 2))
    print(np.round(together, 2))
    for name, distance in (("groups apart", rank), ("log caps apart", cap)):
        r = np.corrcoef(distance[upper], together[upper])[0, 1]
        print(f"correlation of residual correlation with {name}: {r:.3f}")


def rescue(frame: Frame, days: list[date], data: Path) -> None:
    """Print what 10 bn of ETF creations do to each group beyond its beta to CSI 300."""
    known = pl.read_csv(
        data / "derived" / "daily_panel_20231201_20240202.csv", try_parse_dates=True
    )
    known = known.filter(pl.col("date").is_between(FIRST_TEST, LAST))
    returns = wide(frame, "return")
    sample = np.array([day < FIRST_TEST for day in days])
    test = np.array([FIRST_TEST <= day <= LAST for day in days])
    beta = [np.polyfit(returns[sample, 0], column, 1)[0] for column in returns[sample].T]
    beyond = returns - np.outer(returns[:, 0], beta)
    large = known["netcreate_bn_300_50"].fill_null(0.0).to_numpy()
    middle = known["netcreate_bn_500_1000"].fill_null(0.0).to_numpy()
    print(
        "return beyond beta per 10 bn created, %: CSI 300 and SSE 50; CSI 500 and 1000 (se); beta"
    )
    for g, name in enumerate(NAMES):
        found, error = fit(100 * beyond[test, g], large / 10, middle / 10)
        print(name, np.round(found[1:], 2), np.round(error[1:], 2), round(beta[g], 2))
    for day in (date(2024, 1, 18), date(2024, 1, 23)):
        t = days.index(day)
        print(
            day, "returns %", np.round(100 * returns[t], 2), "beyond", np.round(100 * beyond[t], 2)
        )
        print("  created bn", large[known["date"].to_list().index(day)],
              middle[known["date"].to_list().index(day)])  # fmt: skip


def main() -> None:
    """Read the panel once and print the three parts."""
    data = Path(sys.argv[1])
    frame = panel(data)
    days = [date.fromisoformat(str(day)[:10]) for day in frame["date"].unique().sort()]
    assert max(days) <= LAST, "nothing after 2024-02-02 may be read"
    volume_law(frame, days)
    size_kernel(frame, days)
    rescue(frame, days, data)


if __name__ == "__main__":
    main()
