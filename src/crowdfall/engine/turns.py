"""Terms that change at the open of a session: dated changes of the scenario, and so forks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdfall.agents.custom import CustomAgent
from crowdfall.engine.crowd import Member, opening_of
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import setting
from crowdfall.scenarios.changes import SCHEDULED, changed, effective
from crowdfall.scenarios.inputs import rescue_schedule


def turn(run: Run, day: int) -> None:
    """Bring the changes that take effect today into force; nothing else of the state moves."""
    old = run.setting
    before = old.days[day - 1] if day else old.scenario.clock.start
    words = [w for each in effective(old.scenario, before, old.days[day]) for w in each.set]
    if not words:
        return
    scenario = changed(old.scenario, words)
    run.setting = setting(old.market, scenario, old.seed)
    on = scenario.channels.stock_impact
    strength = scenario.impact.stock_impact if on else 0.0
    run.strength = strength * run.setting.market.stocks.volatility
    for member in run.members:
        if member.name in scenario.custom:
            own = scenario.custom[member.name]
            member.terms = CustomAgent(member.name, own, scenario.input_file(own.file))
            continue
        member.terms = getattr(scenario.agents, member.name)
        if member.name == SCHEDULED:
            _schedule_anew(run, member, day)


def _schedule_anew(run: Run, member: Member, day: int) -> None:
    """Schedule the rescue again from today on, and give it the cash that this takes."""
    now = run.setting
    opening = opening_of(now, run.first_path, run.paths)
    schedule = np.zeros_like(opening.schedule)
    schedule[day:] = rescue_schedule(now.scenario, now.days[day:])
    _, fresh = member.terms.open(replace(opening, schedule=schedule))
    more = float(fresh.schedule[day:].sum() - member.state.schedule[day:].sum())
    member.state.schedule = np.concatenate([member.state.schedule[:day], fresh.schedule[day:]])
    for amounts in (run.ledger.cash, run.ledger.capital, run.tally.capital):
        amounts[:, member.rows] += more
