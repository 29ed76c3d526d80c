"""Pages, scripts and examples say what the program does today."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.core import TyperGroup

from crowdfall.cli import main as command_line
from crowdfall.i18n import LANGUAGES

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_of_the_pages_are_those_of_the_schemas() -> None:
    tables = script("docs_tables")
    assert tables.untranslated() == []
    old = [
        str(page.relative_to(ROOT))
        for page, text in tables.pages().items()
        if page.read_text(encoding="utf-8") != text
    ]
    assert old == [], "run scripts/docs_tables.py"


def test_chinese_of_the_tables_holds_no_word_that_no_schema_uses() -> None:
    tables = script("docs_tables")
    rows = [*tables.fact_tables().values(), *tables.result_tables().values()]
    used = {word for table in rows for row in table for word in row[1:]}
    assert set(tables.chinese()) - used == set()


def test_pages_come_in_both_languages() -> None:
    english, chinese = ({p.name for p in (ROOT / "docs" / lang).glob("*.md")} for lang in LANGUAGES)
    assert english == chinese != set()
    assert (ROOT / "README.md").is_file()
    assert (ROOT / "README.zh.md").is_file()


def test_pages_have_the_same_sections_in_both_languages() -> None:
    pairs = [(ROOT / "README.md", ROOT / "README.zh.md")]
    pairs += [(page, ROOT / "docs" / "zh" / page.name) for page in (ROOT / "docs/en").glob("*.md")]
    differ = [english.name for english, chinese in pairs if shape(english) != shape(chinese)]
    assert differ == []


def shape(page: Path) -> list[str]:
    """Return the marks of headings, code blocks and table rows, in order."""
    lines = page.read_text(encoding="utf-8").splitlines()
    marks = (re.match(r"(#+ |```\w*|\|)", line) for line in lines)
    return [mark[1] for mark in marks if mark]


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def commands() -> list[str]:
    """Return every crowdfall command line of the pages, each once."""
    found = {}
    for page in PAGES:
        for block in CODE.findall(page.read_text(encoding="utf-8")):
            for line in re.split(r"\n|&&", block):
                words = line.strip().removeprefix("uv run ")
                if words.startswith("crowdfall "):
                    found[words] = None
    return list(found)


@pytest.mark.parametrize("line", commands())
def test_command_lines_of_the_pages_are_understood(line: str) -> None:
    command: Any = command_line.group()
    words, context = shlex.split(line)[1:], None
    while isinstance(command, TyperGroup):
        outer = command.make_context(command.name, words, parent=context)
        name, command, rest = command.resolve_command(outer, [*outer._protected_args, *outer.args])
        context = command.make_context(name, rest, parent=outer)
        command, words = context.command, [*context._protected_args, *context.args]
