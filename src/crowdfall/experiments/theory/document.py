"""All laws in one list, and as a page of Markdown: the same text for the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from crowdfall.errors import RunError
from crowdfall.experiments.theory.answers import solver_checks
from crowdfall.experiments.theory.answers_elsewhere import (
    desk_checks,
    eba_checks,
    engine_checks,
    monitor_checks,
    rule_checks,
)
from crowdfall.experiments.theory.checks import Check
from crowdfall.i18n import Language, translate
from crowdfall.results.store import write_text

MARK: Final = "<!-- written by: crowdfall experiment theory -->"
"""First line of every page written, and of none that a person wrote."""


def check(data: str | Path | None = None) -> list[Check]:
    """Compare every law with the answer known for it, in the order of their ids.

    ``data``: folder that holds ``eba2018/EBA_2018.csv`` for V3, which isn't run without it.
    """
    folder = Path(data) if data is not None else None
    found = [
        *solver_checks(), *eba_checks(folder), *desk_checks(), *engine_checks(), *monitor_checks(),
        *rule_checks(),
    ]  # fmt: skip
    return sorted(found, key=lambda each: int(each.id[1:]))


def markdown(found: list[Check], lang: Language = "en") -> str:
    """Return the page: what it is, the table, how to read the tolerances."""
    head = [translate(f"theory.{name}", lang) for name in COLUMNS]
    rows = [
        f"| {' | '.join(head)} |",
        "| --- | --- | ---: | ---: | --- | --- | --- |",
        *(_row(each, lang) for each in found),
    ]
    words = [translate(f"theory.{name}", lang) for name in ("title", "intro", "reading")]
    return "\n".join([MARK, f"# {words[0]}", "", words[1], "", *rows, "", words[2], ""])


COLUMNS: Final = ("id", "law", "computed", "expected", "tolerance", "verdict", "where")


def write(found: list[Check], path: Path, lang: Language = "en") -> None:
    """Write the page, over an older one of its kind only.

    RunError: something else stands at ``path``, or its folder is missing.
    """
    check_target(path)
    write_text(path, markdown(found, lang))


def check_target(path: Path) -> None:
    """Raise RunError where the page can't be written to ``path``."""
    if not path.parent.is_dir():
        raise RunError("missing_folder", path=path.parent)
    if path.exists():
        own = path.is_file() and path.read_text(encoding="utf-8", errors="replace").startswith(MARK)
        if not own:
            raise RunError("file_exists", path=path)


def cells(each: Check, lang: Language | None = None) -> dict[str, str]:
    """Return a check as the words of a row, by column."""
    tolerance = f"{each.tolerance:.2g}"
    if each.relative:
        tolerance = translate("theory.relative", lang, value=tolerance)
    return {
        "id": each.id,
        "law": translate(f"theory.{each.title}", lang),
        "computed": _numbers(each.computed),
        "expected": _numbers(each.expected),
        "tolerance": tolerance,
        "verdict": translate(f"theory.{each.verdict}", lang),
        "where": each.where,
    }


def _row(each: Check, lang: Language) -> str:
    row = cells(each, lang)
    return "| " + " | ".join([*list(row.values())[:-1], f"`{row['where']}`"]) + " |"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(_number(value) for value in values) or "–"


def _number(value: float) -> str:
    # Six digits are the same on every machine; what cancels to nothing is nothing.
    return "0" if abs(value) < 1e-12 else f"{value:.6g}"
