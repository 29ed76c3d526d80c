"""The table of ablations as Markdown, the same text for the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from crowdfall.errors import RunError
from crowdfall.experiments.ablations.pairs import POINTS, Comparison
from crowdfall.i18n import Language, translate
from crowdfall.results.store import write_text

MARK: Final = "<!-- written by: crowdfall experiment ablations -->"
"""First line of every table written, and of none that a person wrote."""


def markdown(found: Comparison, lang: Language = "en") -> str:
    """Return the document: how to read it, the table, where it comes from."""
    return "\n".join(
        [
            MARK,
            f"# {found.study.title.get(lang) or translate('experiment.ablations.title', lang)}",
            "",
            translate(
                "experiment.ablations.intro", lang, scenario=found.study.scenario,
                seeds=found.seeds, each=found.each,
                last=found.seeds * found.each - 1, seed=found.seed, points=f"{POINTS:g}",
                needed=found.needed,
            ),
            "",
            *_table(found, lang),
            "",
            _origin(found, lang),
            "",
        ]
    )  # fmt: skip


def write(found: Comparison, path: Path, lang: Language = "en") -> None:
    """Write the document, over an older one of its kind only.

    RunError: something else stands at ``path``, or its folder is missing.
    """
    check_target(path)
    write_text(path, markdown(found, lang))


def check_target(path: Path) -> None:
    """Raise RunError where the document can't be written to ``path``."""
    if not path.parent.is_dir():
        raise RunError("missing_folder", path=path.parent)
    if path.exists() and not (path.is_file() and _is_own(path)):
        raise RunError("file_exists", path=path)


def _is_own(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.readline().rstrip() == MARK


def _table(found: Comparison, lang: Language) -> list[str]:
    columns = found.study.columns
    head = [
        translate("word.ablation", lang),
        *(column.title[lang] for column in columns),
        translate("word.breaks", lang),
        translate("word.mends", lang),
    ]
    rows = [
        [translate("word.documented", lang), *(_number(c.value) for c in columns), "", ""],
        [
            translate("word.baseline", lang),
            *map(_number, np.median(found.baseline, axis=0)),
            "",
            "",
        ],
    ]
    cells = _cells(found)
    for number, ablation in enumerate(found.study.ablations):
        changed = [", ".join(found.broken(number)), ", ".join(found.mended(number))]
        rows.append([ablation.title[lang], *cells[number], *changed])
    rule = ["---", *["---:"] * len(columns), "---", "---"]
    return [_line(row) for row in (head, rule, *rows)]


def _cells(found: Comparison) -> list[list[str]]:
    same, unclear, differences = found.agreement(), found.unclear(), found.differences()
    shown, far = np.median(found.baseline, axis=0) + differences, np.abs(differences) > POINTS
    return [
        [
            _number(shown[a, c])
            + (f" ({same[a, c]}{'?' if unclear[a, c] else ''})" if far[a, c] else "")
            for c in range(shown.shape[1])
        ]
        for a in range(len(shown))
    ]


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{round(float(value), 1) + 0.0:.1f}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _origin(found: Comparison, lang: Language) -> str:
    return translate(
        "experiment.ablations.origin", lang, source=found.market.source,
        date=found.market.date, stocks=len(found.market.stocks), digest=found.market.digest,
        scenario=found.study.scenario, hash=found.scenario.digest,
    )  # fmt: skip
