"""Where the indices must go: pinned and assimilated targets, or drawn returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from crowdfall.engine.random import normals, uniforms
from crowdfall.market.snapshot import GROUPS, Market
from crowdfall.scenarios.inputs import ASSIMILATED, assimilation_closes, index_bars
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Bool, Float64


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Targets of the size-group indices, as ratios.

    ``ratio`` (T, K, G): index over its first level (micro-cap: over its previous close), NaN
    where nothing is pinned; ``assimilated`` (T,): the group factors are solved that day.
    ``returns`` (T', G): history to draw from; ``spread`` (G,): sd a day of the factors drawn;
    ``mean_slope`` (G,): index loading on the market factor.
    """

    ratio: Float64
    assimilated: Bool
    returns: Float64
    spread: Float64
    mean_slope: Float64


def targets_of(
    scenario: Scenario, market: Market, days: Sequence[date], weight: Float64, slope: Float64
) -> Targets:
    """Return the targets of a scenario on a market sorted by group."""
    group = market.stocks.group
    mean_slope = np.array([(weight * slope)[group == g].sum() for g in range(len(GROUPS))])
    returns = at_volatility(market.history.returns, scenario.clock.volatility_decay)
    factor = returns[:, 0] / mean_slope[0]
    residual = returns - factor[:, None] * mean_slope
    spread = residual.std(axis=0)
    spread[0] = factor.std()
    ratio = np.full((len(days), scenario.clock.bars, len(GROUPS)), np.nan)
    assimilated = np.zeros(len(days), bool)
    if scenario.clock.mode == "replay":
        _pin(scenario, days, ratio, assimilated)
    return Targets(
        ratio=ratio, assimilated=assimilated, returns=returns, spread=spread, mean_slope=mean_slope
    )


def at_volatility(returns: Float64, decay: float) -> Float64:
    """Return daily returns (T, G) put to the volatility that the last of them tell, by group.

    That volatility is the root of their squares, each weighted ``decay`` times the one after it
    (RiskMetrics 1996); what is drawn keeps the joint shape and the bursts of the whole history.
    Decay 1 leaves them as they are.
    """
    if decay == 1.0:
        return returns
    weight = decay ** np.arange(len(returns) - 1, -1, -1.0)
    recent = np.sqrt(weight @ returns**2 / weight.sum())
    return np.asarray(returns * recent / np.sqrt((returns**2).mean(axis=0)))


def _pin(scenario: Scenario, days: Sequence[date], ratio: Float64, assimilated: Bool) -> None:
    first = scenario.clock.start
    path = index_bars(scenario, [first, *days])
    ratio[:, :, 0] = path[1:] / path[0, -1]
    close = np.log(path[:, -1])
    within = np.log(path[1:]) - close[:-1, None]  # log path of the day, close to close
    done = np.arange(1, path.shape[1] + 1) / path.shape[1]
    wiggle = within - done * within[:, -1:]
    closes = assimilation_closes(scenario, [first, *days])
    micro = ASSIMILATED.index("microcap")
    moves = np.diff(np.log(closes), axis=0)
    level = np.log(closes / closes[0])
    assimilated[:] = np.isfinite(moves[:, 0])
    for g, name in enumerate(GROUPS):
        if name == "csi300":
            continue
        if name == "tail":  # no index of its own: half-way between its neighbours
            k = ASSIMILATED.index("csi2000")
            move = (moves[:, k] + moves[:, micro]) / 2
            start = (level[:-1, k] + level[:-1, micro]) / 2
        else:
            k = ASSIMILATED.index(name)
            move, start = moves[:, k], level[:-1, k]
        base = np.zeros(len(days)) if name == "microcap" else start
        ratio[:, :, g] = np.exp(base[:, None] + done * move[:, None] + wiggle)


def draw_days(
    targets: Targets, scenario: Scenario, seed: int, first_path: int, shape: tuple[int, int]
) -> Float64:
    """Return joint daily returns (P, T, G) by stationary bootstrap (Politis and Romano 1994)."""
    paths, days = shape
    count = len(targets.returns)
    out = np.empty((paths, days, targets.returns.shape[1]))
    row = np.zeros(paths, np.int64)
    for t in range(days):
        draw = uniforms(seed, "history", first_path, t, (paths, 2))
        fresh = (draw[:, 0] < 1.0 / scenario.clock.block_length) | (t == 0)
        row = np.where(fresh, (draw[:, 1] * count).astype(np.int64), (row + 1) % count)
        out[:, t] = targets.returns[row]
    return out


def draw_bars(
    targets: Targets, scenario: Scenario, seed: int, first_path: int, day: int, returns: Float64
) -> Float64:
    """Return factor increments of one day by bar, (P, K, G): a bridge to the day's returns.

    Column 0 is the market factor, the others the group factors net of it. The first bar carries
    the overnight share of the variance.
    """
    bars, overnight = scenario.clock.bars, scenario.clock.overnight_share
    paths, groups = returns.shape
    share = np.full(bars, (1 - overnight) / bars)
    share[0] += overnight
    market = returns[:, 0] / targets.mean_slope[0]
    total = returns - market[:, None] * targets.mean_slope
    total[:, 0] = market
    wiggle = np.empty((paths, bars, groups))
    for k in range(bars):
        wiggle[:, k] = normals(seed, "bridge", first_path, day * bars + k, (paths, groups))
    wiggle *= np.sqrt(share)[:, None] * targets.spread
    wiggle -= share[:, None] * wiggle.sum(axis=1, keepdims=True)
    return np.asarray(total[:, None, :] * share[:, None] + wiggle)
