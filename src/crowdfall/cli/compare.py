"""``crowdfall compare A B ...``: paired differences from the first run, with bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from crowdfall.cli import options
from crowdfall.cli.tables import print_table
from crowdfall.i18n import language, translate

if TYPE_CHECKING:
    import polars as pl

app = options.commands()
Runs = Annotated[
    list[str], typer.Argument(metavar="RUN RUN ...", help=options.help_of("compare_runs"))
]
UNITS: Final = {"fraction": ("percent", 100.0), "yuan": ("bn yuan", 1e-9)}
"""Units of the tables that people read better in others, and the factor."""


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
    """Print differences in the user's language, a row a number; or as JSON, a row a run too."""
    rows = found.to_dicts()
    print_table(rows if as_json else _words(rows), as_json=as_json)
    if not as_json:
        typer.echo(translate("cli.compare.reading"))
    for name in dict.fromkeys(row["run"] for row in rows):
        moved = [row for row in rows if row["run"] == name and (row["up"] or row["down"])]
        if not moved:
            typer.echo(translate("cli.compare.nothing", name=name), err=True)


def _words(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    from crowdfall.reports.catalogue import FUND_KINDS, label_of

    navs = tuple(f"nav_{kind}" for kind in FUND_KINDS)
    rows = [row for row in rows if row["name"] in navs or not row["name"].startswith("nav_")]
    lines: dict[str, dict[str, Any]] = {}
    for row in rows:
        unit, scale = UNITS.get(row["unit"], (row["unit"], 1.0))
        line = lines.setdefault(row["name"], {
            translate("cli.compare.name"): label_of(row["name"], language()),
            translate("cli.unit"): translate(f"word.unit.{unit}"),
            translate("cli.compare.base"): f"{scale * row['base']:,.4g}",
        })  # fmt: skip
        line[row["run"]] = _change(row, scale)
    runs = dict.fromkeys(row["run"] for row in rows)
    return [line | {run: line.get(run, "") for run in runs} for line in lines.values()]


def _change(row: dict[str, Any], scale: float) -> str:
    if not row["up"] and not row["down"]:
        return "="
    low, median, high = (f"{scale * row[key]:+,.3g}" for key in ("low", "median", "high"))
    return f"{median} ({low} … {high}) ↑{row['up']:.0%}"
