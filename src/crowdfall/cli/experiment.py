"""``crowdfall experiment``: what each mechanism does, and the fit to the published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from crowdfall.cli import experiment_fit, launch, options, progress, theory
from crowdfall.cli.said import said
from crowdfall.cli.tables import as_plain, print_json
from crowdfall.i18n import language, translate

if TYPE_CHECKING:
    from crowdfall.experiments.ablations import Comparison

SMALL: Final = 8
"""A small setting keeps every eighth stock."""

app = options.commands()


app.command(help=options.help_of("theory"))(theory.theory)
app.command(help=options.help_of("contagion"))(theory.contagion)


@app.callback(help=options.help_of("experiment"))
def experiment() -> None:
    """Group the questions to the engine."""


@app.command(help=options.help_of("ablations"))
def ablations(
    market: options.Market = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help=options.help_of("ablation_file")),
    ] = None,
    targets: Annotated[
        Path | None,
        typer.Option("--targets", metavar="FILE", help=options.help_of("targets")),
    ] = None,
    seed: options.Seed = 1,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", min=1, help=options.help_of("seeds"))
    ] = 8,
    each: Annotated[
        int, typer.Option("--each", metavar="N", min=1, help=options.help_of("each"))
    ] = 8,
    small: Annotated[bool, typer.Option("--small", help=options.help_of("small"))] = False,
    workers: options.Workers = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=options.help_of("ablation_out"))
    ] = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write the table of ablations, or print it."""
    from crowdfall.experiments import ablations as study
    from crowdfall.experiments import targets as numbers
    from crowdfall.experiments.ablations.document import check_target
    from crowdfall.market.thin import thin

    if out is not None:
        check_target(out)
    asked, counted = study.load(file), numbers.load(targets)
    place = launch.load_market(market)
    with progress.shown(said.quiet) as show:
        found = study.compare(
            asked, thin(place, SMALL) if small else place, counted, seed=seed, seeds=seeds,
            each=each, workers=workers or options.default_workers(), progress=show,
        )  # fmt: skip
    if out is not None:
        study.write(found, out, language())
    if as_json:
        print_json(_plain(found))
    elif out is None:
        typer.echo(study.markdown(found, language()), nl=False)
    elif not said.quiet:
        typer.echo(translate("cli.ablations_at", path=out))
    _warn(found)


@app.command(help=options.help_of("calibrate"))
def calibrate(
    market: options.Market = None,
    plan: Annotated[
        str, typer.Option("--plan", metavar="NAME", help=options.help_of("plan"))
    ] = "feb2024",
    calm_market: Annotated[
        str | None,
        typer.Option("--calm-market", metavar="PATH", help=options.help_of("calm_market")),
    ] = None,
    seed: options.Seed = 1,
    workers: options.Workers = None,
    engine: options.Engine = "local",
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help=options.help_of("calibrate_out"))
    ] = Path("fitted.toml"),
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fit a scenario to its free targets; a search that was stopped goes on where it was."""
    from crowdfall.experiments import calibrate as study

    study.check_free(out)
    asked, place = study.plan(plan), launch.load_market(market)
    calm = launch.load_market(calm_market) if calm_market and asked.calm else None
    state = out.with_name(f".{out.name}.state")
    total = study.length(asked)
    with progress.shown(said.quiet) as show:
        found = study.calibrate(
            asked, place, seed=seed, workers=workers or options.default_workers(), state=state,
            calm=calm, engine=engine,
            progress=lambda done: show(progress.Count(done, total, "sets")),
        )  # fmt: skip
    study.write(found, asked, place, seed, out, calm)
    state.unlink()
    held = ", ".join(f"{n}/{of} {file}" for file, (n, of) in found[-1].inside(asked).items())
    typer.echo(translate("cli.calibrated", path=out, loss=found[-1].measured.loss, inside=held))


@app.command("loop-gain", help=options.help_of("loop_gain"))
def loop_gain(
    what: Annotated[str, typer.Argument(metavar="SCENARIO|RUN")],
    on: options.Day,
    market: options.Market = None,
    paths: options.Paths = 8,
    seed: options.Seed = 1,
    changes: options.Set = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=options.help_of("loop_gain_out"))
    ] = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Sell one billion more on a date and on a calm one, and compare what follows."""
    import json

    from crowdfall.experiments import loop_gain as study
    from crowdfall.results.store import write_text

    place = launch.load_market(market)
    scenario, run = study.asked(what, changes or [], place)
    count = min(paths, run.get("paths", paths))
    with progress.shown(said.quiet) as show:
        found = study.loop_gain(
            scenario, place, on, paths=count, seed=run.get("seed", seed),
            progress=lambda done: show(progress.Count(done, count, "paths")),
        )  # fmt: skip
    plain = found.as_dict()
    if out is not None:
        write_text(out, json.dumps(as_plain(plain), indent=2) + "\n")
    if as_json:
        print_json(plain)
        return
    words = {key: plain[key] for key in ("date", "calm", "sessions", "paths")}
    gain, fall = plain["loop_gain"], plain["fall"]
    typer.echo(
        translate("cli.loop_gain_is", **words, median=f"{gain['median']:.2f}",
                  low=f"{gain['low']:.2f}", high=f"{gain['high']:.2f}",
                  fall=f"{1e4 * fall['median']:.2f}",
                  calm_fall=f"{1e4 * plain['calm_fall']['median']:.2f}")
    )  # fmt: skip


def _plain(found: Comparison) -> dict[str, Any]:
    ids = [column.id for column in found.study.columns]
    return {
        "scenario": found.study.scenario,
        "market": found.market.digest,
        "seed": found.seed,
        "seeds": found.seeds,
        "paths_each": found.each,
        "baseline": dict(zip(ids, found.baseline.T.tolist(), strict=True)),
        "ablations": {
            ablation.id: {
                "values": dict(zip(ids, found.values[number].T.tolist(), strict=True)),
                "breaks": found.broken(number),
                "mends": found.mended(number),
            }
            for number, ablation in enumerate(found.study.ablations)
        },
    }


def _warn(found: Comparison) -> None:
    from crowdfall.experiments.ablations.pairs import POINTS

    count = int(found.unclear().sum())
    if count and not said.quiet:
        words = {"count": count, "points": POINTS, "needed": found.needed, "seeds": found.seeds}
        typer.echo(translate("cli.ablations_unclear", **words), err=True)


for _name, _command in (
    ("posterior", experiment_fit.posterior),
    ("sensitivity", experiment_fit.sensitivity),
    ("identifiability", experiment_fit.identifiability),
    ("impact-law", experiment_fit.impact_law),
    ("control-year", experiment_fit.control_year),
):
    app.command(_name, help=options.help_of(_name.replace("-", "_")))(_command)
