"""Terms, marks and books that can't be right are refused in a sentence, never priced."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdfall.errors import CrowdfallError, DataError, TermsError
from crowdfall.pricing.book_file import COLUMNS, book_of, read_book, template
from crowdfall.pricing.marks import Marks
from crowdfall.products.phoenix import Phoenix
from crowdfall.products.snowball import Snowball
from crowdfall.products.variants import terms_of

numbers = st.floats(allow_nan=True, allow_infinity=True)
DAY = date(2024, 1, 22)


@given(st.floats(max_value=0.0) | st.just(float("nan")) | st.floats(min_value=2.01))
def test_impossible_volatility_is_refused(vol: float) -> None:
    with pytest.raises(TermsError, match="volatility"):
        Marks(vol=vol)


@given(st.floats(0.01, 2.0), st.floats(0.2, 2.0))
def test_knock_in_above_knock_out_is_refused(knock_in: float, knock_out: float) -> None:
    if knock_in < knock_out:
        Snowball(knock_in=knock_in, knock_out=knock_out)
        return
    with pytest.raises(TermsError, match="knock-in"):
        Snowball(knock_in=knock_in, knock_out=knock_out)
    with pytest.raises(TermsError, match="knock-in"):
        Phoenix(knock_in=knock_in, knock_out=knock_out, coupon_level=0.0)


@given(st.floats(min_value=1.51, max_value=100))
def test_a_coupon_in_percent_is_refused_with_advice(coupon: float) -> None:
    with pytest.raises(TermsError, match=r"0\.20 for 20%"):
        Snowball(coupon=coupon)


@settings(max_examples=60)
@given(numbers, numbers, numbers, numbers, st.integers(-5, 200), st.integers(-5, 200))
def test_any_terms_are_priced_or_refused(
    coupon: float, knock_in: float, knock_out: float, floor: float, months: int, lockup: int
) -> None:
    try:
        note = Snowball(
            coupon=coupon, knock_in=knock_in, knock_out=knock_out, floor=floor, months=months,
            lockup=lockup,
        )  # fmt: skip
    except CrowdfallError as error:
        said = str(error)
    else:
        assert note.timetable().last == 21 * months
        return
    assert said.endswith(".")
    assert "{" not in said


def test_unknown_variant_and_term_are_named() -> None:
    with pytest.raises(TermsError, match="did you mean standard"):
        terms_of("standrd")
    with pytest.raises(TermsError, match="has no term barrier"):
        terms_of("standard", {"barrier": 1.0})


def table_of(rows: int) -> pl.DataFrame:
    one = template().head(1)
    return pl.concat([one] * rows)


def test_three_wrong_rows_of_a_hundred_thousand_are_all_named(tmp_path: Path) -> None:
    table = table_of(100_000).cast({"coupon": pl.String})
    coupons = table["coupon"].to_list()
    coupons[499] = "20"
    coupons[99_999] = "twelve"
    names = table["underlying"].to_list()
    names[5] = "csi50"
    table = table.with_columns(pl.Series("coupon", coupons), pl.Series("underlying", names))
    file = tmp_path / "book.csv"
    table.write_csv(file)
    with pytest.raises(DataError, match="3 wrong cells") as error:
        read_book(file, DAY)
    for cell in ("row 6, column underlying", "row 500, column coupon", "row 100000, column coupon"):
        assert cell in str(error.value)


def test_future_and_matured_notes_are_named_and_matured_ones_can_be_left_out() -> None:
    table = table_of(3)
    future = table.with_columns(pl.Series("start", [date(2023, 6, 15), date(2024, 1, 23), DAY]))
    with pytest.raises(DataError, match="row 2, column start"):
        book_of(future, DAY)
    matured = table.with_columns(
        pl.Series("start", [date(2022, 1, 21), date(2022, 1, 24), date(2023, 6, 15)])
    )
    with pytest.raises(DataError, match="row 1, column start"):
        book_of(matured, DAY)
    book, left_out = book_of(matured, DAY, skip_ended=True)
    assert (len(book), left_out) == (2, 1)


def test_a_row_whose_barriers_cross_is_named() -> None:
    table = table_of(2).with_columns(pl.Series("knock_in", [0.75, 1.1]))
    with pytest.raises(DataError, match="row 2, column knock_in"):
        book_of(table, DAY)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([column.name for column in COLUMNS if column.kind == pl.Float64]), numbers)
def test_any_number_in_a_book_is_read_or_named(column: str, value: float) -> None:
    table = table_of(2).with_columns(pl.Series(column, [value, value]))
    try:
        book, _ = book_of(table, DAY)
    except CrowdfallError as error:
        said = str(error)
    else:
        assert len(book) == 2
        assert math.isfinite(value)
        return
    assert "row 1" in said
