"""Say what is wrong with a canonical table, where, and what still works without it.

``check`` returns findings. An *error* makes every later number wrong (a unit, a date on which the
exchange was closed, a price of zero); a *warning* names what can't be computed or is to be known.
The sentences stand in the locale files under ``error.<code>``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import polars as pl

from crowdfall.data import calendar
from crowdfall.data.schema import FUTURES_PRODUCTS, INDEX_SYMBOLS, TABLES, Table, TableName
from crowdfall.errors import DataError
from crowdfall.i18n import translate

Severity = Literal["error", "warning"]

# Thresholds are judgement (assumption) with the range seen in A-share data of 2022-24 beside it.
TURNOVER_MEDIAN: Final = 0.2  # seen 0.013 as a fraction, 1.3 in percent
TURNOVER_MAX: Final = 1.5  # seen 0.96: more than all float shares in a day is not credible
CHANGE_MEDIAN: Final = 0.2  # absolute; seen 0.013; no limit allows more on half of all days
FLOAT_CAP_MEDIAN: Final = 5e7  # yuan; seen 4e9, smallest single one 1e8
SHARES_MEDIAN: Final = 1e6  # seen 4e8; in ten-thousands it would be 4e4
BASIS_MAX: Final = 0.5  # futures / spot - 1; seen -0.09 to 0.02
PRICE_TOLERANCE: Final = 1e-5  # relative: sources round single precision prices
_PRICES: Final = ("open", "high", "low", "close", "spot_close")
_AMOUNTS: Final = ("volume", "amount", "turnover", "open_interest", "total_shares", "float_shares")
# Ranges of median(amount / volume / close), which is near 1 in yuan and shares. Adjusted prices
# move it, so each range is wide; what lies between 0.3 and 30 passes.
_PRICE_RATIOS: Final = (
    (3e-5, 3e-4, "check_amount_ten_thousands"),
    (3e-4, 3e-3, "check_amount_thousands"),
    (3e-2, 3e-1, "check_lots_and_thousands"),
    (30.0, 300.0, "check_volume_lots"),
)
_RATIO_PASSES: Final = (0.3, 30.0)
_SPELLED: Final = {
    "stock_bars": ("symbol", r"^\d{6}\.(SH|SZ|BJ)$"),
    "stock_list": ("symbol", r"^\d{6}\.(SH|SZ|BJ)$"),
    "index_bars": ("index", f"^({'|'.join(INDEX_SYMBOLS)})$"),
    "futures_bars": (
        "symbol", rf"^({'|'.join(FUTURES_PRODUCTS).upper()})\d\d(0[1-9]|1[0-2])\.CFE$",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong; ``where`` is the first row or the column that shows it."""

    severity: Severity
    code: str
    where: str
    values: tuple[tuple[str, object], ...]

    @property
    def sentence(self) -> str:
        """Return the finding in the user's language."""
        return translate(f"error.{self.code}", **dict(self.values))

    def as_error(self) -> DataError:
        """Return the finding as an error to raise."""
        return DataError(self.code, **dict(self.values))


def check(table: pl.DataFrame, name: TableName, *, strict: bool = False) -> list[Finding]:
    """Return everything wrong with a canonical table, errors first; empty for a clean one.

    ``strict`` raises DataError with the first sentence instead, for warnings too. A column that is
    missing is reported once and left out of the later checks.
    """
    schema = TABLES[name]
    found = [*_structure(table, schema)]
    if not any(one.code in ("check_empty", "check_type") for one in found):
        for rule in _RULES:
            found.extend(rule(table, schema))
    found.sort(key=lambda one: one.severity)
    if strict and found:
        raise found[0].as_error()
    return found


def _finding(severity: Severity, code: str, where: str, **values: object) -> Finding:
    return Finding(
        severity=severity, code=code, where=where, values=(*values.items(), ("where", where))
    )


