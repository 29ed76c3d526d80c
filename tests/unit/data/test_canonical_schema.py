from __future__ import annotations

import polars as pl
import pytest

from canonical_tables import clean_table
from crowdfall.data import symbols
from crowdfall.data.schema import INDEX_SYMBOLS, TABLES, TableName


@pytest.mark.parametrize("name", TABLES)
def test_every_column_has_a_polars_type_and_a_meaning(name: str) -> None:
    for column in TABLES[name].columns:
        assert issubclass(getattr(pl, column.kind), pl.DataType)
        assert column.meaning
        assert column.unit or column.kind != "Float64", f"{name}.{column.name} has no unit"


@pytest.mark.parametrize("name", TABLES)
def test_keys_are_columns_that_never_are_null(name: TableName) -> None:
    table = TABLES[name]
    assert all(table.column(key).needed for key in table.key)
    assert clean_table(name).columns == list(table.names)


def test_the_code_of_every_index_is_an_index_code() -> None:
    for code in INDEX_SYMBOLS.values():
        symbol = symbols.parse(code)
        assert symbol.kind == "index"
        assert str(symbol) == code
