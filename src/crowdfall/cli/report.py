"""``crowdfall report RUN``: the one-file report of a run."""

from __future__ import annotations

from pathlib import Path

import typer

from crowdfall.cli import launch, options
from crowdfall.cli.said import said
from crowdfall.cli.tables import print_json
from crowdfall.errors import RunError
from crowdfall.i18n import language, translate

app = options.commands()


@app.command(help=options.help_of("report"))
def report(
    run: options.RunPath,
    out: options.Out = None,
    no_open: options.NoOpen = False,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write the report of a run; into its folder unless ``--out`` names a new file."""
    from crowdfall.reports.page import write_report
    from crowdfall.results.store import open_run

    folder = open_run(run)
    if out is not None:
        _check_target(out)
    page = write_report(folder, lang=language(), target=out)
    if as_json:
        print_json({"run": str(run), "report": str(page)})
        return
    if not said.quiet:
        typer.echo(translate("cli.report_at", path=page))
    launch.open_page(page, no_open=no_open)


def _check_target(out: Path) -> None:
    try:
        taken, home = out.exists() or out.is_symlink(), out.parent.is_dir()
    except OSError as error:
        raise RunError("file_unwritable", path=out, reason=error.strerror) from error
    if taken:
        raise RunError("file_exists", path=out)
    if not home:
        raise RunError("out_folder", path=out.parent)
