"""The loops over queues do what plain numpy says, whatever the order of the books."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from crowdfall.engine import kernels
from crowdfall.types import Bool, Float64, Int64

P, R, N = 2, 5, 30
EDGES = np.array([0, 8, 15, 22, 26, 28, 30])
GROUP = np.repeat(np.arange(6), np.diff(EDGES))


@dataclass
class Case:
    """A random bar with queues; about a third of the books order nothing in a group."""

    queue: Float64
    standing: Bool
    waiting: Bool
    base: Float64
    kept: Float64
    held_back: Float64
    slot: Int64
    price: Float64
    share: Float64
    capped: Bool
    scale: Float64
    allowed: Float64
    low: Float64
    high: Float64
    sales: Float64

    @property
    def shares(self) -> Float64:
        """Return what each book holds, (P, R, N)."""
        return self.base * self.kept[:, :, GROUP]

    @property
    def free(self) -> Float64:
        """Return what each book may sell, (P, R, N)."""
        out = self.shares
        for r, s in enumerate(self.slot):
            if s >= 0:
                out[:, r] -= self.held_back[:, s]
        return out

    @property
    def ordered(self) -> Float64:
        """Return the part of what it may sell that each book orders, (P, R, N)."""
        through = np.where(self.capped[None, :, None], self.scale[:, None, :], 1.0)
        return self.share[:, :, GROUP] * through


def case(seed: int, rows: list[int] | None = None) -> Case:
    rng = np.random.default_rng(seed)
    kept = rng.uniform(0.1, 1.0, (P, R, 6))
    base = rng.uniform(50.0, 100.0, (P, R, N)) / kept[:, :, GROUP]
    held_back = rng.uniform(0.0, 20.0, (P, 2, N))
    waiting = rng.random((P, N)) < 0.4
    queue = rng.uniform(0.0, 60.0, (P, R, N)) * waiting[:, None, :]
    share = rng.uniform(0.0, 1.0, (P, R, 6)) * (rng.random((P, R, 6)) < 0.7)
    allowed = rng.choice([1.0, 0.4], (P, R))
    capped, slot = np.array([True, False, True, False, False]), np.array([-1, 0, -1, 1, -1])
    low = rng.uniform(-0.1, -0.05, (P, N))
    out = Case(
        queue, np.ones((P, R, 6), bool), waiting, base, kept, held_back, slot,
        rng.uniform(5.0, 50.0, (P, N)), share, capped, rng.uniform(0.0, 1.0, (P, N)), allowed,
        low, np.where(rng.random((P, N)) < 0.1, low, 0.1), rng.uniform(1e4, 1e5, (P, N)),
    )  # fmt: skip
    for name in ("queue", "base", "kept", "share", "allowed") if rows else ():
        setattr(out, name, getattr(out, name)[:, rows].copy())
    if rows:
        out.capped, out.slot = capped[rows], slot[rows]
    return out


def join(c: Case) -> Float64:
    queued = np.full((P, N), np.nan)
    kernels.join_queue(
        c.queue, c.standing, c.waiting, c.base, c.kept, c.held_back, c.slot, c.price, EDGES,
        c.share, c.capped, c.scale, c.allowed, c.low, c.high, c.sales, queued,
    )  # fmt: skip
    return queued


def serve(c: Case, queued: Float64, part: Float64, new: Float64) -> tuple[Float64, ...]:
    background, sold, served = np.zeros((P, N)), np.ones((P, R, 6)), np.ones((P, R, 6))
    worth = np.full((P, R, 6), 1e9)
    worth[:, 0] = -1.0
    kernels.serve_queue(
        c.queue, c.standing, c.waiting, c.base, c.kept, worth, c.held_back, c.slot, c.price, EDGES,
        c.share, c.capped, c.scale, c.allowed, c.low, c.high, queued, part, new, background, sold,
        served,
    )  # fmt: skip
    np.testing.assert_allclose(worth[:, 1:], 1e9 - served[:, 1:])
    assert (worth[:, 0] == -1.0).all()  # not known, and not known now
    return background, sold, served


@pytest.mark.parametrize("seed", range(4))
def test_queues_join_the_orders_of_those_who_still_want_to_sell(seed: int) -> None:
    before, c = case(seed), case(seed)
    queued = join(c)
    left = np.minimum(before.queue, before.free * (1.0 - before.ordered))
    left *= (before.share > 0.0)[:, :, GROUP]
    np.testing.assert_allclose(c.queue, left)
    offered = (left * before.allowed[:, :, None]).sum(axis=1) * before.price
    offered *= before.low < before.high
    np.testing.assert_allclose(queued, offered)
    np.testing.assert_allclose(c.sales, before.sales + offered)
    np.testing.assert_array_equal(c.waiting, (left > 0.0).any(axis=1))


@pytest.mark.parametrize("seed", range(4))
def test_queues_are_served_and_unfilled_orders_wait(seed: int) -> None:
    c = case(seed)
    queued = join(c)
    rng = np.random.default_rng(100 + seed)
    part = rng.uniform(0.0, 1.0, (P, N)) * (queued > 0.0)
    new = np.where(rng.random((P, N)) < 0.5, 1.0, rng.uniform(0.0, 1.0, (P, N)))
    new[c.low == c.high] = 0.0
    ordered, free, shares, queue = c.ordered, c.free, c.shares, c.queue.copy()
    c.base -= (
        free * ordered * new[:, None, :] / c.kept[:, :, GROUP]
    )  # the new orders are booked first
    background, sold, served = serve(c, queued, part, new)
    amount = queue * c.allowed[:, :, None] * part[:, None, :]
    left = queue - amount + free * ordered * (1.0 - new)[:, None, :]
    open_ = ((c.low < c.high)[:, None, :]) & (c.share > 0.0)[:, :, GROUP]
    np.testing.assert_allclose(c.queue[open_], left[open_], rtol=1e-9, atol=1e-9)
    yuan = np.add.reduceat(amount * c.price[:, None, :], EDGES[:-1], axis=2)
    np.testing.assert_allclose(served, yuan, atol=1e-9)
    np.testing.assert_allclose(sold, 1.0 + yuan)
    booked = free * ordered * new[:, None, :]
    np.testing.assert_allclose(
        c.shares.sum(axis=1) + background + booked.sum(axis=1), shares.sum(axis=1)
    )
    assert (c.free >= c.queue - 1e-9).all()


def test_the_order_of_books_does_not_matter() -> None:
    rows = [3, 0, 4, 2, 1]
    outcomes = []
    for order in (list(range(R)), rows):
        c = case(7, order)
        queued = join(c)
        part, new = np.full((P, N), 0.3) * (queued > 0.0), np.full((P, N), 0.2)
        serve(c, queued, part, new)
        back = np.argsort(order)
        outcomes.append((queued, c.queue[:, back], c.shares[:, back]))
    for one, other in zip(*outcomes, strict=True):
        np.testing.assert_allclose(one, other)


def test_earlier_orders_fill_first_under_time_priority_and_pro_rata_without() -> None:
    sales, queued = np.array([[100.0, 100.0, 100.0]]), np.array([[60.0, 60.0, 0.0]])
    filled = np.array([[0.3, 0.8, 0.5]])
    part, new = np.empty((2, 1, 3))
    kernels.share_fills(sales, queued, filled, True, part, new)
    np.testing.assert_allclose(part, [[0.5, 1.0, 0.0]])  # 30 of 60; all 60
    np.testing.assert_allclose(new, [[0.0, 0.5, 0.5]])  # none; 20 of 40
    np.testing.assert_allclose(part * queued + new * (sales - queued), filled * sales)
    kernels.share_fills(sales, queued, filled, False, part, new)
    np.testing.assert_allclose(part, [[0.3, 0.8, 0.0]])
    np.testing.assert_allclose(new, filled)
