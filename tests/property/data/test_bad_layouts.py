"""A layout that was cut, mixed up or typed over gives a DataError and nothing else."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any

import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from crowdfall.data.sources.layout import Layout, parse_layout
from crowdfall.errors import DataError

SHIPPED = (
    files("crowdfall.data").joinpath("layouts", "crowdfall_data.toml").read_text(encoding="utf-8")
)
values = st.one_of(
    st.text(max_size=5), st.integers(), st.floats(), st.booleans(), st.dates(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["column", "times", "path", "set", "x"]), st.integers()),
)  # fmt: skip


@given(st.integers(0, len(SHIPPED)), st.integers(0, 40), st.text(max_size=8))
def test_text_typed_over_a_layout(place: int, length: int, text: str) -> None:
    expect_layout_or_error(SHIPPED[:place] + text + SHIPPED[place + length :])


@given(st.data(), values)
def test_any_value_in_any_place(data: st.DataObject, value: object) -> None:
    raw = tomllib.loads(SHIPPED)
    place: Any = raw
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = value
            break
        place = place[key]
    expect_layout_or_error(tomli_w.dumps(raw))


def expect_layout_or_error(text: str) -> None:
    """Fail on any exception other than DataError, and on an error without a sentence."""
    try:
        assert isinstance(parse_layout(text, "mine.toml"), Layout)
    except DataError as error:
        sentence = str(error)
    else:
        sentence = ""
    assert not sentence.startswith("error.")
