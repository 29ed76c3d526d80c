"""A US market from a panel that is invented here, and what is refused."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.data.calendar import sessions
from crowdfall.data.sources.us2007 import FILE, Us2007Source
from crowdfall.errors import DataError, MarketError
from crowdfall.market import store
from crowdfall.market.thin import thin
from crowdfall.market.us import BAD_SPLIT, build_us

DAY = date(2007, 8, 6)


def panel(folder: Path, stocks: int = 80, first: date = date(2006, 6, 1)) -> Path:
    """Write an invented panel of the real file's form."""
    days = sessions(first, date(2007, 8, 10), "new_york")
    draw = np.random.default_rng(3)
    moves = draw.normal(0.0, 0.01, (len(days), 1)) + draw.normal(0.0, 0.01, (len(days), stocks))
    close = 50.0 * np.exp(np.cumsum(moves, axis=0))
    volume = np.tile(1e5 * np.arange(1, stocks + 1), (len(days), 1))
    names = [f"S{k:03d}" for k in range(stocks)]
    close[-10:, 0] *= 2.0 + BAD_SPLIT  # a bad split
    pl.DataFrame(
        {
            "date": np.repeat(np.array(days, "datetime64[us]"), stocks),
            "ticker": names * len(days),
            "close": close.ravel().astype(np.float32),
            "volume": volume.ravel().astype(np.float32),
        }
    ).write_parquet(folder / FILE)
    return folder


def test_groups_are_of_equal_count_by_dollar_volume_and_bad_splits_are_left_out(
    tmp_path: Path,
) -> None:
    market = build_us(Us2007Source(panel(tmp_path)), DAY)
    stocks = market.stocks
    assert "S000" not in stocks.symbol
    assert len(stocks) == 79
    assert set(np.bincount(stocks.group)) <= {13, 14}
    assert stocks.adv[stocks.group == 0].min() >= stocks.adv[stocks.group == 1].max()
    assert market.futures == ()
    assert market.currency == "USD"


def test_styles_and_last_returns_use_nothing_after_the_date(tmp_path: Path) -> None:
    market = build_us(Us2007Source(panel(tmp_path)), DAY)
    bars = pl.read_parquet(tmp_path / FILE)
    cut = bars.filter(pl.col("date").cast(pl.Date) <= DAY)
    cut.write_parquet(tmp_path / FILE)
    again = build_us(Us2007Source(tmp_path), DAY)
    assert again.digest == market.digest
    one = cut.filter(pl.col("ticker") == "S007").sort("date")["close"].to_numpy().astype(float)
    row = market.stocks.symbol.tolist().index("S007")
    assert market.last_return is not None
    assert market.last_return[row] == pytest.approx(one[-1] / one[-2] - 1.0, rel=1e-9)
    week = np.array([
        -(c[-1] / c[-6] - 1.0)
        for name in market.stocks.symbol
        if (c := cut.filter(pl.col("ticker") == str(name)).sort("date")["close"].to_numpy()
            .astype(float)) is not None
    ])  # fmt: skip
    assert np.corrcoef(week, market.styles["reversal"])[0, 1] > 0.99


def test_a_us_market_is_saved_and_read_with_its_styles(tmp_path: Path) -> None:
    market = build_us(Us2007Source(panel(tmp_path)), DAY)
    store.save(market, tmp_path / "market")
    back = store.load(tmp_path / "market")
    assert back.digest == market.digest
    assert back.currency == "USD"
    np.testing.assert_array_equal(back.styles["momentum"], market.styles["momentum"])
    assert back.last_return is not None
    half = thin(back, 2)
    assert len(half.styles["momentum"]) == len(half.stocks)


def test_what_is_wrong_with_a_panel_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not hold"):
        Us2007Source(tmp_path)
    source = Us2007Source(panel(tmp_path))
    with pytest.raises(DataError, match="no session on 2007-07-04"):
        source.panel(date(2007, 7, 4))
    with pytest.raises(MarketError, match="only 66 sessions"):
        build_us(source, date(2006, 9, 5))
    few = Us2007Source(panel(tmp_path, stocks=30))
    with pytest.raises(MarketError, match="Only 29 stocks"):
        build_us(few, DAY)
    (tmp_path / FILE).write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="can't be read"):
        Us2007Source(tmp_path).panel(DAY)
