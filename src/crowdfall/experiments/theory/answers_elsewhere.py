"""The answers that other rooms compute: engine, desk, monitor, rules, and the EBA banks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np

from crowdfall.desk.execution import Terms, cost, schedule
from crowdfall.experiments.theory import in_engine
from crowdfall.experiments.theory.answers import CORRELATIONS, DRIFT_SALES, expected_correlation
from crowdfall.experiments.theory.balance_sheets import Rule, Sheets, fire_sale, read_eba
from crowdfall.experiments.theory.checks import Check, closed_form, printed
from crowdfall.monitor.indices import contrarian, endogenous_risk
from crowdfall.rules.price_limits import limit_prices

EBA_FILE: Final = Path("eba2018", "EBA_2018.csv")
SEEN: Final = 0.05
"""Default shares below this are reported as 0 (rule of Gai and Kapadia)."""
IMPACTS: Final = (0.0, 0.01, 0.02, 0.03, 0.05, 0.10)
SHOCKS: Final = (0.0, 0.09, 0.12, 0.15, 0.195, 0.21, 0.30)
TARGETING: Final = Rule(buffer=1.0)
SWEEP: Final = "experiments.theory.balance_sheets.fire_sale"
STOCKS: Final = {
    "v9_ibm": (6.561e6, 1728e6, 0.0157, "19.86 22.29 14.71 8.49 32.22 24.64 18.42"),
    "v9_dri": (1.929e6, 168e6, 0.0226, "21.68 32.09 21.17 12.22 42.93 32.01 23.06"),
}
"""Volume and shares outstanding, daily volatility; I, then K and J by days, in basis points."""
SALE: Final = Terms(
    shares=1e6, days=5.0, trades=5, volatility=0.95, half_spread=0.0625, permanent=2.5e-7,
    temporary=2.5e-6,
)  # fmt: skip
"""The position of V10."""


def engine_checks() -> list[Check]:
    """Return what the engine's own phases and the DMA books' rule answer."""
    where = "engine.step.final_prices"
    correlations = [in_engine.realised_correlation(*case) for case in CORRELATIONS]
    whole = in_engine.sliced_impact(1)
    sliced = [in_engine.sliced_impact(bars) / whole for bars in (1, 8, 48)]
    sales = [in_engine.dma_sale(times, x) for times in (4.0, 2.0) for x in (-0.05, -0.10, -0.15)]
    return [
        closed_form("V6", "v6_engine", [in_engine.targeting_multiplier()], [1 / 0.7], where, 1e-6),
        closed_form("V8", "v8_engine", correlations,
                    [expected_correlation(*case) for case in CORRELATIONS], where),
        closed_form("V11", "v11_engine", in_engine.metaorder_decay(), _decay_by_bars(0.5, 64),
                    where, 2e-3),
        closed_form("V12", "v12_slices", sliced, [1.0, 1.0, 1.0], where),
        closed_form("V17", "v17_engine", sales, DRIFT_SALES, "agents.dma.Dma.plan"),
    ]  # fmt: skip


def _decay_by_bars(exponent: float, bars: int) -> list[float]:
    """Return what the decay (1 + age)^-exponent, summed bar by bar, leaves of a metaorder."""

    def left(after: int) -> float:
        ages = np.arange(max(after - bars, 0), after)
        return float(((1.0 + ages) ** -exponent).sum())

    return [left(round(time * bars)) / left(bars) for time in (1.5, 2.0, 5.0)]


def desk_checks() -> list[Check]:
    """Return what the desk's execution costs answer."""
    checks = []
    for title, (adv, outstanding, volatility, expected) in STOCKS.items():
        days = (0.1, 0.2, 0.5)
        found = [
            cost(0.1 * adv, t, adv=adv, outstanding=outstanding, volatility=volatility)
            for t in days
        ]
        numbers = [found[0].permanent, *(c.temporary for c in found), *(c.total for c in found)]
        checks.append(printed("V9", title, [1e4 * n for n in numbers], expected,
                              "desk.execution.cost", 5e-3))  # fmt: skip
    best = schedule(SALE, 1e-6)
    even = schedule(SALE, 0.0)
    at_once = np.array([1e6, 0.0, 0.0, 0.0, 0.0])
    where = "desk.execution.schedule"
    return [
        *checks,
        printed("V10", "v10_urgency", [best.urgency], ".6070762", where, 5e-8),
        printed("V10", "v10_life", [1 / best.urgency], "1.6472", where, 5e-5),
        printed("V10", "v10_trades", best.trades.tolist(),
                "458044.4 252101.3 141956.7 85755.7 62141.8", where, 0.05),
        printed("V10", "v10_cost", [best.expected_cost, best.sd], "911226.99 603430.67", where,
                5e-3),
        printed("V10", "v10_even", [even.expected_cost, even.sd], "662500 1040672.86", where,
                5e-3),
        closed_form("V10", "v10_at_once", [SALE.expected(at_once)], [2_562_500.0],
                    "desk.execution.Terms.expected"),
    ]  # fmt: skip


