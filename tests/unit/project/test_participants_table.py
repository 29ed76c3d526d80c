"""The table of participants: every row names a room, a switch and a test that exist."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import get_args

import pytest

from crowdfall.scenarios.schema import PARTICIPANTS, PolicyKind, Scenario

ROOT = Path(__file__).resolve().parents[3]
LANGUAGES = ("en", "zh")


def rows(lang: str, section: int) -> list[list[str]]:
    text = (ROOT / "docs" / lang / "participants.md").read_text(encoding="utf-8")
    part = text.split("\n## ")[section]
    lines = [line for line in part.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


BUILT = rows("en", 1)


@pytest.mark.parametrize("row", BUILT, ids=lambda row: row[1][:30])
def test_row_names_what_exists(row: list[str]) -> None:
    _, _, where, switch, test = (cell.strip("` ") for cell in row)
    assert (ROOT / "src" / "crowdfall" / where).is_file()
    file, _, name = test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert f"def {name}(" in text if name else "def test_" in text
    assert is_switch(switch), switch


def is_switch(key: str) -> bool:
    """Return whether a key is a policy kind or a field of the scenario."""
    first, _, rest = key.partition(".")
    if first == "policy":
        return rest in get_args(PolicyKind)
    value: object = Scenario(name="any")
    for name in key.split("."):
        if not is_dataclass(value) or name not in {item.name for item in fields(value)}:
            return False
        value = getattr(value, name)
    return isinstance(value, bool | str)


def test_every_participant_and_lever_has_a_row() -> None:
    switches = {row[3].strip("`") for row in BUILT}
    named = {name for name in PARTICIPANTS if f"agents.{name}.enabled" not in switches}
    assert named <= {"arbitrageurs"}  # told with the futures
    assert {f"policy.{kind}" for kind in get_args(PolicyKind)} <= switches


def test_every_item_of_the_design_is_placed() -> None:
    """A.1 to A.3 are items 1 to 48, the contradictions X1 to X13."""
    placed: set[str] = set()
    for row in [*BUILT, *rows("en", 2)]:
        for word in row[0].split(", "):
            span = re.fullmatch(r"([AX])(\d+)-\1?(\d+)", word)
            if span:
                placed |= {f"{span[1]}{k}" for k in range(int(span[2]), int(span[3]) + 1)}
            placed.add(word)
    wanted = {f"A{k}" for k in range(1, 49)} | {f"X{k}" for k in range(1, 14)}
    assert wanted - placed == set()


def test_both_languages_hold_the_same_rows() -> None:
    for section in (1, 2):
        english, chinese = (rows(lang, section) for lang in LANGUAGES)
        assert [(row[0], row[3:]) for row in english] == [(row[0], row[3:]) for row in chinese]
