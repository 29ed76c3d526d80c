"""``crowdfall compare A B ...``: paired differences from the first run, with bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crowdfall.cli import options
from crowdfall.cli.tables import print_table
from crowdfall.i18n import translate

if TYPE_CHECKING:
    import polars as pl

app = options.commands()
Runs = Annotated[
    list[str], typer.Argument(metavar="RUN RUN ...", help=options.help_of("compare_runs"))
]


@app.command(help=options.help_of("compare"))
def compare(
    runs: Runs,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print the headline numbers of each run less those of the first, path by path."""
    from crowdfall.results.compare import differences
    from crowdfall.results.store import open_run

    base, *others = (open_run(options.place(run)) for run in runs)
    show(differences(base, others), as_json=as_json)


def show(found: pl.DataFrame, *, as_json: bool) -> None:
    """Print differences as a table in the user's language, or as JSON."""
    rows = found.to_dicts()
    print_table(rows if as_json else [_words(row) for row in rows], as_json=as_json)
    for name in dict.fromkeys(row["run"] for row in rows):
        moved = [row for row in rows if row["run"] == name and (row["up"] or row["down"])]
        if not moved:
            typer.echo(translate("cli.compare.nothing", name=name), err=True)


def _words(row: dict[str, Any]) -> dict[str, Any]:
    low, median, high = (_figure(row[key]) for key in ("low", "median", "high"))
    return {
        translate("cli.compare.variant"): row["run"],
        translate("cli.compare.name"): row["name"],
        translate("cli.unit"): translate(f"word.unit.{row['unit']}"),
        translate("cli.compare.base"): _figure(row["base"]).lstrip("+"),
        translate("cli.compare.median"): median,
        translate("cli.compare.band"): f"{low} … {high}",
        translate("cli.compare.up"): f"{row['up']:.0%}",
    }


def _figure(value: float) -> str:
    return f"{value:+,.0f}" if abs(value) >= 1000 else f"{value:+.4g}"
