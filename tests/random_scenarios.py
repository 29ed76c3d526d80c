"""Small random scenarios: any participants, any channels, any parameters inside their ranges."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from crowdfall.market.snapshot import Market
from crowdfall.parameters import Meaning, meaning
from crowdfall.scenarios.schema import Agents, Channels, Scenario
from invented_market import CALM, CRASH, invented_market, invented_scenario

AGENTS = tuple(item.name for item in fields(Agents))
BOUND = ("agents.dma.leverage_cap", "agents.dma.initial_margin")
"""Numbers that bind each other: a cap above the swap's leverage is an error of its own."""
CHANNELS = tuple(item.name for item in fields(Channels))


@cache
def market() -> Market:
    """Return the one market of all properties (no fixture: its text would fill every report)."""
    return invented_market(every=2)


def parameters(terms: Any = None, where: str = "") -> dict[str, tuple[float, Meaning]]:  # noqa: ANN401
    """Return value and meaning of every number of a scenario, by its key."""
    terms = Scenario(name="any") if terms is None else terms
    out: dict[str, tuple[float, Meaning]] = {}
    for item in fields(terms):
        value, key = getattr(terms, item.name), f"{where}{item.name}"
        known = meaning(item)
        if known is not None and not key.startswith(("clock.", *BOUND)):
            out[key] = (value, known)
        elif is_dataclass(value):
            out |= parameters(value, f"{key}.")
    return out


PARAMETERS = parameters()


@st.composite
def words(draw: st.DrawFn) -> list[str]:
    """Draw lines of TOML that switch and set things."""
    lines = [f"agents.{name}.enabled = {str(draw(st.booleans())).lower()}" for name in AGENTS]
    lines += [f"channels.{name} = {str(draw(st.booleans())).lower()}" for name in CHANNELS]
    for key in draw(st.lists(st.sampled_from(sorted(PARAMETERS)), max_size=8, unique=True)):
        value, known = PARAMETERS[key]
        # Sizes grow little, or the books would not fit into the market.
        is_size = known.unit == "yuan" or key.endswith((".held", ".maintenance"))
        high = min(known.high, 1.1 * value) if is_size else known.high
        number = known.low + draw(st.floats(0.0, 1.0)) * (high - known.low)
        lines.append(f"{key} = {min(max(number, known.low), high)!r}")
    return lines


def scenarios(folder: Path, days: int = 3) -> st.SearchStrategy[Scenario]:
    """Draw scenarios whose files lie in ``folder``."""
    return st.builds(
        lambda lines, crash, assimilated, rescue: invented_scenario(
            folder, *lines, moves=CRASH if crash else CALM, days=days,
            assimilated=assimilated, rescue=rescue,
        ),
        words(),
        crash=st.booleans(),
        assimilated=st.integers(0, days - 1),
        rescue=st.sampled_from([0.0, 30.0]),
    )  # fmt: skip
