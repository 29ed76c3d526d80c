"""Checks across the parts of a scenario: what no single number can show."""

from __future__ import annotations

from datetime import date

from crowdfall.agents.book_map import book_map
from crowdfall.agents.dma import MIX
from crowdfall.data.calendar import is_session
from crowdfall.errors import ScenarioError
from crowdfall.market.snapshot import GROUPS
from crowdfall.scenarios.changes import check_changes
from crowdfall.scenarios.policies import check_policies
from crowdfall.scenarios.rules import check_rules
from crowdfall.scenarios.schema import PARTICIPANTS, Scenario

FUTURES_TRADERS = (
    "snowball_dealers", "front_runners", "trend_shorts", "harvesters", "arbitrageurs", "neutral",
    "dma",
)  # fmt: skip
"""Participants that can't be without index futures."""


def check(scenario: Scenario) -> None:
    """Raise ScenarioError for the first thing that can't be run."""
    clock = scenario.clock
    if clock.end <= clock.start:
        raise ScenarioError("end_before_start", start=clock.start, end=clock.end)
    if clock.bars not in (4, 8):
        raise ScenarioError("not_a_choice", key="clock.bars", value=clock.bars, choices="4, 8")
    exchange = scenario.venue.exchange
    if not is_session(clock.start, exchange) or len(scenario.sessions) < 2:
        raise ScenarioError("no_session", start=clock.start, end=clock.end)
    _check_venue(scenario)
    for name in scenario.input_names:
        if not scenario.input_file(name).is_file():
            raise ScenarioError("missing_input", file=name, folder=scenario.folder)
    if clock.mode == "replay":
        _check_replay(scenario)
    _check_profiles(scenario)
    check_policies(scenario, PARTICIPANTS)
    _check_shocks(scenario)
    for halt in scenario.suspension:
        if halt.end < halt.start:
            raise ScenarioError(
                "suspension_end", symbol=halt.symbol, start=halt.start, end=halt.end
            )
    _check_swaps(scenario)
    for name in scenario.agents.custom:
        if (
            name in PARTICIPANTS
            or name in ("background", "custom", "policy", "rule")
            or not name.isidentifier()
        ):
            raise ScenarioError("custom_name", name=name)
    check_changes(scenario)
    check_rules(scenario, PARTICIPANTS)
    noise = scenario.noise.group_daily
    if len(noise) != 6 or any(not 0.0 <= value <= 0.2 for value in noise):
        raise ScenarioError("bad_group_noise", value=list(noise))


def _check_venue(scenario: Scenario) -> None:
    """Look at what plays outside Shanghai, or without futures: no rule of China holds there."""
    venue = scenario.venue
    if venue.exchange != "shanghai":
        if venue.futures:
            raise ScenarioError("venue_rules", exchange=venue.exchange, key="venue.futures")
        if scenario.channels.price_limits:
            raise ScenarioError("venue_rules", exchange=venue.exchange, key="channels.price_limits")
        if scenario.policy or scenario.rule:
            raise ScenarioError("venue_policy", exchange=venue.exchange)
    if not venue.futures:
        for name in FUTURES_TRADERS:
            if getattr(scenario.agents, name).enabled:
                raise ScenarioError("venue_no_futures", key=f"agents.{name}.enabled")


def _check_replay(scenario: Scenario) -> None:
    clock, inputs = scenario.clock, scenario.inputs
    if not inputs.index_path:
        raise ScenarioError("replay_without_path", name=scenario.name)
    until = clock.assimilate_until
    if until is not None:
        if not clock.start <= until <= clock.end:
            raise ScenarioError(
                "assimilation_outside", until=until, start=clock.start, end=clock.end
            )
        if not inputs.assimilation:
            raise ScenarioError("assimilation_without_file", until=until)


def _check_profiles(scenario: Scenario) -> None:
    inputs = scenario.inputs
    profiles = {"inputs.rescue_profile": inputs.rescue_profile}
    for day, profile in inputs.rescue_profiles.items():
        profiles[f"inputs.rescue_profiles.{day}"] = profile
        try:
            date.fromisoformat(day)
        except ValueError:
            raise ScenarioError(
                "wrong_type", key="inputs.rescue_profiles", value=day,
                wanted="a date such as 2024-02-05",
            ) from None  # fmt: skip
    for key, profile in profiles.items():
        if len(profile) != 8 or any(not 0.0 <= share <= 1.0 for share in profile):
            raise ScenarioError("bad_profile", key=key, value=list(profile))
        if abs(sum(profile) - 1.0) > 1e-6:
            raise ScenarioError("profile_sum", key=key, total=sum(profile))


def _check_swaps(scenario: Scenario) -> None:
    """Look at what a fund asks of its swap and hedge, and at the dealers' book."""
    agents = scenario.agents
    most = 1.0 / agents.dma.initial_margin
    if agents.dma.enabled and agents.dma.leverage_cap > most * (1.0 + 1e-9):
        raise ScenarioError(
            "swap_leverage", value=agents.dma.leverage_cap, most=f"{most:.3g}",
            margin=agents.dma.initial_margin,
        )  # fmt: skip
    for name, hedges in (("dma", agents.dma.hedges), ("neutral", agents.neutral.hedges)):
        key = f"agents.{name}.hedges"
        for word in hedges:
            if word not in MIX:
                raise ScenarioError("not_a_choice", key=key, value=word, choices=", ".join(MIX))
        total = sum(hedges.values())
        if min(hedges.values(), default=-1.0) < 0.0 or abs(total - 1.0) > 1e-9:
            raise ScenarioError("weights_sum", key=key, value=hedges, total=f"{total:.6g}")
    dealers = agents.snowball_dealers
    if dealers.enabled and dealers.book:
        book_map(scenario.input_file(dealers.book), scenario.clock.start)


def _check_shocks(scenario: Scenario) -> None:
    clock = scenario.clock
    for entry in scenario.shock:
        inside = entry.date in scenario.sessions[1:]
        if not inside:
            raise ScenarioError("shock_date", date=entry.date, start=clock.start, end=clock.end)
        if entry.group not in GROUPS:
            choices = ", ".join(GROUPS)
            raise ScenarioError(
                "not_a_choice", key="shock.group", value=entry.group, choices=choices
            )
        if entry.bar is not None and not 0 <= entry.bar < clock.bars:
            raise ScenarioError(
                "out_of_range", key="shock.bar", value=entry.bar, low=0, high=clock.bars - 1,
                unit="bar",
            )  # fmt: skip
