"""The small table of ablations is what the command writes.

After a change of results, write it anew::

    cd tests/golden/experiments
    crowdfall experiment ablations --small --each 1 --lang en --out ablations_small.md
"""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path

import pytest

from crowdfall.cli.main import main

KEPT = Path(__file__).with_name("ablations_small.md")
POINTS, SEEDS = 0.2, 1
"""exp and log differ in their last bit between processors, which can move a fill near a limit."""
DIGEST = re.compile(r"digest [0-9a-f]{16}")
"""The drawn market's digest shows that same last bit, so it is not compared."""
CELL = re.compile(r"(-?\d+\.\d)(?: \((\d+)\??\))?$")


def parts(line: str) -> tuple[list[str], list[tuple[float, int | None]]]:
    """Return the words of a line, and its numbers with the seeds in brackets."""
    found = [(cell, CELL.fullmatch(cell)) for cell in line.strip("| ").split(" | ")]
    words = [DIGEST.sub("digest", cell) for cell, number in found if number is None]
    numbers = [(float(m[1]), int(m[2]) if m[2] else None) for _, m in found if m is not None]
    return words, numbers


def near(kept: str, fresh: str) -> bool:
    """Return whether two lines say the same, numbers within POINTS and SEEDS."""
    (words, numbers), (other_words, others) = parts(kept), parts(fresh)
    return words == other_words and len(numbers) == len(others) and all(
        abs(value - other) <= POINTS + 1e-9
        and (seeds is None or count is None or abs(seeds - count) <= SEEDS)
        for (value, seeds), (other, count) in zip(numbers, others, strict=True)
    )  # fmt: skip


def test_the_small_table_is_the_one_kept(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    words = ["experiment", "ablations", "--small", "--each", "1", "--workers", "1", "--quiet",
             "--lang", "en"]  # fmt: skip
    assert main([*words, "--out", str(page)]) == 0
    kept, fresh = (file.read_text(encoding="utf-8").splitlines() for file in (KEPT, page))
    other = [
        f"- {was}\n+ {now}" for was, now in zip_longest(kept, fresh, fillvalue="")
        if not near(was, now)
    ]  # fmt: skip
    assert not other, "\n".join(other)


@pytest.mark.parametrize(
    ("fresh", "same"),
    [("| a | -1.2 (8) | K02 |", True), ("| a | -1.0 (7) | K02 |", True),
     ("| a | -0.9 (8) | K02 |", False), ("| a | -1.2 (6) | K02 |", False),
     ("| a | -1.2 (8) | K03 |", False), ("| b | -1.2 (8) | K02 |", False),
     ("| a | -1.2 (8) |", False)],
)  # fmt: skip
def test_the_comparison_sees_what_matters(fresh: str, same: bool) -> None:
    assert near("| a | -1.2 (8) | K02 |", fresh) is same
