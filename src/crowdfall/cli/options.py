"""Options that are named alike in every command, defined once; no heavy import here.

Language and volume may stand before or after the command: their callbacks note what was said.
Help texts are taken at import, in the language that ``main`` has found by then.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from crowdfall.cli.said import language_named, said
from crowdfall.errors import CrowdfallError
from crowdfall.i18n import set_language, translate

MOST_PATHS: Final = 1_000_000
MOST_WORKERS: Final = 1024
ENGINES: Final = ("local", "ray")
LARGEST_SEED: Final = 2**64 - 1


def _whole_number(option: str, low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(str(text))
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise CrowdfallError("bad_number", option=option, value=text, low=low, high=high)
        return number

    return parse


def _day(text: str) -> date:
    return _parsed_day(text, "--date")


def _parsed_day(text: str, option: str) -> date:
    for form in ("%Y-%m-%d", "%Y%m%d"):
        try:
            return datetime.strptime(str(text), form).date()
        except ValueError:
            continue
    raise CrowdfallError("bad_date", option=option, value=text)


def _language(value: str | None) -> str | None:
    if value is not None:
        set_language(language_named(value))
    return value


def day(text: str) -> date:
    """Return the day of ``--at``."""
    return _parsed_day(text, "--at")


def _note(name: str) -> Callable[[bool], bool]:
    def note(value: bool) -> bool:
        setattr(said, name, getattr(said, name) or value)
        return value

    return note


def commands() -> typer.Typer:
    """Return an empty group of commands whose help is plain text.

    Help in colours and boxes costs as much again as Typer itself, and reads ``ray[x]`` as a colour.
    """
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def help_of(name: str) -> str:
    """Return the help of an option or command in the user's language."""
    return translate(f"cli.{name}.help")


def default_workers() -> int:
    """Return the number of processors this process may use."""
    return max(1, os.cpu_count() or 1)


def place(text: str) -> Any:  # noqa: ANN401 - Typer asks for a plain type
    """Return a local path as it was typed, or a place behind a URL."""
    if "://" not in str(text):
        return Path(text)
    from crowdfall.results.place import place

    return place(str(text))


def _engine(text: str) -> str:
    if text not in ENGINES:
        raise CrowdfallError("bad_engine", value=text, known=", ".join(ENGINES))
    return text


Market = Annotated[
    str | None, typer.Option("--market", metavar="PATH", help=help_of("market_path"))
]
Paths = Annotated[
    int,
    typer.Option(
        "--paths", metavar="N", parser=_whole_number("--paths", 1, MOST_PATHS),
        help=help_of("paths"),
    ),
]  # fmt: skip
Seed = Annotated[
    int,
    typer.Option(
        "--seed", metavar="N", parser=_whole_number("--seed", 0, LARGEST_SEED), help=help_of("seed")
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", parser=_whole_number("--workers", 1, MOST_WORKERS),
        help=help_of("workers"),
    ),
]  # fmt: skip
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=help_of("set"))]
Out = Annotated[Path | None, typer.Option("--out", metavar="PATH", help=help_of("out"))]
RunOut = Annotated[
    Any, typer.Option("--out", metavar="PATH|URL", parser=place, help=help_of("run_out"))
]
Engine = Annotated[
    Any,
    typer.Option("--engine", metavar="local|ray", parser=_engine, help=help_of("engine")),
]
NoOpen = Annotated[bool, typer.Option("--no-open", help=help_of("no_open"))]
Json = Annotated[bool, typer.Option("--json", help=help_of("json"))]
Lang = Annotated[
    str | None,
    typer.Option(
        "--lang", metavar="zh|en", callback=_language, is_eager=True, help=help_of("lang")
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", callback=_note("verbose"), help=help_of("verbose"))
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", callback=_note("quiet"), help=help_of("quiet"))
]
Debug = Annotated[bool, typer.Option("--debug", callback=_note("debug"), help=help_of("debug"))]
Day = Annotated[
    date, typer.Option("--date", metavar="YYYY-MM-DD", parser=_day, help=help_of("date"))
]
RunPath = Annotated[Any, typer.Argument(metavar="RUN", parser=place, help=help_of("run_path"))]
