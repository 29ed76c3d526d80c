"""What snowball dealers do at and above the knock-in, over pairs that differ in one thing."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from crowdfall.agents.dealers import SnowballDealers
from crowdfall.agents.protocol import KnockInMap
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.pricing.street import Street
from crowdfall.pricing.street_grid import street_grid
from crowdfall.scenarios.load import load
from crowdfall.types import Float64
from invented_market import LEVELS, invented_market, write_scenario

PATHS = 6
FALLS = (-0.015, -0.020, -0.010, 0.0)
SPOT = LEVELS["csi1000"]
LOW = SPOT * float(np.prod(1.0 + np.array(FALLS[:2])))
"""The close of the second session, where notes may knock in."""
ALONE = ("front_runners", "trend_shorts", "dma", "neutral", "margin_accounts", "national_team")


def notes_at(level: float) -> KnockInMap:
    return KnockInMap(
        level=np.array([1.0, level]), notional=np.array([1.0, 60e9]),
        underlying=np.array([0, 1], dtype=np.int64),
    )  # fmt: skip


def held(level: float, moves: tuple[float, ...] = FALLS) -> Float64:
    """Return dealers' IM futures at each close, (P, T): one note at a level, CSI 1000 as given."""
    steps = {name: moves if name == "csi1000" else (0.0,) * len(moves) for name in LEVELS}
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(SnowballDealers, "knock_in_map", lambda *_: notes_at(level))
        off = [f"agents.{name}.enabled=false" for name in ALONE]
        path = write_scenario(Path(folder), moves=steps, days=len(moves), assimilated=len(moves))
        scenario = load(str(path), [*off, "agents.snowball_dealers.remark=false"])
        market = invented_market(every=2)
        daily = simulate(setting(market, scenario, 3), first_path=0, paths=PATHS).tables["daily"]
    rows = daily.sort("path", "date")["dealer_futures_im"].to_numpy()
    return rows.reshape(PATHS, len(moves))


def test_notes_just_above_the_close_knock_in_and_their_dealers_sell() -> None:
    """The level lies a point above the close or below it: the same hedge until then."""
    above, below = held(LOW + 1.0), held(LOW - 1.0)
    np.testing.assert_allclose(above[:, 1], below[:, 1], rtol=0.05)
    sold = above[:, 2] - above[:, 1]
    assert (sold < -5e9).all()  # the hedge of protection is let go next morning
    assert (above[:, 2] < below[:, 2] - 5e9).all()


def delta_peak() -> float:
    """Return the log distance of spot above the knock-in where a living note's hedge is largest."""
    street, grid = Street(), street_grid()
    ratio = np.linspace(0.0, 0.5, 501)
    tables = grid.at(*np.broadcast_arrays(np.full((1, 2), street.vol), np.full((1, 2), street.q)))
    hedge = grid.hedge(tables, np.ones(len(ratio), np.int64), ratio[None], np.zeros((1, 501), bool))
    return float(ratio[int(np.argmax(hedge[0]))])


@pytest.mark.parametrize("beyond", [0.06, 0.10])
def test_above_the_delta_peak_dealers_buy_dips(beyond: float) -> None:
    """The same path but for a fall of 2% in its second session."""
    level = SPOT * float(np.exp(-delta_peak() - beyond))
    flat, dip = held(level, (0.0, 0.0, 0.0)), held(level, (0.0, -0.02, 0.0))
    np.testing.assert_array_equal(flat[:, 0], dip[:, 0])
    bought = dip[:, 2] / (1.0 - 0.02) - flat[:, 2]  # in units: the price fell as well
    assert (bought > 1e8).all()
