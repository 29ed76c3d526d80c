"""Contagion through overlapping portfolios (Caccioli, Shrestha, Moore and Farmer 2014).

Banks hold assets; one that fails sells everything; a price falls to exp(-rate x share sold).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.experiments.theory.arrays import number, within
from crowdfall.types import Bool, Float64

TEN_FOR_TEN = float(-10.0 * np.log(0.9))
"""Rate at which selling a tenth of an asset lowers its price by a tenth: 1.05361."""


@dataclass(frozen=True, kw_only=True)
class Cascade:
    """Who failed (B,), the round in which (B,; -1 never), and prices (A,) at the end."""

    failed: Bool
    round_of: tuple[int, ...]
    price: Float64


def cascade(
    holdings: ArrayLike, equity: ArrayLike, first: ArrayLike, rate: float = TEN_FOR_TEN
) -> Cascade:
    """Return the failures that follow when the banks flagged in ``first`` (B,) fail.

    ``holdings`` (B, A) at first prices, ``equity`` (B,). A bank fails when its loss exceeds its
    equity. TermsError: negative holdings, shapes, NaN.
    """
    held = within("holdings", holdings, (None, None))
    own = within("equity", equity, (held.shape[0],), low=-np.inf)
    failed = within("first", first, own.shape, high=1.0) > 0.0
    pace = number("rate", rate)
    total = held.sum(axis=0)
    supply = np.where(total > 0.0, total, 1.0)
    round_of = np.where(failed, 0, -1)
    for count in range(1, len(own) + 2):
        price = np.exp(-pace * (failed @ held) / supply)
        new = ~failed & (held @ (1.0 - price) > own)
        if not new.any():
            break
        failed = failed | new
        round_of[new] = count
    return Cascade(failed=failed, round_of=tuple(round_of.tolist()), price=price)


def neighbourhood(assets: int, holders: int, leverage: float) -> tuple[Float64, Float64]:
    """Return holdings and equity of one bank and those that share one asset with it.

    The first bank holds ``assets`` assets; each has ``holders`` - 1 more holders, whose other
    assets nobody else holds. All hold 1 of everything in equal parts; equity = 1 / ``leverage``.
    """
    times = number("leverage", leverage, low=1.0, above=True)
    neighbours = assets * (holders - 1)
    held = np.zeros((1 + neighbours, assets + neighbours * (assets - 1)))
    held[0, :assets] = 1.0 / assets
    for bank in range(neighbours):
        held[1 + bank, bank % assets] = 1.0 / assets
        own = assets + bank * (assets - 1)
        held[1 + bank, own : own + assets - 1] = 1.0 / assets
    return held, np.full(1 + neighbours, 1.0 / times)


def topples(assets: int, holders: int, leverage: float, rate: float = TEN_FOR_TEN) -> bool:
    """Say whether one failure topples those that share one asset, at a leverage."""
    held, equity = neighbourhood(assets, holders, leverage)
    first = np.zeros(len(equity))
    first[0] = 1.0
    found = cascade(held, equity, first, rate)
    return 1 in found.round_of


def toppling_leverage(assets: int, holders: int, rate: float = TEN_FOR_TEN) -> float:
    """Return the leverage above which one failure topples a neighbour, by bisection."""
    low, high = 1.0 + 1e-9, 1e9
    for _ in range(90):
        middle = 0.5 * (low + high)
        if topples(assets, holders, middle, rate):
            high = middle
        else:
            low = middle
    return high
