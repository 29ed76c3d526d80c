"""Whatever a scenario file says, it is run or refused in one sentence that holds the value."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from crowdfall.errors import ScenarioError
from crowdfall.scenarios import Scenario, describe, load
from invented_market import invented_scenario, write_scenario
from random_scenarios import PARAMETERS, SWITCHES, scenarios
from told import told

QUICK = settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
OTHERS = [
    *(f"clock.{n}" for n in ("mode", "start", "end", "factors", "bars")),
    "inputs.index_path",
    "inputs.rescue_profile",
    "noise.group_daily",
    "title",
    "policy",
]
KEYS = sorted([*PARAMETERS, *SWITCHES, *OTHERS])


def refused(folder: Path, line: str) -> tuple[ScenarioError, str]:
    """Return the error and its sentence for a scenario with one more line."""
    with pytest.raises(ScenarioError) as caught:
        invented_scenario(folder, line)
    return caught.value, told(caught.value)


@st.composite
def misspelt(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a known key and the same with one letter of its last word lost, doubled or changed."""
    key = draw(st.sampled_from([*PARAMETERS, *SWITCHES]))
    where, _, name = key.rpartition(".")
    k = draw(st.integers(0, len(name) - 1))
    wrong = draw(
        st.sampled_from(
            (name[:k] + name[k + 1 :], name[: k + 1] + name[k:], name[:k] + "q" + name[k + 1 :])
        )
    )
    return key, f"{where}.{wrong}"


@QUICK
@given(keys=misspelt())
def test_misspelt_key_is_told_its_nearest(tmp_path: Path, keys: tuple[str, str]) -> None:
    right, wrong = keys
    assume(wrong not in KEYS and not wrong.endswith("."))
    error, sentence = refused(tmp_path, f"{wrong} = 1")
    assert error.code in ("unknown_key", "unknown_key_near")
    assert wrong in sentence
    if len(right.rpartition(".")[2]) > 6:  # short words may have other neighbours
        where = right.rpartition(".")[0]
        assert f"did you mean {where}." in sentence


@QUICK
@given(key=st.text("abcxyz_", min_size=1, max_size=12))
def test_key_like_no_other_lists_the_known_ones(tmp_path: Path, key: str) -> None:
    assume(key not in {name.partition(".")[0] for name in KEYS} | {"name", "story", "sources"})
    error, sentence = refused(tmp_path, f"{key} = 1")
    assert error.code in ("unknown_key", "unknown_key_near")
    assert key in sentence
    assert "channels" in sentence or "did you mean" in sentence


@QUICK
@given(key=st.sampled_from(sorted(PARAMETERS)), above=st.booleans(), by=st.floats(1e-3, 1e6))
def test_number_beyond_its_range_is_told_the_range(
    tmp_path: Path, key: str, above: bool, by: float
) -> None:
    _, known = PARAMETERS[key]
    width = known.high - known.low
    value = known.high + by * width if above else known.low - by * width
    error, sentence = refused(tmp_path, f"{key} = {value!r}")
    assert error.code == "out_of_range"
    for part in (key, str(value), str(known.low), str(known.high)):
        assert part in sentence


