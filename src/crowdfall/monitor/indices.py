"""Gauges of crowding that need holdings and depth, or prices only.

* ``endogenous_risk``: who would hurt whom by selling (Cont and Schaanning 2019, "Monitoring
  indirect contagion"), and the group of institutions that dominates.
* ``contrarian``: the daily return of the simplest crowded strategy (Khandani and Lo 2007).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.errors import TermsError
from crowdfall.types import Float64


@dataclass(frozen=True, kw_only=True)
class EndogenousRisk:
    """Overlaps weighted by illiquidity: ``matrix`` (B, B), its top ``eigenvalue`` and ``vector``.

    The vector (B,) has length 1 and no negative part: each institution's share in the danger.
    """

    matrix: Float64
    eigenvalue: float
    vector: Float64


def endogenous_risk(holdings: ArrayLike, depth: ArrayLike) -> EndogenousRisk:
    """Return Omega_ij = sum over assets of holdings_i x holdings_j / depth, and its top.

    ``holdings`` (B, A) and ``depth`` (A,) in money; the index has the unit of money: what both
    lose if both sell out. TermsError: shapes, NaN, negative holdings, depth not above zero.

    >>> found = endogenous_risk([[50, 50, 0], [0, 20, 30]], [1000, 500, 250])
    >>> round(found.eigenvalue, 4)
    8.4803
    """
    held, deep = _numbers("holdings", holdings, 2), _numbers("depth", depth, 1)
    if held.shape[1] != len(deep):
        raise TermsError(
            "theory_shape", name="depth", shape=str(len(deep)), wanted=str(held.shape[1])
        )
    if (held < 0.0).any():
        raise TermsError("theory_least", name="holdings", value=f"{held.min():g}", low="0")
    if (deep <= 0.0).any():
        raise TermsError("theory_above", name="depth", value=f"{deep.min():g}", low="0")
    matrix = (held / deep) @ held.T
    values, vectors = np.linalg.eigh(matrix)
    # The matrix has no negative entry, so its top vector can be given none (Perron).
    return EndogenousRisk(
        matrix=matrix, eigenvalue=float(values[-1]), vector=np.abs(vectors[:, -1])
    )


@dataclass(frozen=True, kw_only=True)
class Contrarian:
    """Weights (N,) of yesterday's losers and winners, and the next day's return per unit long."""

    weights: Float64
    unlevered: float
    levered: float


def contrarian(returns: ArrayLike, following: ArrayLike, leverage: float = 8.0) -> Contrarian:
    """Return the contrarian strategy's return over one day.

    w = -(R - mean) / N from ``returns`` (N,); return = w . ``following`` (N,) / (sum |w| / 2).
    ``leverage``: gross positions over capital, 8 for 8:1; the unlevered book is 2:1. TermsError:
    shapes, NaN, a leverage not above zero, or returns that are all alike (there is no book).

    >>> round(contrarian([0.03, -0.01, 0, -0.02], [0.01, 0.02, -0.01, 0]).levered, 6)
    -0.013333
    """
    today, after = _numbers("returns", returns, 1), _numbers("following", following, 1)
    if today.shape != after.shape:
        raise TermsError(
            "theory_shape", name="following", shape=str(len(after)), wanted=str(len(today))
        )
    if not 0.0 < leverage < np.inf:
        raise TermsError("theory_above", name="leverage", value=f"{leverage:g}", low="0")
    weights = -(today - today.mean()) / len(today)
    gross = np.abs(weights).sum()
    if gross <= 1e-15:
        raise TermsError("indices_no_spread", value=f"{today[0]:g}")
    unlevered = float(weights @ after / (0.5 * gross))
    return Contrarian(weights=weights, unlevered=unlevered, levered=0.5 * leverage * unlevered)


def _numbers(name: str, values: ArrayLike, dimensions: int) -> Float64:
    try:
        out = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise TermsError("theory_number", name=name, value=values) from None
    if out.ndim != dimensions or out.size == 0:
        shape = "x".join(map(str, out.shape)) or "1"
        raise TermsError("theory_shape", name=name, shape=shape, wanted="x".join("N" * dimensions))
    if not np.isfinite(out).all():
        bad = float(out[~np.isfinite(out)].flat[0])
        raise TermsError("theory_number", name=name, value=f"{bad:g}")
    return out
