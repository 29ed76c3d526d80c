"""What funds hold: weights by size group, and a random choice of names inside each group."""

from __future__ import annotations

from typing import Final

import numpy as np

from crowdfall.agents.protocol import Opening
from crowdfall.types import Float64

HEDGED_LOW: Final = (0.0, 0.14, 0.38, 0.36, 0.08, 0.04)
HEDGED_HIGH: Final = (0.0, 0.02, 0.08, 0.30, 0.25, 0.35)
"""Group weights of a hedged book at tilt 0 and 1 (assumption, design:model 10)."""
ENHANCED_500: Final = ((0.06, 0.46, 0.18, 0.24, 0.04, 0.02), (0.0, 0.30, 0.12, 0.33, 0.13, 0.12))
ENHANCED_1000: Final = ((0.0, 0.08, 0.52, 0.32, 0.05, 0.03), (0.0, 0.05, 0.30, 0.38, 0.14, 0.13))
"""The same for index-enhanced funds (assumption, design:model 10)."""
CHOSEN: Final = 0.6
"""Share of a group's names that a book holds (assumption, design:model 10; range 0.4-0.8)."""


def tilted(low: tuple[float, ...], high: tuple[float, ...], tilt: tuple[float, ...]) -> Float64:
    """Return group weights between ``low`` and ``high`` for each tilt in 0..1, shape (R, G)."""
    share = np.clip(np.asarray(tilt), 0.0, 1.0)[:, None]
    return np.asarray((1 - share) * np.asarray(low) + share * np.asarray(high))


def fund_shares(
    opening: Opening, cells: tuple[str, ...], weights: Float64, value: Float64
) -> Float64:
    """Return shares (P, R, N) of books worth ``value`` (R,) yuan with group ``weights`` (R, G).

    Each book draws 60% of a group's names and weights them by sqrt(adv x float), times a uniform
    between 0.5 and 1.5, from one draw a stock: quant books lean to what trades, not to size alone.
    """
    stocks = opening.market.stocks
    liquid = np.sqrt(stocks.adv * stocks.free_float_cap)
    first = np.searchsorted(stocks.group, np.arange(weights.shape[1] + 1))  # in order of group
    shares = np.zeros((opening.paths, len(cells), len(stocks)))
    for r, cell in enumerate(cells):
        draw = opening.draw(cell)
        mass = np.where(draw < CHOSEN, liquid * (0.5 + draw / CHOSEN), 0.0)
        for g in np.flatnonzero(weights[r] > 0.0).tolist():
            inside = slice(first[g], first[g + 1])
            part = mass[:, inside]
            whole = part.sum(axis=1, keepdims=True)  # zero where no name of a tiny group is drawn
            worth = value[r] * weights[r, g] / np.where(whole > 0.0, whole, 1.0)
            np.multiply(part / stocks.close[inside], worth, out=shares[:, r, inside])
    return shares


def float_shares(opening: Opening, value: Float64) -> Float64:
    """Return shares (P, R, N) of books that hold ``value`` (R, G) yuan of each group by float."""
    stocks = opening.market.stocks
    share = stocks.free_float_cap / opening.group_float[stocks.group]
    one = value[:, stocks.group] * share / stocks.close
    return np.broadcast_to(one, (opening.paths, *one.shape)).copy()
