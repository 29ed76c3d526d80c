"""Refresh the pins: constraints.txt, and those of the direct dependencies in pyproject.toml.

Run it to move to newer versions: ``uv run python scripts/pins.py``.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMPILE = (
    "uv pip compile --quiet --upgrade --universal pyproject.toml --group dev"
    " --no-header --no-annotate -o constraints.txt"
)
PINS = re.compile(r"constraint-dependencies = \[.*?\n\]", re.DOTALL)


def main() -> None:
    """Compile all pins with no old pin in the way, then write the direct ones."""
    project = ROOT / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    project.write_text(PINS.sub("constraint-dependencies = [\n]", text), encoding="utf-8")
    try:
        subprocess.run(COMPILE.split(), cwd=ROOT, check=True)
        pins = direct_pins(text, (ROOT / "constraints.txt").read_text(encoding="utf-8"))
        lines = "".join(f'  "{pin}",\n' for pin in pins)
        text = PINS.sub(f"constraint-dependencies = [\n{lines}]", text)
    finally:
        project.write_text(text, encoding="utf-8")


def direct_pins(project: str, constraints: str) -> list[str]:
    """Return the lines of ``constraints`` that pin a dependency which ``project`` names."""
    table = tomllib.loads(project)
    named = [*table["project"]["dependencies"], *table["dependency-groups"]["dev"]]
    direct = {package(line) for line in named}
    return [line for line in constraints.splitlines() if package(line) in direct]


def package(requirement: str) -> str:
    """Return the name that a requirement begins with."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()


if __name__ == "__main__":
    main()
