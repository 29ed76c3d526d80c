"""Small random scenarios: any participants, any channels, any parameters inside their ranges."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from crowdfall.market.snapshot import GROUPS, Market
from crowdfall.parameters import Meaning, meaning
from crowdfall.scenarios.schema import PARTICIPANTS, Scenario
from invented_market import CALM, CRASH, invented_market, invented_scenario

AGENTS = PARTICIPANTS
NAMED = ("dma", "neutral", "enhanced", "margin_accounts", "quant")
"""Participants that a drawn ban binds."""
BOUND = ("agents.dma.leverage_cap", "agents.dma.initial_margin", "agents.factor_books.leverage",
         "agents.factor_books.inside")  # fmt: skip
"""Numbers that bind each other: a cap above the swap's leverage is an error of its own, and factor
books as large as their ranges allow together do not fit into the market."""
LEVERS = {
    "sell_ban": "shares = {{ {name} = {share!r} }}",
    "no_new_shorts": "shares = {{ {name} = {share!r} }}",
    "net_sell_limit": "shares = {{ {name} = {share!r} }}",
    "dma_leverage_cap": "value = 2.0",
    "dma_no_new_money": "",
    "dma_notional_cap": "",
    "stamp_duty": "value = 0.0005",
    "liquidation_lines": "value = {share!r}",
    "top_up_time": "value = 1.0",
    "lending_stop": "value = {share!r}",
    "ipo_pause": "value = {share!r}",
    "notice": "effect = {{ microcap = 0.02 }}\neffect_source = 'invented'",
}
"""What a drawn policy of each kind says."""


SHARES = st.sampled_from([0.0, 0.3, 0.7, 1.0])
SYMBOLS = ("600003.SH", "600042.SH", "600117.SH")


@cache
def market() -> Market:
    """Return the one market of all properties (no fixture: its text would fill every report)."""
    plain = invented_market(every=2)
    draw = np.random.default_rng(7)
    styles = {name: draw.standard_normal(len(plain.stocks)) for name in ("momentum", "reversal")}
    return replace(plain, styles=styles, last_return=0.02 * draw.standard_normal(len(plain.stocks)))


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


def switches(terms: Any = None, where: str = "") -> list[str]:  # noqa: ANN401
    """Return every switch of a scenario, by its key: channels, participants, what they may do."""
    terms = Scenario(name="any") if terms is None else terms
    out = []
    for item in fields(terms):
        value, key = getattr(terms, item.name), f"{where}{item.name}"
        if key == "venue":  # the exchange is one: T+0 has properties of its own
            continue
        if isinstance(value, bool):
            out.append(key)
        elif is_dataclass(value):
            out += switches(value, f"{key}.")
    return out


PARAMETERS = parameters()
SWITCHES = switches()


@st.composite
def words(draw: st.DrawFn) -> list[str]:
    """Draw lines of TOML that switch and set things."""
    lines = switched(draw)
    lines.append(f"agents.snowball_dealers.map = '{draw(st.sampled_from(['published', 'even']))}'")
    for key in draw(st.lists(st.sampled_from(sorted(PARAMETERS)), max_size=8, unique=True)):
        value, known = PARAMETERS[key]
        # Sizes grow little, or the books would not fit into the market.
        is_size = known.unit in ("yuan", "dollars") or key.endswith((".held", ".maintenance"))
        high = min(known.high, 1.1 * value) if is_size else known.high
        number = known.low + draw(st.floats(0.0, 1.0)) * (high - known.low)
        lines.append(f"{key} = {min(max(number, known.low), high)!r}")
    return lines + tables(draw)


def switched(draw: st.DrawFn) -> list[str]:
    """Draw every switch."""
    return [f"{key} = {str(draw(st.booleans())).lower()}" for key in SWITCHES]


def tables(draw: st.DrawFn) -> list[str]:
    """Draw policies, a sale from outside and a suspension; in TOML they stand last."""
    lines = []
    for kind in draw(st.lists(st.sampled_from(sorted(LEVERS)), max_size=2, unique=True)):
        more = LEVERS[kind].format(name=draw(st.sampled_from(NAMED)), share=draw(SHARES))
        bar = draw(st.integers(0, 7))
        lines.append(f"[[policy]]\nkind = '{kind}'\ntitle = '{kind}'\nsource = 'invented'\n"
                     f"start = 2024-01-02\nstart_bar = {bar}\n{more}")  # fmt: skip
    if draw(st.booleans()):
        lines.append(f"[[shock]]\ndate = 2024-01-03\ngroup = '{draw(st.sampled_from(GROUPS))}'\n"
                     f"yuan = 5e9\nbar = {draw(st.integers(0, 3))}")  # fmt: skip
    if draw(st.booleans()):
        lines.append(f"[[suspension]]\nsymbol = '{draw(st.sampled_from(SYMBOLS))}'\n"
                     "start = 2024-01-02\nend = 2024-01-03\nsource = 'invented'")  # fmt: skip
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
