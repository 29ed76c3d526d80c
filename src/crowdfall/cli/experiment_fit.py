"""``crowdfall experiment posterior | sensitivity | identifiability | control-year``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from crowdfall.cli import launch, options, progress
from crowdfall.cli.said import said
from crowdfall.errors import CalibrationError
from crowdfall.i18n import language, translate

Plan = Annotated[str, typer.Option("--plan", metavar="NAME", help=options.help_of("plan"))]
Out = Annotated[Path, typer.Option("--out", metavar="PATH", help=options.help_of("posterior_out"))]

Calm = Annotated[
    Any,
    typer.Argument(metavar="CALM", parser=options.place, help=options.help_of("control_calm")),
]
Crisis = Annotated[
    Any,
    typer.Argument(metavar="CRISIS", parser=options.place, help=options.help_of("control_crisis")),
]


def posterior(
    out: Out,
    market: options.Market = None,
    plan: Plan = "feb2024",
    particles: Annotated[
        int | None, typer.Option("--particles", min=2, help=options.help_of("particles"))
    ] = None,
    seed: options.Seed = 1,
    workers: options.Workers = None,
    engine: options.Engine = "local",
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Sample the posterior of a plan; a sampling that was stopped goes on where it was."""
    from crowdfall.experiments import calibrate as fits
    from crowdfall.experiments import posterior as study

    fits.check_free(out)
    asked, place = fits.plan(plan), launch.load_market(market)
    state = out.with_name(f".{out.name}.state")
    size = particles or (asked.sampling.particles if asked.sampling else 0)
    total = size * (len(asked.sampling.tolerances) + 1 if asked.sampling else 0)
    with progress.shown(said.quiet) as show:
        found = study.sample(
            asked, place, seed=seed, workers=workers or options.default_workers(), state=state,
            particles=particles, engine=engine,
            progress=lambda done: show(progress.Count(done, total, "sets")),
        )  # fmt: skip
    study.write(found, out)
    state.unlink()
    last = found.last
    typer.echo(
        translate(
            "cli.posterior_at", path=out, particles=len(last.points),
            effective=f"{last.effective:.0f}", tolerance=f"{last.tolerance:g}",
            reached=len(found.generations), asked=len(found.sampling.tolerances),
        )
    )  # fmt: skip


def sensitivity(
    out: Out,
    market: options.Market = None,
    plan: Plan = "feb2024",
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", min=2, help=options.help_of("samples"))
    ] = 64,
    every: Annotated[
        int, typer.Option("--every", metavar="K", min=1, help=options.help_of("every"))
    ] = 16,
    fit: Annotated[
        Path | None, typer.Option("--fit", metavar="FILE", help=options.help_of("fit_file"))
    ] = None,
    seed: options.Seed = 1,
    workers: options.Workers = None,
    engine: options.Engine = "local",
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write Sobol indices over a plan's box, and slices through a fit."""
    from crowdfall.experiments import calibrate as fits
    from crowdfall.experiments import sensitivity as study
    from crowdfall.market.thin import thin

    fits.check_free(out)
    asked, place = fits.plan(plan), launch.load_market(market)
    centre = None if fit is None else study.point_of(asked, fit)
    count, points = len(asked.parameters), 7
    total = samples * (count + 2) + count * points
    with progress.shown(said.quiet) as show:
        found = study.sensitivity(
            asked, thin(place, every), seed=seed, paths=4, samples=samples, centre=centre,
            points=points, workers=workers or options.default_workers(), engine=engine,
            progress=lambda done: show(progress.Count(done, total, "sets")),
        )  # fmt: skip
    study.write(found, out)
    typer.echo(translate("cli.sensitivity_at", path=out))


def identifiability(
    out: Out,
    sampled: Annotated[
        Path, typer.Option("--posterior", metavar="DIR", help=options.help_of("posterior_dir"))
    ],
    plan: Plan = "feb2024",
    moved: Annotated[
        Path | None,
        typer.Option("--sensitivity", metavar="FILE", help=options.help_of("sensitivity_file")),
    ] = None,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write the table of what the targets pin and what they leave open."""
    from crowdfall.experiments import calibrate as fits
    from crowdfall.experiments import identifiability as study
    from crowdfall.experiments import posterior as samples
    from crowdfall.experiments import sensitivity as indices

    if out.exists() and out.is_dir():
        raise CalibrationError("fit_target", path=out)
    asked = fits.plan(plan)
    particles = samples.read(asked, sampled)
    found = None if moved is None else indices.read(asked, moved)
    rows = study.lines(asked, particles, found)
    text = study.markdown(asked, particles, rows, language())
    out.write_text(text, encoding="utf-8")
    if not said.quiet:
        count = int(np.sum([row.verdict == "open" for row in rows]))
        typer.echo(translate("cli.identifiability_at", path=out, open=count, count=len(rows)))


def impact_law(
    out: Out,
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help=options.help_of("data"))],
    seed: options.Seed = 1,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fit the stock-level impact law before January 2024 and write its numbers."""
    from crowdfall.data.sources.files import FilesSource
    from crowdfall.experiments import impact_law as law
    from crowdfall.experiments.calibrate import check_free

    check_free(out)
    found = law.estimates(law.read_panel(FilesSource(data), law.FIRST), seed)
    out.write_text(law.text(found, seed), encoding="utf-8")
    if not said.quiet:
        typer.echo(translate("cli.impact_at", path=out))


def control_year(
    calm: Calm,
    crisis: Crisis,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=options.help_of("control_out"))
    ] = None,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print or write what a calm year shows beside the crisis."""
    from crowdfall.experiments import control_year as study
    from crowdfall.results.store import open_run

    found = study.control(open_run(calm), open_run(crisis))
    if out is None:
        typer.echo(study.markdown(found, language()), nl=False)
        return
    study.write(found, out, language())
    if not said.quiet:
        typer.echo(translate("cli.control_year_at", path=out))
