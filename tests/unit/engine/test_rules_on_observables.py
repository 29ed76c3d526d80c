"""Rules fire on the right close of each path by itself, and their levers hold from the next."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crowdfall.engine import ensemble
from crowdfall.engine.fork import fork as play_fork
from crowdfall.engine.fork import read_levers
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import BlockResult, simulate
from crowdfall.results.schema import TABLES
from crowdfall.scenarios import load
from crowdfall.scenarios.schema import Scenario
from invented_market import CRASH, play_days, write_scenario
from random_scenarios import market

DAYS = play_days(7)
PATHS = 3
FALL = 'observable = "index_return"\nof = "microcap"\n'
BAN = 'kind = "sell_ban"\nshares = { trend_retail = 1.0 }\n'


def rule(words: str, title: str = "invented") -> str:
    return f'[[rule]]\ntitle = "{title}"\nsource = "invented"\n{words}\n'


def scenario(folder: Path, *rules: str, more: str = "", rescue: float = 20.0) -> Scenario:
    """Return a crash whose groups go their own ways after two sessions, with rules in it."""
    text = "\n".join(("noise.group_daily = [0.0, 0.01, 0.01, 0.01, 0.02, 0.03]", more, *rules))
    return load(str(write_scenario(folder, moves=CRASH, days=7, assimilated=2, rescue=rescue,
                                   more=text)))  # fmt: skip


def played(asked: Scenario, first: int = 0, paths: int = PATHS) -> BlockResult:
    return simulate(setting(market(), asked, 5), first_path=first, paths=paths)


def joined(parts: list[BlockResult]) -> dict[str, pl.DataFrame]:
    return {name: pl.concat([part.tables[name] for part in parts]) for name in TABLES}


def fired(result: BlockResult, title: str = "invented") -> dict[int, list[date]]:
    """Return on which sessions a rule fired, by path."""
    mine = (pl.col("agent") == "rule") & (pl.col("kind") == "policy") & (pl.col("cell") == title)
    rows = result.tables["events"].filter(mine).sort("path", "date")
    return {p: rows.filter(pl.col("path") == p)["date"].to_list() for p in range(PATHS)}


def series(result: BlockResult, path: int, column: str) -> Any:  # noqa: ANN401
    return result.tables["daily"].filter(pl.col("path") == path)[column].to_numpy()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> BlockResult:
    return played(scenario(tmp_path_factory.mktemp("plain")))


def own_level(plain: BlockResult) -> float:
    """Return a fall of the micro-caps that paths reach on different days, or not at all."""
    falls = [series(plain, p, "microcap_return")[2:6].min() for p in range(PATHS)]
    return float(np.mean(sorted(falls)[:2]))


def first_at(values: Any, level: float) -> list[date]:  # noqa: ANN401
    """Return the first session but the last at which a value lies at or below a level."""
    found = np.flatnonzero(values[: len(DAYS) - 1] <= level)
    return [DAYS[found[0]]] if len(found) else []


def test_rule_fires_on_the_day_of_each_path(plain: BlockResult, tmp_path: Path) -> None:
    level = own_level(plain)
    result = played(scenario(tmp_path, rule(f"{FALL}below = {level!r}\nsessions = 1\n{BAN}")))
    wanted = {p: first_at(series(plain, p, "microcap_return"), level) for p in range(PATHS)}
    assert fired(result) == wanted
    assert len({tuple(days) for days in wanted.values()}) > 1  # paths differ
    for p, days in wanted.items():
        mine = pl.col("path") == p
        last = days[0] if days else DAYS[-1]
        sold = result.tables["flows"].filter(mine, pl.col("kind") == "trend_retail")
        by_day = sold.group_by("date", maintain_order=True).agg(pl.col("sold").sum())["sold"]
        banned = DAYS.index(last) + 1 if days else None
        assert [k for k, amount in enumerate(by_day) if amount == 0.0] == (
            [] if banned is None else [banned]
        )
        for name in ("daily", "futures", "agents", "flows", "exchanges"):
            before = (pl.col("date") <= last) & mine
            assert_frame_equal(
                result.tables[name].filter(before), plain.tables[name].filter(before),
                check_exact=True,
            )  # fmt: skip


LEVERS = (
    "kind = 'no_new_shorts'",
    "set = ['impact.multiplier=9', 'agents.trend_retail.outflow=0.2']",
    "rescue = { index = 'csi2000', daily = 20e9, total = 30e9 }",
)


@pytest.mark.parametrize("lever", LEVERS)
def test_firing_does_not_depend_on_the_block(
    plain: BlockResult, tmp_path: Path, lever: str
) -> None:
    asked = scenario(tmp_path, rule(f"{FALL}below = {own_level(plain)!r}\nsessions = 2\n{lever}"))
    whole = played(asked)
    alone = joined([played(asked, first=p, paths=1) for p in range(PATHS)])
    for name in TABLES:
        assert_frame_equal(whole.tables[name], alone[name], check_exact=True)
    assert not whole.tables["daily"].equals(plain.tables["daily"])


@pytest.mark.parametrize("workers", [1, 2])
def test_rules_give_the_same_tables_for_any_workers(
    plain: BlockResult, tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))
    asked = scenario(tmp_path, rule(f"{FALL}below = {own_level(plain)!r}\n{BAN}"))
    run = ensemble.run(market(), asked, paths=PATHS, seed=5, workers=workers, block=2,
                       out=tmp_path / "run")  # fmt: skip
    whole = played(asked)
    for name in TABLES:
        assert_frame_equal(run.table(name), whole.tables[name], check_exact=True)


def test_rule_that_never_fires_is_no_rule(plain: BlockResult, tmp_path: Path) -> None:
    result = played(scenario(tmp_path, rule(f"{FALL}below = -0.9\n{BAN}")))
    for name in TABLES:
        assert_frame_equal(result.tables[name], plain.tables[name], check_exact=True)
    assert plain.factors is not None
    assert result.factors is not None
    np.testing.assert_array_equal(result.factors.group, plain.factors.group)


def test_switched_off_rules_do_not_fire(plain: BlockResult, tmp_path: Path) -> None:
    asked = scenario(tmp_path, rule(f"{FALL}below = 0.5\n{BAN}"), more="channels.rules = false")
    result = played(asked)
    assert_frame_equal(result.tables["daily"], plain.tables["daily"], check_exact=True)


def test_rule_fires_again_only_when_its_lever_has_ended(tmp_path: Path) -> None:
    always = f"{FALL}below = 10.0\nsessions = 2\ntimes = 9\nrescue = {{ index = 'csi500' }}"
    result = played(scenario(tmp_path, rule(always)), paths=1)
    assert fired(result)[0] == [DAYS[0], DAYS[2], DAYS[4]]
    thrice = rule(always.replace("times = 9", "times = 2"))
    assert fired(played(scenario(tmp_path, thrice), paths=1))[0] == [DAYS[0], DAYS[2]]


def test_terms_go_back_when_the_lever_ends(tmp_path: Path) -> None:
    words = f"{FALL}below = 10.0\nsessions = 2\nset = ['agents.trend_retail.enabled=false']"
    result = played(scenario(tmp_path, rule(words)), paths=1)
    sold = result.tables["flows"].filter(pl.col("kind") == "trend_retail")
    by_day = sold.group_by("date", maintain_order=True).agg(pl.col("sold").sum())["sold"].to_list()
    assert [amount > 0.0 for amount in by_day] == [True, False, False, *[True] * 4]


def test_rescue_of_a_rule_spends_its_budget_and_is_told_as_its_effect(tmp_path: Path) -> None:
    words = "rescue = { index = 'csi500', daily = 20e9, total = 50e9 }"
    asked = scenario(tmp_path, rule(f"{FALL}below = 10.0\nsessions = 4\n{words}"),
                     rescue=0.0)  # fmt: skip
    result = played(asked, paths=1)
    bought = series(result, 0, "rescue_csi500")
    np.testing.assert_allclose(bought, [0.0, 20e9, 20e9, 10e9, 0.0, 0.0, 0.0], rtol=1e-6)
    events = {row["event"]: row for row in result.tables["events"].iter_rows(named=True)}
    rescues = [event for event in events.values() if event["kind"] == "rescue"]
    assert len(rescues) == 3
    for event in rescues:
        led = events[event["cause"]]
        assert (led["agent"], led["kind"], led["date"]) == ("rule", "policy", DAYS[0])


def test_rule_names_the_event_that_it_looked_at(tmp_path: Path) -> None:
    result = played(scenario(tmp_path, rule(f"{FALL}below = -0.04\n{BAN}")), paths=1)
    events = {row["event"]: row for row in result.tables["events"].iter_rows(named=True)}
    mine = next(event for event in events.values() if event["agent"] == "rule")
    led = events[mine["cause"]]
    assert (led["kind"], led["agent"], led["date"]) == ("index_fall", "microcap", mine["date"])
    assert mine["amount"] == pytest.approx(led["amount"])


OBSERVABLES = {
    'observable = "index_return"\nof = "csi1000"\nover = 3\nbelow = {}': (
        lambda t: np.array([t["csi1000_close"][k] / ([5100.0, *t["csi1000_close"]])[max(k - 2, 0)]
                            for k in range(7)]) - 1.0
    ),
    'observable = "drawdown"\nof = "csi2000"\nabove = {}': (
        lambda t: 1.0 - t["csi2000_close"] / np.maximum.accumulate(
            np.concatenate([[2400.0], t["csi2000_close"]]))[1:]
    ),
    'observable = "limit_down_share"\nof = "all"\nabove = {}': (
        lambda t: t["limit_down_count"] / t["stocks"]
    ),
    'observable = "basis"\nof = "im"\ncontract = "quarter"\nbelow = {}': (
        lambda t: t["basis_quarter_im"]
    ),
    'observable = "knocked_in_share"\nof = "csi500"\nabove = {}': (
        lambda t: t["knocked_in_share_csi500"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", sorted(OBSERVABLES))
def test_observables_are_those_of_the_tables(
    plain: BlockResult, tmp_path: Path, words: str
) -> None:
    table = plain.tables["daily"].filter(pl.col("path") == 0)
    values = OBSERVABLES[words]({name: table[name].to_numpy() for name in table.columns})
    sign = -1.0 if "above" in words else 1.0
    level = float(np.sort(sign * values)[2]) * sign  # reached in the course of the run
    level += sign * 1e-9 * abs(level)  # the table's numbers are those of the rule but for rounding
    result = played(scenario(tmp_path, rule(f"{words.format(repr(level))}\n{BAN}")), paths=1)
    assert fired(result)[0] == first_at(sign * values, sign * level)


def test_fork_may_begin_with_a_rule(plain: BlockResult, tmp_path: Path,
                                    monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))
    run = ensemble.run(market(), scenario(tmp_path), paths=2, seed=5, workers=1,
                       out=tmp_path / "run")  # fmt: skip
    file = tmp_path / "levers.toml"
    file.write_text(rule(f"{FALL}below = 10.0\n{BAN}"))
    other = play_fork(run, DAYS[3], read_levers(file), out=tmp_path / "fork", workers=1)
    rows = other.table("events").filter(pl.col("agent") == "rule")
    assert rows["date"].to_list() == [DAYS[2]] * 2  # the close before the fork
    before = pl.col("date") < DAYS[3]
    for name in ("daily", "futures", "agents", "flows"):
        assert_frame_equal(run.table(name).filter(before), other.table(name).filter(before),
                           check_exact=True)  # fmt: skip
