"""Each error passes all values that its sentence has a place for, so no sentence fails to build."""

from __future__ import annotations

import ast
import string
from pathlib import Path

import crowdfall
from crowdfall import errors
from crowdfall.i18n import LANGUAGES, words

SOURCE = Path(crowdfall.__file__).parent
KINDS = {name for name, value in vars(errors).items() if isinstance(value, type)}


def raised() -> list[tuple[str, str, set[str]]]:
    """Return place, code and names of values of every error made with a code in plain words."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            code = node.args[0] if node.args else None
            given = {word.arg for word in node.keywords}
            if name in KINDS and isinstance(code, ast.Constant) and None not in given:
                place = f"{path.relative_to(SOURCE)}:{node.lineno}"
                found.append((place, str(code.value), {str(arg) for arg in given}))
    return found


def slots(sentence: str) -> set[str]:
    names = (name for _, name, _, _ in string.Formatter().parse(sentence) if name)
    return {name.partition(".")[0].partition("[")[0] for name in names}


def test_every_sentence_gets_the_values_it_has_places_for() -> None:
    calls = raised()
    assert len(calls) > 50
    for lang in LANGUAGES:
        lacking = {
            (place, code): slots(words(lang)[f"error.{code}"]) - given
            for place, code, given in calls
            if slots(words(lang).get(f"error.{code}", "")) - given
        }
        assert lacking == {}, lang


def test_no_sentence_is_without_an_error() -> None:
    """A sentence nobody raises is dead: codes appear somewhere in the source."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    keys = [key for key in words("en") if key.startswith("error.")]
    assert [k for k in keys if f'"{k}"' not in text and f'"{k[6:]}"' not in text] == []
