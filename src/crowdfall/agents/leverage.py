"""The leverage rule that every levered participant and every contagion solver shares.

Leverage is all assets over equity; a margin ratio is its inverse. Who must get back to a leverage
sells what stands above it, out of what can be sold.
"""

from __future__ import annotations

import numpy as np

from crowdfall.types import Bool, Float64


def kept_share(
    equity: Float64, sellable: Float64, leverage: Float64 | float, other: Float64 | float = 0.0
) -> Float64:
    """Return the share of sellable assets that equity carries at a leverage, in 0..1.

    Arrays of one shape, yuan; ``other``: assets that can't be sold. Sales at the marked price
    change no equity, so assets may be leverage x equity and no more; without equity nothing is
    kept. Where there is nothing to sell the share is 1.

    >>> kept_share(np.array([0.8]), np.array([3.8]), 4.0).round(4)  # 4x after an excess of -5%
    array([0.8421])
    """
    room = leverage * np.maximum(equity, 0.0) - other
    held = sellable > 0.0
    share = np.where(held, room / np.where(held, sellable, 1.0), 1.0)
    return np.asarray(np.clip(share, 0.0, 1.0))


def breaches(equity: Float64, assets: Float64, most: Float64 | float) -> Bool:
    """Return who is levered above ``most``; without equity everybody who holds something is."""
    return np.asarray(np.where(equity > 0.0, assets > most * equity, assets > 0.0))
