"""A wrong rule is seen: each mutation changes the product's rule and the check then misses."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from crowdfall.agents import dma, leverage
from crowdfall.desk.execution import CostLaw, Terms, cost
from crowdfall.engine import kernels, propagation, step
from crowdfall.experiments.theory import (
    answers,
    answers_elsewhere,
    balance_sheets,
    contagion,
    drift,
    overlap,
    threshold,
    vulnerable,
)
from crowdfall.experiments.theory.checks import Check
from crowdfall.market.propagator import Propagator
from crowdfall.monitor import indices
from crowdfall.types import Float64

ADD_VOLUME = kernels.add_volume


def missed(found: list[Check]) -> set[str]:
    return {each.title for each in found if each.verdict == "misses"}


def one(found: list[Check], title: str) -> Check:
    return next(each for each in found if each.title == title)


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    before = [*answers.solver_checks(), *answers_elsewhere.desk_checks()]
    before += answers_elsewhere.monitor_checks()
    assert missed(before) == set()
    return monkeypatch


def per_bar_volume(volume: Float64, *rest: object) -> None:
    """Let every bar have its own square root: what a naive engine does."""
    before = volume.copy()
    volume[:] = 0.0
    ADD_VOLUME(volume, *rest)
    root = np.sign(before) * np.sqrt(np.abs(before)) + np.sign(volume) * np.sqrt(np.abs(volume))
    volume[:] = np.sign(root) * root**2


def test_v12_misses_by_the_root_of_the_bars_if_each_bar_has_its_own_root(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "add_volume", per_bar_volume)
    found = one(answers_elsewhere.engine_checks(), "v12_slices")
    assert found.verdict == "misses"
    assert found.computed == pytest.approx((1.0, np.sqrt(8.0), np.sqrt(48.0)))


def test_v6_and_v8_miss_if_sales_raise_prices_in_the_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def flipped(prices: Any, setting: Any, net: Float64, *other: Any) -> None:  # noqa: ANN401
        rule(prices, setting, -net, *other)

    rule = step.settle
    monkeypatch.setattr(step, "settle", flipped)
    assert missed(answers_elsewhere.engine_checks()) == {"v6_engine", "v8_engine"}


def kept_at_one_more(
    equity: Float64, sellable: Float64, times: Float64 | float, other: Float64 | float = 0.0
) -> Float64:
    return leverage.kept_share(equity, sellable, times + 1.0, other)


def test_v17_misses_if_dma_books_return_to_another_leverage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dma, "kept_share", kept_at_one_more)
    assert missed(answers_elsewhere.engine_checks()) == {"v17_engine"}


@pytest.mark.parametrize(
    ("module", "titles"),
    [(drift, {"v17_sell"}), (threshold, {"v1_share", "v1_sold"}),
     (contagion, {"v2_unstable"})],
    ids=["v17", "v1", "v2"],
)  # fmt: skip
def test_solvers_miss_at_a_wrong_leverage(
    patch: pytest.MonkeyPatch,
    module: ModuleType,
    titles: set[str],
) -> None:
    patch.setattr(module, "kept_share", kept_at_one_more)
    assert titles <= missed(answers.solver_checks())


def test_v3_misses_if_a_tenth_of_the_market_makes_the_impact(
    monkeypatch: pytest.MonkeyPatch, real_data: Path
) -> None:
    monkeypatch.setattr(balance_sheets, "CASH", 0.10)
    assert len(missed(answers_elsewhere.eba_checks(real_data))) >= 5


def test_v5_misses_if_banks_are_hit_by_those_they_hit(patch: pytest.MonkeyPatch) -> None:
    rule = vulnerable.System.transmission
    patch.setattr(vulnerable.System, "transmission", lambda self: rule(self).T)
    assert missed(answers.solver_checks()) == {"v5_transmission", "v5_total"}


def test_v9_misses_under_a_square_root(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers_elsewhere, "cost", partial(cost, law=CostLaw(exponent=0.5)))
    assert missed(answers_elsewhere.desk_checks()) == {"v9_ibm", "v9_dri"}


def test_v10_misses_if_a_trade_bears_no_permanent_impact_of_its_own(
    patch: pytest.MonkeyPatch,
) -> None:
    patch.setattr(Terms, "slope", property(lambda self: self.temporary))
    assert {"v10_trades", "v10_urgency"} <= missed(answers_elsewhere.desk_checks())


def test_v13_misses_if_a_failure_sells_half(patch: pytest.MonkeyPatch) -> None:
    def half(held: Float64, equity: Float64, first: Float64, rate: float) -> overlap.Cascade:
        return rule(held, equity, first, rate / 2)

    rule = overlap.cascade
    patch.setattr(overlap, "cascade", half)
    assert missed(answers.solver_checks()) == {"v13_leverage"}


def test_v14_and_v15_miss_if_depth_is_forgotten_or_winners_are_bought(
    patch: pytest.MonkeyPatch,
) -> None:
    risk, book = indices.endogenous_risk, indices.contrarian
    patch.setattr(answers_elsewhere, "endogenous_risk", lambda h, d: risk(h, np.ones(len(d))))
    patch.setattr(answers_elsewhere, "contrarian", lambda r, f: book([-x for x in r], f))
    found = missed(answers_elsewhere.monitor_checks())
    assert found == {"v14_matrix", "v14_top", "v15_contrarian"}


def test_v16_misses_if_limits_are_rounded_as_binary_floats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def binary(close: Float64, limit: Float64) -> tuple[Float64, Float64]:
        return np.round(close * (1 + limit), 2), np.round(close * (1 - limit), 2)

    monkeypatch.setattr(answers_elsewhere, "limit_prices", binary)
    found = one(answers_elsewhere.rule_checks(), "v16_limits")
    assert found.verdict == "misses"
    assert found.computed[-1] == pytest.approx(4.0)


def test_v11_misses_if_what_was_traded_is_forgotten_at_one_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_rate = Propagator(weight=np.array([1.0]), rate=np.array([0.5]))
    monkeypatch.setattr(propagation, "kernel", lambda exponent, bars: one_rate)
    assert "v11_engine" in missed(answers_elsewhere.engine_checks())
