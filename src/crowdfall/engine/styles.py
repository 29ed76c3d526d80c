"""Dislocation of styles: what books that crowd into one style do to it when they trade it.

The law is that of the size groups (``engine.dislocation``) on another label of the stocks. A size
group moves by multiplier x net flow / float: the net flow of its stocks, projected with float as
weight on the label "in this group". A style is a label too, a score z of every stock, and its move
per unit of score is multiplier x (z . q) / (z C z), q net flow and C float by stock; several styles
share the projection (least squares). Scores have no mean by float within a size group, so a flow
that is spread by float moves no style, and a book that is neutral in a style moves it not at all.
The other numbers (fast share, lives, value demand, depth) are those of the size groups, and no
parameter is added; that a style answers as a size group does is an assumption. Shapes: P paths,
K styles, N stocks, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crowdfall.engine.dislocation import resistance, value_pull
from crowdfall.types import Float64

if TYPE_CHECKING:
    from crowdfall.engine.run_state import Run
    from crowdfall.engine.setting import Setting


@dataclass(kw_only=True)
class Styles:
    """``score`` (K, N); ``measure`` (K, N): net flow in, move per unit of multiplier out.

    ``fast`` and ``slow`` dislocation and ``capital`` left of value buyers, all (P, K).
    """

    score: Float64
    measure: Float64
    weight: Float64  # (G,) of groups in depth
    fast: Float64
    slow: Float64
    capital: Float64


def open_styles(setting: Setting, paths: int) -> Styles | None:
    """Return the market's styles at rest; None where it has none or the channel is off."""
    market = setting.market
    if not market.styles or not setting.scenario.channels.style_impact:
        return None
    cap, edges = market.stocks.free_float_cap, setting.edges
    score = np.stack([market.styles[name] for name in sorted(market.styles)])
    mean = np.add.reduceat(score * cap, edges[:-1], axis=1) / setting.group_float
    score = score - np.repeat(mean, np.diff(edges), axis=1)
    rest = (paths, len(score))
    return Styles(
        score=score,
        measure=np.asarray(np.linalg.solve((score * cap) @ score.T, score), np.float64),
        weight=setting.group_float / setting.group_float.sum(),
        fast=np.zeros(rest),
        slow=np.zeros(rest),
        capital=np.ones(rest),
    )


def try_styles(run: Run) -> None:
    """Add to the stocks' own parts where the styles would go if all orders filled."""
    if run.styles is not None:
        scratch = run.scratch
        _, felt = _push(run, run.styles, scratch.purchases - scratch.sales)
        fast, slow = _moved(run, run.styles, felt)
        scratch.own += _spread(run.styles, fast + slow)


def move_styles(run: Run) -> None:
    """Move the styles with filled flows, and add them to the stocks' own parts."""
    styles, scratch = run.styles, run.scratch
    if styles is None:
        return
    terms, dt = run.setting.scenario.impact, run.setting.dt
    flow = scratch.purchases * scratch.filled_purchases - scratch.sales * scratch.filled_sales
    whole, felt = _push(run, styles, flow)
    styles.fast, styles.slow = _moved(run, styles, felt)
    styles.capital += (1.0 - styles.capital) * -np.expm1(-dt / terms.capital_life)
    styles.capital -= np.abs(whole - felt) / terms.value_capital
    np.maximum(styles.capital, 0.0, out=styles.capital)
    scratch.own += _spread(styles, styles.fast + styles.slow)


def _spread(styles: Styles, moved: Float64) -> Float64:
    # A sum, not a matrix product: its order must not depend on the number of paths.
    return np.asarray((moved[:, :, None] * styles.score).sum(axis=1))


def _push(run: Run, styles: Styles, flow: Float64) -> tuple[Float64, Float64]:
    """Return the push of a net flow (P, N) on every style, whole and after value buyers resist."""
    depth = (run.prices.depth * styles.weight).sum(axis=1, keepdims=True)
    share = (flow[:, None, :] * styles.measure).sum(axis=2)
    whole = run.setting.scenario.impact.multiplier * share / depth
    return whole, whole * resistance(styles.slow, styles.capital, whole, run.setting)


def _moved(run: Run, styles: Styles, felt: Float64) -> tuple[Float64, Float64]:
    terms = run.setting.scenario.impact
    pull = 1.0 + value_pull(styles.slow, run.setting)
    fast = styles.fast * np.exp(-run.setting.dt / terms.fast_life)
    slow = styles.slow * np.exp(-run.setting.dt * pull / terms.slow_life)
    return fast + terms.fast_share * felt, slow + (1.0 - terms.fast_share) * felt
