"""Loop gain: what one extra billion of forced sales does to micro-caps, over what it does in calm.

Two paired runs read the factors of the same base: one with an extra sale on the date asked for,
one with the same sale on a calm date. Each fall is measured against the base path by path, some
sessions after its sale, so noise cancels. Gain 1: the market takes the sale as in calm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from crowdfall.engine.factors import base_factors
from crowdfall.engine.setting import Setting, setting
from crowdfall.engine.simulate import simulate
from crowdfall.errors import RunError
from crowdfall.market.snapshot import Market
from crowdfall.results.metrics import HIGH, LOW
from crowdfall.results.store import open_run
from crowdfall.scenarios.check import check
from crowdfall.scenarios.load import load
from crowdfall.scenarios.schema import Scenario, Shock
from crowdfall.types import Float64

BLOCK: Final = 5
EXTRA: Final = 1e9
"""Yuan sold on top: small against a day's forced sales, large against rounding."""
LEAST: Final = 1e-6
"""Calm fall, a fraction, below which a ratio to it says nothing."""


@dataclass(frozen=True, kw_only=True)
class LoopGain:
    """Falls by path, fractions, positive: extra fall of the micro-cap index after the sale."""

    on: date
    calm: date
    group: str
    extra: float
    sessions: int
    fall: Float64
    calm_fall: Float64

    @property
    def gain(self) -> Float64:
        """Return the fall over the calm fall by path; NaN where the calm one is nothing."""
        usable = np.abs(self.calm_fall) > LEAST
        calm = np.where(usable, self.calm_fall, np.nan)
        return np.asarray(self.fall / calm)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values: medians, bands over the paths, and every path."""
        return {
            "date": self.on, "calm": self.calm, "group": self.group, "yuan": self.extra,
            "sessions": self.sessions, "paths": len(self.fall),
            "loop_gain": banded(self.gain) | {"by_path": self.gain.tolist()},
            "fall": banded(self.fall), "calm_fall": banded(self.calm_fall),
        }  # fmt: skip


def banded(values: Float64) -> dict[str, float]:
    """Return the 5% quantile, median and 95% quantile; NaN is left out, or all there is."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {"low": np.nan, "median": np.nan, "high": np.nan}
    low, median, high = np.quantile(known, [LOW, 0.5, HIGH]).tolist()
    return {"low": low, "median": median, "high": high}


def loop_gain(
    scenario: Scenario,
    market: Market,
    on: date,
    *,
    paths: int = 8,
    seed: int = 1,
    calm: date | None = None,
    sessions: int = 5,
    group: str = "microcap",
    extra: float = EXTRA,
    progress: Callable[[int], None] | None = None,
) -> LoopGain:
    """Return the loop gain of one session; ``calm`` is the first session where None.

    Sales are spread over the bars of their session. RunError: a date that is no session of the
    run with ``sessions`` more behind it. ScenarioError: an unknown group, an amount out of range.
    """
    constants = setting(market, scenario, seed)
    quiet = calm or constants.days[0]
    for day in (on, quiet):
        _check_day(day, constants.days, sessions)
    shocked = {day: _shocked(scenario, day, group, extra) for day in (on, quiet)}
    falls: dict[date, list[Float64]] = {day: [] for day in shocked}
    for first in range(0, paths, BLOCK):
        count = min(BLOCK, paths - first)
        levels = _levels(market, shocked[on], constants, first, count)
        for day, other in shocked.items():
            variation = setting(market, other, seed)
            mine = _levels(market, other, variation, first, count)
            place = constants.days.index(day) + sessions
            falls[day].append(1.0 - mine[:, place] / levels[:, place])
        if progress is not None:
            progress(first + count)
    return LoopGain(
        on=on, calm=quiet, group=group, extra=extra, sessions=sessions,
        fall=np.concatenate(falls[on]), calm_fall=np.concatenate(falls[quiet]),
    )  # fmt: skip


def asked(
    what: str | Path, overrides: Sequence[str], market: Market
) -> tuple[Scenario, dict[str, int]]:
    """Return the scenario of a name, a file or a run folder, and the run's seed and paths.

    RunError: the run was made on another market, or with changes to its scenario that its name
    does not tell; say those as overrides of the scenario instead.
    """
    if not (Path(what) / "manifest.json").is_file():
        return load(str(what), overrides), {}
    manifest = open_run(what).manifest
    name = manifest["scenario_name"]
    scenario = load(name, overrides)
    if scenario.digest != manifest["scenario_hash"]:
        raise RunError("loop_gain_changed", path=what, name=name)
    if market.digest != manifest["market"]["digest"]:
        raise RunError(
            "loop_gain_market", path=what, digest=market.digest,
            wanted=manifest["market"]["digest"],
        )  # fmt: skip
    return scenario, {"seed": manifest["seed"], "paths": manifest["paths"]}


def _check_day(day: date, days: tuple[date, ...], sessions: int) -> None:
    if day not in days[: len(days) - sessions]:
        last = days[max(len(days) - sessions - 1, 0)]
        raise RunError("no_session_to_shock", date=day, first=days[0], last=last)


def _shocked(scenario: Scenario, day: date, group: str, extra: float) -> Scenario:
    sale = Shock(date=day, group=group, yuan=extra)
    base = scenario.factor_base
    clock = replace(scenario.clock, factors="base")
    out = replace(scenario, shock=(*scenario.shock, sale), clock=clock, origin=base)
    check(out)
    return out


def _levels(
    market: Market, variation: Scenario, constants: Setting, first: int, count: int
) -> Float64:
    """Return the micro-cap closes of a run on the factors of the base, (P, T)."""
    factors = base_factors(market, variation, constants.seed, first, count)
    tables = simulate(constants, first_path=first, paths=count, factors=factors).tables
    closes = tables["daily"].sort("path", "date")["microcap_close"].to_numpy()
    return np.asarray(closes.reshape(count, len(constants.days)))
