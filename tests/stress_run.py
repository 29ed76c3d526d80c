"""A scenario in which everything that a table can hold happens within a few sessions.

Its numbers are its own: it does not move when defaults are fitted again.
"""

from __future__ import annotations

from pathlib import Path

from crowdfall.scenarios.schema import Scenario
from invented_market import CRASH, invented_scenario

WORDS = """
agents.dma.gross = 250e9
agents.dma.tilt = 1.0
agents.dma.cut_rate = 0.0
agents.dma.cut_drawdown = 0.05
agents.dma.top_up_line = 0.17
agents.dma.liquidation_line = 0.08
agents.dma.urgency = 2.0
agents.neutral.cut_rate = 0.2
agents.neutral.unwind_rate = 0.2
agents.enhanced.detilt_rate = 0.3
agents.enhanced.tolerance = 0.005
agents.trend_retail.outflow = 0.06
agents.margin_accounts.repay = 0.25
agents.style_switchers.switch = 0.5
agents.followers.follow = 0.5
agents.front_runners.size = 0.5
agents.trend_shorts.trend = 0.2
agents.harvesters.capital = 60e9
impact.multiplier = 4.0
impact.depth_floor = 0.2
impact.depth_return = 0.6
impact.depth_lock = 2.0
impact.spill = 0.5
impact.value_scale = 0.2
basis.impact = 2.0
noise.group_daily = [0.0, 0.001, 0.001, 0.002, 0.002, 0.003]
[[policy]]
kind = "sell_ban"
title = "half of the sales are suspended"
source = "invented"
start = 2024-01-08
start_bar = 4
end = 2024-01-09
shares = { dma = 0.5 }
"""


def stress_scenario(folder: Path, days: int = 8) -> Scenario:
    """Return a crash that inputs force for four sessions, which then feeds itself and is met."""
    return invented_scenario(folder, WORDS, moves=CRASH, days=days, assimilated=4, rescue=60.0)
