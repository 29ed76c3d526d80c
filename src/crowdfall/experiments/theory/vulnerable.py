"""Vulnerable banks: the linear model of leverage targeting and common assets.

Greenwood, Landier and Thesmar (2015, JFE): banks return to their leverage after a shock and sell
pro rata; sales move prices in proportion. N banks, K assets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.errors import TermsError
from crowdfall.experiments.theory.arrays import within
from crowdfall.types import Float64


@dataclass(frozen=True, kw_only=True)
class Spread:
    """One round: bank returns (N,), sales (K,), price moves (K,), second returns (N,).

    ``vulnerability``: equity of all banks lost by the round, ``direct``: by the shock itself.
    """

    first: Float64
    sales: Float64
    moves: Float64
    second: Float64
    vulnerability: float
    direct: float


@dataclass(frozen=True, kw_only=True)
class System:
    """Banks that return to their leverage, and the assets they share.

    ``assets`` (N,), ``weights`` (N, K) summing to 1, ``debt`` over equity (N,), ``illiquidity``
    (K,): return per unit of money sold. TermsError for shapes, NaN, or anything negative.
    """

    assets: Float64
    weights: Float64
    debt: Float64
    illiquidity: Float64

    def __init__(
        self, *, assets: ArrayLike, weights: ArrayLike, debt: ArrayLike, illiquidity: ArrayLike
    ) -> None:
        mix = within("weights", weights, (None, None), high=1.0)
        wrong = np.abs(mix.sum(axis=1) - 1.0) > 1e-9
        if wrong.any():
            raise TermsError("theory_weights", value=f"{mix.sum(axis=1)[wrong][0]:g}")
        values = {
            "assets": within("assets", assets, (mix.shape[0],)),
            "weights": mix,
            "debt": within("debt", debt, (mix.shape[0],)),
            "illiquidity": within("illiquidity", illiquidity, (mix.shape[1],)),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def spread(self, shock: ArrayLike, equity: ArrayLike) -> Spread:
        """Return what one round of sales does after asset returns ``shock`` (K,)."""
        given = within("shock", shock, self.illiquidity.shape, low=-1.0, high=1.0)
        own = within("equity", equity, self.assets.shape, above=True)
        first = self.weights @ given
        sales = self.weights.T @ (self.assets * self.debt * first)
        moves = self.illiquidity * sales
        second = self.weights @ moves
        return Spread(
            first=first, sales=sales, moves=moves, second=second,
            vulnerability=float(-(self.assets * second).sum() / own.sum()),
            direct=float(-(self.assets * first).sum() / own.sum()),
        )  # fmt: skip

    def transmission(self) -> Float64:
        """Return T = M L M' B A (N, N): bank returns of a round from those of the one before."""
        pull = self.weights * self.illiquidity
        return np.asarray(pull @ self.weights.T * (self.debt * self.assets))

    def spectral_radius(self) -> float:
        """Return the largest size of an eigenvalue of T; from 1 on the rounds never end."""
        return float(np.abs(np.linalg.eigvals(self.transmission())).max())

    def all_rounds(self, shock: ArrayLike) -> Float64:
        """Return bank returns (N,) after all rounds, (I - T)^-1 R1; TermsError if unstable."""
        given = within("shock", shock, self.illiquidity.shape, low=-1.0, high=1.0)
        radius = self.spectral_radius()
        if radius >= 1.0:
            raise TermsError("theory_unstable", radius=f"{radius:g}")
        matrix = np.eye(len(self.assets)) - self.transmission()
        return np.asarray(np.linalg.solve(matrix, self.weights @ given))
