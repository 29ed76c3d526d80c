"""Dislocation of styles: what books that crowd into one style do to it when they trade it.

The law is that of the size groups (``engine.dislocation``) on another label of the stocks. A size
group moves by multiplier x net flow / float: the net flow of its stocks, projected with float as
weight on the label "in this group". A style is a label too, a score z of every stock, and its move
per unit of score is multiplier x (z . q) / (z C z), q net flow and C float by stock; several styles
share the projection (least squares). Scores have no mean by float within a size group, so a flow
that is spread by float moves no style, and a book that is neutral in a style moves it not at all.
The scores are those of the session (``engine.signals``): each stock keeps what the styles of other
days did to it. The other numbers (fast share, lives, value demand, depth) are those of the size
groups, and no parameter is added; that a style answers as a size group does is an assumption.
Shapes: P paths, K styles, N stocks, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from crowdfall.engine.dislocation import resistance, value_pull
from crowdfall.engine.signals import Signals, roll
from crowdfall.types import Float64

if TYPE_CHECKING:
    from crowdfall.engine.run_state import Run
    from crowdfall.engine.setting import Setting


@dataclass(frozen=True, kw_only=True)
class Labels:
    """``score`` (P, K, N); ``measure`` (P, K, N): flow in, move per unit of multiplier out."""

    score: Float64
    measure: Float64

    def push(self, flow: Float64) -> Float64:
        """Return what a net flow (P, N) moves every stock by, per unit of multiplier, (P, N)."""
        # Sums, not matrix products: their order must not depend on the number of paths.
        share = (flow[:, None, :] * self.measure).sum(axis=2)
        return np.asarray((share[:, :, None] * self.score).sum(axis=1))


@dataclass(kw_only=True)
class Styles:
    """``fast``, ``slow`` dislocation and ``capital`` left of value buyers, by stock (P, N).

    ``labels`` of what is traded, ``calm`` of what outsiders order against usual trades (P, N)
    of the bar, ``outside``. ``before`` (P, N): dislocation at the last close.
    """

    labels: Labels
    calm: Labels
    outside: Float64
    before: Float64
    weight: Float64  # (G,) of groups in depth
    fast: Float64
    slow: Float64
    capital: Float64


def open_styles(setting: Setting, signals: Signals) -> Styles | None:
    """Return the styles of the signals, at rest; None where there are none or channel off."""
    if not signals.seen or not setting.scenario.channels.style_impact:
        return None
    labels = _labels(setting, signals.seen)
    rest = np.zeros(labels.score[:, 0].shape)
    return Styles(
        labels=labels,
        calm=labels,
        outside=rest,
        before=rest,
        weight=setting.group_float / setting.group_float.sum(),
        fast=rest,
        slow=rest,
        capital=np.ones(rest.shape),
    )


def close_styles(run: Run) -> None:
    """Score the signals anew at the close; dislocation stays with the stocks."""
    styles, setting, signals = run.styles, run.setting, run.signals
    if styles is None:
        roll(signals, run.last_returns, np.zeros(run.last_returns.shape), setting)
        return
    now = styles.fast + styles.slow
    roll(signals, run.last_returns, now - styles.before, setting)
    styles.labels, styles.calm = _labels(setting, signals.seen), _labels(setting, signals.calm)
    styles.before = now


def _labels(setting: Setting, signals: dict[str, Float64]) -> Labels:
    cap, edges = setting.market.stocks.free_float_cap, setting.edges
    score = np.stack([signals[name] for name in sorted(signals)], axis=1)
    mean = np.add.reduceat(score * cap, edges[:-1], axis=2) / setting.group_float
    score = score - np.repeat(mean, np.diff(edges), axis=2)
    shared = (score[:, :, None] * cap * score[:, None]).sum(axis=3)
    return Labels(score=score, measure=np.asarray(np.linalg.solve(shared, score), np.float64))


def try_styles(run: Run) -> None:
    """Add to the stocks' own parts where the styles would go if all orders filled."""
    if run.styles is not None:
        scratch = run.scratch
        flow = scratch.purchases - scratch.sales
        _, felt = _push(run, run.styles, flow, run.styles.outside)
        fast, slow = _moved(run, run.styles, felt)
        scratch.own += fast + slow


def move_styles(run: Run) -> None:
    """Move the styles with filled flows, and add them to the stocks' own parts."""
    styles, scratch = run.styles, run.scratch
    if styles is None:
        return
    terms, dt = run.setting.scenario.impact, run.setting.dt
    flow = scratch.purchases * scratch.filled_purchases - scratch.sales * scratch.filled_sales
    outside = (
        np.where(styles.outside > 0.0, scratch.filled_purchases, scratch.filled_sales)
        * styles.outside
    )
    whole, felt = _push(run, styles, flow, outside)
    styles.fast, styles.slow = _moved(run, styles, felt)
    styles.capital += (1.0 - styles.capital) * -np.expm1(-dt / terms.capital_life)
    styles.capital -= np.abs(whole - felt) / terms.value_capital
    np.maximum(styles.capital, 0.0, out=styles.capital)
    scratch.own += styles.fast + styles.slow


def _push(run: Run, styles: Styles, flow: Float64, outside: Float64) -> tuple[Float64, Float64]:
    """Return what a net flow (P, N), outsiders' in it, pushes stocks by, and what is felt of it."""
    depth = (run.prices.depth * styles.weight).sum(axis=1, keepdims=True)
    moved = styles.labels.push(flow - outside) + styles.calm.push(outside)
    whole = run.setting.scenario.impact.multiplier * moved / depth
    return whole, whole * resistance(styles.slow, styles.capital, whole, run.setting)


def _moved(run: Run, styles: Styles, felt: Float64) -> tuple[Float64, Float64]:
    terms = run.setting.scenario.impact
    pull = 1.0 + value_pull(styles.slow, run.setting)
    fast = styles.fast * np.exp(-run.setting.dt / terms.fast_life)
    slow = styles.slow * np.exp(-run.setting.dt * pull / terms.slow_life)
    return fast + terms.fast_share * felt, slow + (1.0 - terms.fast_share) * felt
