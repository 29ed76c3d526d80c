"""Markets on disk: whole or not at all."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.errors import MarketError
from crowdfall.market import store
from crowdfall.market.snapshot import Market
from invented_market import invented_market


@pytest.fixture(scope="module")
def market() -> Market:
    return invented_market(every=4, days=100)


@pytest.fixture
def saved(market: Market, tmp_path: Path) -> Path:
    store.save(market, tmp_path / "deep" / "market")
    return tmp_path / "deep" / "market"


def test_a_saved_market_comes_back_number_for_number(market: Market, saved: Path) -> None:
    loaded = store.load(saved)
    assert loaded.digest == market.digest
    assert loaded.futures == market.futures
    assert (loaded.date, loaded.sources, loaded.levels) == (
        market.date, market.sources, market.levels,
    )  # fmt: skip
    for field in fields(market.stocks):
        was, now = getattr(market.stocks, field.name), getattr(loaded.stocks, field.name)
        assert was.dtype == now.dtype
        np.testing.assert_array_equal(was, now)
    np.testing.assert_array_equal(loaded.history.returns, market.history.returns)
    for name, weight in market.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], weight)


def test_nothing_is_written_over(market: Market, saved: Path) -> None:
    before = sorted(saved.parent.iterdir())
    with pytest.raises(MarketError, match="already stands at"):
        store.save(market, saved)
    assert sorted(saved.parent.iterdir()) == before


def test_a_failed_write_leaves_nothing(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(MarketError, match="No space left"):
        store.save(market, tmp_path / "market")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_the_folder_is_told(market: Market, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MarketError, match="can't be written"):
        store.save(market, tmp_path / "file" / "market")


@pytest.mark.parametrize("name", ["stocks.parquet", "futures.parquet", "history.parquet"])
def test_a_missing_or_exchanged_file_is_named(saved: Path, name: str) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(saved / name)
    with pytest.raises(MarketError, match=f"{name} is not the one"):
        store.load(saved)
    (saved / name).unlink()
    with pytest.raises(MarketError, match=f"lacks {name}"):
        store.load(saved)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("version", 99, "is of version 99"),
        ("version", None, "is of version None"),
        ("levels", {"csi300": 1.0}, "have the digest"),
        ("levels", "none", "can't be read"),
        ("date", "yesterday", "can't be read"),
        ("history", {}, "can't be read"),
        ("files", [], "is not the one"),
    ],
)
def test_a_changed_description_is_refused(saved: Path, key: str, value: object, told: str) -> None:
    file = saved / "market.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(facts | {key: value}), encoding="utf-8")
    with pytest.raises(MarketError, match=told):
        store.load(saved)


def test_a_description_without_an_entry_names_it(saved: Path) -> None:
    file = saved / "market.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    del facts["digest"]
    file.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(MarketError, match="has no entry digest"):
        store.load(saved)


def test_a_table_without_a_column_names_it(market: Market, tmp_path: Path) -> None:
    folder = tmp_path / "market"
    store.save(market, folder)
    stocks = pl.read_parquet(folder / "stocks.parquet").drop("beta")
    stocks.write_parquet(folder / "stocks.parquet")
    facts = json.loads((folder / "market.json").read_text(encoding="utf-8"))
    facts["files"]["stocks.parquet"] = store._sha256(folder / "stocks.parquet")
    (folder / "market.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(MarketError, match="has no column beta"):
        store.load(folder)


def test_a_path_without_a_market_says_so(tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="There is no market at"):
        store.load(tmp_path / "nowhere")
    with pytest.raises(MarketError, match=r"lacks market\.json"):
        store.load(tmp_path)
