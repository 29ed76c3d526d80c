"""A plan: what is searched, on which targets, in which stages. A TOML file, checked by sentence."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from crowdfall.errors import CalibrationError
from crowdfall.experiments import reading
from crowdfall.experiments.targets import Target, load
from crowdfall.types import Float64, Int64

_PLAN: Final = ("scenario", "end", "targets", "stage", "parameter")
_STAGE: Final = ("name", "blocks", "every", "paths", "draws", "population", "generations", "sigma")
METHODS: Final = ("cma", "newton")
_COUNTS: Final = {"every": 1, "paths": 1, "draws": 0, "population": 4, "generations": 1}
_SAMPLED: Final = {"particles": 2, "attempts": 1, "every": 1, "paths": 1}
_PARAMETER: Final = ("keys", "block", "low", "high")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """Scenario keys that move together, the box of their prior, and the block they belong to.

    The prior is flat over the box (over its logarithm where ``log``); with ``mean`` and ``sd`` it
    is a normal cut to the box. ``start``: a value known from elsewhere, which competes with the
    draws of the first stage (the middle of the box where None).
    """

    keys: tuple[str, ...]
    block: str
    low: float
    high: float
    log: bool = False
    mean: float | None = None
    sd: float | None = None
    start: float | None = None

    @property
    def name(self) -> str:
        """Return the first of its keys."""
        return self.keys[0]

    def value(self, share: float) -> float:
        """Return the value at a point of the unit interval, six digits as the file will say it."""
        share = min(max(float(share), 0.0), 1.0)
        if self.log:
            found = self.low * (self.high / self.low) ** share
        else:
            found = self.low + share * (self.high - self.low)
        return float(f"{found:.6g}")

    def place(self, value: float) -> float:
        """Return the point of the unit interval of a value; the inverse of ``value``."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def log_prior(self, share: float) -> float:
        """Return the log density of the prior at a point of the unit interval, up to a constant."""
        if not 0.0 <= share <= 1.0:
            return -math.inf
        if self.mean is None or self.sd is None:
            return 0.0
        return -0.5 * ((self.value(share) - self.mean) / self.sd) ** 2


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One search: the blocks that move, on a market of every k-th stock, and its length.

    ``draws`` points of a Sobol sequence over the whole box come first; CMA-ES begins at the best
    of them with the step ``sigma`` (in the unit cube). With ``method`` ``newton`` a generation is
    one step of ``newton``: a probe a parameter, ``sigma`` away, and ``population`` steps to try.
    ``targets``: beginnings of the ids that count, all where empty.
    """

    name: str
    blocks: tuple[str, ...]
    every: int
    paths: int
    draws: int
    population: int
    generations: int
    sigma: float
    targets: tuple[str, ...] = ()
    method: str = "cma"

    @property
    def calm(self) -> bool:
        """Return whether the plan's calm year counts too: where the targets are not chosen."""
        return not self.targets


