"""Deleveraging in rounds by those above a threshold (Cont and Schaanning 2017).

Each round, who is levered above the cap sells the share of its marketable assets that brings it to
the target; prices fall towards a floor; sellers bear part of the fall on what they sold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.agents.leverage import breaches, kept_share
from crowdfall.experiments.theory.arrays import number, within
from crowdfall.types import Float64


@dataclass(frozen=True, kw_only=True)
class Depth:
    """Depth of the assets: D = scale x ADV / volatility x sqrt(horizon), in money.

    ``adv`` and ``volatility`` (A,) a day, ``horizon`` days, ``floor``: price, as a share of the
    first, at which others buy everything.
    """

    adv: ArrayLike
    volatility: ArrayLike
    scale: float = 0.4
    horizon: float = 20.0
    floor: float = 0.5

    def amounts(self, assets: int) -> Float64:
        """Return D (A,)."""
        adv = within("adv", self.adv, (assets,), above=True)
        volatility = within("volatility", self.volatility, (assets,), above=True)
        scale = number("scale", self.scale, above=True)
        horizon = number("horizon", self.horizon, above=True)
        return np.asarray(scale * adv / volatility * np.sqrt(horizon))

    def fall(self, sold: Float64, price: Float64) -> Float64:
        """Return the relative fall of prices (A,), shares of the first, when ``sold`` is sold."""
        floor = number("floor", self.floor, high=1.0)
        room = (1.0 - floor) * self.amounts(len(sold))
        return np.asarray((1.0 - floor / price) * -np.expm1(-sold / room))


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round: shares sold (B,), sold (A,), relative fall (A,); then capital, holdings, price."""

    share: Float64
    sold: Float64
    fall: Float64
    capital: Float64
    holdings: Float64
    price: Float64


def deleverage(
    holdings: ArrayLike,
    illiquid: ArrayLike,
    capital: ArrayLike,
    depth: Depth,
    *,
    cap: float,
    target: float,
    split: float = 0.5,
    most_rounds: int = 1000,
) -> list[Round]:
    """Return the rounds until nobody is above the cap, or nothing is left to sell.

    ``holdings`` (B, A) marketable, ``illiquid`` (B,) and ``capital`` (B,) after the first shock;
    ``split``: share of a round's fall that sellers bear on what they sell. TermsError: bad input.

    >>> first = deleverage([[90.0], [70.0]], [8.0, 20.0], [2.0, 4.5],
    ...                    Depth(adv=[50.0], volatility=[0.02]), cap=33.3, target=0.95 * 33.3)[0]
    >>> first.share.round(4), first.sold.round(2)
    (array([0.3859, 0.    ]), array([34.73]))
    """
    held = within("holdings", holdings, (None, None))
    count, assets = held.shape
    other = within("illiquid", illiquid, (count,))
    own = within("capital", capital, (count,), low=-np.inf)
    most = number("cap", cap, low=1.0, above=True)
    aim = number("target", target, low=1.0, above=True, high=most)
    borne = number("split", split, high=1.0)
    price = np.ones(assets)
    rounds: list[Round] = []
    while len(rounds) < most_rounds:
        value = held.sum(axis=1)
        over = breaches(own, value + other, most) & (value > 0.0)
        share = np.where(over, 1.0 - kept_share(own, value, aim, other), 0.0)
        sold = share @ held
        if not sold.any():
            break
        fall = depth.fall(sold, price)
        own = own - ((1.0 - (1.0 - borne) * share)[:, None] * held * fall).sum(axis=1)
        held = (1.0 - share)[:, None] * held * (1.0 - fall)
        price = price * (1.0 - fall)
        rounds.append(
            Round(share=share, sold=sold, fall=fall, capital=own, holdings=held, price=price)
        )
    return rounds
