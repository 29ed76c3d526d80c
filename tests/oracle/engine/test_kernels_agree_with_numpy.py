"""Every loop over stocks against its twin in plain numpy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import kernel_twins as twins
import numpy as np
import pytest

from crowdfall.engine import kernels
from crowdfall.engine.kernels import prices
from crowdfall.types import Bool, Float64, Int64

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


@dataclass
class Case:
    """Random arguments of all kernels: 3 paths, 5 books of which 2 may buy, 60 stocks."""

    edges: Int64
    base: Float64
    kept: Float64
    worth: Float64
    held_back: Float64
    fresh: Bool
    slot: Int64
    price: Float64
    share: Float64
    buy: Float64
    capped: Bool
    limit: Float64
    slope: Float64
    loading: Float64
    moved: Float64
    market: Float64
    weight: Float64
    own: Float64
    log_price: Float64
    low: Float64
    high: Float64

    @property
    def books(self) -> tuple[Float64, Float64, Int64]:
        return self.shares, self.held_back, self.slot

    @property
    def flagged(self) -> tuple[Float64, Float64, Float64, Float64, Bool, Int64]:
        return self.base, self.kept, self.worth, self.held_back, self.fresh, self.slot

    @property
    def shares(self) -> Float64:
        return self.base * self.kept[:, :, twins.group_of(self.edges)]

    @property
    def tentative(self) -> Float64:
        return twins.tentative(
            self.own, self.slope, self.loading, self.moved, self.market, self.edges
        )

    def flat(self) -> Float64:
        return np.full(self.price.shape, np.nan)

    def by_book(self) -> Float64:
        return np.full(self.share.shape, np.nan)


@pytest.fixture(params=range(4))
def case(request: pytest.FixtureRequest) -> Case:
    rng = np.random.default_rng(request.param)
    edges = np.array([0, 8, 9, 25, 40, 52, 60])
    paths, books, count, groups = 3, 5, 60, 6
    slot = np.array([-1, 0, -1, 1, -1])
    shares = rng.uniform(0, 1e6, (paths, books, count)) * (rng.random((paths, books, count)) < 0.6)
    previous = 0.02 * rng.standard_normal((paths, count))
    low, high = previous + np.log(0.9), previous + np.log(1.1)
    bought = np.random.default_rng(100 + request.param).random((paths, 2, groups)) < 0.7
    bought[:, :, 1] = True
    group = np.repeat(np.arange(groups), np.diff(edges))
    weight = np.concatenate([w / w.sum() for w in np.split(rng.random(count), edges[1:-1])])
    log_price = previous + rng.uniform(np.log(0.9), np.log(1.1), (paths, count))
    # Some stand at a limit, to the last bit.
    log_price = np.where(rng.random(log_price.shape) < 0.15, low, log_price)
    log_price = np.where(rng.random(log_price.shape) < 0.1, high, log_price)
    other = np.random.default_rng(200 + request.param)
    kept = other.uniform(0.1, 1.0, (paths, books, groups))
    kept[:, 4, 2] = shares[:, 4, edges[2] : edges[3]] = 0.0  # holds nothing there
    with np.errstate(invalid="ignore"):
        base = np.nan_to_num(shares / kept[:, :, group])
    out = Case(
        edges=edges,
        base=base,
        kept=kept,
        worth=-np.ones_like(kept),
        held_back=shares[:, [1, 3]] * rng.random((paths, 2, count)) * bought[:, :, group],
        fresh=bought,
        slot=slot,
        price=rng.uniform(2, 80, (paths, count)),
        share=rng.random((paths, books, groups)) * (rng.random((paths, books, groups)) < 0.7),
        buy=1e8 * rng.random((paths, books, groups)) * (slot >= 0)[None, :, None],
        capped=np.array([True, False, True, True, False]),
        limit=rng.uniform(0, 4e7, count),
        slope=rng.uniform(0.4, 1.4, count),
        loading=rng.uniform(0.2, 2.0, (paths, count)),
        moved=0.06 * rng.standard_normal((paths, groups)),
        market=0.05 * rng.standard_normal(paths),
        weight=weight,
        own=0.05 * rng.standard_normal((paths, count)),
        log_price=log_price,
        low=low,
        high=high,
    )
    worth = twins.by_group(shares * out.price[:, None, :], edges)
    out.worth = np.where(other.random(worth.shape) < 0.5, worth, -1.0)  # known or not
    return out


def test_noise_grows_with_the_stress_of_its_group(case: Case) -> None:
    rng = np.random.default_rng(0)
    normal, scale, stress = rng.standard_normal((3, 60)), rng.random((3, 60)), rng.random((3, 6))
    noise = case.own.copy()
    kernels.add_noise(noise, normal, scale, stress, case.edges)
    np.testing.assert_allclose(
        noise, twins.add_noise(case.own, normal, scale, stress, case.edges), **CLOSE
    )


def test_values_by_group_know_what_was_bought_today(case: Case) -> None:
    held, sellable, rows = case.by_book(), case.by_book(), np.array([0, 1, 3])
    kernels.group_values(*case.flagged, case.price, case.edges, rows, held, sellable)
    twin = twins.group_values(*case.books, case.price, case.edges)
    np.testing.assert_allclose(held[:, rows], twin[0][:, rows], **CLOSE)
    np.testing.assert_allclose(sellable[:, rows], twin[1][:, rows], **CLOSE)
    assert sellable[:, 1].sum() < held[:, 1].sum()
    assert np.isnan(held[:, [2, 4]]).all()  # other rows are left alone


def test_sales_are_collected_and_rationed(case: Case) -> None:
    locked = case.log_price <= case.low
    sales, scale, wanted = case.flat(), case.flat(), case.by_book()
    ordered = np.full((3, 2, 60), np.nan)
    kernels.collect_sales(
        *case.flagged, case.price, case.edges, case.share, case.capped, locked, case.limit,
        sales, scale, wanted, ordered,
    )  # fmt: skip
    for mine, twin in zip(
        (sales, scale, wanted, ordered),
        twins.collect_sales(
            *case.books, case.price, case.edges, case.share, case.capped, locked, case.limit
        ),
        strict=True,
    ):
        np.testing.assert_allclose(mine, twin, rtol=1e-9, atol=1e-6)
    assert (scale[locked] == 0.0).all()
    assert 0.0 < (scale < 1.0).mean() < 1.0  # the limit binds for some and not for others


def test_purchases_are_spread_by_float(case: Case) -> None:
    shares = case.shares.sum(axis=(0, 1)) + 1.0
    weight, purchases = case.flat(), case.flat()
    kernels.spread_purchases(case.buy, shares, case.price, case.edges, weight, purchases)
    twin = twins.spread_purchases(case.buy, shares, case.price, case.edges)
    np.testing.assert_allclose(weight, twin[0], **CLOSE)
    np.testing.assert_allclose(purchases, twin[1], **CLOSE)


@pytest.mark.parametrize("solve_group", [True, False])
def test_solved_factors_put_each_index_on_its_target(case: Case, solve_group: bool) -> None:
    base = np.exp(0.01 * case.own)
    lowest = twins.index_levels(case.low, base, case.weight, case.edges)
    highest = twins.index_levels(case.high, base, case.weight, case.edges)
    target = lowest + np.random.default_rng(0).uniform(0.3, 0.7, (3, 6)) * (highest - lowest)
    market, group = np.zeros(3), 0.01 * case.moved
    first = group.copy()
    kernels.solve_factors(
        case.own, case.slope, case.loading, case.moved, case.weight, base, case.low, case.high,
        case.edges, target, market, group, True, solve_group,
    )  # fmt: skip
    clipped = np.clip(
        twins.tentative(case.own, case.slope, case.loading, case.moved + group, market, case.edges),
        case.low, case.high,
    )  # fmt: skip
    # The market factor is solved on group 0 alone, where no group factor acts.
    only = np.clip(
        case.own + case.slope * market[:, None] + case.loading * case.moved[:, [0]],
        case.low, case.high,
    )  # fmt: skip
    levels = twins.index_levels(only, base, case.weight, case.edges)
    np.testing.assert_allclose(levels[:, 0], target[:, 0], rtol=1e-11)
    if solve_group:
        levels = twins.index_levels(clipped, base, case.weight, case.edges)
        np.testing.assert_allclose(levels[:, 1:], target[:, 1:], rtol=1e-11)
    else:
        np.testing.assert_array_equal(group, first)


def test_newton_finds_the_same_factor_as_bisection(case: Case) -> None:
    part = slice(int(case.edges[3]), int(case.edges[4]))
    weight, slope = case.weight[part], case.slope[part]

    def index(path: int, factor: float) -> float:
        log_price = np.clip(
            case.own[path, part] + slope * factor, case.low[path, part], case.high[path, part]
        )
        return float((weight * np.exp(log_price)).sum())

    for path in range(3):
        target = 0.96 + 0.02 * path
        found = prices._solve(
            case.own[path, part], slope, weight, case.low[path, part], case.high[path, part],
            target, 0.3,
        )  # fmt: skip
        twin = twins.solve(lambda f, p=path: index(p, f), target, 0.3)  # type: ignore[misc]
        assert found == pytest.approx(twin, abs=1e-10)


def test_target_beyond_all_limits_leaves_the_factor_alone(case: Case) -> None:
    part = slice(0, int(case.edges[1]))
    found = prices._solve(
        case.own[0, part], case.slope[part], case.weight[part], case.low[0, part],
        case.high[0, part], 1.5, 0.3,
    )  # fmt: skip
    assert found == 0.3


def test_orders_fill_as_far_as_limits_allow(case: Case) -> None:
    rng = np.random.default_rng(1)
    sales, purchases = rng.random((3, 60)), rng.random((3, 60))
    sold, bought, net = case.flat(), case.flat(), np.full((3, 6), np.nan)
    kernels.fill_orders(
        case.own, case.slope, case.loading, case.moved, case.market, case.log_price, case.low,
        case.high, case.edges, 0.04, sales, purchases, sold, bought, net,
    )  # fmt: skip
    twin = twins.fill_orders(case.tentative, case.log_price, case.low, case.high, 0.04)
    np.testing.assert_allclose(sold, twin[0], **CLOSE)
    np.testing.assert_allclose(bought, twin[1], **CLOSE)
    np.testing.assert_allclose(
        net, twins.by_group(purchases * twin[1] - sales * twin[0], case.edges), **CLOSE
    )
    assert ((sold < 1.0) & (sold > 0.04)).any()
    assert (sold == 0.04).any()


@dataclass
class Fills:
    """How much of each stock fills; ``odd`` stocks do not fill whole."""

    scale: Float64
    filled: Float64
    ordered: Float64
    wanted: Float64
    sold: Float64


@pytest.fixture(params=[0.0, 0.1, 1.0])
def fills(case: Case, request: pytest.FixtureRequest) -> Fills:
    rng = np.random.default_rng(2)
    odd = rng.random((3, 60)) < request.param
    scale, filled = np.where(odd, rng.random((2, 3, 60)), 1.0)
    case.share[0, 0, 3] = 1.0  # all of it
    sold = twins.sold_shares(*case.books, case.edges, case.share, case.capped, scale, filled)
    _, _, wanted, ordered = twins.collect_sales(
        *case.books, case.price, case.edges, case.share, case.capped, odd, case.limit
    )
    return Fills(scale, filled, ordered, wanted, sold)


def test_filled_sales_of_a_book_are_shares_times_last_price(case: Case, fills: Fills) -> None:
    out = case.by_book()
    kernels.filled_by_book(
        case.base, case.kept, case.held_back, case.fresh, case.slot, case.price, case.edges,
        case.share, case.capped, fills.scale, fills.filled, fills.ordered, fills.wanted, out,
    )  # fmt: skip
    twin = twins.by_group(fills.sold * case.price[:, None, :], case.edges)
    np.testing.assert_allclose(out, twin, rtol=1e-9, atol=1e-6)


def test_net_flow_is_purchases_less_sales(case: Case) -> None:
    sales, purchases = np.random.default_rng(5).random((2, 3, 60))
    net = np.full((3, 6), np.nan)
    kernels.net_flow(purchases, sales, case.edges, net)
    np.testing.assert_allclose(net, twins.by_group(purchases - sales, case.edges), **CLOSE)


def test_nobody_buys_nothing(case: Case) -> None:
    weight, purchases = case.flat(), case.flat()
    buy = case.buy.copy()
    buy[:, :, 2] = 0.0
    kernels.spread_purchases(buy, case.slope, case.price, case.edges, weight, purchases)
    inside = twins.group_of(case.edges) == 2
    assert (purchases[:, inside] == 0.0).all()
    assert (purchases[:, ~inside] > 0.0).all()


def test_volume_fades_and_takes_the_net_fill(case: Case) -> None:
    rng = np.random.default_rng(3)
    volume, sales, purchases, sold, bought = rng.standard_normal((5, 3, 60))
    adv, depth = rng.uniform(1, 2, 60), rng.uniform(0.1, 1, (3, 6))
    calm = adv * depth[:, twins.group_of(case.edges)]
    wanted = volume * 0.9 + (purchases * bought - sales * sold) / calm
    kernels.add_volume(volume, 0.9, sales, purchases, sold, bought, adv, depth, case.edges)
    np.testing.assert_allclose(volume, wanted, **CLOSE)


@pytest.mark.parametrize("exponent", [0.5, 0.6, 1.0])
def test_own_impact_is_concave_in_volume(case: Case, exponent: float) -> None:
    volume, out = case.own * (np.abs(case.own) > 0.01), case.flat()
    kernels.own_impact(volume, case.slope, exponent, out)
    np.testing.assert_allclose(out, twins.own_impact(volume, case.slope, exponent), **CLOSE)
    assert (out[volume == 0.0] == 0.0).all()


def test_prices_stop_at_their_limits(case: Case) -> None:
    log_price, price = case.flat(), case.flat()
    first = case.price[0]
    kernels.set_prices(
        case.own, case.slope, case.loading, case.moved, case.market, case.low, case.high,
        case.edges, first, log_price, price,
    )  # fmt: skip
    twin = np.clip(case.tentative, case.low, case.high)
    np.testing.assert_allclose(log_price, twin, **CLOSE)
    np.testing.assert_allclose(price, first * np.exp(twin), **CLOSE)
    assert (log_price == case.low).any()
    assert (log_price == case.high).any()


def test_sales_move_shares_from_books_to_the_background(case: Case, fills: Fills) -> None:
    background, sold, shares = case.own.copy(), case.by_book(), case.shares
    kernels.book_sales(
        *case.flagged, case.price, case.edges, case.share, case.capped, fills.scale, fills.filled,
        fills.ordered, background, sold,
    )  # fmt: skip
    np.testing.assert_allclose(case.shares, shares - fills.sold, rtol=1e-9, atol=1e-6)
    gained = case.own + fills.sold.sum(axis=1)
    np.testing.assert_allclose(background, gained, rtol=1e-9, atol=1e-6)
    yuan = case.price[:, None, :]
    twin = twins.by_group(fills.sold * yuan, case.edges)
    np.testing.assert_allclose(sold, twin, rtol=1e-9, atol=1e-6)
    known = case.worth >= 0.0
    left = twins.by_group(case.shares * yuan, case.edges)
    np.testing.assert_allclose(case.worth[known], left[known], rtol=1e-9, atol=1e-6)
    assert not known[case.share == 0.0].any()  # prices moved


def test_purchases_move_shares_from_the_background_to_books(case: Case) -> None:
    filled = np.random.default_rng(4).random((3, 60))
    weight = twins.spread_purchases(case.buy, case.price[0], case.price, case.edges)[0]
    held, background, shares = case.held_back.copy(), case.own.copy(), case.shares
    fresh, bought = case.fresh.copy(), case.by_book()
    kernels.book_purchases(
        *case.flagged, case.price, case.edges, case.buy, weight, filled, background, bought
    )
    into = twins.bought_shares(case.buy, weight, filled, case.price, case.edges)
    np.testing.assert_allclose(case.shares, shares + into, **CLOSE)
    np.testing.assert_allclose(case.held_back, held + into[:, [1, 3]], **CLOSE)
    np.testing.assert_array_equal(case.fresh, fresh | (case.buy[:, [1, 3]] > 0.0))
    np.testing.assert_allclose(background, case.own - into.sum(axis=1), rtol=1e-9, atol=1e-6)
    twin = twins.by_group(into * case.price[:, None, :], case.edges)
    np.testing.assert_allclose(bought, twin, **CLOSE)
    assert (case.worth[case.buy > 0.0] == -1.0).all()


def test_index_is_the_weighted_mean_of_price_ratios(case: Case) -> None:
    out = np.full((3, 6), np.nan)
    base = np.exp(0.3 * case.own)
    kernels.index_levels(case.log_price, base, case.weight, case.edges, out)
    np.testing.assert_allclose(
        out, twins.index_levels(case.log_price, base, case.weight, case.edges), **CLOSE
    )


def test_limit_downs_are_counted_without_special_treatment(case: Case) -> None:
    counted = np.arange(60) % 5 > 0
    touched = case.own > 0.05
    before, locked = touched.copy(), np.zeros((3, 60), bool)
    share, down, up = np.full((3, 6), np.nan), np.zeros(3, np.int64), np.zeros(3, np.int64)
    kernels.limit_state(
        case.log_price, case.low, case.high, counted, case.edges, locked, touched, share, down, up
    )
    twin = twins.limit_state(case.log_price, case.low, case.high, counted, case.edges)
    np.testing.assert_array_equal(locked, twin[0])
    np.testing.assert_array_equal(touched, before | locked)
    np.testing.assert_allclose(share, twin[1], **CLOSE)
    np.testing.assert_array_equal(down, twin[2])
    np.testing.assert_array_equal(up, twin[3])
    assert down.sum() > 0
    assert up.sum() > 0


def test_every_kernel_is_tested_here() -> None:
    """Parts of kernels, named with an underscore, are tested through them."""
    compiled = {name for name, value in vars(kernels).items() if hasattr(value, "py_func")}
    assert len(compiled) > 10
    folder = Path(__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("test_*.py"))
    assert {name for name in compiled if f"kernels.{name}(" not in source} == set()
