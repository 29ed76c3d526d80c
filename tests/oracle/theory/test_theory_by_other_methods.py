"""The same numbers by another way: series, Monte Carlo, a linear solver, a numerical minimum."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad

from crowdfall.desk.execution import Terms, schedule
from crowdfall.experiments.theory import in_engine
from crowdfall.experiments.theory.answers import linear_system, three_banks
from crowdfall.experiments.theory.answers_elsewhere import SALE
from crowdfall.experiments.theory.contagion import crossings, respond, solve
from crowdfall.experiments.theory.covariance import correlation, homogeneous, realised_covariance
from crowdfall.experiments.theory.spiral import leverage_targeting
from crowdfall.experiments.theory.vulnerable import System
from crowdfall.market.propagator import long_memory, power_law


def test_all_rounds_are_the_sum_of_the_rounds() -> None:
    system, shock = linear_system(), [-0.02, 0.0, 0.0]
    total = part = np.asarray(system.weights @ np.array(shock))
    for _ in range(60):
        part = system.transmission() @ part
        total = total + part
    np.testing.assert_allclose(system.all_rounds(shock), total, rtol=1e-12)
    second = system.spread(shock, [25.0, 20.0]).second
    np.testing.assert_allclose(system.transmission() @ system.weights @ shock, second, rtol=1e-12)


def test_system_is_unstable_from_the_inverse_of_its_radius_on() -> None:
    system = linear_system()
    scale = 1 / system.spectral_radius()
    assert scale == pytest.approx(3.93067, abs=5e-6)
    almost, beyond = (
        System(
            assets=system.assets, weights=system.weights, debt=system.debt,
            illiquidity=system.illiquidity * scale * factor,
        )
        for factor in (0.999, 1.001)
    )  # fmt: skip
    # Near the edge the total runs away in the direction of the top eigenvector.
    assert np.abs(almost.all_rounds([-0.02, 0, 0])).max() > 1.0
    with pytest.raises(Exception, match="times the last"):
        beyond.all_rounds([-0.02, 0, 0])


def test_fund_of_v6_sold_round_by_round() -> None:
    found, moved, sold = leverage_targeting(100.0, 4.0, 1e-3, -0.01), -0.01, 0.0
    total = moved
    for _ in range(200):
        sale = 3.0 * 100.0 * -moved
        sold, moved = sold + sale, -1e-3 * sale
        total += moved
    assert found.total_return == pytest.approx(total, rel=1e-12)
    assert found.sold == pytest.approx(sold, rel=1e-12)


@pytest.mark.parametrize(("count", "rho", "k"), [(20, 0.0, 1.0), (20, 0.0, 0.5), (100, 0.2, 0.3)])
def test_realised_correlation_of_simulated_returns(count: int, rho: float, k: float) -> None:
    draw = np.random.default_rng(8)
    own, weights = homogeneous(count, rho)
    noise = draw.standard_normal((20_000, count)) * math.sqrt(1 - rho)
    noise += draw.standard_normal((20_000, 1)) * math.sqrt(rho)
    returns = noise + k * (noise @ weights)[:, None]
    seen = np.corrcoef(returns, rowvar=False)
    told = correlation(realised_covariance(own, weights, np.full(count, k)))
    off = ~np.eye(count, dtype=bool)
    assert seen[off].mean() == pytest.approx(told[0, 1], abs=0.004)


def test_trades_of_v10_are_the_least_cost_with_risk() -> None:
    """Solve the first-order conditions of the quadratic as linear equations."""
    aversion, n = 1e-6, SALE.trades
    so_far = np.tril(np.ones((n, n)))
    cost = 2 * SALE.slope / SALE.interval * np.eye(n)
    price_of_risk = 2 * aversion * SALE.volatility**2 * SALE.interval
    risk, pull = so_far.T @ so_far, so_far.T @ np.full(n, SALE.shares)
    sums, none = np.ones((n, 1)), np.zeros((1, 1))
    system = np.block([[cost + price_of_risk * risk, sums], [sums.T, none]])
    best = np.linalg.solve(system, np.append(price_of_risk * pull, SALE.shares))[:n]
    np.testing.assert_allclose(schedule(SALE, aversion).trades, best, rtol=1e-9)


def test_no_risk_aversion_sells_evenly_and_much_sells_at_once() -> None:
    np.testing.assert_allclose(schedule(SALE, 0.0).trades, np.full(5, 2e5))
    assert schedule(SALE, 1e3).trades[0] == pytest.approx(1e6, rel=1e-6)
    long = Terms(
        shares=1e6, days=250, trades=250, volatility=0.95, half_spread=0.0, permanent=0.0,
        temporary=2.5e-6,
    )  # fmt: skip
    assert np.isfinite(schedule(long, 1.0).trades).all()
    assert schedule(long, 1.0).trades.sum() == pytest.approx(1e6)


def test_every_crossing_of_v2_is_a_fixed_point_and_the_middle_one_repels() -> None:
    banks, impact = three_banks()
    found, none = crossings(banks, impact), np.zeros(1)
    assert len(found) == 3
    ends = solve(banks, impact)
    assert found[0] == pytest.approx(ends.least.drop[0], abs=1e-12)
    assert found[2] == pytest.approx(ends.greatest.drop[0], abs=1e-12)
    for at in found:
        assert respond(banks, impact, none, np.array([at]))[0] == pytest.approx(at, abs=1e-12)
    for step in (-1e-4, 1e-4):
        moved = respond(banks, impact, none, np.array([found[1] + step]))[0] - found[1]
        assert abs(moved) > abs(step)


@pytest.mark.parametrize("exponent", [0.2, 0.4, 0.5, 0.8])
def test_sum_of_exponentials_is_a_power_law(exponent: float) -> None:
    times = np.geomspace(1e-3, 250.0, 40)
    fine, coarse = power_law(exponent, step=0.25), power_law(exponent)
    np.testing.assert_allclose(fine.at(times), times**-exponent, rtol=1e-12)
    np.testing.assert_allclose(coarse.at(times), times**-exponent, rtol=3e-4)
    assert len(coarse.rate) < 100


def test_impact_of_a_metaorder_is_the_integral_of_the_decay() -> None:
    kernel = power_law(0.5, step=0.25, shortest=1e-20)
    for when in (0.5, 1.0, 3.0):
        # The integral of (when - s)^-0.5 over the time traded; substitute the root.
        ends = math.sqrt(when - min(when, 1.0)), math.sqrt(when)
        area, _ = quad(lambda root: 2.0 * root * root**-1.0, *ends)
        assert float(kernel.of_metaorder(when, 1.0)) == pytest.approx(area, rel=1e-9)


@pytest.mark.parametrize("exponent", [0.2, 0.4, 0.5, 0.8])
def test_long_memory_is_one_at_once_and_a_power_law_later(exponent: float) -> None:
    kernel, times = long_memory(exponent, unit=0.125), np.geomspace(0.125, 250.0, 40)
    np.testing.assert_allclose(kernel.at(times), (1 + times / 0.125) ** -exponent, rtol=1.5e-3)
    assert float(kernel.at(0.0)) == pytest.approx(1.0, abs=1e-12)
    assert len(kernel.rate) < 40
    assert (kernel.weight >= 0).all()


def test_engine_tends_to_the_continuous_law_as_orders_grow_longer() -> None:
    law = np.array([c**0.5 - (c - 1) ** 0.5 for c in (1.5, 2.0)])
    gaps = [
        np.abs(np.array(in_engine.metaorder_decay(0.5, bars, (1.5, 2.0))) / law - 1).max()
        for bars in (16, 128)
    ]
    assert gaps[1] < 0.5 * gaps[0]
    assert gaps[1] < 0.08
