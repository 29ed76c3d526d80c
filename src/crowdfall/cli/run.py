"""``crowdfall run SCENARIO``: an ensemble of a scenario on a market."""

from __future__ import annotations

from typing import Annotated

import typer

from crowdfall.cli import launch, options

app = options.commands()


@app.command(help=options.help_of("run"))
def run(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help=options.help_of("scenario_name"))
    ],
    market: options.Market = None,
    paths: options.Paths = 20,
    seed: options.Seed = 1,
    workers: options.Workers = None,
    overrides: options.Set = None,
    out: options.RunOut = None,
    engine: options.Engine = "local",
    no_open: options.NoOpen = False,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run a scenario into a new folder, write its report and tell its story."""
    order = launch.Order(
        scenario=scenario, market=market, paths=paths, seed=seed, workers=workers,
        overrides=overrides or (), out=out, engine=engine,
    )  # fmt: skip
    launch.present(launch.play(order), as_json=as_json, no_open=no_open)
