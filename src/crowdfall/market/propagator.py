"""How impact fades: a power law of time, written as a sum of exponentials.

A sum of exponentials needs one number of memory each, whatever the history: so the engine can
carry a power law (Bouchaud et al. 2018, ch. 13) bar by bar.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma
from typing import Final

import numpy as np

from crowdfall.errors import TermsError
from crowdfall.types import Float64

SLOWEST: Final = 4.0
FASTEST: Final = 4.0
"""How many e-folds beyond its times the grid of rates reaches; beyond, weights are below 1e-3."""


@dataclass(frozen=True, kw_only=True)
class Propagator:
    """G(t) = sum of weight x exp(-rate t), both (K,); t and 1 / rate in days."""

    weight: Float64
    rate: Float64

    def at(self, time: Float64 | float) -> Float64:
        """Return G at times in days."""
        when = np.asarray(time, dtype=float)
        return np.asarray(np.exp(-when[..., None] * self.rate) @ self.weight)

    def of_metaorder(self, time: Float64 | float, duration: float) -> Float64:
        """Return the impact at ``time`` of an order traded evenly at rate 1 over ``duration``."""
        when = np.asarray(time, dtype=float)[..., None]
        traded = np.minimum(when, duration)
        # Differences of exponentials, without the loss of digits at small rates.
        part = np.exp(-self.rate * (when - traded)) * -np.expm1(-self.rate * traded) / self.rate
        return np.asarray(part @ self.weight)


def power_law(
    exponent: float, *, shortest: float = 1e-3, longest: float = 250.0, step: float = 0.9
) -> Propagator:
    """Return t^-exponent between two times in days, as exponentials.

    t^-b = 1 / Gamma(b) x integral of exp(b x - t e^x) over x: the trapezoid rule with ``step``
    converges faster than any power, 0.9 to some 1e-4, 0.25 to the last digit (measured in the
    tests). Rates reach far enough beyond both times for that accuracy. TermsError: an exponent
    not in 0..1, times or a step not above zero.

    >>> float(power_law(0.5, step=0.25).at(4.0).round(9))
    0.5
    """
    if not 0.0 < exponent < 1.0:
        raise TermsError("propagator_exponent", value=f"{exponent:g}")
    if not (0.0 < shortest < longest < np.inf and 0.0 < step <= 2.0):
        raise TermsError(
            "propagator_times", shortest=f"{shortest:g}", longest=f"{longest:g}", step=f"{step:g}"
        )
    lost = np.pi**2 / step  # the rule's own error is about exp(-lost)
    low = -np.log(longest) - lost / exponent
    high = -np.log(shortest) + np.log(max(lost, 2.0)) + 1.0
    grid = np.arange(low, high + step, step)
    return Propagator(weight=step * np.exp(exponent * grid) / gamma(exponent), rate=np.exp(grid))


def long_memory(
    exponent: float, *, unit: float, longest: float = 250.0, step: float = 0.6
) -> Propagator:
    """Return (1 + t / unit)^-exponent as exponentials: 1 at once, a power law later.

    (1 + s)^-b = 1 / Gamma(b) x integral of u^(b - 1) e^-u e^(-u s) du. What would fade only after
    ``longest`` days is one part that stays. Some 28 parts hold it to 1e-3 (measured in the tests).
    TermsError as in ``power_law``.

    >>> float(long_memory(0.5, unit=0.125).at(0.0).round(12))
    1.0
    """
    if not 0.0 < exponent < 1.0:
        raise TermsError("propagator_exponent", value=f"{exponent:g}")
    if not (0.0 < unit < longest < np.inf and 0.0 < step <= 2.0):
        raise TermsError(
            "propagator_times", shortest=f"{unit:g}", longest=f"{longest:g}", step=f"{step:g}"
        )
    kept = -np.log(longest / unit) - SLOWEST
    grid = np.arange(kept, FASTEST, step)
    # b / Gamma(1 + b) is 1 / Gamma(b), and holds for the smallest b too.
    weight = step * np.exp(exponent * grid - np.exp(grid)) * exponent / gamma(1.0 + exponent)
    stays = max(1.0 - float(weight.sum()), 0.0)
    return Propagator(
        weight=np.append(weight, stays) / (weight.sum() + stays),
        rate=np.append(np.exp(grid) / unit, 0.0),
    )
