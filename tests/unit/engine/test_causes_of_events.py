"""Every event names what led to it; a link goes when its cause is switched off."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest

from crowdfall.engine.causes import RULES, root
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.results.schema import EVENT_KINDS, ROOT_KINDS
from crowdfall.scenarios.load import load
from invented_market import invented_market
from stress_run import stress_scenario


@cache
def played(*off: str) -> pl.DataFrame:
    """Return the events of two paths of the stress run, some switches off."""
    with TemporaryDirectory() as folder:
        stress_scenario(Path(folder))
        words = [f"{name}=false" for name in off] + ["clock.factors=solve"]
        scenario = load(str(Path(folder) / "invented.toml"), words)
        return simulate(setting(invented_market(), scenario, 1), first_path=0, paths=2).tables[
            "events"
        ]


def pairs(events: pl.DataFrame) -> pl.DataFrame:
    """Return every event beside its cause: columns of the cause end in ``_cause``."""
    known = events.select("path", *(pl.col(c).alias(f"{c}_cause") for c in events.columns[1:]))
    return events.join(
        known, left_on=["path", "cause"], right_on=["path", "event_cause"], how="inner"
    )


def test_every_kind_has_a_rule_and_only_roots_have_none() -> None:
    kinds = {key if isinstance(key, str) else key[0] for key in RULES}
    assert kinds == set(EVENT_KINDS)
    assert {kind for kind in RULES if RULES[kind] is root} == set(ROOT_KINDS)


def test_roots_alone_have_no_cause() -> None:
    events = played()
    without = events.filter(pl.col("cause").is_null())
    assert set(without["kind"]) <= set(ROOT_KINDS)
    roots = events.filter(pl.col("kind").is_in(ROOT_KINDS))
    assert roots["cause"].null_count() == roots.height > 0


def test_causes_stand_before_what_they_cause() -> None:
    found = pairs(played())
    assert found.height == played()["cause"].drop_nulls().len() > 100
    assert (found["cause"] < found["event"]).all()
    assert (found["date_cause"] <= found["date"]).all()


@pytest.mark.parametrize(
    ("kind", "agent", "wanted"),
    [
        ("knock_in", "snowball_dealers", {"index_fall"}),
        ("forced_sale", "dma", {"margin_call"}),
        ("top_up", "dma", {"margin_call"}),
        ("margin_call", "dma", {"index_fall", "index_rise", "basis_back"}),
        ("sale", "style_switchers", {"rescue"}),
        ("limit_lock", "microcap", {"sale", "forced_sale", "news", "futures_sale"}),
        ("basis_gap", "im", {"futures_sale"}),
    ],
)
def test_causes_are_what_the_rule_looked_at(kind: str, agent: str, wanted: set[str]) -> None:
    mine = pairs(played()).filter(pl.col("kind") == kind, pl.col("agent") == agent)
    assert mine.height > 0
    assert set(mine["kind_cause"]) <= wanted | {"news", "start"}
    assert set(mine["kind_cause"]) & wanted


def test_forced_sales_and_top_ups_go_back_to_the_call_of_their_own_book() -> None:
    mine = pairs(played()).filter(pl.col("kind").is_in(["forced_sale", "top_up"]))
    assert (mine["cell"] == mine["cell_cause"]).all()


def test_dealers_sell_because_notes_of_the_same_index_knocked_in() -> None:
    sales = pairs(played()).filter(
        pl.col("kind") == "futures_sale", pl.col("agent") == "snowball_dealers"
    )
    by_notes = sales.filter(pl.col("kind_cause") == "knock_in")
    assert by_notes.height > 0
    index = by_notes["cell"].replace_strict({"ic": "csi500", "im": "csi1000"})
    assert (index == by_notes["cell_cause"]).all()


@pytest.mark.parametrize(
    ("switch", "gone_agent", "gone_kinds"),
    [
        ("agents.snowball_dealers.enabled", "snowball_dealers", {"knock_in"}),
        ("agents.dma.enabled", "dma", {"margin_call", "forced_sale", "top_up"}),
        ("agents.dma.margin_rules", "", {"margin_call", "forced_sale", "top_up"}),
        ("agents.national_team.enabled", "national_team", {"rescue"}),
    ],
)
def test_links_go_when_their_cause_is_switched_off(
    switch: str, gone_agent: str, gone_kinds: set[str]
) -> None:
    others = ("agents.margin_accounts.forced_sale", "agents.pledges.enabled")  # they force too
    on, off = pairs(played()), pairs(played(switch, *others))
    assert gone_kinds & set(on["kind_cause"]) or gone_agent in set(on["agent_cause"])
    assert not gone_kinds & (set(off["kind_cause"]) | set(off["kind"]))
    if gone_agent:
        assert gone_agent not in set(off["agent_cause"]) | set(off["agent"])


def test_events_of_a_path_do_not_depend_on_the_block_it_is_in() -> None:
    with TemporaryDirectory() as folder:
        constants = setting(invented_market(), stress_scenario(Path(folder)), 1)
        alone = simulate(constants, first_path=1, paths=1).tables
        both = simulate(constants, first_path=0, paths=2).tables
    for table in ("events", "exchanges"):
        assert alone[table].equals(both[table].filter(pl.col("path") == 1)), table
