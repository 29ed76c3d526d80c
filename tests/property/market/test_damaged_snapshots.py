"""A damaged snapshot never loads as another market and never crashes its reader."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdfall.errors import MarketError
from crowdfall.market import store
from invented_market import invented_market

FILES = ("stocks.parquet", "futures.parquet", "history.parquet", "market.json")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    market = invented_market(every=8, days=80)
    folder = tmp_path_factory.mktemp("markets") / "market"
    store.save(market, folder)
    yield folder, market.digest
    shutil.rmtree(folder)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(FILES), place=st.floats(0.0, 1.0), byte=st.integers(0, 255),
       cut=st.booleans())  # fmt: skip
def test_any_damage_is_told_in_one_sentence_or_changes_no_number(
    saved: tuple[Path, str], name: str, place: float, byte: int, cut: bool
) -> None:
    folder, digest = saved
    file = folder / name
    whole = file.read_bytes()
    at = min(int(place * len(whole)), len(whole) - 1)
    file.write_bytes(whole[:at] if cut else whole[:at] + bytes([byte]) + whole[at + 1 :])
    told, found = "", digest
    try:
        found = store.load(folder).digest
    except MarketError as error:
        told = str(error)
    finally:
        file.write_bytes(whole)
    assert found == digest
    assert "\n" not in told
    assert "error." not in told
