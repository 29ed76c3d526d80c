"""Tables on the terminal, or the same rows as JSON."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from crowdfall.reports.story import Story

_PIPE_WIDTH: Final = 240


def print_json(value: object) -> None:
    """Print a value as JSON: dates in ISO, numbers that are none as null."""
    typer.echo(json.dumps(as_plain(value), ensure_ascii=False, indent=2, sort_keys=True))


def print_table(rows: Sequence[Mapping[str, Any]], *, as_json: bool = False) -> None:
    """Print rows of one shape, numbers to the right; or all of them as JSON."""
    if as_json:
        print_json([dict(row) for row in rows])
        return
    if not rows:
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, value in rows[0].items():
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    # A pipe has no width: rows must not break there.
    Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)


def print_story(story: Story) -> None:
    """Print a story: each day with its dominoes one below the other."""
    typer.echo(story.opening)
    for told in story.days:
        typer.echo("\n" + story.heading(told))
        for sentence in told.sentences:
            typer.echo("  · " + sentence)
    for chain in story.chains:
        typer.echo("\n" + chain.title)
        for line in chain.lines():
            typer.echo("  → " + line)
    typer.echo("\n" + story.closing)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def as_plain(value: object) -> object:
    """Return a value as JSON takes it: dates in ISO, numbers that are none as null."""
    if isinstance(value, Mapping):
        return {str(key): as_plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
