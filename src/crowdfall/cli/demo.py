"""``crowdfall demo``: the main job, from nothing."""

from __future__ import annotations

from crowdfall.cli import launch, options

app = options.commands()


@app.command(help=options.help_of("demo"))
def demo(
    paths: options.Paths = 20,
    seed: options.Seed = 1,
    workers: options.Workers = None,
    overrides: options.Set = None,
    market: options.Market = None,
    out: options.RunOut = None,
    engine: options.Engine = "local",
    no_open: options.NoOpen = False,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run January and February 2024 on the bundled market and tell the story."""
    order = launch.Order(
        scenario="feb2024", market=market, paths=paths, seed=seed, workers=workers,
        overrides=overrides or (), out=out, engine=engine, fresh=True,
    )  # fmt: skip
    launch.present(launch.play(order), as_json=as_json, no_open=no_open)
