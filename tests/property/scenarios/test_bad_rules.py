"""Whatever a rule of a scenario says, it is played or refused in one sentence with its title."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.errors import ScenarioError
from crowdfall.scenarios import describe, load
from crowdfall.scenarios.policies import LEVERS
from crowdfall.scenarios.rules import LEVELS, PLACES
from invented_market import write_scenario
from told import told

QUICK = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
GOOD: dict[str, Any] = {
    "title": "t1", "source": "s", "observable": "drawdown", "of": "csi500", "above": 0.1,
    "kind": "no_new_shorts",
}  # fmt: skip


def with_rules(folder: Path, *rules: dict[str, Any], **words: Any) -> Path:  # noqa: ANN401
    write_scenario(folder)
    path = folder / "ruled.toml"
    table = {"base": "invented.toml", "rule": list(rules), **words}
    path.write_text(tomli_w.dumps(table), encoding="utf-8")
    return path


def refused(folder: Path, *rules: dict[str, Any], **words: Any) -> tuple[str, str]:  # noqa: ANN401
    with pytest.raises(ScenarioError) as caught:
        load(str(with_rules(folder, *rules, **words)))
    return caught.value.code, told(caught.value)


def without(*keys: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {key: value for key, value in GOOD.items() if key not in keys} | more


TEAM_OFF = {"agents": {"national_team": {"enabled": False}}}


@pytest.mark.parametrize(
    ("rules", "words", "code", "part"),
    [
        ((GOOD, GOOD), {}, "rule_twice", "t1"),
        ((without("above"),), {}, "rule_level", "t1"),
        ((GOOD | {"below": 0.05},), {}, "rule_level", "t1"),
        ((without("kind"),), {}, "rule_without_lever", "t1"),
        ((GOOD | {"kind": "notice"},), {}, "rule_without_lever", "t1"),
        ((without("kind", set=["impact.spill=0"], value=0.5),), {}, "rule_without_kind", "t1"),
        ((GOOD | {"kind": "sell_ban"},), {}, "rule_ban_of_nobody", "t1"),
        ((GOOD | {"kind": "dma_leverage_cap"},), {}, "policy_value", "t1"),
        ((GOOD | {"kind": "stamp_duty", "value": 0.5},), {}, "out_of_range", "0.5"),
        ((GOOD | {"shares": {"dmaa": 1.0}},), {}, "unknown_agent", "dmaa"),
        ((GOOD | {"rescue": {"index": "csi300"}},), TEAM_OFF, "rule_without_team", "t1"),
        ((GOOD | {"rescue": {"index": "tail"}},), {}, "not_a_choice", "tail"),
        ((GOOD | {"rescue": {"index": "csi300", "daily": 1e15}},), {}, "out_of_range", "daily"),
        ((GOOD | {"set": ["agents.national_team.enabled=true"]},), TEAM_OFF, "rule_joins", "t1"),
        ((GOOD | {"set": ["agents.dma.gross=1e9"]},), {}, "read_at_start", "gross"),
        ((GOOD | {"set": ["clock.bars=4"]},), {}, "fixed_at_start", "clock.bars"),
        ((GOOD | {"set": ["nonsense"]},), {}, "bad_override", "nonsense"),
        ((GOOD | {"set": ["impact.multiplier=-1"]},), {}, "out_of_range", "-1"),
        ((GOOD | {"over": 0},), {}, "out_of_range", "rule[0].over"),
        ((GOOD | {"times": 0},), {}, "out_of_range", "rule[0].times"),
        ((GOOD | {"sessions": 0},), {}, "out_of_range", "rule.sessions"),
        ((GOOD | {"observe": "x"},), {}, "unknown_key_near", "observable"),
    ],
)  # fmt: skip
def test_impossible_rule_is_told_why(
    tmp_path: Path, rules: tuple[dict[str, Any], ...], words: dict[str, Any], code: str, part: str
) -> None:
    found, sentence = refused(tmp_path, *rules, **words)
    assert found == code
    assert part in sentence


@pytest.mark.parametrize("key", ["title", "source", "observable", "of"])
def test_rule_without_a_key_is_told_which(tmp_path: Path, key: str) -> None:
    code, sentence = refused(tmp_path, without(key))
    assert code == "missing_key"
    assert key in sentence


def test_change_that_ends_before_it_starts_is_refused(tmp_path: Path) -> None:
    late = {"start": "2024-01-04", "end": "2024-01-03", "set": ["channels.spill=false"]}
    code, sentence = refused(tmp_path, changes=[late])
    assert code == "change_end"
    assert "2024-01-03" in sentence


@QUICK
@given(data=st.data())
def test_level_outside_what_an_observable_can_be_is_refused(
    tmp_path: Path, data: st.DataObject
) -> None:
    observable = data.draw(st.sampled_from(sorted(PLACES)))
    low, high = LEVELS[observable]
    far = st.floats(max_value=low, exclude_max=True) | st.floats(min_value=high, exclude_min=True)
    side = data.draw(st.sampled_from(["above", "below"]))
    value = data.draw(far | st.just(float("nan")))
    words = {"observable": observable, "of": PLACES[observable][0], side: value}
    code, sentence = refused(tmp_path, without("above", **words))
    assert code == "out_of_range"
    assert f"rule.{side}" in sentence


@QUICK
@given(data=st.data())
def test_observable_of_anything_else_is_told_the_choices(
    tmp_path: Path, data: st.DataObject
) -> None:
    observable = data.draw(st.sampled_from(sorted(PLACES)))
    of = data.draw(st.text("abcims0135", max_size=8).filter(lambda t: t not in PLACES[observable]))
    code, sentence = refused(tmp_path, GOOD | {"observable": observable, "of": of, "above": 0.1})
    assert code == "not_a_choice"
    assert all(place in sentence for place in PLACES[observable])


VALUES = (
    st.booleans()
    | st.integers(-2, 99)
    | st.floats()
    | st.text(max_size=6)
    | st.lists(
        st.text(max_size=6) | st.sampled_from(["channels.spill=false", "impact.spill=0.2"]),
        max_size=2,
    )
    | st.fixed_dictionaries({"index": st.sampled_from(["csi300", "tail"]), "daily": st.floats()})
)


@settings(QUICK, max_examples=300)
@given(
    changes=st.dictionaries(
        st.sampled_from([*GOOD, "below", "over", "contract", "start", "sessions", "times", "value",
                         "shares", "set", "rescue"]),
        VALUES | st.sampled_from([*PLACES, *LEVERS, "csi1000", "im", "far", "2024-01-03"]),
        max_size=4,
    )
)  # fmt: skip
def test_any_rule_is_read_or_refused_in_a_sentence(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = with_rules(tmp_path, GOOD | changes)
    try:
        scenario = load(str(path))
    except ScenarioError as error:
        told(error)
        return
    path.write_text(describe(scenario), encoding="utf-8")
    again = load(str(path))
    assert again.rule == scenario.rule
