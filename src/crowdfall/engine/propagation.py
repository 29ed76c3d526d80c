"""How the fast part of a group's dislocation fades: at one rate, or as a power law of time.

The power law (Bouchaud et al. 2018, ch. 13) is a sum of exponentials (``market.propagator``), each
with one number of memory a group: ``Prices.parts`` (P, G, K), K = 0 where it is off.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from crowdfall.engine.setting import Setting
from crowdfall.engine.state import Prices
from crowdfall.market.propagator import Propagator, long_memory
from crowdfall.types import Float64


@cache
def kernel(exponent: float, bars: int) -> Propagator:
    """Return the decay (1 + t / one bar)^-exponent."""
    return long_memory(exponent, unit=1.0 / bars)


def open_parts(setting: Setting, paths: int) -> Float64:
    """Return the parts at the first close, all zero, (P, G, K)."""
    exponent = setting.scenario.impact.decay_exponent
    count = len(kernel(exponent, setting.bars).rate) if exponent > 0.0 else 0
    return np.zeros((paths, len(setting.group_float), count))


def faded(prices: Prices, setting: Setting) -> Float64:
    """Return what one more bar leaves of the fast dislocation, (P, G)."""
    terms = setting.scenario.impact
    if terms.decay_exponent == 0.0:
        return np.asarray(prices.fast * np.exp(-setting.dt / terms.fast_life))
    return np.asarray(_older(prices, setting).sum(axis=2))


def keep_parts(prices: Prices, setting: Setting) -> None:
    """Split what this bar added to the fast dislocation over the parts, in place."""
    exponent = setting.scenario.impact.decay_exponent
    if exponent > 0.0:
        older = _older(prices, setting)
        added = prices.fast - older.sum(axis=2)
        prices.parts = older + added[:, :, None] * kernel(exponent, setting.bars).weight


def _older(prices: Prices, setting: Setting) -> Float64:
    rate = kernel(setting.scenario.impact.decay_exponent, setting.bars).rate
    return np.asarray(prices.parts * np.exp(-setting.dt * rate))
