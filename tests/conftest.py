"""Shared fixtures: where the real data are, and when a test may skip."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from crowdfall.i18n import set_language

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)
ROOT = Path(__file__).resolve().parents[1]
NO_SKIP = "CROWDFALL_NO_SKIP"
"""Environment variable under which a skip is a failure: CI has all that any test asks for."""

# The same examples every time, so that a suite that passed passes again; look for new ones with
# --hypothesis-profile=explore. Machines under load break deadlines that say nothing.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile("steady")


def data_folder() -> Path:
    """Return the folder of real market data: CROWDFALL_DATA, else ../shared/data."""
    return Path(os.environ.get("CROWDFALL_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(autouse=True)
def in_english(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Let every test begin in English, whatever the machine speaks or the last test chose."""
    monkeypatch.setenv("CROWDFALL_LANG", "en")
    set_language(None)
    yield
    set_language(None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"no market data at {folder}: set CROWDFALL_DATA to run this test")
    return folder


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave the files beside the tests alone: only the package has examples to run."""
    beside = collection_path.suffix == ".py" and not collection_path.name.startswith("test_")
    return True if beside and collection_path.is_relative_to(ROOT / "tests") else None


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Keep a few named files in this process: starting workers would cost more than they save."""
    named = config.invocation_params.args
    return 0 if any(Path(str(word).partition("::")[0]).exists() for word in named) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _no_skip((yield))


def _no_skip(report: Report) -> Report:
    expected = hasattr(report, "wasxfail")
    if os.environ.get(NO_SKIP) == "1" and report.skipped and not expected:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"nothing may skip under {NO_SKIP}=1: {reason}"
    return report
