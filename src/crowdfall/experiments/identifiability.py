"""Which parameters the targets pin, which trade off, and which target pins what: one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from crowdfall.experiments.calibrate.plan import Parameter, Plan
from crowdfall.experiments.posterior.study import Sampled, weighted_quantile
from crowdfall.experiments.sensitivity import Sensitivity
from crowdfall.i18n import Language, translate
from crowdfall.types import Float64

Verdict = Literal["pinned", "partly", "open"]
PINNED, PARTLY = 0.35, 0.75
"""Width of the middle 90% of the posterior over that of the prior, up to which a verdict holds."""
TRADE: Final = 0.4
"""Correlation from which two parameters trade off."""
_PRIOR_DRAWS: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Line:
    """One parameter: its posterior in its own unit, the verdict, its partners and its target."""

    parameter: Parameter
    low: float
    median: float
    high: float
    width: float
    verdict: Verdict
    trades: tuple[tuple[str, float], ...]
    pinned_by: str
    slice_range: float


def lines(plan: Plan, sampled: Sampled, found: Sensitivity | None = None) -> tuple[Line, ...]:
    """Return a line for each parameter of the plan.

    ``width`` is the middle 90% of the posterior over that of the prior, in the unit interval.
    """
    together = correlations(sampled.points, sampled.weights)
    out = []
    for k, parameter in enumerate(plan.parameters):
        values = sampled.points[:, k]
        low, median, high = (
            weighted_quantile(values, sampled.weights, q) for q in (0.05, 0.5, 0.95)
        )
        width = (high - low) / _prior_width(parameter)
        partners = [
            (plan.parameters[j].name, float(together[k, j]))
            for j in np.argsort(-np.abs(together[k]))
            if j != k and abs(together[k, j]) >= TRADE
        ]
        slices = np.array([np.nan]) if found is None else found.slices[k]
        out.append(
            Line(
                parameter=parameter, low=parameter.value(low), median=parameter.value(median),
                high=parameter.value(high), width=width, verdict=_verdict(width),
                trades=tuple(partners[:3]),
                pinned_by="" if found is None else found.pinned_by(k),
                slice_range=float(slices.max() - slices.min()),
            )
        )  # fmt: skip
    return tuple(out)


def correlations(points: Float64, weights: Float64) -> Float64:
    """Return the weighted correlation of parameters, (D, D); zero where one does not move."""
    centred = points - weights @ points
    covariance = (centred * weights[:, None]).T @ centred
    sd = np.sqrt(np.diag(covariance))
    scale = np.outer(sd, sd)
    moves = scale > 1e-12
    return np.where(moves, covariance / np.where(moves, scale, 1.0), 0.0)


def _prior_width(parameter: Parameter) -> float:
    grid = (np.arange(_PRIOR_DRAWS) + 0.5) / _PRIOR_DRAWS
    density = np.exp([parameter.log_prior(float(share)) for share in grid])
    low, high = (weighted_quantile(grid, density, q) for q in (0.05, 0.95))
    return max(high - low, 1.0 / _PRIOR_DRAWS)


def _verdict(width: float) -> Verdict:
    if width <= PINNED:
        return "pinned"
    return "partly" if width <= PARTLY else "open"


def markdown(plan: Plan, sampled: Sampled, rows: tuple[Line, ...], lang: Language) -> str:
    """Return the page: what was sampled, the table, and the predictive coverage."""
    facts = sampled.facts
    done = facts["generations"]
    words = {
        "plan": plan.name, "market": facts["market"], "seed": facts["seed"],
        "particles": len(sampled.points), "effective": f"{done[-1]['effective_sample_size']:.0f}",
        "tolerance": f"{done[-1]['tolerance']:g}",
        "schedule": ", ".join(f"{each:g}" for each in facts["schedule"]),
        "reached": len(done), "simulations": sum(each["simulations"] for each in done),
    }  # fmt: skip
    cover = facts["predictive_coverage"]
    head = [
        "prior", "posterior_band", "posterior_width", "identified", "trades_with", "pinned_by",
        "slice",
    ]  # fmt: skip
    table = [
        f"| {' | '.join([said('parameter', lang), *(said(each, lang) for each in head)])} |",
        "|" + " --- |" * (1 + len(head)),
        *(_row(each, lang) for each in rows),
    ]
    coverage = " ".join(
        translate("experiment.identifiability.coverage", lang, file=file, inside=n, count=of)
        for file, (n, of) in cover.items()
    )
    intro = translate("experiment.identifiability.intro", lang, **words)
    title = translate("experiment.identifiability.title", lang)
    return "\n".join([f"# {title}", "", intro, "", *table, "", coverage]) + "\n"


def said(word: str, lang: Language) -> str:
    """Return a heading of the table."""
    return translate(f"experiment.identifiability.{word}", lang)


def _row(line: Line, lang: Language) -> str:
    parameter = line.parameter
    trades = ", ".join(f"`{name}` {value:+.2f}" for name, value in line.trades)
    cells = [
        f"`{parameter.name}`", f"{parameter.low:g} … {parameter.high:g}",
        f"{line.low:.3g} / {line.median:.3g} / {line.high:.3g}", f"{line.width:.2f}",
        said(line.verdict, lang), trades, line.pinned_by,
        f"{line.slice_range:.1f}" if np.isfinite(line.slice_range) else "",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