def _structure(table: pl.DataFrame, schema: Table) -> Iterator[Finding]:
    """Yield what is wrong with the columns as such."""
    if not table.height:
        yield _finding("error", "check_empty", schema.name, table=schema.name)
    for column in schema.columns:
        if column.name not in table.columns:
            severity: Severity = "error" if column.needed else "warning"
            code = "check_missing_column" if column.needed else "check_missing_optional"
            yield _finding(severity, code, column.name, table=schema.name, column=column.name)
        elif str(table.schema[column.name]) != column.kind:
            yield _finding(
                "error", "check_type", column.name,
                table=schema.name, column=column.name,
                kind=table.schema[column.name], wanted=column.kind,
            )  # fmt: skip


def _nulls(table: pl.DataFrame, schema: Table) -> Iterator[Finding]:
    for column in schema.columns:
        if column.name not in table.columns:
            continue
        held = table[column.name]
        if not column.needed and held.null_count() == table.height:
            yield _finding(
                "warning", "check_missing_optional", column.name,
                table=schema.name, column=column.name,
            )  # fmt: skip
            continue
        value = pl.col(column.name)
        if not column.needed:
            code = "check_partly_missing"
            yield from _rows(table, schema, value.is_null(), code, column.name, "warning")
        bad = value.is_null() if column.needed else pl.lit(value=False)
        if column.kind == "Float64":
            bad = bad | value.is_nan().fill_null(value=False)
            bad = bad | value.is_infinite().fill_null(value=False)
        yield from _rows(table, schema, bad, "check_null", column.name)


def _prices(table: pl.DataFrame, schema: Table) -> Iterator[Finding]:
    for name in _PRICES:
        if name in table.columns:
            yield from _rows(table, schema, pl.col(name) <= 0, "check_price", name)
    for name in _AMOUNTS:
        if name in table.columns:
            yield from _rows(table, schema, pl.col(name) < 0, "check_negative", name)


def _high_low(table: pl.DataFrame, schema: Table) -> Iterator[Finding]:
    if not {"high", "low"} <= set(table.columns):
        return
    high, low = pl.col("high") * (1 + PRICE_TOLERANCE), pl.col("low") * (1 - PRICE_TOLERANCE)
    yield from _rows(table, schema, high < low, "check_high_low", "high")
    for name in ("open", "close"):
        if name in table.columns:
            outside = ((pl.col(name) > high) | (pl.col(name) < low)) & (high >= low)
            yield from _rows(table, schema, outside, "check_outside_range", name)


def _duplicates(table: pl.DataFrame, schema: Table) -> Iterator[Finding]:
    if not set(schema.key) <= set(table.columns):
        return
    if table.select(schema.key).n_unique() < table.height:
        again = pl.struct(schema.key).is_duplicated()
        yield from _rows(table, schema, again, "check_duplicate", schema.key[-1])


def _spelling(table: pl.DataFrame, schema: Table) -> Iterator[Finding]:
    name, pattern = _SPELLED[schema.name]
    if name in table.columns:
        wrong = ~pl.col(name).str.contains(pattern)
        seen = table.select(pl.col(name).unique())
        if seen.filter(wrong).height:
            yield from _rows(table, schema, wrong, "check_symbol", name)


def _dates(table: pl.DataFrame, schema: Table) -> Iterator[Finding]:
    """Yield rows on days without trading and, per series, sessions without a row."""
    if "date" not in table.columns:
        return
    series = {"index_bars": "index", "futures_bars": "underlying"}.get(schema.name)
    seen = sorted(table["date"].drop_nulls().unique().to_list())
    closed = [day for day in seen if not calendar.is_session(day)]
    if closed:
        sure = calendar.status(closed[0]) == "final"
        severity: Severity = "error" if sure else "warning"
        yield _finding(
            severity, "check_not_a_session", closed[0].isoformat(),
            table=schema.name, count=len(closed),
        )  # fmt: skip
    if series is None or series not in table.columns:
        yield from _gaps(seen, schema, schema.name)
        return
    for (name,), part in (
        table.select("date", series)
        .unique()
        .sort(series, "date")
        .group_by(series, maintain_order=True)
    ):
        yield from _gaps(part["date"].drop_nulls().to_list(), schema, str(name))


