"""The canonical tables of observed facts: every column with its type, unit and meaning.

A source delivers exactly these columns, in this order and in these units: shares, yuan, fractions.
Symbols are written ``000852.SH``, ``000001.SZ``, ``430047.BJ``, ``IM2402.CFE``. A column that may
be missing in a source is then all null; the others never hold a null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["Date", "String", "Float64", "Boolean"]
TableName = Literal["stock_bars", "stock_list", "index_bars", "futures_bars"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``kind`` names a polars type; ``needed`` says that it holds no null."""

    name: str
    kind: Kind
    unit: str
    meaning: str
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its rows are unique in ``key`` and sorted by it."""

    name: TableName
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return one column by name; KeyError where the table has none of that name."""
        return {column.name: column for column in self.columns}[name]


INDEX_SYMBOLS: Final = {
    "csi300": "000300.SH",
    "csi500": "000905.SH",
    "csi1000": "000852.SH",
    "csi2000": "932000.CSI",
    "sse50": "000016.SH",
    "cni2000": "399303.SZ",
    "csi_all": "000985.SH",
    "microcap": "8841431.WI",
}
"""The canonical short name of each index and the code under which data vendors list it."""

FUTURES_PRODUCTS: Final = ("if", "ih", "ic", "im")

_DATE = Column("date", "Date", "", "session in Shanghai")
_SYMBOL = Column("symbol", "String", "", "NNNNNN.SH, .SZ or .BJ")

STOCK_BARS: Final = Table(
    "stock_bars",
    ("date", "symbol"),
    (
        _DATE,
        _SYMBOL,
        Column("open", "Float64", "yuan", "first price, adjusted as close is", needed=False),
        Column("high", "Float64", "yuan", "highest price, adjusted", needed=False),
        Column("low", "Float64", "yuan", "lowest price, adjusted", needed=False),
        Column("close", "Float64", "yuan", "last price, adjusted as the source does"),
        Column("volume", "Float64", "shares", "traded", needed=False),
        Column("amount", "Float64", "yuan", "traded"),
        Column("turnover", "Float64", "fraction", "of float shares traded"),
        Column(
            "change", "Float64", "fraction", "close / ex-rights previous close - 1", needed=False
        ),
    ),
)

STOCK_LIST: Final = Table(
    "stock_list",
    ("symbol",),
    (
        _SYMBOL,
        Column("name", "String", "", "short name in Chinese"),
        Column("industry", "String", "", "as the source names it", needed=False),
        Column("total_shares", "Float64", "shares", "issued"),
        Column("float_shares", "Float64", "shares", "free to trade, state holdings included"),
        Column("is_st", "Boolean", "", "special treatment, by flag or by name"),
    ),
)

INDEX_BARS: Final = Table(
    "index_bars",
    ("date", "index"),
    (
        _DATE,
        Column("index", "String", "", "one of INDEX_SYMBOLS"),
        Column("open", "Float64", "points", "first level", needed=False),
        Column("high", "Float64", "points", "highest level", needed=False),
        Column("low", "Float64", "points", "lowest level", needed=False),
        Column("close", "Float64", "points", "last level"),
        Column("amount", "Float64", "yuan", "traded in the members", needed=False),
    ),
)

FUTURES_BARS: Final = Table(
    "futures_bars",
    ("date", "symbol"),
    (
        _DATE,
        Column("symbol", "String", "", "IM2402.CFE"),
        Column("underlying", "String", "", "one of FUTURES_PRODUCTS"),
        Column("open", "Float64", "points", "first price", needed=False),
        Column("high", "Float64", "points", "highest price", needed=False),
        Column("low", "Float64", "points", "lowest price", needed=False),
        Column("close", "Float64", "points", "last price, not the settlement"),
        Column("volume", "Float64", "lots", "traded, one side", needed=False),
        Column("open_interest", "Float64", "lots", "one side, at the close", needed=False),
        Column("spot_close", "Float64", "points", "close of the index", needed=False),
    ),
)

TABLES: Final[dict[str, Table]] = {
    table.name: table for table in (STOCK_BARS, STOCK_LIST, INDEX_BARS, FUTURES_BARS)
}
