"""Options of ``crowdfall`` itself, before any command."""

from __future__ import annotations

from typing import Annotated

import typer

from crowdfall import __version__
from crowdfall.cli import options
from crowdfall.i18n import translate

app = options.commands()


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"crowdfall {__version__}")
        raise typer.Exit


@app.callback(help=translate("cli.help"))
def crowdfall(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help=options.help_of("version")
        ),
    ] = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Note language and volume; the callbacks of the options do it."""
