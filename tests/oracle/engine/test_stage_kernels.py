"""A stage is its kernels one after the other, whatever path it begins with."""

# ruff: noqa: ANN401

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdfall.engine import kernels, simulate
from crowdfall.engine import setting as settings
from invented_market import invented_market
from stress_run import stress_scenario

Books, Stocks = kernels.Books, kernels.Stocks
PATHS = 3


def order(books: Books, stocks: Stocks, edges: Any, limit: Any, float_shares: Any) -> None:
    b, x = books, stocks
    kernels.collect_sales(
        b.base, b.kept, b.worth, b.held_back, b.fresh, b.slot, x.price, edges, b.share, b.capped,
        x.locked, limit, x.sales, x.scale, b.wanted, x.ordered,
    )  # fmt: skip
    kernels.spread_purchases(b.buy, float_shares, x.price, edges, x.weight, x.purchases)
    kernels.join_queue(
        b.queue, b.standing, x.waiting, b.base, b.kept, b.held_back, b.slot, x.price, edges,
        b.share, b.capped, x.scale, b.allowed, x.low, x.high, x.sales, x.queued,
    )  # fmt: skip


def fill(books: Books, stocks: Stocks, edges: Any, *words: Any) -> None:
    b, x = books, stocks
    slope, moved, market, least, early, net = words
    kernels.fill_orders(
        x.own, slope, x.loading, moved, market, x.log_price, x.low, x.high, edges, least, x.sales,
        x.purchases, x.filled_sales, x.filled_purchases, net,
    )  # fmt: skip
    kernels.share_fills(x.sales, x.queued, x.filled_sales, early, x.filled_queue, x.filled_new)
    kernels.filled_by_book(
        b.base, b.kept, b.held_back, b.fresh, b.slot, x.price, edges, b.share, b.capped, x.scale,
        x.filled_new, x.ordered, b.wanted, b.filled,
    )  # fmt: skip


def book(books: Books, stocks: Stocks, edges: Any) -> None:
    b, x = books, stocks
    kernels.book_sales(
        b.base, b.kept, b.worth, b.held_back, b.fresh, b.slot, x.price, edges, b.share, b.capped,
        x.scale, x.filled_new, x.ordered, x.background, b.sold,
    )  # fmt: skip
    kernels.book_purchases(
        b.base, b.kept, b.worth, b.held_back, b.fresh, b.slot, x.price, edges, b.buy, x.weight,
        x.filled_purchases, x.background, b.bought,
    )  # fmt: skip
    kernels.serve_queue(
        b.queue, b.standing, x.waiting, b.base, b.kept, b.worth, b.held_back, b.slot, x.price,
        edges, b.share, b.capped, x.scale, b.allowed, x.low, x.high, x.queued, x.filled_queue,
        x.filled_new, x.background, b.sold, b.served,
    )  # fmt: skip


STAGES: dict[str, Callable[..., None]] = {
    "order_stocks": order,
    "fill_stocks": fill,
    "book_stocks": book,
}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_its_kernels_in_any_order_of_the_paths(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared bit for bit in every bar of a crash with queues."""
    stage = getattr(kernels, name)
    waited = 0

    def compared(*words: Any) -> None:
        nonlocal waited
        forward, backward, apart = (deepcopy(words[:-1]) for _ in range(3))
        stage(*forward, False)
        stage(*backward, True)
        STAGES[name](*apart)
        stage(*words)
        for one, two, three in zip(forward[:2], backward[:2], apart[:2], strict=True):
            for field in one._fields:
                wanted = getattr(three, field)
                np.testing.assert_array_equal(getattr(one, field), wanted, err_msg=field)
                np.testing.assert_array_equal(getattr(two, field), wanted, err_msg=field)
        waited += int(words[1].waiting.any())

    monkeypatch.setattr(kernels, name, compared)
    constants = settings.setting(invented_market(every=2), stress_scenario(tmp_path, 6), 1)
    simulate.simulate(constants, first_path=0, paths=PATHS)
    assert waited > 5
