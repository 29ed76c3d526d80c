"""Every example and every Python block of the pages runs, on a thinned market."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from crowdfall.market import store
from crowdfall.market.thin import thin
from crowdfall.scenarios import load

ROOT = Path(__file__).resolve().parents[3]
EVERY = 16
"""One stock in so many is kept: the examples show words, not numbers."""
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = sorted([*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thin the bundled market; keep runs and factors out of the user's folders."""
    market = thin(store.bundled(), EVERY)
    monkeypatch.setattr(store, "bundled", lambda: market)
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def blocks() -> dict[str, str]:
    """Return the Python blocks of the pages by name; equal ones once."""
    found: dict[str, str] = {}
    for page in PAGES:
        for number, code in enumerate(BLOCK.findall(page.read_text(encoding="utf-8"))):
            if code not in found.values():
                found[f"{page.relative_to(ROOT)}-{number}"] = code
    return found


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in blocks().items()])
def test_python_blocks_of_the_pages_run(code: str) -> None:
    exec(compile(code, "page", "exec"), {})


@pytest.mark.parametrize("script", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_example_scripts_run_and_print(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip()


def test_what_if_example_finds_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "without_leverage.py"), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[1] != line.split()[4] for line in lines)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda p: p.stem)
def test_example_scenarios_are_resolved_and_sourced(path: Path) -> None:
    scenario = load(str(path))
    assert scenario.name == path.stem
    assert set(scenario.title) == {"en", "zh"}
    assert scenario.sources
