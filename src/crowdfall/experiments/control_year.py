"""A calm year as a control: its volatility, and the paths in which it spirals, beside the crisis.

Two finished runs are read: one of a year without a shock, one of the crisis, with the same
parameters. Volatility is the standard deviation of daily log returns, a fraction. A spiral is
counted twice (``results.metrics``): by what brokers and lenders sell, and by that with what funds
sell at their own stop-loss and warning lines. In a replay only sessions after the assimilation
count: before, inputs make the fall.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from crowdfall.experiments.targets import load as load_targets
from crowdfall.i18n import Language, translate
from crowdfall.market.snapshot import INDICES
from crowdfall.results.metrics import COMPELLED, FORCED, HIGH, LOW, spirals
from crowdfall.results.store import write_text

if TYPE_CHECKING:
    import polars as pl

    from crowdfall.results.store import RunFolder

WITHIN: Final = 0.25
"""Gap of a median volatility from the real one, over the real one, that still holds."""
MOST: Final = 0.05
"""Share of a calm year's paths that may spiral."""
MEASURES: Final = {"forced": FORCED, "compelled": COMPELLED}
_NORMAL: Final = 1.959964
"""97.5% quantile of the standard normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Volatility:
    """Volatility of one index a day: over the paths, as it was, and as it was a year before."""

    index: str
    low: float
    median: float
    high: float
    real: float
    before: float

    @property
    def gap(self) -> float:
        """Return the median over the real one, less one."""
        return self.median / self.real - 1.0

    @property
    def holds(self) -> bool:
        """Return whether the gap is at most WITHIN."""
        return abs(self.gap) <= WITHIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Spirals:
    """Paths that spiral under one measure, of how many, with the 95% interval of their share."""

    measure: str
    paths: int
    of: int

    @property
    def share(self) -> float:
        """Return the share of paths."""
        return self.paths / self.of

    @property
    def interval(self) -> tuple[float, float]:
        """Return the interval of the share by Wilson (1927)."""
        return wilson(self.paths, self.of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """What the two runs show; one entry a measure in ``calm`` and ``crisis``."""

    names: tuple[str, str]
    hashes: tuple[str, str]
    markets: tuple[str, str]
    seeds: tuple[int, int]
    volatility: tuple[Volatility, ...]
    calm: tuple[Spirals, ...]
    crisis: tuple[Spirals, ...]

    def holds(self, number: int) -> bool:
        """Return whether by a measure the year is calm and most paths of the crisis are not."""
        return self.calm[number].share <= MOST and self.crisis[number].share > 0.5


def control(calm: RunFolder, crisis: RunFolder) -> Control:
    """Return the control of two finished runs."""
    real, before = _real()
    daily = calm.table("daily")
    both = (calm.manifest, crisis.manifest)
    return Control(
        names=(both[0]["scenario_name"], both[1]["scenario_name"]),
        hashes=(both[0]["scenario_hash"], both[1]["scenario_hash"]),
        markets=(both[0]["market"]["digest"], both[1]["market"]["digest"]),
        seeds=(both[0]["seed"], both[1]["seed"]),
        volatility=volatilities(daily, real, before),
        calm=counted(_after(calm, daily)),
        crisis=counted(_after(crisis, crisis.table("daily"))),
    )


def volatilities(
    daily: pl.DataFrame, real: dict[str, float], before: dict[str, float]
) -> tuple[Volatility, ...]:
    """Return the volatility of every index over the paths of a run."""
    import polars as pl

    out = []
    for index in INDICES:
        move = (1.0 + pl.col(f"{index}_return")).log().std().alias("sd")
        found = daily.group_by("path").agg(move)["sd"].to_numpy()
        low, median, high = np.quantile(found, [LOW, 0.5, HIGH]).tolist()
        out.append(
            Volatility(index=index, low=low, median=median, high=high, real=real[index],
                       before=before[index])
        )  # fmt: skip
    return tuple(out)


def counted(daily: pl.DataFrame) -> tuple[Spirals, ...]:
    """Return how many paths spiral under each measure."""
    of = daily["path"].n_unique()
    return tuple(
        Spirals(measure=name, paths=spirals(daily, sold)["path"].n_unique(), of=of)
        for name, sold in MEASURES.items()
    )


def wilson(count: int, of: int) -> tuple[float, float]:
    """Return the 95% interval of a share by Wilson (1927, JASA 22).

    >>> low, high = wilson(0, 200)
    >>> round(low, 4), round(high, 4)
    (0.0, 0.0188)
    """
    square = _NORMAL**2
    share, scale = count / of, 1.0 + square / of
    middle = (share + square / (2 * of)) / scale
    half = _NORMAL * sqrt(share * (1 - share) / of + square / (4 * of**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def _after(run: RunFolder, daily: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    until = run.manifest["scenario"]["clock"]["assimilate_until"]
    return daily.filter(pl.col("date") > date.fromisoformat(until)) if until else daily


def _real() -> tuple[dict[str, float], dict[str, float]]:
    shipped = load_targets("control2023")
    real = {t.index: t.value / t.scale for t in shipped if t.quantity == "volatility"}
    file = files("crowdfall.experiments").joinpath("control_year.toml")
    return real, tomllib.loads(file.read_text(encoding="utf-8"))["before"]


def write(found: Control, path: Path, lang: Language) -> None:
    """Write the page."""
    write_text(path, markdown(found, lang))


def markdown(found: Control, lang: Language) -> str:
    """Return the page: how to read it, volatility, spirals, and where they come from."""

    def word(name: str, **more: object) -> str:
        return translate(f"experiment.control_year.{name}", lang, **more)

    verdict = {True: word("holds"), False: f"**{word('misses')}**"}
    calm, crisis = found.names
    lines = [
        "<!-- written by: crowdfall experiment control-year -->", f"# {word('title')}", "",
        word("intro", calm=calm, crisis=crisis, within=f"{100 * WITHIN:g}",
             most=f"{100 * MOST:g}"), "",
        _row(word("index"), word("simulated"), word("band"), word("real"), word("gap"),
             word("before"), word("verdict")),
        "| --- | ---: | ---: | ---: | ---: | ---: | --- |",
        *(
            _row(translate(f"word.{v.index}", lang), f"{100 * v.median:.2f}",
                 f"{100 * v.low:.2f} … {100 * v.high:.2f}", f"{100 * v.real:.2f}",
                 f"{100 * v.gap:+.0f}%", f"{100 * v.before:.2f}", verdict[v.holds])
            for v in found.volatility
        ), "", word("spirals"), "",
        _row(word("measure"), f"`{calm}`", word("interval"), f"`{crisis}`", word("interval"),
             word("verdict")),
        "| --- | ---: | ---: | ---: | ---: | --- |",
        *(
            _row(word(a.measure), *_share(a), *_share(b), verdict[found.holds(k)])
            for k, (a, b) in enumerate(zip(found.calm, found.crisis, strict=True))
        ), "",
        word("origin", calm=calm, crisis=crisis, calm_hash=found.hashes[0],
             crisis_hash=found.hashes[1], calm_market=found.markets[0],
             crisis_market=found.markets[1], calm_seed=found.seeds[0],
             crisis_seed=found.seeds[1]),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _share(found: Spirals) -> tuple[str, str]:
    low, high = found.interval
    return f"{found.paths} / {found.of}", f"{100 * low:.0f} … {100 * high:.0f}%"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
