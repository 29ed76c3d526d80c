"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import json
import re
import string
import subprocess
import tomllib
from pathlib import Path

from crowdfall.i18n import LANGUAGES, words

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "src" / "crowdfall"
LONGEST_FILE = 500
NAMES_THAT_SAY_NOTHING = re.compile(r"(utils?|helpers?|managers?|common|misc)([_.].*)?$")
# Written in parts, so that this file does not hold what it looks for.
NOT_IN_THE_PROJECT = re.compile(
    "|".join(
        (
            r"py" r"pi\.org",
            r"python" r"hosted",
            r"npm" r"js\.",
            r"deb\." r"debian",
            r"/" r"(work|root|farm|tmp|home/\w+)/",
        )
    )
)
ERROR_CLASSES = {
    "CrowdfallError", "DataError", "SymbolError", "RuleError", "MarketError", "ScenarioError",
    "TermsError", "RunError", "CalibrationError",
}  # fmt: skip


def project_files() -> list[Path]:
    """Return the files of the repository, new ones too; ignored ones are not part of it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_no_module_has_two_purposes() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules("src", "tests", "scripts", "examples")
    }
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_every_name_says_something() -> None:
    odd = [
        path.relative_to(ROOT).as_posix()
        for path in modules("src")
        if any(NAMES_THAT_SAY_NOTHING.match(part) for part in path.relative_to(PACKAGE).parts)
    ]
    assert odd == []


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = []
    for path in project_files():
        if path.name.endswith(".min.js"):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if NOT_IN_THE_PROJECT.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_every_public_function_and_class_is_described() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in modules("src")
        for node in public(ast.parse(path.read_text(encoding="utf-8")).body)
        if ast.get_docstring(node) is None
    ]
    assert bare == []


def public(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.ClassDef]:
    return [
        node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


def test_locales_hold_the_same_keys_and_values() -> None:
    english, chinese = (words(lang) for lang in LANGUAGES)
    assert set(english) == set(chinese)
    differ = {key for key in english if slots(english[key]) != slots(chinese[key])}
    assert differ == set()


def slots(sentence: str) -> set[str]:
    """Return the names of the values that a sentence has places for; ``title_zh`` is a title."""
    names = (name for _, name, _, _ in string.Formatter().parse(sentence))
    return {name.removesuffix("_zh") for name in names if name is not None}


def test_locale_files_are_sorted() -> None:
    for lang in LANGUAGES:
        text = (PACKAGE / "locales" / f"{lang}.json").read_text(encoding="utf-8")
        assert list(json.loads(text)) == sorted(json.loads(text))


def test_every_error_raised_has_its_sentence() -> None:
    raised = {
        (path.relative_to(ROOT).as_posix(), node.args[0].value)
        for path in modules("src")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ERROR_CLASSES
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert {(where, code) for where, code in raised if f"error.{code}" not in words("en")} == set()


def test_pins_of_direct_dependencies_are_those_of_the_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = project["tool"]["uv"]["constraint-dependencies"]
    assert set(pins) <= set(constraints)
    named = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    assert {package(line) for line in named} == {package(line) for line in pins}


def package(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()