@dataclass(frozen=True, kw_only=True)
class Crash:
    """Paths in which ``target`` lies within ``within`` of what is wanted count as crashed.

    ``weight`` times the share of the other paths is added to the loss: a set on the edge between
    crash and no crash is a bad set even if its medians fit.
    """

    target: str
    within: float
    weight: float


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The free targets of a file and what they are worth together, in targets of weight one."""

    file: str
    weight: float
    digest: str
    targets: tuple[Target, ...]

    @property
    def weights(self) -> Float64:
        """Return the weight of each target, (K,)."""
        return np.full(len(self.targets), self.weight / len(self.targets))


@dataclass(frozen=True, kw_only=True)
class Calm:
    """A year in which nothing happened, played with the same parameters, that must stay calm.

    ``paths`` paths of ``scenario`` to ``end`` on every k-th stock of a market of their own;
    ``keeps``: keys that are a state of that year and not a behaviour, and stay as its scenario
    says.
    """

    scenario: str
    end: date
    counted: Counted
    every: int
    paths: int
    keeps: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How the posterior is sampled: the committed tolerances of the loss, largest first.

    ``particles`` a generation, of which each tries at most ``attempts`` simulations of ``paths``
    paths on every k-th stock.
    """

    tolerances: tuple[float, ...]
    particles: int
    attempts: int
    every: int
    paths: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is searched, on what, and how long."""

    name: str
    scenario: str
    end: date
    counted: tuple[Counted, ...]
    stages: tuple[Stage, ...]
    parameters: tuple[Parameter, ...]
    crash: Crash | None
    sampling: Sampling | None
    digest: str
    calm: Calm | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        """Return every target that counts, file by file."""
        return tuple(target for each in self.counted for target in each.targets)

    @property
    def weights(self) -> Float64:
        """Return the weight of each target, (K,)."""
        return np.concatenate([each.weights for each in self.counted])

    @property
    def all_counted(self) -> tuple[Counted, ...]:
        """Return the target files of the scenario, and that of the calm year."""
        return (*self.counted, self.calm.counted) if self.calm else self.counted

    @property
    def start(self) -> Float64:
        """Return the first candidate of the search, (D,) in the unit cube."""
        return np.array(
            [0.5 if each.start is None else each.place(each.start) for each in self.parameters]
        )

    def length(self, stage: Stage) -> int:
        """Return how many sets a stage evaluates."""
        probes = len(self.moving(stage)) if stage.method == "newton" else 0
        return stage.draws + (probes + stage.population) * stage.generations

    def moving(self, stage: Stage) -> Int64:
        """Return the numbers of the parameters that a stage moves."""
        return np.array(
            [k for k, each in enumerate(self.parameters) if each.block in stage.blocks], np.int64
        )


def plan(name_or_path: str) -> Plan:
    """Return a plan that ships, or one of a file.

    CalibrationError where there is none; DataError, naming the file, the entry and the key, for
    what is wrong in it.
    """
    shipped = Path(str(files("crowdfall.experiments").joinpath("plans", f"{name_or_path}.toml")))
    file = shipped if shipped.is_file() else Path(name_or_path)
    if not file.is_file():
        raise CalibrationError("unknown_plan", name=name_or_path)
    words, name = reading.read("plans", str(file))
    reading.check_keys(name, words, _PLAN, ("crash", "calm", "posterior", "note"))
    parameters = tuple(
        _parameter(w, entry) for w, entry in reading.entries(words, "parameter", name)
    )
    blocks = sorted({each.block for each in parameters})
    counted = tuple(_counted(w, entry) for w, entry in reading.entries(words, "targets", name))
    ids = [target.id for each in counted for target in each.targets]
    return Plan(
        name=file.stem,
        scenario=reading.text(name, "scenario", words["scenario"]),
        end=reading.day(name, "end", words["end"]),
        counted=counted,
        stages=tuple(
            _stage(w, entry, blocks, ids) for w, entry in reading.entries(words, "stage", name)
        ),
        parameters=parameters,
        crash=_crash(name, words["crash"], ids) if "crash" in words else None,
        calm=_calm(name, words["calm"]) if "calm" in words else None,
        sampling=_sampling(name, words["posterior"]) if "posterior" in words else None,
        digest=hashlib.sha256(file.read_bytes()).hexdigest()[:16],
    )


def _parameter(where: str, entry: Mapping[str, Any]) -> Parameter:
    reading.check_keys(where, entry, _PARAMETER, ("log", "mean", "sd", "start", "source"))
    keys = entry["keys"]
    if not isinstance(keys, list) or not keys:
        raise reading.wrong(where, "keys", keys, "a list of scenario keys")
    numbers = {
        key: reading.number(where, key, entry[key])
        for key in ("low", "high", "mean", "sd", "start")
        if key in entry
    }
    log = entry.get("log", False)
    if log not in (True, False):
        raise reading.wrong(where, "log", log, "true or false")
    if not numbers["low"] < numbers["high"] or (log and numbers["low"] <= 0.0):
        raise reading.wrong(where, "high", entry["high"], f"a number above {entry['low']}")
    if not numbers["low"] <= numbers.get("start", numbers["low"]) <= numbers["high"]:
        box = f"a number from {entry['low']} to {entry['high']}"
        raise reading.wrong(where, "start", entry["start"], box)
    if numbers.get("sd", 1.0) <= 0.0 or ("sd" in numbers) != ("mean" in numbers):
        raise reading.wrong(where, "sd", entry.get("sd"), "a positive number, beside a mean")
    return Parameter(
        keys=tuple(reading.text(where, "keys", key) for key in keys),
        block=reading.text(where, "block", entry["block"]), log=bool(log), **numbers,
    )  # fmt: skip


def _stage(where: str, entry: Mapping[str, Any], blocks: list[str], ids: list[str]) -> Stage:
    reading.check_keys(where, entry, _STAGE, ("targets", "method"))
    method = reading.text(where, "method", entry.get("method", "cma"))
    reading.check_choice(where, "method", method, METHODS)
    for block in entry["blocks"]:
        reading.check_choice(where, "blocks", block, blocks)
    for beginning in entry.get("targets", []):
        if not any(each.startswith(str(beginning)) for each in ids):
            reading.check_choice(where, "targets", beginning, ids)
    whole = _whole(where, entry, _COUNTS)
    sigma = reading.number(where, "sigma", entry["sigma"])
    if not 0.0 < sigma <= 1.0:
        raise reading.wrong(where, "sigma", sigma, "a number above 0 and at most 1")
    return Stage(
        name=reading.text(where, "name", entry["name"]), blocks=tuple(entry["blocks"]),
        sigma=sigma, targets=tuple(str(each) for each in entry.get("targets", [])),
        method=method, **whole,
    )  # fmt: skip


def _whole(where: str, entry: Mapping[str, Any], least: Mapping[str, int]) -> dict[str, int]:
    out = {}
    for key, low in least.items():
        value = entry[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise reading.wrong(where, key, value, f"a whole number of at least {low}")
        out[key] = value
    return out


def _sampling(file: str, entry: object) -> Sampling:
    where = f"{file}, posterior"
    if not isinstance(entry, dict):
        raise reading.wrong(where, "posterior", entry, "a table")
    reading.check_keys(where, entry, ("tolerances", *_SAMPLED), ())
    values = entry["tolerances"]
    if not isinstance(values, list) or not values:
        raise reading.wrong(where, "tolerances", values, "a list of numbers")
    numbers = tuple(reading.number(where, "tolerances", each) for each in values)
    if any(later >= first for first, later in pairwise(numbers)):
        raise reading.wrong(where, "tolerances", values, "numbers that fall")
    return Sampling(tolerances=numbers, **_whole(where, entry, _SAMPLED))


def _counted(where: str, entry: Mapping[str, Any]) -> Counted:
    reading.check_keys(where, entry, ("file", "weight"), ())
    file = reading.text(where, "file", entry["file"])
    free = tuple(target for target in load(file) if target.kind == "free")
    weight = reading.number(where, "weight", entry["weight"])
    if not free or weight <= 0.0:
        raise reading.wrong(where, "weight", weight, "a positive number, of free targets")
    return Counted(file=file, weight=weight, digest=_file_digest(file), targets=free)


def _file_digest(name: str) -> str:
    shipped = Path(str(files("crowdfall.experiments").joinpath("targets", f"{name}.toml")))
    file = shipped if shipped.is_file() else Path(name)
    return hashlib.sha256(file.read_bytes()).hexdigest()[:16]


def _calm(file: str, entry: object) -> Calm:
    where = f"{file}, calm"
    if not isinstance(entry, dict):
        raise reading.wrong(where, "calm", entry, "a table")
    needed = ("scenario", "end", "file", "weight", "every", "paths")
    reading.check_keys(where, entry, needed, ("keeps",))
    keeps = entry.get("keeps", [])
    if not isinstance(keeps, list):
        raise reading.wrong(where, "keeps", keeps, "a list of scenario keys")
    return Calm(
        scenario=reading.text(where, "scenario", entry["scenario"]),
        end=reading.day(where, "end", entry["end"]),
        counted=_counted(where, {key: entry[key] for key in ("file", "weight")}),
        keeps=tuple(reading.text(where, "keeps", key) for key in keeps),
        **_whole(where, entry, {"every": 1, "paths": 1}),
    )


def _crash(file: str, entry: object, ids: list[str]) -> Crash:
    where = f"{file}, crash"
    if not isinstance(entry, dict):
        raise reading.wrong(where, "crash", entry, "a table")
    reading.check_keys(where, entry, ("target", "within", "weight"), ())
    reading.check_choice(where, "target", entry["target"], ids)
    numbers = {key: reading.number(where, key, entry[key]) for key in ("within", "weight")}
    return Crash(target=entry["target"], **numbers)
