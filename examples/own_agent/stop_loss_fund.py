"""A fund of small caps that sells when it has lost too much: one file, plain numpy."""

import numpy as np

from crowdfall.agents.protocol import Orders, Positions

WEIGHTS = np.array([0.0, 0.0, 0.2, 0.4, 0.2, 0.2])  # by size group, CSI 300 first


def open(opening):  # noqa: A001, ANN001, ANN201, D103
    stocks, size = opening.market.stocks, number("size", 20e9)  # noqa: F821
    share = WEIGHTS[stocks.group] * stocks.free_float_cap / opening.group_float[stocks.group]
    wide = (opening.paths, 1)
    positions = Positions(
        cells=("fund",),
        shares=np.broadcast_to(size * share / stocks.close, (*wide, len(stocks))).copy(),
        cash=np.zeros(wide),
        futures=np.zeros((*wide, opening.open_interest.size)),
        capital=np.full(wide, size),
        hedge_mix=np.zeros((1, opening.open_interest.size)),
    )
    return positions, {}


def decide(view, state):  # noqa: ANN001, ANN201, D103
    stopped = view.own.drawdown > number("stop", 0.10)  # noqa: F821
    if not stopped.any():
        return None
    share = number("speed", 0.5) * view.dt  # of what is left, per bar  # noqa: F821
    return Orders(sell=stopped[:, :, None] * share * view.own.group_value)
