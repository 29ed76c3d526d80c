"""``crowdfall resume RUN``: finish a run that was stopped at any moment."""

from __future__ import annotations

from crowdfall.cli import launch, options, progress
from crowdfall.cli.said import said

app = options.commands()


@app.command(help=options.help_of("resume"))
def resume(
    run: options.RunPath,
    workers: options.Workers = None,
    engine: options.Engine = "local",
    no_open: options.NoOpen = False,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Go on from the finished blocks, write the report and tell the story."""
    from crowdfall import verbs

    with progress.shown(said.quiet) as show:
        finished = verbs.resume(run, workers=workers, engine=engine, progress=show)
    launch.present(finished, as_json=as_json, no_open=no_open)
