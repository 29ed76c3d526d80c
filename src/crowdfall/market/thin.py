"""A smaller market with the same sums: every k-th stock of each size group."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Final

import numpy as np

from crowdfall.errors import MarketError
from crowdfall.market.snapshot import GROUPS, Market

_SUMS: Final = ("total_cap", "float_cap", "free_float_cap", "adv")


def thin(market: Market, every: int) -> Market:
    """Return a market with every k-th stock of each size group by free float.

    Caps and adv are scaled so that the sums of each group stay: flows over float, and so index
    moves, agree with the full market, at a fraction of the cost (design:model 7). Raises
    MarketError where ``every`` is below one.
    """
    if every < 1:
        raise MarketError("thin_below_one", every=every)
    if every == 1:
        return market
    stocks = market.stocks
    keep = np.zeros(len(stocks), bool)
    for group in range(len(GROUPS)):
        inside = np.flatnonzero(stocks.group == group)
        keep[
            inside[np.argsort(-stocks.free_float_cap[inside], kind="stable")][every // 2 :: every]
        ] = True
    values = {item.name: getattr(stocks, item.name)[keep] for item in fields(stocks)}
    for name in _SUMS:
        before, after = getattr(stocks, name), values[name]
        for group in range(len(GROUPS)):
            inside = values["group"] == group
            if inside.any():
                after[inside] *= before[stocks.group == group].sum() / after[inside].sum()
    kept = market.take(keep, replace(stocks, **values))
    weights = {name: weight / weight.sum() for name, weight in kept.weights.items()}
    return replace(kept, weights=weights)
