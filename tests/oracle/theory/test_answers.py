"""Every law has the answer that theory or somebody else's code gives, at the stated tolerance."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdfall.experiments.theory.answers import solver_checks
from crowdfall.experiments.theory.answers_elsewhere import (
    desk_checks,
    eba_checks,
    engine_checks,
    monitor_checks,
    rule_checks,
)
from crowdfall.experiments.theory.balance_sheets import fire_sale, read_eba
from crowdfall.experiments.theory.checks import Check, closed_form, printed
from crowdfall.experiments.theory.document import check

WITHOUT_DATA = [
    *solver_checks(),
    *desk_checks(),
    *engine_checks(),
    *monitor_checks(),
    *rule_checks(),
]
IDS = {f"V{n}" for n in range(1, 18)}


def holds(each: Check) -> bool:
    return each.verdict == "holds"


@pytest.mark.parametrize("each", WITHOUT_DATA, ids=lambda c: f"{c.id}-{c.title}")
def test_law_has_its_answer(each: Check) -> None:
    assert holds(each), f"computed {each.computed}, expected {each.expected}"


def test_eba_sweep_has_the_answers_of_the_published_code(real_data: Path) -> None:
    found = eba_checks(real_data)
    assert len(found) == 7
    assert [each.title for each in found if not holds(each)] == []


def test_more_shock_can_mean_fewer_defaults_under_thresholds(real_data: Path) -> None:
    sheets = read_eba(real_data / "eba2018" / "EBA_2018.csv")
    milder, harder = (fire_sale(sheets, [0.0, s], 0.01).default_share for s in (0.195, 0.21))
    assert harder < milder


def test_without_the_data_the_sweep_is_not_run_and_nothing_else_changes(tmp_path: Path) -> None:
    found = check(tmp_path)
    assert {each.title for each in found if each.verdict == "not_run"} == {
        each.title for each in eba_checks(None)
    }
    assert [each for each in found if each.verdict == "misses"] == []


def test_all_laws_are_in_the_list() -> None:
    assert {each.id for each in check()} == IDS


def test_a_number_off_by_more_than_its_tolerance_or_none_at_all_is_a_miss() -> None:
    assert closed_form("V0", "t", [1.0 + 2e-9], [1.0], "here").verdict == "misses"
    assert closed_form("V0", "t", [1.0 + 0.5e-9], [1.0], "here").verdict == "holds"
    assert closed_form("V0", "t", [float("nan")], [1.0], "here").verdict == "misses"
    assert printed("V0", "t", [0.12346], "0.1234", "here", 5e-5).verdict == "misses"
