"""A dealer's profit and loss along the real winter of 2023-24, with futures at their real basis."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.data.sources.files import FilesSource
from crowdfall.desk.futures_path import rolled
from crowdfall.desk.snowball_hedge import Deal, Paths, backtest, backtest_book
from crowdfall.errors import DataError
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.synthetic import published, synthetic_book
from crowdfall.products.snowball import Snowball


def test_note_sold_in_2023_is_explained_on_the_real_path(real_data: Path) -> None:
    bars = FilesSource(real_data).futures_bars(date(2023, 3, 1), date(2024, 2, 2))
    path = rolled(bars, "im")
    assert all(one <= other for one, other in pairwise(path.contracts))
    assert len(set(path.contracts)) >= 4
    initial = path.paths.spot[0, 0]
    own = Paths(spot=path.paths.spot / initial, futures=path.paths.futures / initial)
    deal = Deal(table=Snowball(knock_in=0.80).timetable(), coupon=0.12)
    result = backtest(deal, own, Marks(vol=0.18, q=0.04))
    share = np.abs(result.residual).sum() / np.abs(result.total).sum()
    sums = {name: round(100 * value, 2) for name, value in result.sums().items()}
    print(f"residual {share:.3%}; per 100: {sums}")
    assert share < 0.01
    assert sums["roll_yield"] > 1.0  # a year of discount earned


def test_published_book_is_explained_through_january_2024(real_data: Path) -> None:
    bars = FilesSource(real_data).futures_bars(date(2024, 1, 2), date(2024, 2, 2))
    path = rolled(bars, "ic")
    book = synthetic_book(published()[0], steps=2, ages=2)
    result = backtest_book(book, "csi500", path.paths, Marks(vol=0.18))
    assert np.abs(result.residual).sum() < 0.01 * np.abs(result.total).sum()
    assert result.hedge[0, -1] < result.hedge[0].max()  # knock-ins made the dealers sell


def test_a_missing_contract_is_named() -> None:
    bars = pl.DataFrame(
        {
            "date": [date(2024, 1, 2), date(2024, 1, 3)],
            "symbol": ["IM2401.CFE", "IM2402.CFE"],
            "underlying": ["im", "im"],
            "close": [5900.0, 5880.0],
            "open_interest": [1e5, 1e5],
            "spot_close": [5910.0, 5890.0],
        }
    )
    with pytest.raises(DataError, match=r"IM2401\.CFE"):
        rolled(bars, "im")
    with pytest.raises(DataError):
        rolled(bars, "ic")
