"""``crowdfall market build | show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crowdfall.cli import launch, options
from crowdfall.cli.said import said
from crowdfall.cli.tables import print_json, print_table
from crowdfall.errors import CrowdfallError, MarketError
from crowdfall.i18n import translate

app = options.commands()
SOURCES = ("files", "us2007")


@app.callback(help=options.help_of("market"))
def market() -> None:
    """Group the commands on markets."""


@app.command(help=options.help_of("market_build"))
def build(
    on: options.Day,
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help=options.help_of("data"))],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help=options.help_of("out"))],
    source: Annotated[
        str, typer.Option("--source", metavar="files|us2007", help=options.help_of("source"))
    ] = "files",
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Build the snapshot of a date from observed data and save it."""
    if source not in SOURCES:
        raise CrowdfallError("bad_source", value=source, known=", ".join(SOURCES))
    if out.exists():
        raise MarketError("market_exists", path=out)
    from crowdfall import verbs
    from crowdfall.market import store

    built = verbs.build_market(data, on, source=source)
    store.save(built, out)
    _print(built, as_json=as_json)
    if not (as_json or said.quiet):
        typer.echo(translate("cli.market_at", path=out))


@app.command(help=options.help_of("market_show"))
def show(
    market: options.Market = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print a market by size group."""
    _print(launch.load_market(market), as_json=as_json)


def _print(shown: object, *, as_json: bool) -> None:
    from crowdfall.market.snapshot import Market
    from crowdfall.market.table import by_size

    assert isinstance(shown, Market)
    rows = by_size(shown).to_dicts()
    facts = {
        "date": shown.date, "source": shown.source, "digest": shown.digest,
        "stocks": len(shown.stocks),
    }  # fmt: skip
    if as_json:
        print_json({**facts, "sizes": rows, "levels": shown.levels})
        return
    typer.echo(translate("cli.market_facts", **facts))
    print_table(rows)
