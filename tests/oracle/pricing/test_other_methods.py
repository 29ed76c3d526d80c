"""Finite differences and quasi Monte Carlo against the exact sweep; kernels against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from crowdfall.pricing import kernels, sweeps
from crowdfall.pricing.claims import APART, note
from crowdfall.pricing.local_vol import Smile, value_with_smile
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.monte_carlo import simulate
from crowdfall.pricing.sweeps import Sweep, grid_for
from crowdfall.pricing.value import Standing, present_value, price
from crowdfall.products.snowball import Snowball
from crowdfall.products.variants import VARIANTS
from crowdfall.types import Float64

MARKS = Marks()


@pytest.mark.parametrize("variant", ["standard", "step-down", "european", "phoenix", "dcn"])
@pytest.mark.parametrize("standing", [Standing(), Standing(spot=0.9, age=300)])
def test_finite_differences_agree_at_a_flat_volatility(variant: str, standing: Standing) -> None:
    terms = VARIANTS[variant][1]
    exact = present_value(terms.timetable(), terms.coupon, MARKS, standing)
    other = value_with_smile(terms.timetable(), terms.coupon, Smile(), standing)
    assert other[0] == pytest.approx(exact[0], abs=1e-2)
    assert other[1] == pytest.approx(exact[1], abs=1e-3)
    assert other[2] == pytest.approx(exact[2], abs=1e-3)


def test_a_downward_skew_costs_the_holder_of_a_snowball() -> None:
    table = Snowball().timetable()
    flat = value_with_smile(table, 0.2, Smile())[0]
    assert value_with_smile(table, 0.2, Smile(skew=-0.3))[0] < flat - 0.1


@pytest.mark.parametrize("variant", ["standard", "phoenix", "fcn", "airbag", "limited-loss"])
def test_quasi_monte_carlo_agrees(variant: str) -> None:
    terms = VARIANTS[variant][1]
    table = terms.timetable()
    drawn = simulate(table, terms.coupon, MARKS, paths=8192, seed=3)
    exact = price(table, terms.coupon, MARKS)
    for values, wanted in (
        (drawn.paid, exact.pv),
        (drawn.knocked_in.astype(float), exact.p_knock_in),
        (drawn.knocked_out.astype(float), exact.p_knock_out),
        (drawn.life, exact.life),
    ):
        mean, error = drawn.mean(values)
        assert mean == pytest.approx(wanted, abs=4 * error + 1e-6)


def plain_sweep(out: Float64, plan: kernels.Plan) -> Float64:
    """Fill out backwards, one small matrix product at a time."""
    out = out.copy()
    for e in range(len(out) - 1, 0, -1):
        low, low_block, high, high_block, first, second = plan.days[e]
        for p in range(out.shape[2]):
            pay = plan.paid[e, :, :1] * plan.steps[first, p]
            pay = pay + plan.paid[e, :, 1:] * plan.steps[second, p]
            for shift, s in ((0, p + 1), (1, p), (2, p - 1)):
                if low <= s <= high:
                    block = high_block if s == high else low_block if s == low else 0
                    pay = pay + out[e, :, s] @ plan.blocks[block, shift]
            out[e - 1, :, p] = pay
        out[e - 1, :, 0] += plan.edges[e, :, 0]
        out[e - 1, :, -1] += plan.edges[e, :, 1]
        out[e - 1] *= plan.discount[:, None, None]
    return out


@pytest.mark.parametrize("variant", ["standard", "step-down", "phoenix", "airbag"])
def test_sweep_kernel_equals_its_plain_twin(variant: str) -> None:
    table = VARIANTS[variant][1].timetable()
    grid = grid_for(table, MARKS, 0.9, 1.1, table.last - 70)
    for claims in note(table, MARKS.rate, APART):
        sweep = Sweep(table, claims, grid)
        twin = plain_sweep(sweep.values, sweeps._plan(sweep))
        np.testing.assert_allclose(sweep.values, twin, rtol=1e-9, atol=1e-12)


def test_recede_kernel_equals_its_plain_twin() -> None:
    rng = np.random.default_rng(1)
    ahead, added = rng.normal(size=(2, 2, 2)), rng.normal(size=(6, 2, 2))
    reset, redeemed = rng.uniform(size=(6, 2)) < 0.3, rng.normal(size=(6, 2))
    out = np.empty((5, 2, 2, 2))
    kernels.recede(out, ahead, added, reset, redeemed, 1.01, np.array([0.9, 0.8]))
    value = ahead.copy()
    for d in range(4, -1, -1):
        if d < 4:
            value[:, :, 0] += added[d + 1]
            value[:, reset[d + 1]] = 0.0
            if reset[d + 1, 1]:
                value[:, 1, 0] = redeemed[d + 1]
        value = value * np.array([0.9, 0.8])[:, None, None]
        value[:, :, 1] *= 1.01
        np.testing.assert_allclose(out[d], value, rtol=1e-12)


def test_look_up_kernel_equals_its_plain_twin() -> None:
    rng = np.random.default_rng(2)
    grid = np.linspace(-0.6, 0.3, 91)
    held = np.stack([np.stack([np.sin(grid + d), grid**2]) for d in range(4)]).astype(np.float32)
    shield = np.stack([np.stack([np.cos(grid * 2), grid + d]) for d in range(4)]).astype(np.float32)
    notes = kernels.Notes(
        row=rng.integers(0, 2, 30), age=rng.integers(0, 4, 30), coupon=rng.uniform(0.1, 0.2, 30),
        log_initial=rng.uniform(-0.1, 0.1, 30), weight=rng.uniform(1, 2, 30),
        alive=rng.uniform(size=30) < 0.6, gone=np.where(rng.uniform(size=30) < 0.5, 0.05, np.inf),
    )  # fmt: skip
    step = grid[1] - grid[0]
    tables = kernels.Tables(
        held=held, shield=shield, place=np.array([[-0.6, step], [-0.6, step]]),
        levels=np.array([-0.25, 0.03, 1.0]),
    )  # fmt: skip
    levels = np.linspace(-0.4, 0.2, 25)
    out, twin = np.zeros((2, 25)), np.zeros((2, 25))
    kernels.look_up(out, levels, notes, tables)
    for m in range(30):
        x = levels - notes.log_initial[m]
        fixed, linear = held[notes.age[m]].astype(float)
        hedge = np.interp(x, grid, fixed + notes.coupon[m] * linear)
        fixed, linear = shield[notes.age[m]].astype(float)
        more = np.interp(np.maximum(x, -0.25), grid, fixed + notes.coupon[m] * linear)
        more *= np.where(x <= -0.25, np.clip(1 - (-0.25 - x) / 0.03, 0, 1), 1.0)
        both = np.where(x <= -0.25, hedge + more, np.minimum(hedge + more, 1.0))
        whole = np.where(notes.alive[m] & (x > -0.28), both, hedge)
        twin[notes.row[m]] += np.where(x < notes.gone[m], notes.weight[m] * whole, 0.0)
    np.testing.assert_allclose(out, twin, atol=2e-3)  # cubic against straight lines
