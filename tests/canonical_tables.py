"""Small clean canonical tables, made by formula, for tests of whatever reads them."""

from __future__ import annotations

from datetime import date

import polars as pl

from crowdfall.data import calendar
from crowdfall.data.schema import TABLES, TableName

FIRST = date(2024, 1, 2)
LAST = date(2024, 1, 31)
STOCKS = ("000001.SZ", "300750.SZ", "430047.BJ", "600519.SH", "688981.SH")


def clean_table(name: TableName) -> pl.DataFrame:
    """Return a table in which ``checks.check`` finds nothing."""
    rows = {
        "stock_bars": _stock_bars,
        "stock_list": _stock_list,
        "index_bars": _index_bars,
        "futures_bars": _futures_bars,
    }[name]()
    schema = {column.name: getattr(pl, column.kind) for column in TABLES[name].columns}
    return pl.DataFrame(rows, schema=schema, orient="row").sort(TABLES[name].key)


def _days() -> list[date]:
    return calendar.sessions(FIRST, LAST)


def _stock_bars() -> list[tuple[object, ...]]:
    rows = []
    for place, symbol in enumerate(STOCKS):
        for session, day in enumerate(_days()):
            close = 10.0 * (place + 1) + 0.1 * session
            volume = 1e6 * (place + 1)
            rows.append(
                (day, symbol, close, close * 1.01, close * 0.99, close, volume, volume * close,
                 0.01 + 0.001 * place, 0.004)
            )  # fmt: skip
    return rows


def _stock_list() -> list[tuple[object, ...]]:
    return [
        (symbol, f"名称{place}", "银行", 2e8 * (place + 1), 1e8 * (place + 1), False)
        for place, symbol in enumerate(STOCKS)
    ]


def _index_bars() -> list[tuple[object, ...]]:
    return [
        (day, name, 5000.0, 5050.0, 4950.0, 5000.0 + session, 1e11)
        for name in ("csi300", "csi1000")
        for session, day in enumerate(_days())
    ]


def _futures_bars() -> list[tuple[object, ...]]:
    return [
        (day, f"{product.upper()}{month}.CFE", product, 5000.0, 5050.0, 4950.0, 5000.0, 1e4, 5e4,
         5010.0)
        for product in ("ic", "im")
        for month in ("2402", "2403", "2406", "2409")
        for day in _days()
    ]  # fmt: skip
