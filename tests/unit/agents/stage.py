"""One participant on an empty stage: its terms, state, first books, and what it sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from crowdfall.agents.protocol import Account, Orders, Plan, Positions, View
from crowdfall.engine.crowd import account, gather
from crowdfall.engine.run_state import open_run
from crowdfall.engine.setting import Setting, setting
from crowdfall.engine.step import view
from invented_market import invented_market, invented_scenario

MARKET = invented_market(every=2)
PATHS = 2


@dataclass
class Stage:
    """A participant before the first bar; ``look`` changes what it sees."""

    setting: Setting
    terms: Any
    state: Any
    first: Positions
    seen: View

    def look(self, **public: Any) -> Stage:  # noqa: ANN401
        """Return the stage with another public view; scalars fill their array."""
        arrays = {
            name: np.broadcast_to(np.asarray(value, float), getattr(self.seen, name).shape).copy()
            if isinstance(getattr(self.seen, name), np.ndarray) else value
            for name, value in public.items()
        }  # fmt: skip
        return replace(self, seen=replace(self.seen, **arrays))

    def own(self, **books: Any) -> Stage:  # noqa: ANN401
        """Return the stage with other books of its own."""
        mine: Account = self.seen.own
        arrays = {
            name: np.broadcast_to(np.asarray(value, float), getattr(mine, name).shape).copy()
            for name, value in books.items()
        }
        return replace(self, seen=replace(self.seen, own=replace(mine, **arrays)))

    def orders(self) -> Orders:
        """Return what it orders, no orders as empty ones."""
        decided = self.terms.decide(self.seen, self.state)
        return Orders() if decided is None else decided

    def plans(self) -> Plan:
        """Return what it plans at the close."""
        plan = self.terms.plan(self.seen, self.state)
        return Plan() if plan is None else plan


def on_stage(folder: Path, name: str, *words: str, rescue: float = 0.0) -> Stage:
    """Open one participant in the invented market, its words given without their table."""
    lines = [f"agents.{name}.{word}" for word in words]
    scenario = invented_scenario(folder, *lines, days=3, assimilated=0, rescue=rescue)
    constants = setting(MARKET, scenario, 1)
    run = open_run(constants, 0, PATHS, None)
    members, positions = gather(constants, 0, PATHS)
    k = next(i for i, member in enumerate(members) if member.name == name)
    everything = run.accounts()
    own = account(members[k], everything)
    return Stage(
        setting=constants, terms=members[k].terms, state=members[k].state, first=positions[k],
        seen=view(run, 0, 0, own),
    )  # fmt: skip
