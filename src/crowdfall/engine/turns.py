"""Terms that change at the open of a session: dated changes, forks, and what rules set off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdfall.agents.custom import CustomAgent
from crowdfall.engine.crowd import Member, opening_of
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import setting
from crowdfall.scenarios.changes import SCHEDULED, changed, words_on
from crowdfall.scenarios.inputs import rescue_schedule
from crowdfall.scenarios.rules import purchases_of
from crowdfall.types import Float64


def turn(run: Run, day: int) -> None:
    """Bring the terms of today into force; nothing else of the state moves."""
    old = run.setting
    words = words_on(old.changes, old.days[day])
    anew = words != run.words and _change(run, words)
    fresh = any(firing.day + 1 == day for firing in old.fired)
    for member in run.members:
        if member.name == SCHEDULED and anew:
            _schedule_anew(run, member, day)
        elif member.name == SCHEDULED and fresh:
            more = _purchases(run, day) - _purchases(run, day - 1)
            _order(run, member, day, member.state.schedule[day:] + more[day:])


def _change(run: Run, words: tuple[str, ...]) -> bool:
    """Change the terms; return whether the rescue has to be scheduled anew."""
    old = run.setting
    run.words = words
    scenario = changed(run.opened, words)
    run.setting = replace(setting(old.market, scenario, old.seed), fired=old.fired)
    on = scenario.channels.stock_impact
    strength = scenario.impact.stock_impact if on else 0.0
    run.strength = strength * run.setting.market.stocks.volatility
    for member in run.members:
        if member.name in scenario.agents.custom:
            own = scenario.agents.custom[member.name]
            member.terms = CustomAgent(member.name, own, scenario.input_file(own.file))
        else:
            member.terms = getattr(scenario.agents, member.name, member.terms)
    before, after = (
        (each.inputs, getattr(each.agents, SCHEDULED)) for each in (old.scenario, scenario)
    )
    return before != after


def _schedule_anew(run: Run, member: Member, day: int) -> None:
    """Schedule the rescue again from today on."""
    now = run.setting
    opening = opening_of(now, run.first_path, run.paths)
    schedule = np.zeros_like(opening.schedule)
    schedule[day:] = rescue_schedule(now.scenario, now.days[day:])
    _, fresh = member.terms.open(replace(opening, schedule=schedule))
    _order(run, member, day, fresh.schedule[day:] + _purchases(run, day)[day:])


def _purchases(run: Run, day: int) -> Float64:
    """Return what rules that fired before the open of ``day`` let the team buy, (T, K, G)."""
    now = run.setting
    fired = [firing for firing in now.fired if firing.day < day]
    return purchases_of(now.scenario, fired, now.days)


def _order(run: Run, member: Member, day: int, schedule: Float64) -> None:
    """Put in what is to be bought from today on, and the cash that this takes."""
    more = float(schedule.sum() - member.state.schedule[day:].sum())
    member.state.schedule = np.concatenate([member.state.schedule[:day], schedule])
    for amounts in (run.ledger.cash, run.ledger.capital, run.tally.capital):
        amounts[:, member.rows] += more
