"""The public names: what is promised is what is there, and importing the package is quick."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import crowdfall

HEAVY = ("numba", "polars", "scipy", "pandas", "numpy", "jinja2")
IMPORT_BUDGET = 0.3  # seconds


def test_names_promised_are_the_names_exported() -> None:
    for name in crowdfall.__all__:
        assert getattr(crowdfall, name) is not None
    assert sorted(crowdfall.__all__) == dir(crowdfall)


def test_type_stub_holds_the_same_names() -> None:
    stub = Path(crowdfall.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    held = set()
    for node in ast.parse(stub).body:
        if isinstance(node, ast.ImportFrom):
            held |= {alias.asname for alias in node.names}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            held.add(node.target.id)
    assert held == set(crowdfall.__all__)


def test_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(crowdfall, "stampede")


def test_import_loads_nothing_heavy() -> None:
    loaded = python("import crowdfall, sys; print(*sys.modules)").split()
    assert not set(HEAVY) & set(loaded)


def test_import_keeps_to_its_budget() -> None:
    """The best of three, less what Python itself needs to start."""
    bare = min(seconds("pass") for _ in range(3))
    whole = min(seconds("import crowdfall") for _ in range(3))
    assert whole - bare < IMPORT_BUDGET


def seconds(code: str) -> float:
    began = time.perf_counter()
    python(code)
    return time.perf_counter() - began


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
