"""Shared fixtures: where the real data are, and when a test may skip."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """Return the folder of real market data: CROWDFALL_DATA, else ../shared/data."""
    return Path(os.environ.get("CROWDFALL_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"no market data at {folder}: set CROWDFALL_DATA to run this test")
    return folder
