"""Equal digests mean equal results: the order in which a file names its keys says nothing."""

from __future__ import annotations

import random
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.scenarios import describe, load
from crowdfall.scenarios.schema import Scenario
from invented_market import CRASH, write_scenario
from random_scenarios import market

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "own_agent" / "stop_loss_fund.py"
MORE = """
[title]
zh = "乙"
en = "b"
[inputs.rescue_profiles]
2024-01-08 = [0, 0, 0, 0, 0, 0, 0.5, 0.5]
2024-01-05 = [0.5, 0.5, 0, 0, 0, 0, 0, 0]
[agents.neutral.hedges]
mix = 0.2
im = 0.5
ic = 0.3
[agents.custom.zeal]
file = "own.py"
numbers = { stop = 0.01, speed = 0.37, size = 7.3e9 }
[agents.custom.able]
file = "own.py"
numbers = { size = 3.1e9, speed = 0.61, stop = 0.02 }
[agents.custom.main]
file = "own.py"
numbers = { stop = 0.03, size = 1.7e9 }
[[policy]]
kind = "net_sell_limit"
title = "invented"
source = "invented"
start = 2024-01-03
end = 2024-01-05
shares = { quant = 0.3, dma = 0.7, neutral = 0.9 }
[[policy]]
kind = "notice"
title = "invented"
source = "invented"
start = 2024-01-03
effect = { microcap = 0.02, csi2000 = 0.01, csi300 = -0.003 }
effect_source = "invented"
"""


def shuffled(words: Any, draw: random.Random) -> Any:  # noqa: ANN401 - tables within tables
    """Return the same tables with their keys in another order; lists keep theirs."""
    if isinstance(words, list):
        return [shuffled(each, draw) for each in words]
    if not isinstance(words, dict):
        return words
    keys = list(words)
    draw.shuffle(keys)
    return {key: shuffled(words[key], draw) for key in keys}


def written(folder: Path, draw: random.Random | None) -> Scenario:
    path = write_scenario(folder, moves=CRASH, days=5, rescue=5.0, more=MORE)
    (folder / "own.py").write_bytes(EXAMPLE.read_bytes())
    if draw is not None:
        words = shuffled(tomllib.loads(path.read_text(encoding="utf-8")), draw)
        path.write_text(tomli_w.dumps(words), encoding="utf-8")
    return load(str(path))


@cache
def plain(folder: Path) -> tuple[Scenario, dict[str, Any]]:
    """Return the scenario as it stands, and its tables."""
    asked = written(folder, None)
    return asked, simulate(setting(market(), asked, 3), first_path=0, paths=2).tables


@settings(max_examples=6, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_changes_no_bit(
    tmp_path_factory: Any,  # noqa: ANN401 - pytest's own type
    draw: random.Random,
) -> None:
    first, tables = plain(tmp_path_factory.getbasetemp())
    other = written(tmp_path_factory.mktemp("order"), draw)
    assert other.digest == first.digest
    found = simulate(setting(market(), other, 3), first_path=0, paths=2).tables
    assert {name: table.equals(tables[name]) for name, table in found.items()} == dict.fromkeys(
        tables, True
    )
    assert describe(other) == describe(first)
