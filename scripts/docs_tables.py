"""Write the tables of the documentation from the schemas in the code, in English and Chinese.

``uv run python scripts/docs_tables.py`` rewrites what stands between the marks of each page; with
``--check`` it changes nothing and fails where a page is out of date.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from crowdfall.data import schema as facts
from crowdfall.i18n import LANGUAGES, Language
from crowdfall.results import schema as results

ROOT: Final = Path(__file__).resolve().parents[1]
CHINESE: Final = ROOT / "scripts" / "docs_tables_zh.toml"
HEADS: Final[dict[Language, tuple[str, ...]]] = {
    "en": ("column", "type", "unit", "meaning", "may be null or constant"),
    "zh": ("列", "类型", "单位", "含义", "可为空或不变"),
}
BAR: Final = r"\|"  # a bar inside a cell
Row = tuple[str, str, str, str, str]


def main() -> int:
    """Write or check every page; return 1 where a check found a page out of date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say which pages are old")
    check = parser.parse_args().check
    if missing := untranslated():
        print(f"{CHINESE.name} lacks:", *missing, sep="\n  ")
        return 1
    wanted = pages()
    old = [path for path, text in wanted.items() if path.read_text(encoding="utf-8") != text]
    for path in old:
        print(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if check and old else 0


def untranslated() -> list[str]:
    """Return the words of the schemas that have no Chinese yet."""
    tables = [*fact_tables().values(), *result_tables().values()]
    words = {word for rows in tables for row in rows for word in row[1:] if word}
    return sorted(words - set(chinese()))


def pages() -> dict[Path, str]:
    """Return each page that holds tables, as it should be."""
    found = {}
    for lang in LANGUAGES:
        for name, tables in (("data.md", fact_tables()), ("results.md", result_tables())):
            page = ROOT / "docs" / lang / name
            text = page.read_text(encoding="utf-8")
            for table, rows in tables.items():
                text = filled(text, table, markdown(rows, lang))
            found[page] = text
    return found


def fact_tables() -> dict[str, list[Row]]:
    """Return the rows of the canonical tables of observed facts."""
    return {
        name: [
            (c.name, c.kind.lower(), c.unit, c.meaning, "" if c.needed else "null where unknown")
            for c in table.columns
        ]
        for name, table in facts.TABLES.items()
    }


def result_tables() -> dict[str, list[Row]]:
    """Return the rows of the tables of a run."""
    return {
        name: [(c.name, c.kind, c.unit, c.meaning, c.may_be_constant) for c in columns]
        for name, columns in results.TABLES.items()
    }


def filled(text: str, table: str, body: str) -> str:
    """Return the page with the table between its marks; ValueError where it has none."""
    marks = re.compile(rf"(<!-- table {table} -->\n).*?(<!-- end {table} -->)", re.DOTALL)
    if not marks.search(text):
        raise ValueError(f"the page has no marks for the table {table}")
    return marks.sub(lambda found: f"{found[1]}\n{body}\n{found[2]}", text)


def markdown(rows: Iterable[Row], lang: Language) -> str:
    """Return the rows as a table with a head."""
    lines = [list(HEADS[lang]), ["---"] * len(HEADS[lang])]
    lines += [[f"`{name}`", *(said(word, lang) for word in rest)] for name, *rest in rows]
    return "".join(f"| {' | '.join(cell.replace('|', BAR) for cell in line)} |\n" for line in lines)


def said(word: str, lang: Language) -> str:
    """Return a word of a schema in one language."""
    return word if lang == "en" or not word else chinese()[word]


@cache
def chinese() -> dict[str, str]:
    """Return the Chinese of each type, unit, meaning and reason in the schemas."""
    words: dict[str, str] = tomllib.loads(CHINESE.read_text(encoding="utf-8"))
    return words


if __name__ == "__main__":
    sys.exit(main())
