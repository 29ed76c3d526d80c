"""Continue a run under other terms from a session on.

The paths are played again from the first close, with the changes taking effect at the fork: draws
and factors are those of the run, so every row before it is the same to the last bit.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from crowdfall.engine import ensemble
from crowdfall.engine.ensemble import Report
from crowdfall.engine.workers import Engine
from crowdfall.errors import RunError
from crowdfall.results.inputs import kept
from crowdfall.results.place import Place
from crowdfall.results.store import RunFolder
from crowdfall.scenarios import changes
from crowdfall.scenarios.check import check
from crowdfall.scenarios.schema import Scenario


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is different from the fork on: words as in ``--set``, entries of policy and rule."""

    set: tuple[str, ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()

    def over(self, scenario: Scenario, at: date) -> Scenario:
        """Return the scenario that goes on so from session ``at``; ScenarioError: it can't."""
        forked = changes.fork(scenario, at, self.set, self.policies, self.rules)
        check(forked)
        return forked

    def __add__(self, other: Variant) -> Variant:
        """Return what is different by both."""
        return Variant(
            set=self.set + other.set, policies=self.policies + other.policies,
            rules=self.rules + other.rules,
        )  # fmt: skip


def fork(
    run: RunFolder,
    at: date,
    variant: Variant,
    *,
    out: str | Place,
    workers: int,
    engine: Engine = "local",
    progress: Report | None = None,
) -> RunFolder:
    """Play the paths of a complete run again, under other terms from session ``at``.

    RunError, ScenarioError: ``at`` is no session of the run, a change can't be made, nothing is
    changed, or ``out`` is taken.
    """
    if variant == Variant():
        raise RunError("nothing_to_fork")
    with kept(run) as (market, scenario):
        forked = variant.over(scenario, at)
        seed, paths = int(run.manifest["seed"]), int(run.manifest["paths"])
        return ensemble.run(
            market, replace(forked, name=scenario.name), paths=paths, seed=seed, workers=workers,
            out=out, engine=engine, progress=progress, block=int(run.manifest["block"]),
        )  # fmt: skip


def read_levers(path: Path) -> Variant:
    """Return the ``[[policy]]`` and ``[[rule]]`` entries of a file; RunError for anything else."""
    table = _read(path)
    if not table or "set" in table:
        raise RunError("variants_file", path=path, why="[[policy]], [[rule]]")
    return _variant(path, "[[policy]], [[rule]]", table)


def read_variants(path: Path) -> dict[str, Variant]:
    """Return the variants of a file by name: each a table with ``set`` and ``policy``."""
    return {name: _variant(path, name, words) for name, words in _read(path).items()}


def _variant(path: Path, name: str, words: Any) -> Variant:  # noqa: ANN401 - as it was written
    parts = ("set", "policy", "rule")
    if not isinstance(words, dict) or not set(words) <= set(parts):
        raise RunError("variants_file", path=path, why=name)
    lines, policies, rules = (words.get(part, []) for part in parts)
    lists = all(isinstance(each, list) for each in (lines, policies, rules))
    if not lists or not all(isinstance(line, str) for line in lines):
        raise RunError("variants_file", path=path, why=name)
    if not all(isinstance(entry, dict) for entry in (*policies, *rules)):
        raise RunError("variants_file", path=path, why=name)
    return Variant(set=tuple(lines), policies=tuple(policies), rules=tuple(rules))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = " ".join(str(error).split())
        raise RunError("variants_file", path=path, why=why) from error