def monitor_checks() -> list[Check]:
    """Return what the monitor's indices answer."""
    risk = endogenous_risk([[50, 50, 0], [0, 20, 30]], [1000, 500, 250])
    book = contrarian([0.03, -0.01, 0.0, -0.02], [0.01, 0.02, -0.01, 0.0])
    top = 0.5 * (11.9 + math.sqrt(3.1**2 + 16.0))
    vector = np.array([top - 4.4, 2.0]) / math.hypot(top - 4.4, 2.0)
    where = "monitor.indices.endogenous_risk"
    return [
        closed_form("V14", "v14_matrix", risk.matrix.ravel().tolist(), [7.5, 2, 2, 4.4], where),
        closed_form("V14", "v14_top", [risk.eigenvalue, *risk.vector], [top, *vector], where),
        closed_form("V15", "v15_contrarian", [book.unlevered, book.levered],
                    [-0.01 / 3, -0.04 / 3], "monitor.indices.contrarian"),
    ]  # fmt: skip


def rule_checks() -> list[Check]:
    """Return the limit prices, which the rules round half up to 0.01 yuan."""
    closes, limits = np.array([10.05, 3.33, 7.77, 12.34, 4.45]), np.array([0.1, 0.1, 0.2, 0.1, 0.1])
    up, down = limit_prices(closes, limits)
    return [
        printed("V16", "v16_limits", np.stack([up, down], axis=1),
                "11.06 9.05 3.66 3.00 9.32 6.22 13.57 11.11 4.90 4.01",
                "rules.price_limits.limit_prices", 1e-12),
    ]  # fmt: skip


def eba_checks(data: Path | None) -> list[Check]:
    """Return the sweep over the EBA banks in the folder ``data``; not run where it is missing.

    DataError where the file is there and can't be read.
    """
    file = data / EBA_FILE if data is not None else None
    sheets = read_eba(file) if file is not None and file.is_file() else None
    return [
        printed("V3", "v3_steps", _steps(sheets), "7 35 2 0 0 0 .6051 .9938 .9961", SWEEP, 5e-5),
        *_pair(sheets, "impact", [(i, 0.20, Rule()) for i in IMPACTS],
               ".146 .375 .667 .792 .917 .938", ".6051 .9145 .9816 .9938 .9961 1."),
        *_pair(sheets, "shock", [(0.01, s, Rule()) for s in SHOCKS],
               "0 0 .062 .125 .354 .333 .521", ".0471 .6920 .8763 .9145 .9145 .9145 .9567"),
        *_pair(sheets, "targeting", [(0.01, s, TARGETING) for s in SHOCKS],
               "0 .062 .083 .250 .271 .292 .542", ".3169 .9128 .9208 .9296 .9443 .9522 .9838"),
    ]  # fmt: skip


def _steps(sheets: Sheets | None) -> list[float]:
    if sheets is None:
        return []
    found = fire_sale(sheets, [0.0, 0.20], 0.05)
    return [*found.defaults, *found.sold[1:4]]


def _pair(
    sheets: Sheets | None,
    name: str,
    cases: list[tuple[float, float, Rule]],
    defaults: str,
    sold: str,
) -> list[Check]:
    found = [
        fire_sale(sheets, [0.0, shock], impact, rule)
        for impact, shock, rule in cases
        if sheets is not None
    ]
    shares = [f.default_share if f.default_share >= SEEN else 0.0 for f in found]
    return [
        printed("V3", f"v3_{name}_defaults", shares, defaults, SWEEP, 5.1e-4),
        printed("V3", f"v3_{name}_sold", [f.sold[-1] for f in found], sold, SWEEP, 5e-5),
    ]
