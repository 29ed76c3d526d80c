"""The stated inputs of V1 to V8, V11, V13 and V17, and what the solvers make of them."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from crowdfall.experiments.theory.checks import Check, closed_form, printed
from crowdfall.experiments.theory.contagion import Banks, Impact, crossings, solve
from crowdfall.experiments.theory.covariance import correlation, homogeneous, realised_covariance
from crowdfall.experiments.theory.drift import drift
from crowdfall.experiments.theory.overlap import TEN_FOR_TEN, toppling_leverage
from crowdfall.experiments.theory.spiral import Speculators, leverage_targeting
from crowdfall.experiments.theory.threshold import Depth, Round, deleverage
from crowdfall.experiments.theory.vulnerable import System
from crowdfall.market.propagator import power_law

HERE: Final = "experiments.theory"
TWO_BANKS_DEPTH: Final = Depth(adv=[50.0], volatility=[0.02], scale=0.4, horizon=20.0, floor=0.5)
FINE: Final = {"step": 0.25, "shortest": 1e-20}
"""A power law to the last digit; a run can do with far fewer exponentials."""


def two_banks() -> list[Round]:
    """Return the rounds of V1: the first bank lost 20% of 10 on its illiquid assets."""
    return deleverage(
        [[90.0], [70.0]], [8.0, 20.0], [2.0, 4.5], TWO_BANKS_DEPTH, cap=33.3, target=0.95 * 33.3
    )


def three_banks() -> tuple[Banks, Impact]:
    """Return the banks and the square-root impact of V2."""
    banks = Banks(
        holdings=[[145.0], [435.0], [300.0]], equity=[28.0, 80.0, 65.0],
        other=[1170.0, 1245.0, 1190.0], leverage=44.0,
    )  # fmt: skip
    return banks, Impact(depth=1.0 / 2.2e-5, exponent=0.5)


def linear_system() -> System:
    """Return the two banks and three assets of V4 and V5."""
    return System(
        assets=[100.0, 50.0], weights=[[0.5, 0.5, 0.0], [0.0, 0.4, 0.6]], debt=[3.0, 1.5],
        illiquidity=[1e-3, 2e-3, 4e-3],
    )  # fmt: skip


def solver_checks() -> list[Check]:
    """Return the checks of all solvers that need no data."""
    return [
        *_threshold(), *_equilibria(), *_linear(), *_spirals(), *_correlations(), *_decay(),
        *_overlap(), *_drift(),
    ]  # fmt: skip


def _threshold() -> list[Check]:
    rounds, where = two_banks(), f"{HERE}.threshold.deleverage"
    depth = TWO_BANKS_DEPTH.amounts(1)[0]
    last = rounds[-1]
    levered = (last.holdings.sum(axis=1) + np.array([8.0, 20.0])) / last.capital
    capital = np.array([r.capital for r in rounds]).ravel()
    held = np.array([r.holdings[:, 0] for r in rounds]).ravel()
    return [
        closed_form(
            "V1", "v1_depth", [depth, 0.5 * depth], [2000 * math.sqrt(5), 1000 * math.sqrt(5)],
            f"{HERE}.threshold.Depth",
        ),
        printed("V1", "v1_share", [r.share[0] for r in rounds], ".3859 .3151 .1454", where, 5e-5),
        printed("V1", "v1_sold", [r.sold[0] for r in rounds], "34.73 17.2807 5.439", where, 5e-5),
        printed("V1", "v1_fall", [r.fall[0] for r in rounds], ".007706 .003819 .001201", where,
                5e-7),
        printed("V1", "v1_capital", capital, "1.4403 3.9606 1.2638 3.6953 1.2222 3.6122", where,
                5e-5),
        printed("V1", "v1_held", held, "54.8441 69.4606 37.4199 69.1953 31.9425 69.1122", where,
                5e-5),
        printed("V1", "v1_price", [r.price[0] for r in rounds], ".992294 .988504 .987317", where,
                5e-7),
        printed("V1", "v1_leverage", levered, "32.682 24.6696", where, 5e-4),
    ]  # fmt: skip


def _equilibria() -> list[Check]:
    banks, impact = three_banks()
    found, where = solve(banks, impact), f"{HERE}.contagion.solve"
    return [
        closed_form("V2", "v2_least", found.least.drop, [math.sqrt(2.2e-5 * 145.0)], where),
        closed_form("V2", "v2_greatest", found.greatest.drop, [math.sqrt(2.2e-5 * 880.0)], where),
        closed_form(
            "V2", "v2_sellers", [*found.least.sold_share, *found.greatest.sold_share],
            [1, 0, 0, 1, 1, 1], where,
        ),
        printed("V2", "v2_unstable", crossings(banks, impact)[1:2], "0.1141",
                f"{HERE}.contagion.crossings", 5e-5),
    ]  # fmt: skip


def _linear() -> list[Check]:
    system, where = linear_system(), f"{HERE}.vulnerable.System"
    shock = [-0.02, 0.0, 0.0]
    step = system.spread(shock, [25.0, 20.0])
    radius = system.spectral_radius()
    trace, determinant = 0.357, 0.225 * 0.132 - 0.03 * 0.12
    expected_radius = 0.5 * (trace + math.sqrt(trace**2 - 4.0 * determinant))
    whole = np.array([(1 - 0.132) * -0.01, 0.12 * -0.01]) / (1 - trace + determinant)
    return [
        closed_form("V4", "v4_sales", step.sales, [-1.5, -1.5, 0.0], f"{where}.spread"),
        closed_form("V4", "v4_moves", step.moves, [-0.0015, -0.003, 0.0], f"{where}.spread"),
        closed_form("V4", "v4_second", step.second, [-0.00225, -0.0012], f"{where}.spread"),
        closed_form("V4", "v4_vulnerability", [step.vulnerability, step.direct],
                    [0.285 / 45, 1 / 45], f"{where}.spread"),
        closed_form("V5", "v5_transmission", system.transmission(), [0.225, 0.03, 0.12, 0.132],
                    f"{where}.transmission"),
        closed_form("V5", "v5_total", system.all_rounds(shock), whole, f"{where}.all_rounds"),
        closed_form("V5", "v5_radius", [radius, 1 / radius],
                    [expected_radius, 1 / expected_radius], f"{where}.spectral_radius"),
    ]  # fmt: skip


def _spirals() -> list[Check]:
    fund = leverage_targeting(100.0, 4.0, 1e-3, -0.01)
    cases = [Speculators(carried=x0, margin_slope=m) for x0, m in ((0, 0), (0.2, 0), (0, -0.5))] + [
        Speculators(carried=0.2, margin_slope=-0.5)
    ]
    size = 1e-5
    bumped = [(case.price(size) - case.price(-size)) / (2 * size) for case in cases]
    expected = [2.0, 10 / 3, 20 / 7, 20 / 3]
    return [
        closed_form("V6", "v6_fund", [fund.gain, fund.total_return, fund.sold],
                    [0.3, -0.01 / 0.7, 3.0 / 0.7], f"{HERE}.spiral.leverage_targeting"),
        closed_form("V7", "v7_multiplier", [case.multiplier() for case in cases], expected,
                    f"{HERE}.spiral.Speculators.multiplier"),
        closed_form("V7", "v7_bumped", bumped, expected, f"{HERE}.spiral.Speculators.price", 1e-6),
    ]  # fmt: skip


CORRELATIONS: Final = ((20, 0.0, 1.0), (20, 0.0, 0.5), (100, 0.2, 0.3))
"""Stocks, fundamental correlation and response of V8."""


def expected_correlation(count: int, rho: float, k: float) -> float:
    """Return (rho + g v) / (1 + g v), g = 2 k + k^2, v = 1/n + (1 - 1/n) rho."""
    felt = (2 * k + k * k) * (1 / count + (1 - 1 / count) * rho)
    return (rho + felt) / (1 + felt)


def _correlations() -> list[Check]:
    found = []
    for count, rho, k in CORRELATIONS:
        own, weights = homogeneous(count, rho)
        found.append(correlation(realised_covariance(own, weights, np.full(count, k)))[0, 1])
    expected = [expected_correlation(*case) for case in CORRELATIONS]
    return [
        closed_form("V8", "v8_correlation", found, expected,
                    f"{HERE}.covariance.realised_covariance"),
    ]  # fmt: skip


def _decay() -> list[Check]:
    times, checks = np.array([1.5, 2.0, 5.0, 10.0]), []
    for exponent in (0.5, 0.4):
        kernel = power_law(exponent, **FINE)
        found = kernel.of_metaorder(times, 1.0) / kernel.of_metaorder(1.0, 1.0)
        power = 1.0 - exponent
        checks.append(
            closed_form("V11", f"v11_decay_{round(10 * exponent)}", found,
                        times**power - (times - 1.0) ** power,
                        "market.propagator.Propagator.of_metaorder")
        )  # fmt: skip
    return checks


def _overlap() -> list[Check]:
    sizes = (2, 5, 10)
    found = [toppling_leverage(size, size) for size in sizes]
    expected = [size / -math.expm1(-TEN_FOR_TEN / size) for size in sizes]
    return [closed_form("V13", "v13_leverage", found, expected, f"{HERE}.overlap.cascade")]


def _drift() -> list[Check]:
    falls, where = (-0.05, -0.10, -0.15), f"{HERE}.drift.drift"
    four, two = ([drift(times, fall) for fall in falls] for times in (4.0, 2.0))
    return [
        closed_form("V17", "v17_equity", [d.equity for d in (*four, *two)],
                    [0.8, 0.6, 0.4, 0.9, 0.8, 0.7], where),
        closed_form("V17", "v17_leverage", [d.leverage for d in (*four, *two)],
                    [4.75, 6.0, 8.5, 19 / 9, 2.25, 17 / 7], where),
        closed_form("V17", "v17_sell", [d.sell for d in (*four, *two)], DRIFT_SALES, where),
    ]  # fmt: skip


DRIFT_SALES: Final = (3 / 19, 1 / 3, 9 / 17, 1 / 19, 1 / 9, 3 / 17)
"""Share of the book to sell after -5, -10, -15%, at 4x and at 2x."""
