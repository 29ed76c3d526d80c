"""Whatever stands in a file of targets, it is read or told in one sentence."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.errors import DataError
from crowdfall.experiments import targets
from crowdfall.experiments.ablations.pairs import agreement
from crowdfall.experiments.targets import Target
from crowdfall.experiments.targets.terms import UNITS

GOOD = {
    "id": "A", "title": "a", "kind": "free", "quantity": "index_return", "index": "csi500",
    "from": date(2024, 1, 2), "to": date(2024, 1, 31), "unit": "percent", "value": -1.0,
    "tolerance": 2.0, "source": "a test",
}  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=12), st.integers(-(10**9), 10**9), st.floats(), st.booleans(), st.dates(),
    st.datetimes(), st.lists(st.integers(0, 9), max_size=2),
    st.dictionaries(st.sampled_from(["en", "zh", "de"]), st.text(max_size=4), max_size=3),
)  # fmt: skip
TEMPORARY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


def read_or_told(file: Path) -> tuple[Target, ...] | str:
    try:
        return targets.load(file)
    except DataError as error:
        return str(error)


def in_one_sentence(text: str) -> bool:
    return not text.startswith("error.") and text.endswith((".", "。"))


@TEMPORARY
@given(key=st.sampled_from([*GOOD, "column", "contract", "participant", "surplus"]), value=VALUES)
def test_any_value_under_any_key_is_read_or_told(
    key: str,
    value: object,
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(tomli_w.dumps({"target": [GOOD | {key: value}]}), encoding="utf-8")
    found = read_or_told(file)
    if isinstance(found, str):
        assert in_one_sentence(found), found
        assert "own.toml" in found
    else:
        assert [type(each) for each in found] == [Target]
        assert np.isfinite(found[0].value)
        assert found[0].start is not None
        assert found[0].end is not None
        assert found[0].start < found[0].end


@pytest.mark.parametrize("key", [key for key in GOOD if key != "id"])
def test_a_missing_key_is_named(key: str, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    left = {name: value for name, value in GOOD.items() if name != key}
    file.write_text(tomli_w.dumps({"target": [left]}), encoding="utf-8")
    with pytest.raises(DataError) as told:
        targets.load(file)
    assert told.value.code == "experiment_key_missing"
    assert told.value.values["key"] == key


@pytest.mark.parametrize(
    ("key", "value", "near"),
    [("index", "csi100", "csi1000"), ("quantity", "index_returns", "index_return"),
     ("kind", "fre", "free"), ("unit", "procent", "percent"), ("tolerence", 1, "tolerance")],
)  # fmt: skip
def test_a_misspelt_word_is_answered_with_the_nearest(
    key: str,
    value: object,
    near: str,
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.toml"
    file.write_text(tomli_w.dumps({"target": [GOOD | {key: value}]}), encoding="utf-8")
    with pytest.raises(DataError) as told:
        targets.load(file)
    assert told.value.values["near"] == near


@TEMPORARY
@given(content=st.binary(max_size=60))
def test_any_file_is_read_or_told(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(content)
    with pytest.raises(DataError) as told:
        targets.load(file)
    assert "own.toml" in str(told.value)


@given(name=st.text(max_size=20))
def test_no_name_of_a_file_is_a_crash(name: str) -> None:
    if name != targets.SHIPPED:
        with pytest.raises(DataError):
            targets.load(f"nowhere/{name}")


@given(seed=st.integers(0, 2**32 - 1), unit=st.sampled_from(sorted(UNITS)))
def test_measures_follow_the_path_whatever_the_order_of_rows(seed: int, unit: str) -> None:
    rng = np.random.default_rng(seed)
    days = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
    moves = rng.uniform(-0.1, 0.1, (4, 3))
    levels = 100.0 * np.cumprod(1.0 + moves, axis=1)
    daily = pl.DataFrame(
        {"path": np.repeat(np.arange(4), 3), "date": days * 4,
         "csi500_close": levels.reshape(-1), "csi500_return": moves.reshape(-1)}
    )  # fmt: skip
    asked = Target(id="A", title={}, kind="free", quantity="index_return", unit=unit, value=0.0,
                   tolerance=1.0, source="a test", index="csi500", start=date(2023, 12, 29),
                   end=days[2])  # fmt: skip
    found = targets.measure_matrix([asked], daily.sample(fraction=1.0, shuffle=True, seed=seed))
    np.testing.assert_allclose(found[:, 0], (levels[:, 2] / 100.0 - 1.0) * UNITS[unit], rtol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), seeds=st.integers(1, 9))
def test_agreement_is_the_same_for_the_mirror_image_and_never_beyond_the_seeds(
    seed: int, seeds: int
) -> None:
    rng = np.random.default_rng(seed)
    base, other = rng.normal(size=(seeds, 3)), rng.normal(size=(2, seeds, 3))
    same = agreement(base, other)
    assert (same == agreement(-base, -other)).all()
    assert (same == agreement(base + 5.0, other + 5.0)).all()
    assert ((same >= 0) & (same <= seeds)).all()
    assert (agreement(base, (base + 1.0)[None]) == seeds).all()
