"""The chain from root to rescue: amounts of the tables, both languages, nothing switched off."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import polars as pl
import pytest

import fake_run
from crowdfall.engine import ensemble
from crowdfall.errors import RunError
from crowdfall.i18n import LANGUAGES, words
from crowdfall.reports import chain
from crowdfall.reports.dominoes import path_tables
from crowdfall.reports.story import tell
from crowdfall.results.schema import EVENT_KINDS, ROOT_KINDS
from crowdfall.results.store import RunFolder
from crowdfall.scenarios.load import load
from invented_market import invented_market
from stress_run import stress_scenario


@pytest.fixture(scope="module")
def crisis() -> RunFolder:
    return fake_run.shared()


@pytest.fixture(scope="module", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROWDFALL_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def played(*off: str) -> RunFolder:
    """Return a stress run with some switches off."""
    folder = Path(mkdtemp(prefix="crowdfall-"))
    stress_scenario(folder)
    scenario = load(str(folder / "invented.toml"), [f"{name}=false" for name in off])
    return ensemble.run(invented_market(), scenario, paths=2, seed=1, workers=1, out=folder / "run")


def links(run: RunFolder, path: int = 0) -> list[chain.Link]:
    return [link for each in chain.chains(path_tables(run, path)) for link in each]


def test_main_chain_goes_from_a_root_to_the_rescue_and_the_rise(crisis: RunFolder) -> None:
    found = chain.chains(path_tables(crisis, 0))[0]
    assert len(found) >= 6
    assert found[0].kind in ROOT_KINDS
    assert found[0].cause is None
    assert [link.role for link in found[-2:]] == ["answer", "recovery"]
    assert found[-2].kind == "rescue"
    assert found[-1].cause == found[-2].event
    days = [link.on for link in found]
    assert days == sorted(days)


def test_every_link_names_a_cause_that_was_told_before_it(crisis: RunFolder) -> None:
    table = crisis.table("events").filter(pl.col("path") == 0)
    events = {row["event"]: row for row in table.iter_rows(named=True)}
    for told in chain.chains(path_tables(crisis, 0)):
        for place, link in enumerate(told):
            assert events[link.event]["cause"] == link.cause
            if link.cause is None or link.role == "answer":
                continue
            before = {(known.kind, known.agent) for known in told[:place]}
            assert (events[link.cause]["kind"], events[link.cause]["agent"]) in before


def test_amounts_are_those_of_the_events(crisis: RunFolder) -> None:
    table = crisis.table("events").filter(pl.col("path") == 0)
    for link in links(crisis):
        alike = table.filter(
            (pl.col("kind") == link.kind) & (pl.col("agent") == link.agent)
            & (pl.col("date") == link.on)
        )  # fmt: skip
        if link.kind in chain.OF_ONE_BOOK:
            alike = alike.filter(pl.col("event") == link.event)
        assert link.amount == pytest.approx(alike["amount"].sum())


def test_quiet_run_has_no_chain() -> None:
    assert chain.chains(path_tables(fake_run.shared(calm=True), 0)) == []


def test_every_kind_has_words_in_both_languages() -> None:
    for lang in LANGUAGES:
        known = words(lang)
        assert {f"chain.{kind}" for kind in EVENT_KINDS} <= set(known)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_story_tells_the_chain_with_dates_and_amounts(crisis: RunFolder, lang: str) -> None:
    story = tell(crisis, lang)  # type: ignore[arg-type]
    plain = story.as_dict()["chains"]
    assert [each.title for each in story.chains] == [each["title"] for each in plain]
    for told in story.chains:
        assert len(told.links) >= 6
        for line in told.lines():
            assert re.search(r"\d", line)
            assert not re.search(r"chain\.|[{}]|nan|None", line)
    assert all(line in story.lines() for each in story.chains for line in each.lines())


def test_a_path_can_be_asked_for(crisis: RunFolder) -> None:
    story = tell(crisis, "en", 4)
    assert story.path == 4
    assert story.opening.startswith("Path 5 of 6 is told, as asked")
    for odd in (-1, 6):
        with pytest.raises(RunError, match="from 1 to 6"):
            tell(crisis, "en", odd)


def test_real_run_tells_six_links_to_the_rescue() -> None:
    found = chain.chains(path_tables(played(), 0))[0]
    assert len(found) >= 6
    assert "rescue" in {link.kind for link in found}


@pytest.mark.parametrize(
    ("switch", "agents", "kinds"),
    [
        ("agents.snowball_dealers.enabled", {"snowball_dealers"}, {"knock_in"}),
        ("agents.dma.enabled", {"dma"}, {"margin_call", "forced_sale"}),
        ("agents.dma.margin_rules", set(), {"margin_call", "forced_sale", "top_up"}),
        ("agents.national_team.enabled", {"national_team"}, {"rescue"}),
        ("agents.trend_retail.enabled", {"trend_retail"}, set()),
    ],
)
def test_a_link_disappears_when_its_cause_is_switched_off(
    switch: str, agents: set[str], kinds: set[str]
) -> None:
    before = [link for path in (0, 1) for link in links(played(), path)]
    after = [link for path in (0, 1) for link in links(played(switch), path)]
    assert after
    happened = set(played().table("events")["kind"])
    assert agents & {link.agent for link in before} or kinds & happened
    assert not agents & {link.agent for link in after}
    assert not kinds & {link.kind for link in after}
