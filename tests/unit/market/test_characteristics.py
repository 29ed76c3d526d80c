"""What each stock is like, on panels whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdfall.market import characteristics
from crowdfall.market.characteristics import SHRINK, measure_caps, measure_moves
from crowdfall.market.panel import LEAST, RECENT, Panel, read_panel
from invented_bars import ON, invented_source


@pytest.fixture(scope="module")
def panel() -> Panel:
    source = invented_source(count=60)
    return read_panel(source, source.bars["date"].min(), ON)


def test_float_cap_is_amount_over_turnover_at_the_last_close(panel: Panel) -> None:
    caps = measure_caps(panel)
    np.testing.assert_allclose(caps.float_, 0.8 * panel.total_shares * panel.close[-1], rtol=1e-12)
    np.testing.assert_allclose(caps.total, panel.total_shares * panel.close[-1], rtol=1e-12)


def test_adv_and_turnover_are_means_of_the_last_sixty_sessions(panel: Panel) -> None:
    caps = measure_caps(panel)
    np.testing.assert_allclose(caps.adv, panel.amount[-RECENT:].mean(axis=0))
    np.testing.assert_allclose(caps.turnover, 0.01)


def test_an_ended_lock_up_leaves_total_cap_alone(panel: Panel) -> None:
    later = replace(panel, float_shares=panel.float_shares * 1.25)
    np.testing.assert_allclose(measure_caps(later).total, measure_caps(panel).total)


def test_a_bonus_issue_after_the_snapshot_is_taken_out(panel: Panel) -> None:
    later = replace(
        panel, float_shares=panel.float_shares * 1.4, total_shares=panel.total_shares * 1.4
    )
    np.testing.assert_allclose(measure_caps(later).total, measure_caps(panel).total)


def test_without_volume_shares_of_the_list_stand(panel: Panel) -> None:
    silent = replace(panel, volume=np.full_like(panel.volume, np.nan))
    np.testing.assert_allclose(measure_caps(silent).shares, panel.total_shares)


def test_unknown_turnover_falls_back_to_listed_float_shares(panel: Panel) -> None:
    silent = replace(panel, turnover=np.zeros_like(panel.turnover))
    np.testing.assert_allclose(measure_caps(silent).float_, panel.float_shares * panel.close[-1])


def test_a_suspended_stock_keeps_its_last_close(panel: Panel) -> None:
    close = panel.close.copy()
    close[-5:, 3] = np.nan
    assert characteristics.last_close(replace(panel, close=close))[3] == panel.close[-6, 3]


def test_volatility_and_beta_agree_with_numpy(panel: Panel) -> None:
    group = np.zeros(len(panel.symbol), np.int8)
    moves = measure_moves(panel, group)
    returns = np.diff(np.log(panel.close), axis=0)
    market = np.diff(np.log(panel.index))
    slope = np.array([np.polyfit(market, one, 1)[0] for one in returns.T])
    shrunk = (1 - SHRINK) * slope + SHRINK * slope.mean()
    np.testing.assert_allclose(moves.beta, shrunk)
    np.testing.assert_allclose(moves.volatility, returns[-RECENT:].std(axis=0, ddof=1))
    rest = returns[-RECENT:] - shrunk * market[-RECENT:, None]
    np.testing.assert_allclose(moves.residual_volatility, rest.std(axis=0, ddof=1))


def test_short_histories_have_no_statistics_of_their_own(panel: Panel) -> None:
    close = panel.close.copy()
    close[: -(LEAST - 1), 5] = np.nan
    young = replace(panel, close=close)
    group = np.zeros(len(panel.symbol), np.int8)
    assert np.isnan(measure_moves(young, group).volatility[5])
    assert np.isnan(measure_caps(young).adv[5])


def test_fill_takes_the_median_of_the_size_group() -> None:
    group = np.array([0, 0, 0, 1, 1, 2], np.int8)
    values = np.array([1.0, 3.0, np.nan, 8.0, np.nan, np.nan])
    assert characteristics.fill(values, group).tolist() == [1.0, 3.0, 2.0, 8.0, 8.0, 3.0]
    assert np.isnan(characteristics.fill(np.full(6, np.nan), group)).all()


def test_size_exposure_is_standardised_and_safe_for_equal_caps() -> None:
    size = characteristics.exposure(np.geomspace(1e9, 1e12, 50))
    assert abs(size.mean()) < 1e-12
    assert abs(size.std() - 1.0) < 1e-12
    assert characteristics.exposure(np.full(4, 1e9)).tolist() == [0.0] * 4
