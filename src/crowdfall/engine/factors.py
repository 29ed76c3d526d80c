"""Solved factors, kept per path, so that every variation reads the same ones.

A replay solves the market factor (so that CSI 300 is exact) and the group factors (to the
assimilation date) once per market, scenario, seed and path. A variation of that scenario reads
them: its CSI 300 is then an outcome.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import fields
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
from platformdirs import user_cache_path

from crowdfall import __version__
from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.engine.state import Factors
from crowdfall.market.snapshot import Market
from crowdfall.results.place import write_whole
from crowdfall.scenarios.schema import Scenario


def cache_folder() -> Path:
    """Return where factors are kept: CROWDFALL_CACHE, else the user's cache folder."""
    chosen = os.environ.get("CROWDFALL_CACHE")
    return (Path(chosen) if chosen else user_cache_path("crowdfall")) / "factors"


def factor_key(market: Market, base: Scenario, seed: int) -> str:
    """Return the name under which the factors of a base scenario are kept."""
    text = f"{__version__} {code_digest()} {market.digest} {base.digest} {seed}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


ROOMS: Final = ("agents", "data", "engine", "market", "pricing", "products", "results", "rules",
                "scenarios")  # fmt: skip
"""Packages whose code and values determine a result or its tables."""


@cache
def code_digest() -> str:
    """Return a sha256 of the code and rules that determine a path: no other factors are read."""
    digest = hashlib.sha256()
    root = files("crowdfall")
    for room in ROOMS:
        for file in sorted(Path(str(root.joinpath(room))).rglob("*.*")):
            if file.suffix in (".py", ".toml", ".csv", ".json"):
                digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def packed(first_path: int, factors: Factors) -> dict[str, bytes]:
    """Return the factors of some paths as files, one a path, by name."""
    files = {}
    for k in range(len(factors.market)):
        one = factors.take(slice(k, k + 1))
        buffer = BytesIO()
        np.savez(buffer, **{item.name: getattr(one, item.name) for item in fields(one)})
        files[f"{first_path + k:06d}.npz"] = buffer.getvalue()
    return files


def save(folder: Path, first_path: int, factors: Factors) -> None:
    """Write the factors of some paths, one file a path, each whole and then renamed.

    They can be solved again: a cache that can't be written costs time later, and not the run.
    """
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in packed(first_path, factors).items():
            write_whole(folder / name, data)


def read(folder: Path, first_path: int, paths: int) -> Factors | None:
    """Return the factors of some paths, or None where one is missing or damaged."""
    parts: list[dict[str, np.ndarray]] = []
    for path in range(first_path, first_path + paths):
        try:
            with np.load(folder / f"{path:06d}.npz") as file:
                parts.append({item.name: file[item.name] for item in fields(Factors)})
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            return None
    return Factors(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def base_is_missing(market: Market, scenario: Scenario, seed: int, paths: int) -> bool:
    """Return whether a variation must compute its base first, for some of its paths."""
    base = scenario.factor_base
    if scenario.clock.mode != "replay" or base is scenario:
        return False
    folder = cache_folder() / factor_key(market, base, seed)
    return not all((folder / f"{path:06d}.npz").is_file() for path in range(paths))


def base_factors(
    market: Market, scenario: Scenario, seed: int, first_path: int, paths: int
) -> Factors | None:
    """Return the factors a variation needs, computing its base first where they are missing.

    None for a scenario that solves or draws its own.
    """
    base = scenario.factor_base
    if scenario.clock.mode != "replay" or base is scenario:
        return None
    folder = cache_folder() / factor_key(market, base, seed)
    found = read(folder, first_path, paths)
    if found is not None:
        return found
    result = simulate(setting(market, base, seed), first_path=first_path, paths=paths)
    assert result.factors is not None  # a replay that solves returns what it solved
    save(folder, first_path, result.factors)
    return result.factors
