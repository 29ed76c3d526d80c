"""Dated policies: when they hold, whom they bind, and what they take off the orders."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine.policies import costs_in_force, in_force, restrict
from crowdfall.engine.run_state import Run, open_run
from crowdfall.engine.setting import setting
from crowdfall.engine.step import collect_orders
from crowdfall.errors import ScenarioError
from crowdfall.scenarios.policies import first_session, in_effect, moved
from crowdfall.scenarios.schema import Policy, PolicyKind
from invented_market import invented_market, invented_scenario

MARKET = invented_market(every=2)


def policy(kind: PolicyKind, start: date = date(2024, 1, 2), **words: object) -> Policy:
    return replace(Policy(kind=kind, start=start, title="t", source="s"), **words)  # type: ignore[arg-type]


def words(kind: str, *more: str, start: str = "2024-01-02") -> str:
    return "\n".join(
        ("[[policy]]", f"kind = '{kind}'", f"start = {start}", "title = 't'", "source = 's'", *more)
    )


def run_with(tmp_path: Path, *lines: str) -> Run:
    constants = setting(MARKET, invented_scenario(tmp_path, *lines, days=4, assimilated=0), 1)
    return open_run(constants, 0, 2, None)


def test_weekend_policy_waits_for_the_next_opening() -> None:
    event = policy("no_new_shorts", date(2024, 1, 6), start_bar=4)  # a Saturday
    assert first_session(event) == date(2024, 1, 8)
    assert not in_effect(event, date(2024, 1, 5), 7)
    assert in_effect(event, date(2024, 1, 8), 0)  # the hour was that of another day
    assert in_effect(event, date(2024, 2, 28), 7)


def test_ban_without_an_end_lasts_a_session_and_starts_in_its_bar() -> None:
    event = policy("sell_ban", start_bar=4)
    assert [in_effect(event, date(2024, 1, 2), k) for k in (3, 4, 7)] == [False, True, True]
    assert not in_effect(event, date(2024, 1, 3), 0)


def test_scenario_names_what_waits(tmp_path: Path) -> None:
    scenario = invented_scenario(tmp_path, words("ipo_pause", start="2024-01-01"))
    assert [(event.kind, first) for event, first in moved(scenario)] == [
        ("ipo_pause", date(2024, 1, 2))
    ]


@pytest.mark.parametrize(
    ("line", "code"),
    [("kind = 'dma_leverage_cap'", "policy_value"),
     ("kind = 'stamp_duty'\nvalue = 0.5", "out_of_range"),
     ("kind = 'ipo_pause'\nend = 2023-12-30", "policy_end")],
)  # fmt: skip
def test_impossible_policies_are_refused(tmp_path: Path, line: str, code: str) -> None:
    text = f"[[policy]]\n{line}\nstart = 2023-12-30\ntitle = 't'\nsource = 's'"
    with pytest.raises(ScenarioError) as caught:
        invented_scenario(tmp_path, text)
    assert caught.value.code == code
    assert "{" not in str(caught.value)


def test_strictest_lever_of_a_kind_binds_those_named(tmp_path: Path) -> None:
    run = run_with(
        tmp_path, words("dma_leverage_cap", "value = 3.0"),
        words("dma_leverage_cap", "value = 2.0"),
        words("no_new_shorts", "shares = { neutral = 0.5 }"), words("top_up_time", "value = 3.0"),
        words("lending_stop", "value = 0.25"), words("dma_no_new_money"),
    )  # fmt: skip
    rules = in_force(run.setting, 0, 0, "dma")
    assert (rules.leverage_cap, rules.extra_days, rules.lending) == (2.0, 3, 0.75)
    assert (rules.no_new_shorts, rules.new_money) == (0.0, False)
    assert in_force(run.setting, 0, 0, "neutral").no_new_shorts == 0.5


def test_switched_off_policies_bind_nobody(tmp_path: Path) -> None:
    run = run_with(
        tmp_path, "channels.policies = false", words("dma_leverage_cap", "value = 2.0"),
        words("stamp_duty", "value = 0.01"),
    )  # fmt: skip
    assert in_force(run.setting, 0, 0, "dma").leverage_cap == np.inf
    assert costs_in_force(run.setting, 0) == run.setting.costs


def test_stamp_duty_replaces_the_one_of_the_start(tmp_path: Path) -> None:
    run = run_with(tmp_path, words("stamp_duty", "value = 0.001", start="2024-01-03"))
    before, after = (costs_in_force(run.setting, day) for day in (0, 1))
    assert after.sell - before.sell == pytest.approx(0.0005)  # it was 0.0005
    assert after.buy == before.buy


def test_no_new_shorts_lets_longs_be_sold_and_shorts_closed(tmp_path: Path) -> None:
    run = run_with(tmp_path, words("no_new_shorts", "shares = { snowball_dealers = 1.0 }"))
    orders = collect_orders(run, 0, 0)
    rows = next(m.rows for m in run.members if m.name == "snowball_dealers")
    held = run.ledger.units[:, rows] * run.futures.price[:, None, :]
    assert (held >= 0.0).all()
    orders.futures[:, rows] = -10.0 * held - 1e9
    restrict(run, orders, 0, 0)
    np.testing.assert_allclose(orders.futures[:, rows], -held)
    orders.futures[:, rows] = 1e9
    restrict(run, orders, 0, 0)
    np.testing.assert_allclose(orders.futures[:, rows], 1e9)


def test_limit_on_net_sales_binds_at_the_open_and_the_close_only(tmp_path: Path) -> None:
    run = run_with(tmp_path, words("net_sell_limit", "shares = { trend_retail = 1.0 }"))
    rows = next(m.rows for m in run.members if m.name == "trend_retail")
    for bar, bound in ((0, True), (3, False), (7, True)):
        orders = collect_orders(run, 0, bar)
        orders.share[:, rows] = 0.1
        restrict(run, orders, 0, bar)
        assert (orders.share[:, rows] == 0.0).all() == bound, bar
