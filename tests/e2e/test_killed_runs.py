"""A run killed with SIGKILL at random moments and resumed is the uninterrupted run.

The whole series (twenty kills, one and two workers, here and on Ray): scripts/kill_test.py.
"""

from __future__ import annotations

import random
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from crowdfall.cli.main import main

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kill_test.py"

if not Path("/proc/self/stat").is_file():
    pytest.skip("Processes are found in /proc", allow_module_level=True)


@pytest.fixture(scope="module")
def series() -> Any:  # noqa: ANN401 - a script
    spec = spec_from_file_location("kill_test", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = module_from_spec(spec)
    sys.modules["kill_test"] = script
    spec.loader.exec_module(script)
    return script


def test_three_kills_change_no_bit(
    series: Any,  # noqa: ANN401 - a script
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = series.Case("local", 2)

    def here(out: Path, case: Any) -> int:  # noqa: ANN401
        monkeypatch.setenv("CROWDFALL_CACHE", str(out.parent / f"cache-{out.name}"))
        return main(series.resume_words(out, series.Case(case.engine, 1)))

    random.seed(5)
    whole, want = series.reference(tmp_path, case)
    for number, part in enumerate((0.55, 0.75, 0.9)):
        moment = whole * random.uniform(part - 0.1, part + 0.1)
        trial = series.trial(tmp_path, case, number, moment, want, here)
        assert trial.same, trial


def test_tables_that_differ_in_a_bit_are_not_the_same(series: Any) -> None:  # noqa: ANN401
    import polars as pl

    one = {"daily": pl.DataFrame({"x": [1.0, None]}), "summary": {"a": 1}}
    assert series.same(one, dict(one))
    other = one | {"daily": pl.DataFrame({"x": [1.0 + 2**-52, None]})}
    assert not series.same(one, other)
    assert not series.same(one, one | {"summary": {"a": 2}})
