"""Results change on purpose only: ``python tests/golden/engine/crash.py`` writes them again."""

from __future__ import annotations

import crash
import polars as pl
import pytest
from polars.testing import assert_frame_equal


@pytest.mark.parametrize(("place", "path"), [(0, crash.DAILY), (1, crash.BOOKS)])
def test_golden_crash_is_what_it_was(place: int, path: object) -> None:
    now = crash.play()[place]
    golden = pl.read_csv(path, try_parse_dates=True, schema_overrides=now.schema)  # type: ignore[arg-type]
    # Other processors may round the last digit of an exponential otherwise: not to the bit.
    assert_frame_equal(now, golden, rel_tol=1e-6, abs_tol=1e-6)


def test_golden_scenario_names_every_parameter() -> None:
    from random_scenarios import PARAMETERS

    text = crash.SCENARIO.read_text(encoding="utf-8")
    for key in PARAMETERS:
        table, _, name = key.rpartition(".")
        part = text.partition(f"[{table}]\n")[2].partition("\n[")[0]
        assert f"\n{name} = " in f"\n{part}", key
