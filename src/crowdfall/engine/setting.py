"""What stays fixed while a block of paths runs: the sorted market, targets, draws, constants."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from typing import Final

import numpy as np

from crowdfall.agents.protocol import GROUP_OF, UNDERLYINGS, PolicyInForce
from crowdfall.engine.costs import Costs, costs_of
from crowdfall.engine.limits import suspended_on
from crowdfall.engine.targets import Targets, targets_of
from crowdfall.errors import MarketError
from crowdfall.market.snapshot import GROUPS, Market
from crowdfall.scenarios.policies import news, span
from crowdfall.scenarios.rules import Firing, changes_of, policies_of
from crowdfall.scenarios.schema import Change, Policy, Scenario
from crowdfall.types import Bool, Float64, Int64

MIN_HISTORY: Final = 60
"""Fewest sessions from which free runs may draw (assumption)."""
MICROCAP: Final = GROUPS.index("microcap")
SPOT_TRANSFER: Final = (
    (0.0, 0.62, 0.20, 0.13, 0.03, 0.02),
    (0.0, 0.15, 0.50, 0.27, 0.05, 0.03),
)
"""Where a futures flow is felt in the spot market, by underlying (design:model 1 a.2)."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Constants of a run. Stocks stand in order of size group; ``edges`` bound the groups.

    ``slope`` (N,): loading on the market factor; ``index_weight`` (N,): weight in the index of
    the stock's own group (equal in micro-cap, by float in the tail); ``suspended`` (T, N): stocks
    that do not trade; ``news`` (T, K, G): log price that announcements are worth as they come;
    ``calm_volatility`` (G,): normal sd of the groups' returns a day; ``distance`` (G, G): of the
    groups' mean log caps, in mean steps between neighbours; ``noise_scale`` (N,): idiosyncratic
    sd a bar; ``carry`` (U,) a year; ``fired``: rules that have fired, or are known to fire.
    """

    scenario: Scenario
    market: Market
    days: tuple[date, ...]
    seed: int
    edges: Int64
    group_float: Float64
    float_shares: Float64
    slope: Float64
    index_weight: Float64
    suspended: Bool
    noise_scale: Float64
    counted: Bool
    targets: Targets
    news: Float64
    calm_volatility: Float64
    distance: Float64
    costs: Costs
    open_interest: Float64
    carry: Float64
    fired: tuple[Firing, ...] = ()

    @cached_property
    def policies(self) -> tuple[Policy, ...]:
        """Return the dated policies, and those that rules have put in force."""
        return (*self.scenario.policy, *policies_of(self.scenario, self.fired, self.days))

    @cached_property
    def in_effect(self) -> tuple[tuple[tuple[int, ...], ...], ...]:
        """Return which policies hold, their channel being on: places by session and eighth."""
        channels, spans = self.scenario.channels, [span(event) for event in self.policies]
        on = {
            k
            for k, event in enumerate(self.policies)
            if (channels.sell_ban if event.kind == "sell_ban" else channels.policies)
        }
        return tuple(
            tuple(
                tuple(k for k, when in enumerate(spans) if k in on and when.holds(day, eighth))
                for eighth in range(8)
            )
            for day in self.days
        )

    @cached_property
    def levers(self) -> dict[tuple[tuple[int, ...], str], PolicyInForce]:
        """Keep what ``engine.policies`` found to bind each participant, by policies in effect."""
        return {}

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Return the dated changes of terms, and those that rules have made."""
        return (*self.scenario.changes, *changes_of(self.scenario, self.fired, self.days))

    @cached_property
    def steps(self) -> Float64:
        """Return the number of groups from one to the other, (G, G)."""
        count = np.arange(len(self.group_float))
        return np.asarray(np.abs(count[:, None] - count[None, :]), dtype=np.float64)

    @cached_property
    def small(self) -> Float64:
        """Return the number of stocks of each group below CSI 500, (G - 2,)."""
        return np.asarray(np.diff(self.edges)[2:], dtype=np.float64)

    @cached_property
    def bars(self) -> int:
        """Return the bars of a session."""
        return self.scenario.clock.bars

    @cached_property
    def dt(self) -> float:
        """Return the length of a bar in days."""
        return 1.0 / self.bars

    @cached_property
    def spot_levels(self) -> Float64:
        """Return the first index points under the futures, (U,)."""
        return np.array([self.market.levels[GROUPS[g]] for g in GROUP_OF])


