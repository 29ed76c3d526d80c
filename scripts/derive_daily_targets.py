"""Derive the daily series of 22 January to 2 February 2024 that the finer fit looks at.

    python scripts/derive_daily_targets.py [DATA] [OUT]

DATA is CROWDFALL_DATA, else ../shared/data; OUT is the target file that ships. What is written are
moments of a day: returns, counts, shares, standard deviations, sums. No row of any panel.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import polars as pl

from crowdfall.data.calendar import sessions
from crowdfall.data.sources.files import FilesSource
from crowdfall.market.build import build
from crowdfall.market.snapshot import GROUPS, INDICES, Market

ROOT: Final = Path(__file__).resolve().parents[1]
OUT: Final = ROOT / "src/crowdfall/experiments/targets/feb2024_daily.toml"
SNAPSHOT: Final = date(2023, 12, 29)
BEFORE: Final = date(2024, 1, 19)
FIRST: Final = date(2024, 1, 22)
LAST: Final = date(2024, 2, 2)
DAYS: Final = tuple(sessions(FIRST, LAST))
NEAR_LIMIT: Final = 0.004
"""Adjusted prices: a return within 0.4 points of the limit is at the limit (design:targets)."""
FIRST_MARGIN: Final = 0.25
CONTRACTS: Final = ("2402", "2403", "2406", "2409")
POINT: Final = 200.0
"""Yuan a point of IC and IM."""
BARS: Final = "Shanghai and Shenzhen daily bars, not ST"
CFFEX: Final = "CFFEX daily bars and settlements"
NAMES: Final = {
    "csi300": ("CSI 300", "沪深300"), "csi500": ("CSI 500", "中证500"),
    "csi1000": ("CSI 1000", "中证1000"), "csi2000": ("CSI 2000", "中证2000"),
    "tail": ("tail", "尾部组"), "microcap": ("micro-cap", "微盘股"),
}  # fmt: skip
HEAD: Final = """\
# Daily series to 2 February 2024, for the finer fit: 22 January is the first session that is not
# assimilated, 2 February the last of the data. Written by scripts/derive_daily_targets.py; moments
# of a day only. Tolerances are an assumption: returns 1.5 points (micro-cap 2), limits 2 points and
# a third of the share, basis 1.5 points, open interest 15% and 3 bn, turnover shares 3 points,
# dispersion half a point and a fifth, margin balance 1 point, margin of fixed books 2 points.
"""
Series = dict[str, Any]


def main(data: Path, out: Path) -> None:
    """Write the file."""
    source = FilesSource(data)
    market = build(source, SNAPSHOT)
    found = [
        *returns(source), *stocks(source, market), *futures(source), *margin_balance(data),
        *hedged_books(source, data),
    ]  # fmt: skip
    out.write_text(HEAD + "".join(_entry(series) for series in found), encoding="utf-8")


def series(
    name: str, title: tuple[str, str], values: Iterable[float], tolerance: Sequence[float] | float,
    *, days: Sequence[date] = DAYS, kind: str = "free", source: str,
    start: str | date | None = None, **keys: object,
) -> Series:  # fmt: skip
    """Return the words of one ``[[series]]``."""
    if start is not None:
        keys = {"from": start, **keys}
    rounded = [float(f"{value:.4g}") for value in values]
    many = [tolerance] * len(rounded) if isinstance(tolerance, float) else list(tolerance)
    words: Series = {"id": name, "title": title, "kind": kind, **keys, "dates": list(days)}
    words |= {"values": rounded, "tolerances": [float(f"{value:.3g}") for value in many]}
    return words | {"source": source}


def returns(source: FilesSource) -> list[Series]:
    """Return close-to-close returns of the indices; CSI 300 is an input."""
    bars = source.index_bars(BEFORE, LAST, INDICES)
    out = []
    for index in INDICES:
        closes = bars.filter(index=index).sort("date")["close"].to_numpy()
        moves = 100.0 * (closes[1:] / closes[:-1] - 1.0)
        out.append(
            series(
                f"return {index}", (NAMES[index][0] + " on the day", NAMES[index][1] + "当日"),
                moves, 2.0 if index == "microcap" else 1.5, unit="percent",
                kind="input" if index == "csi300" else "free", quantity="index_return",
                index=index, source="China Securities Index Co. and Wind: daily closes",
                start="previous",
            )
        )  # fmt: skip
    return out


def stocks(source: FilesSource, market: Market) -> list[Series]:
    """Return limits, turnover shares and dispersion by size group of the snapshot."""
    place = pl.DataFrame(
        {"symbol": market.stocks.symbol, "group": market.stocks.group,
         "limit": market.stocks.limit, "st": market.stocks.is_st}
    )  # fmt: skip
    bars = source.stock_bars(FIRST, LAST).join(place, on="symbol")
    edge = -(pl.col("limit") - NEAR_LIMIT)
    before = pl.col("close") / (1.0 + pl.col("change"))
    bars = bars.with_columns(
        down=pl.col("change") <= edge, touched=pl.col("low") / before - 1.0 <= edge
    )
    plain = bars.filter(~pl.col("st"))
    count = plain.group_by("date").agg(pl.col("down").mean(), pl.col("touched").mean())
    out = []
    for column, words in (("down", ("Limit-downs", "跌停占比")),
                          ("touched", ("Touched the lower limit", "触及跌停占比"))):  # fmt: skip
        share = 100.0 * count.sort("date")[column].to_numpy()
        read = "limit_down_count" if column == "down" else "limit_down_touched"
        out.append(
            series(
                f"limit {column}", words, share, list(2.0 + share / 3.0), unit="percent",
                quantity="rows", table="daily", column=read, per="stocks", source=BARS,
            )
        )  # fmt: skip
    amount = bars.pivot("group", index="date", values="amount", aggregate_function="sum")
    spread = plain.group_by("date", "group").agg(pl.col("change").std(ddof=0).alias("sd"))
    total = bars.group_by("date").agg(pl.col("amount").sum()).sort("date")["amount"].to_numpy()
    for g, group in enumerate(GROUPS):
        share = 100.0 * amount.sort("date")[str(g)].to_numpy() / total
        english, chinese = NAMES[group]
        out.append(
            series(
                f"turnover {group}", (f"Share of turnover, {english}", f"{chinese}成交占比"), share,
                3.0, unit="percent", quantity="column", column=f"turnover_share_{group}",
                source=BARS + "; size groups of 29 December 2023",
            )
        )  # fmt: skip
    for g, group in enumerate(GROUPS):
        sd = 100.0 * spread.filter(group=g).sort("date")["sd"].to_numpy()
        english, chinese = NAMES[group]
        out.append(
            series(
                f"dispersion {group}",
                (f"Dispersion of returns, {english}", f"{chinese}个股收益离散度"), sd,
                list(0.5 + 0.2 * sd), unit="percent", quantity="column",
                column=f"dispersion_{group}", source=BARS + "; size groups of 29 December 2023",
            )
        )  # fmt: skip
    return out


def futures(source: FilesSource) -> list[Series]:
    """Return basis and open interest by contract."""
    bars = source.futures_bars(FIRST, LAST)
    out = []
    for underlying in ("IC", "IM"):
        for month in CONTRACTS:
            name = underlying + month
            own = bars.filter(symbol=f"{name}.CFE").sort("date")
            basis = 100.0 * (own["close"] / own["spot_close"] - 1.0).to_numpy()
            held = (own["open_interest"] * own["close"]).to_numpy() * POINT / 1e9
            out.append(
                series(
                    f"basis {name}", (f"{name} basis", f"{name} 基差"), basis, 1.5, unit="percent",
                    quantity="basis", contract=name, source=CFFEX,
                )
            )  # fmt: skip
            out.append(
                series(
                    f"open interest {name}", (f"{name} open interest", f"{name} 持仓"), held,
                    list(3.0 + 0.15 * held), unit="bn yuan", quantity="rows", table="futures",
                    column="open_interest", where={"contract": name}, source=CFFEX,
                )
            )  # fmt: skip
    return out


def margin_balance(data: Path) -> list[Series]:
    """Return the change of the financing balance since 19 January."""
    table = pl.read_csv(data / "margin/margin_financing_2023_2024.csv", try_parse_dates=True)
    held = dict(table.select("date", "financing_balance_1e8cny").iter_rows())
    days = [day for day in DAYS if day in held]
    moves = [100.0 * (held[day] / held[BEFORE] - 1.0) for day in days]
    return [
        series(
            "margin balance", ("Margin balance since 19 January", "融资余额，较1月19日"),
            moves, 1.0,
            days=days, unit="percent", quantity="rows", table="agents", column="cash",
            where={"kind": "margin_accounts"}, over="change",
            source="exchanges: margin statistics", start=BEFORE,
        )
    ]  # fmt: skip


def hedged_books(source: FilesSource, data: Path) -> list[Series]:
    """Return the margin ratio of fixed books, 25% on 22 January, marked at real settlements."""
    bars = source.index_bars(FIRST, LAST, INDICES)
    table = pl.read_csv(data / "futures/settlement_2024.csv", try_parse_dates=True)
    settle = {(s, d): x for d, s, x in table.select("date", "symbol", "settle").iter_rows()}
    out = []
    for index, contract in (("microcap", "IM2403"), ("csi2000", "IM2403"), ("microcap", "IC2403"),
                            ("csi1000", "IM2403")):  # fmt: skip
        closes = dict(bars.filter(index=index).select("date", "close").iter_rows())
        margins = []
        for day in DAYS[1:]:
            stock = closes[day] / closes[FIRST]
            future = settle[contract, day] / settle[contract, FIRST]
            margins.append(100.0 * (FIRST_MARGIN + stock - future) / stock)
        english, chinese = NAMES[index]
        title = (f"Margin of {english} against {contract}", f"多{chinese}空{contract}的保证金比例")
        out.append(
            series(
                f"margin {index} {contract}", title, margins, 2.0, days=DAYS[1:], unit="percent",
                quantity="hedged_margin", index=index, contract=contract, margin=FIRST_MARGIN,
                source=CFFEX + "; index closes", start=FIRST,
            )
        )  # fmt: skip
    return out


def _entry(words: Series) -> str:
    lines = [f"{key} = {_toml(key, value)}" for key, value in words.items()]
    return "\n[[series]]\n" + "\n".join(lines) + "\n"


def _toml(key: str, value: object) -> str:
    if key == "title":
        assert isinstance(value, tuple)
        return f'{{ en = "{value[0]}", zh = "{value[1]}" }}'
    if isinstance(value, dict):
        return "{ " + ", ".join(f'{k} = "{v}"' for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(str(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    folder = os.environ.get("CROWDFALL_DATA", str(ROOT.parent / "shared/data"))
    arguments = [*sys.argv[1:], *(folder, str(OUT))[len(sys.argv) - 1 :]]
    main(Path(arguments[0]), Path(arguments[1]))
