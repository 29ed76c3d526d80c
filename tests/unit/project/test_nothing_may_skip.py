"""CI has everything that a test may ask for: there a skip is a failure."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ("pytester",)
CONFTEST = Path(__file__).resolve().parents[2] / "conftest.py"
SKIPPED = """
import pytest

def test_needs_data():
    pytest.skip("no data")
"""
MODULE_SKIPPED = """
import pytest

pytest.skip("no browser", allow_module_level=True)
"""


@pytest.mark.parametrize("module", [SKIPPED, MODULE_SKIPPED], ids=["test", "module"])
@pytest.mark.parametrize("in_ci", [True, False])
def test_skip_fails_in_ci_only(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, module: str, in_ci: bool
) -> None:
    monkeypatch.setenv("CROWDFALL_NO_SKIP", "1" if in_ci else "")
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makepyfile(module)
    result = pytester.runpytest_inprocess("-p", "no:xdist")
    assert (result.ret == 0 or result.ret == pytest.ExitCode.NO_TESTS_COLLECTED) != in_ci
    if in_ci:
        result.stdout.fnmatch_lines(["*nothing may skip under CROWDFALL_NO_SKIP=1*"])