def _gaps(seen: list[date], schema: Table, series: str) -> Iterator[Finding]:
    if not seen:
        return
    held = set(seen)
    missing = [day for day in calendar.sessions(seen[0], seen[-1]) if day not in held]
    if missing:
        yield _finding(
            "warning", "check_missing_session", f"{missing[0].isoformat()} {series}",
            table=schema.name, count=len(missing),
        )  # fmt: skip


def _units(table: pl.DataFrame, schema: Table) -> Iterator[Finding]:
    if schema.name == "stock_bars":
        yield from _stock_units(table)
    if schema.name == "stock_list" and {"total_shares", "float_shares"} <= set(table.columns):
        for name in ("total_shares", "float_shares"):
            middle = _median(table, pl.col(name))
            if middle is not None and 0 < middle < SHARES_MEDIAN:
                yield _finding("error", "check_shares", name, column=name, median=f"{middle:.4g}")
        more = pl.col("float_shares") > pl.col("total_shares") * (1 + PRICE_TOLERANCE)
        yield from _rows(table, schema, more, "check_float_above_total", "float_shares", "warning")
    if {"close", "spot_close"} <= set(table.columns):
        far = (pl.col("close") / pl.col("spot_close") - 1).abs() > BASIS_MAX
        yield from _rows(table, schema, far, "check_basis", "close", "warning")


def _stock_units(table: pl.DataFrame) -> Iterator[Finding]:
    held = set(table.columns)
    in_percent = False
    if "turnover" in held:
        middle, top = _median(table, pl.col("turnover")), _top(table, "turnover")
        in_percent = middle is not None and (middle > TURNOVER_MEDIAN or top > TURNOVER_MAX)
        if in_percent:
            yield _finding(
                "error", "check_turnover_percent", "turnover",
                median=f"{middle:.4g}", top=f"{top:.4g}",
            )  # fmt: skip
    if "change" in held:
        middle = _median(table, pl.col("change").abs())
        if middle is not None and middle > CHANGE_MEDIAN:
            yield _finding("error", "check_change_percent", "change", median=f"{middle:.4g}")
    ratio = None
    if {"amount", "volume", "close"} <= held:
        ratio = _median(table, pl.col("amount") / pl.col("volume") / pl.col("close"))
        if ratio is not None and not _RATIO_PASSES[0] <= ratio <= _RATIO_PASSES[1]:
            yield _finding("error", _ratio_code(ratio), "amount", ratio=f"{ratio:.4g}")
    if ratio is None and not in_percent and {"amount", "turnover"} <= held:
        cap = _median(table, pl.col("amount") / pl.col("turnover"))
        if cap is not None and cap < FLOAT_CAP_MEDIAN:
            yield _finding("error", "check_float_cap", "amount", cap=f"{cap:.4g}")


def _ratio_code(ratio: float) -> str:
    for low, high, code in _PRICE_RATIOS:
        if low <= ratio < high:
            return code
    return "check_amount_volume"


def _median(table: pl.DataFrame, value: pl.Expr) -> float | None:
    """Return the median of the finite values; None where there is none."""
    seen = table.select(value.alias("value"))["value"]
    middle = seen.filter(seen.is_finite()).median()
    return float(middle) if isinstance(middle, int | float) else None


def _top(table: pl.DataFrame, name: str) -> float:
    top = table[name].filter(table[name].is_finite()).max()
    return float(top) if isinstance(top, int | float) else 0.0


def _rows(
    table: pl.DataFrame,
    schema: Table,
    bad: pl.Expr,
    code: str,
    column: str,
    severity: Severity = "error",
) -> Iterator[Finding]:
    """Yield one finding where the condition holds in any row; null counts as not."""
    mask = table.select(bad.fill_null(value=False).alias("bad"))["bad"]
    count = int(mask.sum())
    if not count:
        return
    place = mask.arg_max()
    row = table.row(place if place is not None else 0, named=True)
    where = " ".join(str(row.get(part)) for part in schema.key)
    yield _finding(
        severity, code, where,
        table=schema.name, column=column, count=count, value=row.get(column),
    )  # fmt: skip


_RULES: Final[tuple[Callable[[pl.DataFrame, Table], Iterator[Finding]], ...]] = (
    _nulls, _units, _prices, _high_low, _duplicates, _spelling, _dates,
)  # fmt: skip
