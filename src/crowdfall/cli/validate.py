"""``crowdfall validate RUN``: the scoreboard of a run against published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crowdfall.cli import options
from crowdfall.cli.tables import print_table
from crowdfall.i18n import language, translate

if TYPE_CHECKING:
    from crowdfall.experiments.validate import Row, Scoreboard

app = options.commands()
Targets = Annotated[
    Path | None, typer.Option("--targets", metavar="PATH", help=options.help_of("targets"))
]


@app.command(help=options.help_of("validate"))
def validate(
    run: options.RunPath,
    targets: Targets = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print each target with the run's median and band; inputs are marked and never counted.

    Exit code 1 where some free target misses.
    """
    from crowdfall.experiments.validate import validate as score
    from crowdfall.results.store import open_run

    board = score(open_run(run), targets)
    if as_json:
        typer.echo(board.to_json())
    else:
        _show(board, run)
    if board.misses:
        raise typer.Exit(1)


def _show(board: Scoreboard, run: Path) -> None:
    print_table([_words(row) for row in board.rows])
    for row in board.rows:
        if row.why:
            typer.echo(row.why)
    if not board.pinned:
        typer.echo(translate("cli.score_variation"))
    typer.echo(
        translate("cli.score", inside=board.inside, free=board.free, paths=board.paths, run=run)
    )
    if board.misses:
        typer.echo(translate("cli.score_misses", ids=", ".join(board.misses)))


def _words(row: Row) -> dict[str, Any]:
    from rich.markup import escape

    colour = {"inside": "green", "outside": "red"}.get(row.verdict, "dim")
    band = "" if row.low is None else f"{_figure(row.low)} … {_figure(row.high)}"
    return {
        "id": escape(row.id),
        translate("cli.target"): escape(row.title[language()]),
        translate("cli.unit"): translate(f"word.unit.{row.unit}"),
        translate("cli.wanted"): _figure(row.wanted) + _tolerance(row.tolerance),
        translate("report.median"): _figure(row.median),
        translate("report.band"): band,
        translate("report.kind"): translate(f"cli.kind.{row.kind}"),
        translate("cli.verdict"): f"[{colour}]{translate(f'cli.verdict.{row.verdict}')}[/]",
    }


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _tolerance(value: float | None) -> str:
    return "" if value is None else f" ± {value:g}"
