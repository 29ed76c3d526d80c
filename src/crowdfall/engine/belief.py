"""What the market remembers and believes: past moves, a rescue, announcements. All (P, G)."""

from __future__ import annotations

import numpy as np

from crowdfall.engine.setting import Setting
from crowdfall.engine.state import Prices
from crowdfall.types import Float64


def remember(prices: Prices, setting: Setting, moved: Float64) -> None:
    """Let memories fade by one bar and add the groups' log returns ``moved`` of this bar."""
    terms, dt = setting.scenario.impact, setting.dt
    prices.memory[:] = prices.memory * np.exp(-dt / terms.memory) + moved
    kept = np.exp(-dt / terms.volatility_memory)
    prices.variance[:] = prices.variance * kept + (1.0 - kept) * moved**2 / dt
    above = np.maximum(prices.peak / prices.level, 1.0)  # the high fades towards today's level
    prices.peak[:] = prices.level * above ** np.exp(-dt / terms.peak_memory)
    prices.expected *= np.exp(-dt / terms.expectation_life)
    if setting.scenario.channels.backstop_fade:
        prices.backstop *= np.exp(-dt / terms.backstop_fade)


def announce(prices: Prices, setting: Setting, day: int, bar: int) -> None:
    """Add what the announcements that take effect in this bar are expected to be worth.

    In a replay the pinned index contains its own effect, so its market factor makes room for it
    and other groups move by their effect net of it; in free mode every group moves by its own.
    """
    if setting.scenario.channels.expectations and setting.news[day, bar].any():
        prices.expected += setting.news[day, bar]


def believe(prices: Prices, setting: Setting, bought: Float64) -> None:
    """Raise the belief in a rescue by what the national team bought this bar, (P, G) yuan.

    The first day of a new kind of purchase is recognised only at the close. Purchases of CSI 2000
    are believed for the tail and the micro-caps as well.
    """
    share = bought / setting.group_float
    share[:, 4:] = share[:, 3:4]
    gain = -np.expm1(-share / setting.scenario.impact.backstop_scale)
    at_once = np.where(prices.seen, gain, 0.0)
    later = np.where(prices.seen, 0.0, gain)
    prices.backstop += (1.0 - prices.backstop) * at_once
    prices.pending += (1.0 - prices.pending) * later


def recognise(prices: Prices) -> None:
    """Believe at the close what was bought for the first time today."""
    prices.backstop += (1.0 - prices.backstop) * prices.pending
    prices.seen |= prices.pending > 0.0
    prices.pending[:] = 0.0