@pytest.mark.parametrize("word", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("key", sorted(PARAMETERS))
def test_no_parameter_takes_what_is_no_number(tmp_path: Path, key: str, word: str) -> None:
    error, sentence = refused(tmp_path, f"{key} = {word}")
    assert error.code == "out_of_range"
    assert word in sentence


WRONG = {
    bool: ("1", "0.5", '"true"', "[true]", "2024-01-02"),
    float: ("true", '"0.5"', "[0.5]", "{ a = 1 }", "2024-01-02", "12:00:00"),
    str: ("1", "true", "[]"),
}


@QUICK
@given(data=st.data())
def test_value_of_another_type_is_told_what_is_wanted(tmp_path: Path, data: st.DataObject) -> None:
    kinds = {bool: SWITCHES, float: sorted(PARAMETERS), str: ["name", "inputs.index_path"]}
    kind = data.draw(st.sampled_from(sorted(kinds, key=str)))
    key = data.draw(st.sampled_from(kinds[kind]))
    if key == "inputs.index_path":
        value = data.draw(st.sampled_from(WRONG[kind]))
        with pytest.raises(ScenarioError) as caught:
            load(str(write_scenario(tmp_path)), [f"{key}={value}"])
        error, sentence = caught.value, told(caught.value)
    else:
        value = data.draw(st.sampled_from(WRONG[kind]))
        error, sentence = refused(tmp_path, f"{key} = {value}")
    assert error.code == "wrong_type"
    assert key in sentence


@QUICK
@given(share=st.floats(1.0, 1e9, exclude_min=True) | st.floats(-1e9, 0.0, exclude_max=True))
def test_percentages_are_refused(tmp_path: Path, share: float) -> None:
    lines = {
        "bad_group_noise": f"noise.group_daily = [0.0, 0.1, 0.1, 0.1, 0.1, {share!r}]",
        "bad_profile": f"inputs.rescue_profile = [{share!r}, 0, 0, 0, 0, 0, 0, 0]",
        "out_of_range": (
            "[[policy]]\nkind = 'sell_ban'\nstart = 2024-01-03\ntitle = 't'\nsource = 's'\n"
            f"shares.dma = {share!r}"
        ),
    }
    for code, line in lines.items():
        error, sentence = refused(tmp_path, line)
        assert error.code == code
        assert str(share) in sentence


@QUICK
@given(shares=st.lists(st.floats(0.0, 1.0), min_size=8, max_size=8))
def test_profile_that_sums_to_another_total_is_told_the_total(
    tmp_path: Path, shares: list[float]
) -> None:
    assume(abs(sum(shares) - 1.0) > 1e-5)
    error, sentence = refused(tmp_path, f"inputs.rescue_profile = {shares}")
    assert error.code == "profile_sum"
    assert f"{sum(shares):g}" in sentence


def is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@QUICK
@given(text=st.text(max_size=30).filter(lambda text: not is_date(text)))
def test_text_that_is_no_date_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "dated.toml"
    path.write_text(tomli_w.dumps({"clock": {"end": text}}), encoding="utf-8")
    with pytest.raises(ScenarioError) as caught:
        load(str(path))
    assert caught.value.code == "wrong_type"
    assert repr(text) in told(caught.value)


VALUES = st.recursive(
    st.booleans() | st.integers(-9, 10**12) | st.floats() | st.text(max_size=8) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["kind", "dma", "start", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(QUICK, max_examples=400)
@given(changes=st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1, max_size=4))
def test_any_values_are_run_or_refused_in_a_sentence(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    words: dict[str, Any] = {}
    for key, value in changes.items():
        *tables, name = key.split(".")
        place = words
        for table in tables:
            place = place.setdefault(table, {})
            assume(isinstance(place, dict))
        place[name] = value
    path = tmp_path / "any.toml"
    path.write_text(tomli_w.dumps({"base": "feb2024", **words}), encoding="utf-8")
    try:
        assert isinstance(load(str(path)).digest, str)
    except ScenarioError as error:
        told(error)


@settings(QUICK, max_examples=400)
@given(
    key=st.sampled_from(KEYS) | st.text("abc.\"'[]{}= #\n", max_size=12),
    sign=st.sampled_from(["=", " = ", "==", ""]),
    value=st.text(max_size=12) | st.sampled_from(["true", "1e400", "[1, 2", "{a = 1}", "nan"]),
)
def test_any_override_is_run_or_refused_in_a_sentence(key: str, sign: str, value: str) -> None:
    try:
        assert isinstance(load("feb2024", [f"{key}{sign}{value}"]), Scenario)
    except ScenarioError as error:
        told(error)


@settings(QUICK, max_examples=200)
@given(text=st.text(max_size=60) | st.sampled_from(["a = ", "[clock", "clock = 1\nclock = 2"]))
def test_any_file_is_read_or_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.toml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ScenarioError) as caught:
        load(str(path))
    told(caught.value)


@settings(QUICK, max_examples=60)
@given(data=st.data())
def test_described_scenario_is_the_same_scenario(tmp_path: Path, data: st.DataObject) -> None:
    scenario = data.draw(scenarios(tmp_path))
    path = tmp_path / "again.toml"
    path.write_text(describe(scenario), encoding="utf-8")
    again = load(str(path))
    assert again == scenario
    assert again.digest == scenario.digest


@settings(QUICK, max_examples=100)
@given(
    name=st.text(min_size=1, max_size=12), title=st.text(max_size=12),
    number=st.floats(0.0, 1.0),
)  # fmt: skip
def test_described_text_and_numbers_come_back_to_the_last_bit(
    tmp_path: Path, name: str, title: str, number: float
) -> None:
    path = tmp_path / "odd.toml"
    write_scenario(tmp_path)
    words = {
        "base": "invented.toml", "name": name, "title": {"en": title, name: title},
        "impact": {"spill": 0.95 * number}, "policy": [],
        "sources": {"impact.spill": title},
    }  # fmt: skip
    path.write_text(tomli_w.dumps(words), encoding="utf-8")
    scenario = load(str(path))
    path.write_text(describe(scenario), encoding="utf-8")
    assert load(str(path)) == scenario
