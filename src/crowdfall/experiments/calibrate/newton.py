"""Damped Gauss-Newton on the misses: what each parameter moves, and the steps worth trying.

Levenberg (1944) and Marquardt (1963) on simulated moments. With common random numbers the targets
move smoothly with the parameters where no path changes from crash to calm, so that one difference a
parameter tells more than the same number of random candidates. Shapes: D moving parameters, K
targets that count.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from crowdfall.types import Float64

REACH: Final = 0.25
"""Longest step in any one parameter, as a share of its box: slopes hold nearby only."""
DAMPING: Final = (1e-3, 30.0)
"""Smallest and largest damping tried, relative to the mean curvature."""


def probes(point: Float64, step: float) -> list[Float64]:
    """Return one point a parameter, a step away from ``point`` (D,) towards the middle."""
    out = []
    for k, share in enumerate(point):
        probe = point.copy()
        probe[k] = share + (step if share < 0.5 else -step)
        out.append(probe)
    return out


def slopes(point: Float64, step: float, here: Float64, there: Float64) -> Float64:
    """Return how misses (K,) move with the parameters, (K, D); ``there`` (D, K) at the probes.

    A target without a value here or there is taken not to move.
    """
    signed = np.where(point < 0.5, step, -step)
    found = (there - here) / signed[:, None]
    return np.asarray(np.where(np.isfinite(found), found, 0.0).T)


def steps(
    point: Float64, misses: Float64, slope: Float64, weights: Float64, count: int
) -> list[Float64]:
    """Return ``count`` points to try: full and half steps at dampings from small to large.

    Far misses count linearly, as in the loss: each is weighted by 1 / sqrt(1 + miss^2).
    """
    known = np.where(np.isfinite(misses), misses, 0.0)
    weight = weights / np.sqrt(1.0 + known**2)
    curvature = slope.T @ (weight[:, None] * slope)
    downhill = -slope.T @ (weight * known)
    scale = max(float(np.trace(curvature)) / len(point), 1e-12)
    out = []
    for damping in np.geomspace(*DAMPING, (count + 1) // 2):
        move = np.linalg.solve(curvature + damping * scale * np.eye(len(point)), downhill)
        move *= min(1.0, REACH / max(float(np.abs(move).max()), 1e-12))
        out += [np.clip(point + part * move, 0.0, 1.0) for part in (1.0, 0.5)]
    return out[:count]
