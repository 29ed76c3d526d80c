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
from crowdfall.engine.blocks import Engine
from crowdfall.engine.ensemble import Report
from crowdfall.errors import RunError
from crowdfall.results.inputs import kept
from crowdfall.results.place import Place
from crowdfall.results.store import RunFolder
from crowdfall.scenarios import changes


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is different from the fork on: words as in ``--set``, and entries of ``policy``."""

    set: tuple[str, ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()


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
    if not variant.set and not variant.policies:
        raise RunError("nothing_to_fork")
    with kept(run) as (market, scenario):
        forked = changes.fork(scenario, at, variant.set, variant.policies)
        changes.check_changes(forked)
        seed, paths = int(run.manifest["seed"]), int(run.manifest["paths"])
        return ensemble.run(
            market, replace(forked, name=scenario.name), paths=paths, seed=seed, workers=workers,
            out=out, engine=engine, progress=progress, block=int(run.manifest["block"]),
        )  # fmt: skip


def read_policies(path: Path) -> tuple[Mapping[str, Any], ...]:
    """Return the ``[[policy]]`` entries of a file; RunError where it holds anything else."""
    table = _read(path)
    if set(table) != {"policy"} or not isinstance(table["policy"], list):
        raise RunError("variants_file", path=path, why="[[policy]]")
    return tuple(table["policy"])


def read_variants(path: Path) -> dict[str, Variant]:
    """Return the variants of a file by name: each a table with ``set`` and ``policy``."""
    found = {}
    for name, words in _read(path).items():
        if not isinstance(words, dict) or not set(words) <= {"set", "policy"}:
            raise RunError("variants_file", path=path, why=name)
        lines, policies = words.get("set", []), words.get("policy", [])
        if not all(isinstance(line, str) for line in lines) or not isinstance(policies, list):
            raise RunError("variants_file", path=path, why=name)
        found[name] = Variant(set=tuple(lines), policies=tuple(policies))
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = " ".join(str(error).split())
        raise RunError("variants_file", path=path, why=why) from error
