"""Signals that books of single stocks trade on, by path: a score of every stock each session.

A signal starts as the market's style of that name. Momentum over a year hardly changes in a few
sessions and stays. Reversal is short and is scored anew at every close: the old score fades with
its life and the losers of the session come in, s = fade x s - sqrt(1 - fade^2) x z(R), which has
deviation 1 as long as returns have no pattern. With a life of one session it is the signal of the
contrarian book of Khandani and Lo (2007). Shapes: P paths, N stocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.engine.setting import Setting
from crowdfall.market.us import score
from crowdfall.types import Float64

REVERSAL: Final = "reversal"


@dataclass(kw_only=True)
class Signals:
    """Scores by style, each (P, N): ``seen`` by the books, and ``calm``, as without their crowd.

    ``calm`` is scored on returns less what the styles' dislocation moved.
    """

    seen: dict[str, Float64]
    calm: dict[str, Float64]


def open_signals(setting: Setting, paths: int) -> Signals:
    """Return the market's styles as signals of the first session; none: empty ones.

    The market's week of reversal holds its last session too. Where that is known, the rest of the
    week is taken for what came before it, so that every session has the weight that its age gives.
    """
    market, fade = setting.market, _fade(setting)
    out = dict(market.styles)
    if REVERSAL in out and market.last_return is not None:
        last = score(market.last_return)
        week = out[REVERSAL]
        out[REVERSAL] = _next(score(week - (week * last).mean() * last), last, fade)
    seen = {name: np.tile(each, (paths, 1)) for name, each in out.items()}
    return Signals(seen=seen, calm=dict(seen))


def roll(signals: Signals, returns: Float64, dislocated: Float64, setting: Setting) -> None:
    """Score reversal anew with the session's returns (P, N), and what of them was dislocation."""
    if REVERSAL in signals.seen:
        fade = _fade(setting)
        for scores, made in ((signals.seen, returns), (signals.calm, returns - dislocated)):
            scores[REVERSAL] = _next(scores[REVERSAL], score(made), fade)


def _fade(setting: Setting) -> float:
    return 1.0 - 1.0 / setting.scenario.agents.factor_books.signal_life


def _next(old: Float64, returns: Float64, fade: float) -> Float64:
    return np.asarray(fade * old - np.sqrt(1.0 - fade**2) * returns)
