"""What a run keeps of what determined it, so that it can be resumed and forked on its own.

``inputs/market`` holds the market, ``inputs/scenario`` and ``inputs/base`` the files that the
scenario, and the one whose factors it reads, name; ``inputs/scenario.json`` the words of both.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from crowdfall.errors import CrowdfallError, RunError
from crowdfall.market import store
from crowdfall.market.snapshot import Market
from crowdfall.results.place import Place
from crowdfall.results.store import RunFolder
from crowdfall.scenarios.read import build
from crowdfall.scenarios.schema import Scenario


def inputs_of(market: Market, scenario: Scenario) -> dict[str, bytes]:
    """Return the files to keep by their name in the run folder."""
    files = _market_files(market)
    # Sums over the entries of a table run in its order, and the manifest sorts keys.
    files["inputs/scenario.json"] = json.dumps(words_of(scenario), ensure_ascii=False).encode()
    for part, each in (("scenario", scenario), ("base", scenario.factor_base)):
        for name in each.input_names:
            files[f"inputs/{part}/{name}"] = each.input_file(name).read_bytes()
    return files


def words_of(scenario: Scenario) -> dict[str, Any]:
    """Return the manifest's words of a scenario and of the one whose factors it reads."""
    base = scenario.factor_base
    return {
        "scenario": scenario.model_dump(),
        "base": None if base is scenario else base.model_dump(),
    }


@contextmanager
def kept(run: RunFolder) -> Iterator[tuple[Market, Scenario]]:
    """Yield the market and the scenario that a run kept.

    RunError: the run kept none, or they are not those that made it.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = _local(run.path / "inputs", Path(temporary))
        try:
            market = store.load(folder / "market")
            words = json.loads((folder / "scenario.json").read_bytes())
            scenario = _scenario(words, folder)
            digests = (market.digest, scenario.digest)
        except (CrowdfallError, OSError, KeyError, TypeError, ValueError) as error:
            raise RunError("run_inputs", path=run.path, reason=str(error)) from error
        if digests != (run.manifest["market"]["digest"], run.manifest["scenario_hash"]):
            raise RunError("run_inputs_changed", path=run.path)
        yield market, scenario


def _scenario(words: Mapping[str, Any], folder: Path) -> Scenario:
    scenario = replace(build(Scenario, words["scenario"]), folder=folder / "scenario")
    if words["base"] is None:
        return scenario
    base = replace(build(Scenario, words["base"]), folder=folder / "base")
    return replace(scenario, origin=base)


def _local(inputs: Place, temporary: Path) -> Path:
    """Return a local folder with the inputs: their own, or a copy of those behind a URL."""
    if isinstance(inputs, Path):
        return inputs
    pending = [(inputs, temporary)]
    while pending:
        place, target = pending.pop()
        for item in place.iterdir() if place.exists() else ():
            if item.is_dir():
                (target / item.name).mkdir()
                pending.append((item, target / item.name))
            else:
                (target / item.name).write_bytes(item.read_bytes())
    return temporary


def _market_files(market: Market) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "market"
        store.save(market, folder)
        return {f"inputs/market/{item.name}": item.read_bytes() for item in folder.iterdir()}
