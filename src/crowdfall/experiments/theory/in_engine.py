"""The same questions put to the engine's own phases and participants, in a small stated setting.

The setting: the bundled market, every 16th stock, one size group traded (CSI 2000), no
participant but those named, no noise, no price limit, no decay, calm depth, all loadings one. What
is left is the law in question, and it is computed by ``engine.step.final_prices`` and by the
participants' own ``plan`` and ``decide``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

import numpy as np

from crowdfall.agents.leverage import kept_share
from crowdfall.engine.crowd import account, empty_orders
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import final_prices, view
from crowdfall.market import store
from crowdfall.market.impact import Impact
from crowdfall.market.thin import thin
from crowdfall.scenarios.schema import PARTICIPANTS, Agents, Channels, Clock, Scenario
from crowdfall.types import Float64

EVERY: Final = 16
GROUP: Final = 3
"""Size group that is traded: CSI 2000."""
FOREVER: Final = np.inf


def small_run(impact: Impact, channels: Channels, *, bars: int, paths: int, agents: Agents) -> Run:
    """Return a block of the small setting at its first close."""
    market = thin(store.bundled(), EVERY)
    scenario = Scenario(
        name="theory",
        clock=Clock(
            mode="free", start=market.date, end=market.date + timedelta(days=7), bars=bars
        ),
        impact=replace(impact, fast_life=FOREVER, slow_life=FOREVER, loading_dispersion=0.0),
        channels=replace(
            channels, spill=False, liquidity_withdrawal=False, value_demand=False, backstop=False,
            futures_transfer=False, price_limits=False,
        ),
        agents=agents,
    )  # fmt: skip
    return open_run(setting(market, scenario, 1), 0, paths, None)


def nobody(**kept: object) -> Agents:
    """Return the participants, all switched off but those given."""
    off = {name: replace(getattr(Agents(), name), enabled=False) for name in PARTICIPANTS}
    return replace(Agents(), **(off | kept))


def sliced_impact(bars: int, exponent: float = 0.5, volume: float = 1.0) -> float:
    """Return the log move of a stock in which ``volume`` days' volume is sold over ``bars`` bars.

    The engine's stock-level law before decay: it must not depend on the bars (V12).
    """
    impact = Impact(stock_exponent=exponent, stock_life=FOREVER)
    channels = Channels(group_impact=False)
    run = small_run(impact, channels, bars=bars, paths=1, agents=nobody())
    stock = int(run.setting.edges[GROUP])
    run.scratch.filled_sales[:] = 1.0
    run.scratch.sales[:, stock] = volume * run.setting.market.stocks.adv[stock] / bars
    for bar in range(bars):
        final_prices(run, empty_orders(1, 0, len(run.setting.group_float)), 0, bar)
    return float(run.prices.log_price[0, stock])


def _linear_run(paths: int) -> Run:
    channels = Channels(stock_impact=False)
    return small_run(Impact(), channels, bars=8, paths=paths, agents=nobody())


def _trade(run: Run, flow: Float64) -> None:
    """Let ``flow`` (P,) yuan be traded in the group, and prices answer."""
    run.scratch.net[:] = 0.0
    run.scratch.net[:, GROUP] = flow
    final_prices(run, empty_orders(run.paths, 0, len(run.setting.group_float)), 0, 0)


def metaorder_decay(
    exponent: float = 0.5, bars: int = 64, times: tuple[float, ...] = (1.5, 2.0, 5.0)
) -> tuple[float, ...]:
    """Return the group's move at multiples of an order's length over its peak (V11).

    The order is sold evenly over ``bars`` bars; all of its impact fades as the engine's power law.
    """
    impact = Impact(decay_exponent=exponent, fast_share=1.0)
    run = small_run(impact, Channels(stock_impact=False), bars=8, paths=1, agents=nobody())
    stock, moves = int(run.setting.edges[GROUP]), []
    for bar in range(round(max(times) * bars)):
        _trade(run, np.array([-1e6 if bar < bars else 0.0]))
        moves.append(float(run.prices.log_price[0, stock]))
    return tuple(moves[round(time * bars) - 1] / moves[bars - 1] for time in times)


def targeting_multiplier(
    leverage: float = 4.0, gain: float = 0.3, shock: float = -1e-7, rounds: int = 120
) -> float:
    """Return the total return over the first one of a leverage-targeting fund (V6).

    The fund follows ``agents.leverage`` in the engine's linear group market; its assets are set
    so that a round is ``gain`` times the last. The shock is small: the law is exact to first order.
    """
    run = _linear_run(1)
    per_yuan = run.setting.scenario.impact.multiplier / run.setting.group_float[GROUP]
    assets = gain / ((leverage - 1.0) * per_yuan)
    debt, stock = assets * (1.0 - 1.0 / leverage), int(run.setting.edges[GROUP])
    shares, cash = assets, 0.0  # at a first price of 1
    run.prices.group[0, GROUP] = shock
    _trade(run, np.zeros(1))
    for _ in range(rounds):
        price = np.exp(run.prices.log_price[0, stock])
        value = shares * price
        kept = kept_share(np.array([value + cash - debt]), np.array([value]), leverage)
        sale = float(value * (1.0 - kept[0]))
        shares, cash = shares - sale / price, cash + sale
        # Cash pays debt down: leverage counts stock over equity.
        _trade(run, np.array([-sale]))
    return float(run.prices.log_price[0, stock] / shock)


def realised_correlation(count: int, correlation: float, response: float) -> float:
    """Return the correlation of two stocks that a leverage-targeting fund holds (V8).

    Path i shocks stock i of ``count``; the fund, equally weighted in them, trades in proportion to
    its return so that a unit of it moves the group by ``response``. The answers of the engine's
    prices are the columns of R = J eps, so Cov = J S J'.
    """
    run = _linear_run(count)
    first = int(run.setting.edges[GROUP])
    inside = slice(first, first + count)
    run.prices.noise[:, inside] = np.eye(count)
    final = empty_orders(count, 0, len(run.setting.group_float))
    final_prices(run, final, 0, 0)
    fund = run.prices.log_price[:, inside].mean(axis=1)
    per_yuan = run.setting.scenario.impact.multiplier / run.setting.group_float[GROUP]
    _trade(run, response / per_yuan * fund)
    jacobian = run.prices.log_price[:, inside].T
    own = np.full((count, count), correlation)
    np.fill_diagonal(own, 1.0)
    covariance = jacobian @ own @ jacobian.T
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def dma_sale(leverage: float, excess: float) -> float:
    """Return the share of its stock that a DMA book is made to sell after an excess return (V17).

    A book of equity 1, long ``leverage``, index hedge: the broker's rule, called at any leverage
    above the first, nobody tops up, the whole gap sold in one day and one stage.
    """
    dma = replace(
        Agents().dma, initial_margin=1.0 / leverage, top_up_line=1.0 / leverage, hopeless_line=1.0,
        liquidation_line=-1.0, warning_line=0.0, urgency=1.0 / 1.5, cut_drawdown=1e9, stages=1.0,
    )  # fmt: skip
    run = small_run(Impact(), Channels(), bars=1, paths=1, agents=nobody(dma=dma))
    member = run.members[0]
    seen = view(run, 0, 1, run.accounts())
    own = account(member, seen.own)
    stock = np.full(own.equity.shape, leverage * (1.0 + excess) * 1e9)
    own = replace(own, equity=np.full_like(stock, (1.0 + leverage * excess) * 1e9),
                  stock_value=stock)  # fmt: skip
    told = replace(seen, own=own)
    member.terms.plan(told, member.state)
    orders = member.terms.decide(told, member.state)
    if orders is None or orders.sell_share is None:
        return 0.0
    return float(orders.sell_share[0, 0, 0])
