"""Groups built by the rules replay the published indices of December 2023 and January 2024."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from crowdfall.data.sources.files import FilesSource
from crowdfall.market.build import build
from crowdfall.market.characteristics import measure_caps
from crowdfall.market.panel import Panel, read_panel
from crowdfall.market.snapshot import Market
from crowdfall.market.universe import smallest

Array = NDArray[np.float64]
ON = date(2023, 12, 29)
FIRST, LAST = date(2023, 12, 1), date(2024, 1, 31)
NAMES = ("csi300", "csi500", "csi1000", "csi2000")


class Fit(NamedTuple):
    correlation: float
    drift: float  # points of total return
    gap: float  # basis points a day, standard deviation


@pytest.fixture(scope="module")
def source(real_data: Path) -> FilesSource:
    return FilesSource(real_data)


@pytest.fixture(scope="module")
def panel(source: FilesSource) -> Panel:
    return read_panel(source, date(2023, 9, 1), LAST)


@pytest.fixture(scope="module")
def market(source: FilesSource) -> Market:
    return build(source, ON)


@pytest.fixture(scope="module")
def indices(source: FilesSource, panel: Panel) -> dict[str, Array]:
    bars = source.index_bars(panel.dates[0], LAST)
    closes = {
        str(name): part.sort("date")["close"].to_numpy() for (name,), part in bars.group_by("index")
    }
    return {name: close[1:] / close[:-1] - 1.0 for name, close in closes.items()}


def filled(panel: Panel) -> Array:
    """Return closes in which a suspended stock keeps its last one; NaN before the first."""
    row = np.where(panel.traded, np.arange(len(panel.dates))[:, None], 0)
    return np.take_along_axis(panel.close, np.maximum.accumulate(row, axis=0), axis=0)


def window(panel: Panel) -> NDArray[np.int64]:
    return np.flatnonzero([FIRST <= day <= LAST for day in panel.dates[1:]])


def fit(mine: Array, index: Array) -> Fit:
    drift = float(np.prod(1 + mine) - np.prod(1 + index))
    return Fit(
        float(np.corrcoef(mine, index)[0, 1]), 100 * drift, 1e4 * float(np.std(mine - index))
    )


def held(market: Market, panel: Panel, name: str, rows: NDArray[np.int64]) -> Array:
    """Return daily returns of fixed numbers of shares that have the weights on the snapshot day."""
    place = {symbol: k for k, symbol in enumerate(panel.symbol.tolist())}
    members = [k for k, weight in enumerate(market.weights[name]) if weight > 0]
    close = filled(panel)[:, [place[market.stocks.symbol[k]] for k in members]]
    value = close @ (market.weights[name][members] / close[panel.dates.index(ON)])
    return np.asarray(value[1:] / value[:-1] - 1.0)[rows]


def test_the_400_smallest_replay_the_microcap_index(
    panel: Panel, indices: dict[str, Array]
) -> None:
    close = filled(panel)
    caps = close * measure_caps(panel).shares
    moves = np.nan_to_num(close[1:] / close[:-1] - 1.0)
    rows = window(panel)
    mine = np.array([moves[t][smallest(caps[t], ~panel.is_st)].mean() for t in rows])
    found = fit(mine, indices["microcap"][rows])
    print(f"\nmicrocap {found}, total {100 * (np.prod(1 + mine) - 1):.2f}%")
    assert found.correlation > 0.99
    assert abs(found.drift) < 3.0


def test_groups_replay_their_index_and_fit_it_better_than_its_neighbours(
    market: Market, panel: Panel, indices: dict[str, Array]
) -> None:
    rows = window(panel)
    fits = {
        (mine, other): fit(held(market, panel, mine, rows), indices[other][rows])
        for mine in NAMES
        for other in NAMES
    }
    print()
    for mine in NAMES:
        own = fits[mine, mine]
        print(mine, "correlation {:.5f}, drift {:+.2f} points, gap {:.1f} bp".format(*own))
    for mine in NAMES[1:]:
        assert fits[mine, mine].correlation > 0.995
        assert abs(fits[mine, mine].drift) < 3.0
    for mine in NAMES:
        for other in set(NAMES) - {mine}:
            assert fits[mine, mine].correlation > fits[mine, other].correlation
            assert fits[mine, mine].gap < fits[mine, other].gap


def test_group_sums_have_the_size_of_the_design_table(market: Market) -> None:
    stocks = market.stocks
    floats = np.bincount(stocks.group, weights=stocks.float_cap) / 1e12
    adv = np.bincount(stocks.group, weights=stocks.adv) / 1e9
    free = np.bincount(stocks.group, weights=stocks.free_float_cap) / 1e12
    print(f"\nfloat tn {floats.round(2)}, free {free.round(2)}, adv bn {adv.round(1)}")
    assert len(stocks) > 4900
    np.testing.assert_allclose(floats[:4], (34.9, 10.8, 9.4, 7.9), rtol=0.15)
    np.testing.assert_allclose(adv[:3], (177, 125, 183), rtol=0.15)
