from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from crowdfall.data.schema import TABLES
from crowdfall.data.sources.base import Source
from crowdfall.data.sources.files import FilesSource
from crowdfall.data.sources.layout import parse_layout, shipped_layout
from crowdfall.errors import DataError

START, END = date(2024, 1, 2), date(2024, 1, 31)

LAYOUT = """
title = "a test folder"

[stock_bars]
columns.date = "day"
columns.symbol = { column = "code", spelling = "stock" }
columns.close = "close"
columns.volume = { column = "vol", times = 100 }
columns.amount = "money"
columns.turnover = { column = "turnover_pct", times = 0.01 }
[[stock_bars.files]]
path = "bars.csv"

[stock_list]
columns.symbol = { column = "code", spelling = "stock" }
columns.name = "name"
columns.total_shares = "total"
columns.float_shares = "float"
columns.is_st = "flag"
[[stock_list.files]]
path = "list.csv"

[index_bars]
columns.date = "day"
columns.close = "close"
columns.amount = { column = "vwap", times_column = "volume" }
[[index_bars.files]]
path = "one.csv"
set.index = "csi300"
[[index_bars.files]]
path = "two.parquet"
set.index = "csi1000"

[futures_bars]
columns.date = "day"
columns.symbol = { column = "code", spelling = "future" }
columns.close = "close"
[[futures_bars.files]]
path = "futures.csv"
"""
BARS = """day,code,close,vol,money,turnover_pct
2024-01-03,600519,10.5,20000,21000000,2.5
20240102,000001,10,10000,10000000,1.0
2024/1/3,000001,11,10000,11000000,1.1
2024-01-04,000001,12,10000,12000000,1.2
2024-01-04,600519,12,10000,12000000,1.2
"""
LIST = """code,name,total,float,flag
600519,贵州茅台,1256197800,1256197800,False
000004,*ST国华,132380282,126288093,False
000007,全新,346448044,308948044,True
000005,ST星源,1058536842,1058536842,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "layout.toml").write_text(LAYOUT, encoding="utf-8")
    (tmp_path / "bars.csv").write_text(BARS, encoding="utf-8")
    (tmp_path / "list.csv").write_text(LIST, encoding="utf-8")
    (tmp_path / "one.csv").write_text(
        "day,close,vwap,volume\n2024-01-02,3386,8,1000000000\n2024-01-03,3400,8,\n"
    )
    pl.DataFrame(
        {"day": [datetime(2024, 1, 2)], "close": [5900.0], "vwap": [9.0], "volume": [10**9]}
    ).write_parquet(tmp_path / "two.parquet")
    (tmp_path / "futures.csv").write_text(
        "day,code,close\n2024-01-02,im2401,5890\n2024-01-02,IC2401.CFFEX,5400\n"
    )
    return tmp_path


def rewrite(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_raw_columns_become_canonical_names_units_and_dates(folder: Path) -> None:
    frame = FilesSource(folder).stock_bars(START, END)
    assert frame.columns == list(TABLES["stock_bars"].names)
    assert frame["date"].to_list()[:2] == [date(2024, 1, 2), date(2024, 1, 3)]
    row = frame.row(2, named=True)
    assert (row["symbol"], row["volume"], row["turnover"]) == ("600519.SH", 2e6, 0.025)
    assert row["open"] is None
    assert [str(kind) for kind in frame.schema.values()] == [
        column.kind for column in TABLES["stock_bars"].columns
    ]


def test_a_range_includes_both_its_ends(folder: Path) -> None:
    frame = FilesSource(folder).stock_bars(date(2024, 1, 3), date(2024, 1, 3))
    assert frame["date"].unique().to_list() == [date(2024, 1, 3)]
    assert frame.height == 2


def test_a_stock_is_st_by_flag_or_by_name(folder: Path) -> None:
    frame = FilesSource(folder).stock_list()
    assert dict(zip(frame["symbol"], frame["is_st"], strict=True)) == {
        "000004.SZ": True, "000005.SZ": True, "000007.SZ": True, "600519.SH": False,
    }  # fmt: skip


def test_a_column_may_be_the_product_of_two(folder: Path) -> None:
    frame = FilesSource(folder).index_bars(START, END)
    assert frame.filter(pl.col("index") == "csi300")["amount"].to_list() == [8e9, None]


def test_only_the_indices_asked_for_are_read(folder: Path) -> None:
    (folder / "one.csv").unlink()
    frame = FilesSource(folder).index_bars(START, END, ("csi1000",))
    assert frame.select("date", "index", "close").rows() == [(date(2024, 1, 2), "csi1000", 5900.0)]


def test_index_names_may_stand_in_a_column(folder: Path) -> None:
    text = LAYOUT.replace('set.index = "csi300"', 'columns.index = "which"')
    (folder / "layout.toml").write_text(text, encoding="utf-8")
    (folder / "one.csv").write_text(
        "day,which,close,vwap,volume\n2024-01-02,csi300,3386,8,1\n2024-01-02,sse50,2300,8,1\n"
    )
    frame = FilesSource(folder).index_bars(START, END, ("sse50", "csi1000"))
    assert frame["index"].to_list() == ["csi1000", "sse50"]


def test_codes_that_were_stored_as_numbers_get_their_zeros_back(folder: Path) -> None:
    pl.read_csv(folder / "bars.csv").write_parquet(folder / "bars.parquet")
    rewrite(folder / "layout.toml", "bars.csv", "bars.parquet")
    frame = FilesSource(folder).stock_bars(START, END)
    assert set(frame["symbol"]) == {"000001.SZ", "600519.SH"}


def test_the_underlying_of_a_future_comes_from_its_code(folder: Path) -> None:
    frame = FilesSource(folder).futures_bars(START, END)
    assert frame.select("symbol", "underlying").rows() == [
        ("IC2401.CFE", "ic"), ("IM2401.CFE", "im"),
    ]  # fmt: skip


def test_warnings_are_kept_and_errors_are_not(folder: Path) -> None:
    source = FilesSource(folder)
    source.stock_bars(START, END)
    assert {one.where for one in source.warnings["stock_bars"]} == {"open", "high", "low", "change"}
    rewrite(folder / "bars.csv", "turnover_pct\n", "turnover_pct\n2024-01-06,600519,9,1,900,1.0\n")
    with pytest.raises(DataError, match="2024-01-06"):
        source.stock_bars(START, END)


@pytest.mark.parametrize(
    ("file", "old", "new", "code"),
    [
        ("bars.csv", "10.5", "ten", "unreadable_file"),
        ("bars.csv", "turnover_pct", "turnover", "missing_column"),
        ("bars.csv", "600519", "600519.SZ", "symbol_unknown_similar"),
        ("bars.csv", ",600519,10.5", ",,10.5", "check_null"),
        ("layout.toml", 'columns.close = "close"\ncolumns.vol',
         'columns.close = "close"\n[[stock_bars.files]]\npath = "a"\nset.close = "1"\nset.vol',
         "layout_key"),
        ("bars.csv", "12,10000,12000000,1.2\n2024", "-12,10000,12000000,1.2\n2024", "check_price"),
        ("bars.csv", "000001,12", "000001,", "check_null"),
        ("bars.csv", "2024-01-03,600519", "yesterday,600519", "check_null"),
        ("layout.toml", "times = 0.01", "times = 1", "check_turnover_percent"),
        ("layout.toml", "times = 100 ", "times = 1 ", "check_volume_lots"),
        ("layout.toml", "bars.csv", "gone.csv", "missing_file"),
        ("layout.toml", 'columns.close = "close"\ncolumns.vol', "columns.vol", "layout_column"),
        ("layout.toml", "times = 0.01", "time = 0.01", "layout_key"),
        ("layout.toml", "times = 0.01", "times = -1", "layout_value"),
        ("layout.toml", '"bars.csv"', '"../bars.csv"', "layout_value"),
        ("layout.toml", 'spelling = "stock" }\ncolumns.c', 'spelling = "share" }\ncolumns.c',
         "layout_value"),
        ("layout.toml", "[stock_bars]", "[stock_bar]", "layout_key"),
        ("layout.toml", "[stock_bars]", "[stock_bars", "unreadable_file"),
    ],
)  # fmt: skip
def test_each_fault_of_a_folder_is_one_sentence(
    folder: Path, file: str, old: str, new: str, code: str
) -> None:
    rewrite(folder / file, old, new)
    with pytest.raises(DataError) as caught:
        FilesSource(folder).stock_bars(START, END)
    assert caught.value.code == code
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert not sentence.startswith("error.")


def test_a_file_that_is_not_parquet_is_named(folder: Path) -> None:
    (folder / "two.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(DataError, match=r"two\.parquet"):
        FilesSource(folder).index_bars(START, END)


def test_a_missing_folder_and_a_missing_layout_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        FilesSource(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"mine\.toml"):
        FilesSource(tmp_path, tmp_path / "mine.toml")


def test_a_range_without_data_says_where_data_are(folder: Path) -> None:
    source = FilesSource(folder)
    with pytest.raises(DataError, match="run from 2024-01-02 to 2024-01-04"):
        source.stock_bars(date(2025, 1, 1), date(2025, 2, 1))
    with pytest.raises(DataError, match="swap"):
        source.stock_bars(END, START)


def test_an_unknown_index_is_answered_with_the_nearest(folder: Path) -> None:
    with pytest.raises(DataError, match="did you mean csi1000"):
        FilesSource(folder).index_bars(START, END, ("csi100",))


def test_a_table_that_the_layout_leaves_out_is_an_error(folder: Path) -> None:
    text = LAYOUT[: LAYOUT.index("[futures_bars]")]
    (folder / "layout.toml").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="futures_bars"):
        FilesSource(folder).futures_bars(START, END)


def test_the_shipped_layout_describes_every_table() -> None:
    layout = shipped_layout()
    assert set(layout.tables) == set(TABLES)
    assert layout.title


def test_a_layout_without_files_is_an_error() -> None:
    with pytest.raises(DataError, match="files"):
        parse_layout("[stock_list]\ncolumns.name = 'name'\n", "mine.toml")


def test_files_are_a_source(folder: Path) -> None:
    source: Source = FilesSource(folder)
    assert source.stock_list().height == 4
