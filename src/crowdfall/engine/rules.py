"""Rules on observables at work: what each sees at a close, and on which paths it fires.

A rule acts on a path by itself, but everything that a lever may move belongs to a block. So a
block is played without the firings that it does not know of; the paths on which a rule fires are
played again with it. What lies before a firing can't know of it, so it is the same to the last bit.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np

from crowdfall.agents.protocol import UNDERLYINGS
from crowdfall.engine.crowd import knocked_in
from crowdfall.engine.rows import basis_of_months
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import Setting
from crowdfall.market.snapshot import GROUPS
from crowdfall.results.schema import CONTRACT_RANKS
from crowdfall.scenarios.rules import Firing
from crowdfall.scenarios.schema import Rule
from crowdfall.types import Bool, Float64

KNOCKED_IN = ("csi500", "csi1000")


def observed(run: Run, rule: Rule) -> Float64:
    """Return the observable of a rule at the close that was played last, (P,)."""
    prices = run.prices
    if rule.observable == "basis":
        u, k = UNDERLYINGS.index(rule.of), CONTRACT_RANKS.index(rule.contract)
        return np.asarray(basis_of_months(run)[:, u, k])
    if rule.observable == "knocked_in_share":
        shares = knocked_in(run.members)
        return np.zeros(run.paths) if shares is None else shares[:, KNOCKED_IN.index(rule.of)]
    if rule.observable == "limit_down_share" and rule.of == "all":
        return np.asarray(prices.down / max(int(prices.counted.sum()), 1))
    g = GROUPS.index(rule.of)
    if rule.observable == "limit_down_share":
        return prices.locked_share[:, g]
    if rule.observable == "three_day_fall":
        return np.asarray(-prices.memory[:, g])
    closes = [level[:, g] for level in run.closes]
    if rule.observable == "drawdown":
        return np.asarray(1.0 - closes[-1] / np.max(closes, axis=0))
    return np.asarray(closes[-1] / closes[max(len(closes) - 1 - rule.over, 0)] - 1.0)


def there(run: Run, rule: Rule) -> Bool:
    """Say on which paths the observable has reached its level, (P,)."""
    seen = observed(run, rule)
    if rule.above is not None:
        return np.asarray(seen >= rule.above)
    assert rule.below is not None  # a rule names one of them
    return np.asarray(seen <= rule.below)


def armed(setting: Setting, number: int, day: int) -> bool:
    """Say whether a rule may fire at a close, after the firings that the block knows of."""
    rule = setting.scenario.rule[number]
    last = len(setting.days) - 1
    if day >= last or (rule.start is not None and setting.days[day + 1] < rule.start):
        return False
    mine = [firing.day for firing in setting.fired if firing.rule == number]
    if len(mine) >= rule.times:
        return False
    return not mine or (rule.sessions is not None and day >= max(mine) + rule.sessions)


class Watch:
    """Looks at every close for firings that the block does not know of; the first day counts."""

    def __init__(self, setting: Setting, paths: int) -> None:
        self.found: list[tuple[Firing, ...]] = [()] * paths
        self._after = max((firing.day for firing in setting.fired), default=-1)

    def look(self, run: Run, day: int) -> bool:
        """Note who fires at the close of ``day``; return whether a rule has fired on every path."""
        if day > self._after:
            fires = [
                (Firing(j, day), there(run, rule))
                for j, rule in enumerate(run.setting.scenario.rule)
                if armed(run.setting, j, day)
            ]
            for p, known in enumerate(self.found):
                if not known:
                    self.found[p] = tuple(firing for firing, on in fires if on[p])
        return all(self.found)

    def stretches(self) -> list[tuple[int, int, tuple[Firing, ...]]]:
        """Return neighbouring paths with the same firings: first path, number of paths, firings."""
        out, first = [], 0
        for fired, group in groupby(self.found):
            count = len(list(group))
            out.append((first, count, fired))
            first += count
        return out
