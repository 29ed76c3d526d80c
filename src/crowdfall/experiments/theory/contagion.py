"""Fire sales of levered institutions with common assets: least and greatest equilibrium.

Everybody who is levered above its cap at the prices that end the fire sale sells the share of its
marketable assets that brings it back, pro rata over them. Sales lower the prices of all who hold
the same assets. The map from price drops to price drops is monotone, so iteration from no drop
finds the least fixed point and from the drop of a complete sale the greatest (Tarski); where they
differ, which one occurs is a matter of belief (Breuer, Summer and Urosevic 2021, OeNB WP 235).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.agents.leverage import kept_share
from crowdfall.errors import TermsError
from crowdfall.experiments.theory.arrays import number, within
from crowdfall.types import Float64

STILL: Final = 1e-15
"""Largest movement of a price drop, as a fraction of the price, that ends the iteration."""
MOST_ROUNDS: Final = 100_000


@dataclass(frozen=True, kw_only=True)
class Banks:
    """Institutions before the shock. B institutions, A assets; money in one unit.

    ``holdings`` (B, A): marketable assets at their first price; ``equity`` (B,); ``other`` (B,):
    assets that can't be sold; ``leverage`` (B,) or one number: highest assets over equity, above 1.
    Raises TermsError for negative holdings, shapes that differ, NaN, or a leverage of 1 or less.
    Equity below zero means a bank that sells all it has.

    >>> Banks(holdings=[[60.0]], equity=[10.0], other=[40.0], leverage=12.0).holdings.shape
    (1, 1)
    """

    holdings: Float64
    equity: Float64
    other: Float64
    leverage: Float64

    def __init__(
        self, *, holdings: ArrayLike, equity: ArrayLike, other: ArrayLike, leverage: ArrayLike
    ) -> None:
        held = within("holdings", holdings, (None, None))
        count = held.shape[0]
        caps = leverage if np.ndim(leverage) else np.full(count, leverage)
        values = {
            "holdings": held,
            "equity": within("equity", equity, (count,), low=-np.inf),
            "other": within("other", other, (count,)),
            "leverage": within("leverage", caps, (count,), low=1.0, above=True),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, kw_only=True)
class Impact:
    """A price falls by (sold / depth)^exponent, at most to zero.

    ``depth`` (A,) or one number: the amount, at first prices, whose sale would take the price to
    zero in a straight line; ``exponent`` 0.5 is the square-root law.
    """

    depth: ArrayLike
    exponent: float = 0.5

    def drop(self, sold: Float64) -> Float64:
        """Return the price drops after sales (A,) at first prices, as fractions in 0..1."""
        depth = self.depth if np.ndim(self.depth) else np.full(sold.shape, self.depth)
        deep = within("depth", depth, sold.shape, above=True)
        power = number("exponent", self.exponent, above=True, high=2.0)
        return np.asarray(np.minimum((sold / deep) ** power, 1.0))


@dataclass(frozen=True, kw_only=True)
class Equilibrium:
    """A fixed point: ``drop`` (A,) by sales alone, ``sold_share`` (B,), ``equity`` (B,) after."""

    drop: Float64
    sold_share: Float64
    equity: Float64
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Equilibria:
    """The least and the greatest fixed point; ``unique`` where they are one."""

    least: Equilibrium
    greatest: Equilibrium

    @property
    def unique(self) -> bool:
        """Say whether the two ends met, to a billionth of the price."""
        return bool(np.allclose(self.least.drop, self.greatest.drop, rtol=0.0, atol=1e-9))


def solve(banks: Banks, impact: Impact, shock: ArrayLike = 0.0) -> Equilibria:
    """Return both ends of the lattice of equilibria after a shock to the prices.

    ``shock`` (A,) or one number: fall of the prices from outside, in 0..1. Raises TermsError for
    bad input. The least fixed point never falls when the shock rises.

    >>> three = Banks(holdings=[[145], [435], [300]], equity=[28, 80, 65],
    ...               other=[1170, 1245, 1190], leverage=44)
    >>> found = solve(three, Impact(depth=1 / 2.2e-5))
    >>> found.least.drop.round(6), found.greatest.drop.round(6)
    (array([0.05648]), array([0.13914]))
    """
    assets = banks.holdings.shape[1]
    fall = shock if np.ndim(shock) else np.full(assets, shock)
    fallen = within("shock", fall, (assets,), high=1.0)
    return Equilibria(
        least=_iterate(banks, impact, fallen, np.zeros(assets)),
        greatest=_iterate(banks, impact, fallen, impact.drop(banks.holdings.sum(axis=0))),
    )


def respond(banks: Banks, impact: Impact, shock: Float64, drop: Float64) -> Float64:
    """Return the drops (A,) that follow if everybody expects the drops ``drop`` (A,)."""
    share = sold_shares(banks, (1.0 - shock) * (1.0 - drop))
    return impact.drop(banks.holdings.T @ share)


def sold_shares(banks: Banks, price: Float64) -> Float64:
    """Return the share of its marketable assets that each sells at prices (A,), shape (B,)."""
    equity = banks.equity - banks.holdings @ (1.0 - price)
    kept = kept_share(equity, banks.holdings @ price, banks.leverage, banks.other)
    worthless = (equity <= 0.0) & (banks.holdings.sum(axis=1) > 0.0)
    return np.where(worthless, 1.0, 1.0 - kept)


def _iterate(banks: Banks, impact: Impact, shock: Float64, start: Float64) -> Equilibrium:
    drop = start
    for rounds in range(MOST_ROUNDS):
        following = respond(banks, impact, shock, drop)
        if np.abs(following - drop).max() <= STILL:
            price = (1.0 - shock) * (1.0 - following)
            return Equilibrium(
                drop=following, sold_share=sold_shares(banks, price),
                equity=banks.equity - banks.holdings @ (1.0 - price), rounds=rounds,
            )  # fmt: skip
        drop = following
    raise TermsError("theory_still_moving", rounds=MOST_ROUNDS)


def crossings(
    banks: Banks, impact: Impact, shock: float = 0.0, points: int = 4001
) -> tuple[float, ...]:
    """Return every fixed point of one asset that a grid of ``points`` drops separates.

    Between a least and a greatest equilibrium lies an unstable one: drops above it end at the
    greatest. TermsError where there is more than one asset.
    """
    from scipy.optimize import brentq

    if banks.holdings.shape[1] != 1:
        raise TermsError("theory_shape", name="holdings", shape="BxA", wanted="Bx1")
    fallen = np.array([number("shock", shock, high=1.0)])

    def gap(drop: float) -> float:
        return float(respond(banks, impact, fallen, np.array([drop]))[0] - drop)

    grid = np.linspace(0.0, 1.0, points)
    gaps = [gap(float(drop)) for drop in grid]
    found = [float(d) for d, g in zip(grid, gaps, strict=True) if g == 0.0]
    for left in range(points - 1):
        if gaps[left] * gaps[left + 1] < 0.0:
            found.append(float(brentq(gap, grid[left], grid[left + 1], xtol=1e-15)))
    return tuple(sorted(found))
