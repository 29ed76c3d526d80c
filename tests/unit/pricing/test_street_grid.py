"""The dealers' re-marked hedges agree with tables built at the marks themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdfall.pricing.street import Street, street_hedge
from crowdfall.pricing.street_grid import DISCOUNTS, VOLS, street_grid


@pytest.mark.parametrize(("vol", "q"), [(VOLS[2], DISCOUNTS[3]), (VOLS[0], DISCOUNTS[-1])])
def test_grid_points_are_the_tables_themselves(vol: float, q: float) -> None:
    table = street_hedge(replace(Street(), vol=vol, q=q), points=801)
    found = street_grid().at(np.array(vol), np.array(q))
    np.testing.assert_allclose(found[0], table.alive, atol=1e-12)
    np.testing.assert_allclose(found[1], table.knocked_in, atol=1e-12)


@pytest.mark.parametrize(("vol", "q"), [(0.165, 0.045), (0.20, 0.08), (0.30, 0.12)])
def test_marks_between_the_points_stay_close_to_their_own_table(vol: float, q: float) -> None:
    table = street_hedge(replace(Street(), vol=vol, q=q), points=801)
    found = street_grid().at(np.array(vol), np.array(q))
    for state, wanted in enumerate((table.alive, table.knocked_in)):
        error = np.abs(found[state] - wanted)  # of notional
        print(f"vol {vol} q {q} state {state}: mean {error.mean():.4f}, worst {error.max():.4f}")
        assert error.mean() < 0.005
        assert error.max() < 0.07  # where the cap meets the knock-in


def test_marks_beyond_the_grid_are_cut_to_its_ends() -> None:
    grid = street_grid()
    far = grid.at(np.array([0.01, 2.0]), np.array([-1.0, 1.0]))
    ends = grid.at(np.array([VOLS[0], VOLS[-1]]), np.array([DISCOUNTS[0], DISCOUNTS[-1]]))
    np.testing.assert_array_equal(far, ends)


def test_hedge_looks_up_each_path_and_bucket_as_one_table_does() -> None:
    grid, rng = street_grid(), np.random.default_rng(3)
    vol, q = np.array([[0.18, 0.22], [0.27, 0.15]]), np.array([[0.06, 0.1], [0.0, 0.03]])
    underlying = np.array([0, 1, 1, 0])
    ratio = rng.uniform(-1.2, 1.2, (2, 4))
    gone = rng.random((2, 4)) < 0.5
    found = grid.hedge(grid.at(vol, q), underlying, ratio, gone)
    for path in range(2):
        for bucket, u in enumerate(underlying):
            alone = grid.at(vol[path, u], q[path, u])[int(gone[path, bucket])]
            wanted = np.interp(ratio[path, bucket], grid.log_ratio, alone)
            assert found[path, bucket] == pytest.approx(wanted, abs=1e-9)


def test_higher_volatility_takes_the_peak_off_the_hedge() -> None:
    at_five_percent_above = np.array([[np.log(1.05)]])
    grid = street_grid()
    held = [
        grid.hedge(
            grid.at(np.full((1, 1), vol), np.full((1, 1), 0.06)),
            np.array([0]), at_five_percent_above, np.array([[False]]),
        )[0, 0]
        for vol in (0.18, 0.30)
    ]  # fmt: skip
    assert held[1] < held[0]
