"""``crowdfall story RUN``: the dominoes of a run in words."""

from __future__ import annotations

from typing import Annotated

import typer

from crowdfall.cli import options
from crowdfall.cli.tables import print_json, print_story
from crowdfall.i18n import language

app = options.commands()


@app.command(help=options.help_of("story"))
def story(
    run: options.RunPath,
    path: Annotated[
        int | None,
        typer.Option("--path", metavar="N", help=options.help_of("story_path")),
    ] = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Tell what happened in a run, day by day and link by link, with amounts."""
    from crowdfall.reports.story import tell
    from crowdfall.results.store import open_run

    told = tell(open_run(run), language(), None if path is None else path - 1)
    if as_json:
        print_json(told.as_dict())
    else:
        print_story(told)
