"""Every defect put into a clean table is found and named; a clean table has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canonical_tables import clean_table
from crowdfall.data import checks
from crowdfall.data.schema import TABLES, TableName
from crowdfall.errors import DataError
from crowdfall.i18n import LANGUAGES, set_language, translate

quick = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
names = st.sampled_from(sorted(TABLES))


def put(frame: pl.DataFrame, column: str, row: int, value: object) -> pl.DataFrame:
    """Return the frame with one cell changed."""
    series = frame[column].to_list()
    series[row % len(series)] = value
    return frame.with_columns(pl.Series(column, series, dtype=frame.schema[column]))


def check(frame: pl.DataFrame, name: TableName, *, strict: bool = False) -> list[checks.Finding]:
    """Check, and see that every finding has a sentence in both languages."""
    found = checks.check(frame, name, strict=strict)
    for finding in found:
        for lang in LANGUAGES:
            sentence = translate(f"error.{finding.code}", lang, **dict(finding.values))
            assert not sentence.startswith("error.")
    return found


def codes(frame: pl.DataFrame, name: TableName) -> list[str]:
    return [one.code for one in check(frame, name)]


@pytest.mark.parametrize("name", TABLES)
def test_a_clean_table_has_no_finding(name: TableName) -> None:
    assert check(clean_table(name), name) == []
    assert check(clean_table(name), name, strict=True) == []


@quick
@given(names, st.data())
def test_a_missing_column_is_named_and_the_rest_is_still_checked(
    name: TableName, data: st.DataObject
) -> None:
    column = data.draw(st.sampled_from(TABLES[name].columns))
    found = check(clean_table(name).drop(column.name), name)
    assert [one.where for one in found] == [column.name]
    assert found[0].severity == ("error" if column.needed else "warning")
    assert column.name in found[0].sentence


@quick
@given(names, st.data())
def test_a_column_of_the_wrong_type_is_named(name: TableName, data: st.DataObject) -> None:
    column = data.draw(st.sampled_from(TABLES[name].columns))
    wrong = pl.Int8 if column.kind == "String" else pl.String
    frame = clean_table(name).with_columns(pl.lit(None, dtype=wrong).alias(column.name))
    assert [(one.code, one.where) for one in check(frame, name)] == [("check_type", column.name)]


@quick
@given(names, st.integers(0, 10**6), st.sampled_from([None, float("nan"), float("inf")]), st.data())
def test_a_hole_in_a_needed_number_is_found_where_it_is(
    name: TableName, row: int, hole: float | None, data: st.DataObject
) -> None:
    table = TABLES[name]
    column = data.draw(
        st.sampled_from([one for one in table.columns if one.kind == "Float64" and one.needed] or
                        [table.column("close")])
    )  # fmt: skip
    frame = put(clean_table(name), column.name, row, hole)
    found = [one for one in check(frame, name) if one.code == "check_null"]
    key = frame.row(row % frame.height, named=True)
    assert [one.where for one in found] == [" ".join(str(key[part]) for part in table.key)]


@quick
@given(st.integers(0, 10**6), st.sampled_from(["open", "high", "low", "volume", "change"]))
def test_a_gap_in_an_optional_column_is_only_a_warning(row: int, column: str) -> None:
    frame = put(clean_table("stock_bars"), column, row, None)
    found = check(frame, "stock_bars")
    assert [(one.code, one.severity) for one in found] == [("check_partly_missing", "warning")]
    assert column in found[0].sentence


@quick
@given(
    st.sampled_from(["stock_bars", "index_bars", "futures_bars"]),
    st.integers(0, 10**6),
    st.floats(-1e6, 0, allow_nan=False),
)
def test_a_price_at_or_below_zero_is_found(name: TableName, row: int, price: float) -> None:
    assert "check_price" in codes(put(clean_table(name), "close", row, price), name)


@quick
@given(st.integers(0, 10**6), st.sampled_from(["volume", "amount", "turnover"]))
def test_a_negative_amount_is_found(row: int, column: str) -> None:
    assert "check_negative" in codes(
        put(clean_table("stock_bars"), column, row, -1.0), "stock_bars"
    )


@quick
@given(st.sampled_from(["stock_bars", "index_bars", "futures_bars"]), st.integers(0, 10**6))
def test_a_high_below_the_low_is_found(name: TableName, row: int) -> None:
    frame = clean_table(name)
    low = frame["low"][row % frame.height]
    found = check(put(frame, "high", row, low * 0.9), name)
    assert "check_high_low" in [one.code for one in found]


@quick
@given(st.integers(0, 10**6), st.sampled_from(["open", "close"]), st.sampled_from([0.9, 1.1]))
def test_a_price_outside_the_range_of_the_day_is_found(
    row: int, column: str, factor: float
) -> None:
    frame = clean_table("stock_bars")
    price = frame[column][row % frame.height] * factor
    assert codes(put(frame, column, row, price), "stock_bars") == ["check_outside_range"]


@quick
@given(names, st.integers(0, 10**6))
def test_a_row_that_stands_twice_is_found(name: TableName, row: int) -> None:
    frame = clean_table(name)
    doubled = pl.concat([frame, frame[row % frame.height]])
    found = check(doubled, name)
    assert [one.code for one in found] == ["check_duplicate"]
    assert str(frame[TABLES[name].key[-1]][row % frame.height]) in found[0].where


@quick
@given(st.integers(0, 5), st.sampled_from(["stock_bars", "index_bars", "futures_bars"]))
def test_a_row_on_a_closed_day_is_found(weeks: int, name: TableName) -> None:
    saturday = date(2024, 1, 6) + timedelta(weeks=weeks)
    frame = clean_table(name)
    found = check(put(frame, "date", frame.height - 1, saturday), name)
    closed = [one for one in found if one.code == "check_not_a_session"]
    assert [one.where for one in closed] == [saturday.isoformat()]
    assert closed[0].severity == "error"


@quick
@given(st.data(), st.sampled_from(["stock_bars", "index_bars", "futures_bars"]))
def test_a_session_without_rows_is_a_warning(data: st.DataObject, name: TableName) -> None:
    frame = clean_table(name)
    inside = sorted(frame["date"].unique().to_list())[1:-1]
    gone = data.draw(st.sampled_from(inside))
    found = check(frame.filter(pl.col("date") != gone), name)
    assert {(one.code, one.severity) for one in found} == {("check_missing_session", "warning")}
    assert gone.isoformat() in found[0].where


@pytest.mark.parametrize(
    ("name", "series"), [("index_bars", "index"), ("futures_bars", "underlying")]
)
def test_a_gap_in_one_series_is_not_hidden_by_the_others(name: TableName, series: str) -> None:
    frame = clean_table(name)
    one = frame[series][0]
    gap = (pl.col(series) == one) & (pl.col("date") == date(2024, 1, 22))
    found = check(frame.filter(~gap), name)
    assert [finding.where for finding in found] == [f"2024-01-22 {one}"]


@quick
@given(st.text(max_size=12), st.integers(0, 10**6))
def test_a_code_that_is_not_canonical_is_found(text: str, row: int) -> None:
    frame = put(clean_table("stock_list"), "symbol", row, text)
    assert "check_symbol" in codes(frame, "stock_list")


@dataclass(frozen=True)
class Unit:
    """A unit mistake and the code that must name it."""

    table: TableName
    expected: str
    break_it: Callable[[pl.DataFrame], pl.DataFrame]


UNITS = {
    "turnover in percent": Unit(
        "stock_bars", "check_turnover_percent",
        lambda frame: frame.with_columns(pl.col("turnover") * 100),
    ),
    "change in percent": Unit(
        "stock_bars", "check_change_percent",
        lambda frame: frame.with_columns(pl.col("change") * 100),
    ),
    "volume in lots": Unit(
        "stock_bars", "check_volume_lots",
        lambda frame: frame.with_columns(pl.col("volume") / 100),
    ),
    "amount in thousands": Unit(
        "stock_bars", "check_amount_thousands",
        lambda frame: frame.with_columns(pl.col("amount") / 1e3),
    ),
    "amount in ten-thousands": Unit(
        "stock_bars", "check_amount_ten_thousands",
        lambda frame: frame.with_columns(pl.col("amount") / 1e4),
    ),
    "volume in lots and amount in thousands": Unit(
        "stock_bars", "check_lots_and_thousands",
        lambda frame: frame.with_columns(pl.col("amount") / 1e3, pl.col("volume") / 100),
    ),
    "amount in hundred-millions": Unit(
        "stock_bars", "check_amount_volume",
        lambda frame: frame.with_columns(pl.col("amount") / 1e8),
    ),
    "amount in thousands without volume": Unit(
        "stock_bars", "check_float_cap",
        lambda frame: frame.with_columns(pl.col("amount") / 1e3, volume=pl.lit(None, pl.Float64)),
    ),
    "shares in ten-thousands": Unit(
        "stock_list", "check_shares",
        lambda frame: frame.with_columns(pl.col("total_shares", "float_shares") / 1e4),
    ),
    "spot of another index": Unit(
        "futures_bars", "check_basis",
        lambda frame: frame.with_columns(pl.col("spot_close") * 0.4),
    ),
    "float above total": Unit(
        "stock_list", "check_float_above_total",
        lambda frame: frame.with_columns(pl.col("float_shares") * 10),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", UNITS)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_wrong_unit_is_named_first_in_both_languages(mistake: str, lang: str) -> None:
    unit = UNITS[mistake]
    frame = unit.break_it(clean_table(unit.table))
    set_language(lang)  # type: ignore[arg-type]
    try:
        found = check(frame, unit.table)
        assert unit.expected in [one.code for one in found]
        named = next(one for one in found if one.code == unit.expected)
        assert not named.sentence.startswith("error.")
        with pytest.raises(DataError) as caught:
            check(frame, unit.table, strict=True)
        assert str(caught.value) == found[0].sentence
    finally:
        set_language(None)


@given(st.floats(0.4, 25))
@quick
def test_adjusted_prices_are_no_wrong_unit(factor: float) -> None:
    """Adjustment moves prices against amount / volume; that alone must not be reported."""
    prices = ("open", "high", "low", "close")
    frame = clean_table("stock_bars").with_columns(pl.col(*prices) / factor)
    assert check(frame, "stock_bars") == []


@pytest.mark.parametrize("name", TABLES)
def test_a_table_without_rows_is_an_error(name: TableName) -> None:
    assert codes(clean_table(name).clear(), name) == ["check_empty"]
