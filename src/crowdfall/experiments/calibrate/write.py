"""The fitted numbers as a file that a scenario names under ``parameters``; their provenance."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from crowdfall import __version__
from crowdfall.errors import CalibrationError
from crowdfall.experiments.calibrate.plan import Plan
from crowdfall.experiments.calibrate.search import Fit
from crowdfall.market.snapshot import Market


def check_free(path: Path) -> None:
    """Raise CalibrationError where a file stands at ``path`` or its folder is missing."""
    if path.exists() or not path.parent.is_dir():
        raise CalibrationError("fit_target", path=path)


def write(
    fits: tuple[Fit, ...], plan: Plan, market: Market, seed: int, path: Path,
    calm: Market | None = None,
) -> None:  # fmt: skip
    """Write the last fit: values as tables, and where they come from above them."""
    path.write_text(text(fits, plan, market, seed, calm), encoding="utf-8")


def text(
    fits: tuple[Fit, ...], plan: Plan, market: Market, seed: int, calm: Market | None = None
) -> str:
    """Return the words of the file; equal for equal plans, markets, seeds and versions."""
    tables: dict[str, list[str]] = {}
    sources: list[str] = []
    for parameter, share in zip(plan.parameters, fits[-1].point, strict=True):
        for key in parameter.keys:
            table, name = key.rsplit(".", 1)
            tables.setdefault(table, []).append(f"{name} = {parameter.value(share)!r}")
            sources.append(f'"{key}" = "fit on {_files(plan)} (plan {plan.name}, seed {seed})"')
    lines = _head(fits, plan, market, seed, calm)
    for table, entries in {**tables, "sources": sources}.items():
        lines += ["", f"[{table}]", *entries]
    return "\n".join(lines) + "\n"


def _files(plan: Plan) -> str:
    return " and ".join(each.file for each in plan.all_counted)


def _head(
    fits: tuple[Fit, ...], plan: Plan, market: Market, seed: int, calm: Market | None
) -> list[str]:
    lines = [
        f"# Fit of {plan.scenario} by `crowdfall experiment calibrate --plan {plan.name} "
        f"--seed {seed}`.",
        f"# Version {__version__}; plan {plan.digest}; market {market.digest} ({market.source}, "
        f"{market.date}).",
    ]
    for each in plan.all_counted:
        lines.append(f"# Targets {each.file} {each.digest}: {len(each.targets)} free numbers, "
                     f"together worth {each.weight:g}.")  # fmt: skip
    if plan.calm is not None and calm is not None:
        year = plan.calm
        lines.append(f"# Calm year: {year.paths} paths of {year.scenario} to {year.end}, every "
                     f"{year.every}. stock of market {calm.digest} ({calm.date}).")  # fmt: skip
    lines += [f"# Data: {source}." for source in market.sources]
    for stage, fit in zip(plan.stages, fits, strict=True):
        held = ", ".join(f"{n} of {of} of {file}" for file, (n, of) in fit.inside(plan).items())
        lines.append(
            f"# Stage {stage.name}: {stage.draws} draws, {stage.method} {stage.generations} x "
            f"{stage.population}, every {stage.every}. stock, {stage.paths} paths: loss "
            f"{fit.measured.loss:.2f}, crashed {100 * fit.measured.crashed:.0f}%, {held}."
        )
    medians = fits[-1].measured.medians
    shown = [*zip(plan.counted[0].targets, medians, strict=False)]
    if plan.calm is not None:
        shown += zip(plan.calm.counted.targets, medians[len(plan.targets) :], strict=False)
    known = [f"{t.id} {m:.2f}" for t, m in shown if np.isfinite(m)]
    return [*lines, f"# Medians of the last stage: {', '.join(known)}"]
