"""``crowdfall scenario list | show | check | new``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crowdfall.cli import launch, options
from crowdfall.cli.launch import tell_moved
from crowdfall.cli.said import said
from crowdfall.cli.tables import print_json, print_table
from crowdfall.errors import ScenarioError
from crowdfall.i18n import language, translate

app = options.commands()
Name = Annotated[str, typer.Argument(metavar="SCENARIO", help=options.help_of("scenario_name"))]


@app.callback(help=options.help_of("scenario"))
def scenario() -> None:
    """Group the commands on scenarios."""


@app.command("list", help=options.help_of("scenario_list"))
def list_scenarios(
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """List the scenarios that ship."""
    from crowdfall.scenarios.load import library, load

    found = [load(name) for name in library()]
    rows = [
        {
            "name": each.name,
            "title": each.title.get(language(), each.name),
            "mode": each.clock.mode,
            "start": each.clock.start,
            "end": each.clock.end,
            "digest": each.digest,
        }
        for each in found
    ]
    print_table(rows, as_json=as_json)


@app.command(help=options.help_of("scenario_show"))
def show(
    name: Name,
    overrides: options.Set = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print a resolved scenario with the source of every number."""
    from crowdfall.scenarios.load import describe, load

    resolved = load(name, overrides or [])
    if as_json:
        print_json(resolved.model_dump())
    else:
        typer.echo(describe(resolved), nl=False)


@app.command(help=options.help_of("scenario_check"))
def check(
    name: Name,
    overrides: options.Set = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Say whether a scenario can be run; the first thing wrong with it otherwise."""
    from crowdfall.scenarios.load import load

    resolved = load(name, overrides or [])
    if as_json:
        print_json({"name": resolved.name, "digest": resolved.digest, "ok": True})
    elif not said.quiet:
        tell_moved(resolved)
        typer.echo(translate("cli.scenario_ok", name=resolved.name, digest=resolved.digest))


@app.command(help=options.help_of("scenario_new"))
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help=options.help_of("kit_name"))],
    path_file: Annotated[
        Path, typer.Option("--path-file", metavar="CSV", help=options.help_of("path_file"))
    ],
    base: Annotated[
        str, typer.Option("--base", metavar="SCENARIO", help=options.help_of("base"))
    ] = "feb2024",
    market: options.Market = None,
    rescue_file: Annotated[
        Path | None,
        typer.Option("--rescue-file", metavar="CSV", help=options.help_of("rescue_file")),
    ] = None,
    basis: Annotated[
        list[str] | None, typer.Option("--basis", metavar="IM=X", help=options.help_of("basis"))
    ] = None,
    overrides: options.Set = None,
    out: options.Out = None,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write the folder of an episode: scenario, inputs and, with a basis, its own market."""
    from crowdfall.scenarios import kit

    wanted = dict(_basis(text) for text in basis or ())
    file = kit.new(
        name, launch.load_market(market), path_file, base=base, rescue_file=rescue_file,
        overrides=overrides or (), basis=wanted, folder=out,
    )  # fmt: skip
    own = file.parent / "market" if wanted else (market or launch.BUNDLED)
    if not said.quiet:
        typer.echo(translate("cli.scenario_new_at", path=file, market=own))


def _basis(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip().lower(), float(value)
    except ValueError:
        raise ScenarioError("kit_basis", name=name, value=value) from None
