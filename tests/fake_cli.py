"""A command line in this process, and an engine that writes fake runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fake_run
from crowdfall.cli import launch
from crowdfall.cli.main import main
from crowdfall.engine import ensemble
from crowdfall.results.store import RunFolder, open_run

Cli = Callable[..., SimpleNamespace]
"""Takes the words of a command line; gives code, out and err."""
Asked = list[dict[str, Any]]
"""What the engine was asked, one entry a call."""


def fake_ensemble(market: object, scenario: Any, **asked: Any) -> RunFolder:  # noqa: ANN401
    """Stand in for the engine: same signature, few sessions, three progress steps."""
    paths, progress = asked["paths"], asked["progress"]
    run = fake_run.write(asked["out"], paths=min(paths, 2), count=3, scenario=scenario.model_dump())
    progress(SimpleNamespace(done_paths=0, paths=paths, stage="paths"))
    progress(SimpleNamespace(done_paths=paths, paths=paths, stage="paths"))
    progress(SimpleNamespace(done_paths=paths, paths=paths, stage="tables"))
    return open_run(run.path)


def replace_engine(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Replace engine and market; the list tells what the engine was asked."""
    asked: Asked = []

    def run(market: object, scenario: object, **more: Any) -> RunFolder:  # noqa: ANN401
        asked.append({"market": market, "scenario": scenario, **more})
        return fake_ensemble(market, scenario, **more)

    monkeypatch.setattr(ensemble, "run", run)
    monkeypatch.setattr(
        launch, "load_market",
        lambda path, default="": SimpleNamespace(digest="m", path=path or default),
    )  # fmt: skip
    return asked


def command_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    """Return a function that runs a command line in ``folder``, in English."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("CROWDFALL_LANG", "en")

    def call(*words: object) -> SimpleNamespace:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return SimpleNamespace(code=code, out=said.out, err=said.err)

    return call