def setting(market: Market, scenario: Scenario, seed: int) -> Setting:
    """Return the constants of a run.

    Raises ScenarioError where inputs lack a session, MarketError where the market's date is not
    the scenario's start.
    """
    _check(market, scenario)
    ordered = by_group(market)
    stocks = ordered.stocks
    days = tuple(scenario.sessions)[1:]
    edges = np.searchsorted(stocks.group, np.arange(len(GROUPS) + 1)).astype(np.int64)
    loading = np.where(stocks.group == 0, 1.0, scenario.impact.market_loading)
    slope = loading * stocks.beta
    weight = _index_weights(ordered, edges)
    float_cap = np.add.reduceat(stocks.free_float_cap, edges[:-1])
    futures = scenario.venue.futures
    carry = np.array([scenario.basis.carry_ic, scenario.basis.carry_im]) * futures
    targets = targets_of(scenario, ordered, days, weight, slope)
    return Setting(
        scenario=scenario,
        market=ordered,
        days=days,
        seed=seed,
        edges=edges,
        group_float=float_cap,
        float_shares=stocks.free_float_cap / stocks.close,
        slope=slope,
        index_weight=weight,
        suspended=suspended_on(ordered, scenario, days),
        noise_scale=stocks.residual_volatility / np.sqrt(scenario.clock.bars),
        counted=~stocks.is_st,
        targets=targets,
        news=news(scenario, days),
        calm_volatility=np.maximum(targets.returns.std(axis=0), 1e-4),
        distance=size_distance(ordered, edges),
        costs=costs_of(scenario),
        open_interest=np.array(
            [_open_interest(ordered, u) if futures else 1.0 for u in UNDERLYINGS]
        ),
        carry=carry,
    )


def by_group(market: Market) -> Market:
    """Return the market with stocks in order of size group (stable), as the kernels want it."""
    return market.take(np.argsort(market.stocks.group, kind="stable"))


def _index_weights(market: Market, edges: Int64) -> Float64:
    out = np.zeros(len(market.stocks))
    for g, name in enumerate(GROUPS):
        part = slice(int(edges[g]), int(edges[g + 1]))
        mass = market.weights.get(name, market.stocks.free_float_cap)[part]
        out[part] = mass / mass.sum()
    return out


def size_distance(market: Market, edges: Int64) -> Float64:
    """Return the distance of size groups by log cap, neighbours one apart on average, (G, G)."""
    caps = np.log(market.stocks.total_cap)
    centre = np.add.reduceat(caps, edges[:-1]) / np.diff(edges)
    apart = np.abs(centre[:, None] - centre[None, :])
    step = np.diagonal(apart, 1).mean()
    return np.asarray(apart / step if step > 0.0 else apart)


def _check(market: Market, scenario: Scenario) -> None:
    if market.date != scenario.clock.start:
        raise MarketError(
            "market_date", date=market.date, start=scenario.clock.start, name=scenario.name
        )
    for g, name in enumerate(GROUPS):
        if not (market.stocks.group == g).any():
            raise MarketError("empty_group", group=name)
    for underlying in UNDERLYINGS if scenario.venue.futures else ():
        if not market.contracts(underlying):
            raise MarketError("no_quotes", underlying=underlying.upper(), date=market.date)
    for item in fields(market.stocks):
        values = getattr(market.stocks, item.name)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            symbol = market.stocks.symbol[int(np.argmin(np.isfinite(values)))]
            raise MarketError("not_a_number", column=item.name, symbol=symbol)
    if scenario.clock.mode == "free" and len(market.history.returns) < MIN_HISTORY:
        raise MarketError("short_history", count=len(market.history.returns), least=MIN_HISTORY)


def _open_interest(market: Market, underlying: str) -> float:
    return sum(q.open_interest * q.multiplier * q.close for q in market.contracts(underlying))
