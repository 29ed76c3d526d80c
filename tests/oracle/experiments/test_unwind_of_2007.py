"""August 2007 played on the real panel of 6 August: the loss comes from the simulated unwind.

Signs are asserted, and that the loss is of the panel's order; docs/en/aug2007.md gives the sizes,
of which that of the rebound falls short.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crowdfall.data.sources.us2007 import Us2007Source
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.market.snapshot import Market
from crowdfall.market.us import build_us
from crowdfall.scenarios.load import load
from crowdfall.types import Float64

PATHS = 20


@pytest.fixture(scope="module")
def market(real_data: Path) -> Market:
    return build_us(Us2007Source(real_data), date(2007, 8, 6))


def book(market: Market, *words: str) -> Float64:
    """Return the contrarian book's returns from 7 August on, (P, 4)."""
    scenario = load("aug2007", ["clock.end=2007-08-10", *words])
    daily = simulate(setting(market, scenario, 1), first_path=0, paths=PATHS).tables["daily"]
    made = daily.sort("path", "date")["contrarian_return"].to_numpy()
    return np.asarray(made.reshape(PATHS, 4))


def test_the_book_loses_three_days_in_a_row_because_of_the_unwind(market: Market) -> None:
    on, off = book(market), book(market, "agents.factor_books.unwind=false")
    medians, lost = np.median(on, axis=0), on[:, :3].sum(axis=1)
    print("8:1 contrarian book, 7 to 10 August 2007, simulated:", 100 * medians)
    print("three days:", 100 * np.median(lost))
    print("without the unwind:", 100 * np.median(off, axis=0))
    assert (medians[:3] < -0.01).all()
    assert -0.30 < np.median(lost) < -0.06
    assert abs(np.median(off[:, :3].sum(axis=1))) < 0.01
    # The same draws with and without, so the difference is the unwind's alone, path by path.
    assert (lost < off[:, :3].sum(axis=1)).all()


def test_the_tenth_brings_part_of_it_back_and_more_with_new_money(market: Market) -> None:
    with_it, without = book(market), book(market, "agents.factor_books.new_capital=0.0")
    assert np.median(with_it[:, 3]) > 0.003
    assert np.median(with_it[:, 3]) > np.median(without[:, 3])
    assert ((with_it[:, :3].sum(axis=1) < 0.0) & (with_it[:, 3] > 0.0)).mean() > 0.5
    # It comes when the forced sale has ended, and so never before the tenth.
    np.testing.assert_array_equal(with_it[:, :3], without[:, :3])


def test_without_the_style_channel_the_sizes_are_those_of_single_stocks(market: Market) -> None:
    alone = book(market, "channels.style_impact=false")[:, :3].sum(axis=1)
    whole = book(market)[:, :3].sum(axis=1)
    assert np.median(whole) < np.median(alone) < 0.005
