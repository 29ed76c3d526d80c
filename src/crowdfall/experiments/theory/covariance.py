"""What a fund's forced trades do to the covariance of returns.

Cont and Wagalath (2013, "Running for the exit"): a fund trades in proportion to its own return and
moves every stock it trades.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.experiments.theory.arrays import number, within
from crowdfall.types import Float64


def realised_covariance(
    fundamental: ArrayLike, weights: ArrayLike, impact: ArrayLike, response: float = 1.0
) -> Float64:
    """Return Cov of R = eps + f' Lambda (w' eps), shape (N, N).

    ``fundamental`` (N, N): Cov of eps; ``weights`` w (N,) of the fund; ``impact`` Lambda (N,);
    ``response`` f'. Cov = S + f'(Lambda w'S + S w Lambda') + f'^2 (w'S w) Lambda Lambda'.
    """
    mix = within("weights", weights, (None,), low=-np.inf)
    count = len(mix)
    own = within("fundamental", fundamental, (count, count), low=-np.inf)
    moves = within("impact", impact, (count,), low=-np.inf) * number("response", response)
    felt = own @ mix
    return np.asarray(
        own + np.outer(moves, felt) + np.outer(felt, moves) + (mix @ felt) * np.outer(moves, moves)
    )


def correlation(covariance: Float64) -> Float64:
    """Return correlations of a covariance (N, N)."""
    sd = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(sd, sd))


def homogeneous(count: int, correlation: float, variance: float = 1.0) -> tuple[Float64, Float64]:
    """Return the covariance (N, N) and equal weights (N,) of stocks that are all alike."""
    number("correlation", correlation, low=-1.0, high=1.0)
    own = np.full((count, count), correlation * variance)
    np.fill_diagonal(own, variance)
    return own, np.full(count, 1.0 / count)
