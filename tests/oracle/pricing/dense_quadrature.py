"""A naive independent route to a snowball's value: one dense matrix, nodes aligned with barriers.

Knocked-in and alive values side by side, no bands, no cut panels, no split into held and shield:
nothing is shared with the package but the contract's words.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MONTH = 21


def nodes(breaks: list[float], spacing: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Gauss-Legendre points and weights between sorted breaks."""
    x, w = np.polynomial.legendre.leggauss(16)
    points, weights = [], []
    for a, b in pairwise(breaks):
        count = max(1, math.ceil((b - a) / (16 * spacing)))
        edges = np.linspace(a, b, count + 1)
        for low, high in pairwise(edges):
            points.append((low + high) / 2 + (high - low) / 2 * x)
            weights.append((high - low) / 2 * w)
    return np.concatenate(points), np.concatenate(weights)


def snowball(
    spot: float, age: int, knocked_in: bool, *, vol: float, q: float, rate: float = 0.02,
    coupon: float = 0.2, knock_in: float = 0.75, knock_out: float = 1.03, months: int = 24,
    lockup: int = 3,
) -> tuple[float, float]:  # fmt: skip
    """Return value per 100 and delta of the standard contract just after session ``age``."""
    last = months * MONTH
    sd = vol / math.sqrt(252)
    drift = (rate - q - vol**2 / 2) / 252
    left = min(math.log(knock_in), math.log(spot)) - 5 * sd * math.sqrt(last - age) - 0.2
    right = max(math.log(knock_out), math.log(spot)) + 5 * sd * math.sqrt(lockup * MONTH) + 0.05
    breaks = sorted({left, math.log(knock_in), 0.0, math.log(knock_out), right})
    x, w = nodes(breaks, 0.5 * sd)
    price = np.exp(x)
    at = np.append(x, math.log(spot))
    u = (x[None, :] - at[:, None] - drift) / sd
    kernel = w * np.exp(-u * u / 2) / (sd * math.sqrt(2 * math.pi)) * math.exp(-rate / 252)
    lost = np.minimum(1.0, price)
    kept = np.full_like(price, 1 + coupon * last / 252)
    for day in range(last, age, -1):
        below = price <= knock_in
        kept = np.where(below, lost, kept)
        if day % MONTH == 0 and day >= lockup * MONTH:
            out = price >= knock_out
            paid = 1 + coupon * day / 252
            lost, kept = np.where(out, paid, lost), np.where(out, paid, kept)
        value = lost if knocked_in else kept
        if day == age + 1:
            break
        lost, kept = kernel[:-1] @ lost, kernel[:-1] @ kept
    slope = kernel[-1] * u[-1] / sd
    return 100 * float(kernel[-1] @ value), float(slope @ value) / spot
