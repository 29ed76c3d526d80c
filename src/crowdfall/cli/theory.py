"""``crowdfall experiment theory`` and ``contagion``: known answers, and a user's own banks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crowdfall.cli import options
from crowdfall.cli.said import said
from crowdfall.cli.tables import print_json, print_table
from crowdfall.errors import CrowdfallError
from crowdfall.i18n import language, translate

if TYPE_CHECKING:
    from crowdfall.experiments.theory.checks import Check
    from crowdfall.experiments.theory.contagion import Equilibrium
    from crowdfall.experiments.theory.given import Given


def theory(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help=options.help_of("theory_data"))
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=options.help_of("theory_out"))
    ] = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print the table of answers, or write it; say which answers are missed."""
    from crowdfall.experiments.theory import document

    if out is not None:
        document.check_target(out)
    named = os.environ.get("CROWDFALL_DATA")
    found = document.check(data or (Path(named) if named else None))
    if out is not None:
        document.write(found, out, language())
    if as_json:
        print_json([_plain(each) for each in found])
    elif out is None:
        print_table([_short(document.cells(each)) for each in found])
    elif not said.quiet:
        typer.echo(translate("cli.theory_at", path=out))
    missed = [each.id for each in found if each.verdict == "misses"]
    if missed and not said.quiet:
        words = {"count": len(missed), "all": len(found), "ids": ", ".join(missed)}
        typer.echo(translate("cli.theory_missed", **words), err=True)


def contagion(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=options.help_of("contagion_file"))],
    depth: Annotated[
        list[str],
        typer.Option("--depth", metavar="ASSET=AMOUNT", help=options.help_of("contagion_depth")),
    ],
    shock: Annotated[
        list[str] | None,
        typer.Option("--shock", metavar="ASSET=FRACTION", help=options.help_of("contagion_shock")),
    ] = None,
    exponent: Annotated[
        float,
        typer.Option("--exponent", metavar="0.5", help=options.help_of("contagion_exponent")),
    ] = 0.5,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print both equilibria of the banks in a file."""
    from crowdfall.experiments.theory.given import solve_file

    given, found = solve_file(
        file, _pairs("--depth", depth, alone=True), _pairs("--shock", shock or []), exponent
    )
    ends = {"least": found.least, "greatest": found.greatest}
    if as_json:
        print_json({name: _numbers(given, end) for name, end in ends.items()})
        return
    if not said.quiet:
        typer.echo(translate("cli.contagion_unique" if found.unique else "cli.contagion_two"))
    for name, key in (("asset", "price_fall"), ("bank", "sold_share")):
        rows: dict[str, dict[str, Any]] = {}
        for end, state in ends.items():
            for each, value in _numbers(given, state)[key].items():
                rows.setdefault(each, {name: each})[f"{key}_{end}"] = value
                if name == "bank":
                    rows[each][f"equity_{end}"] = _numbers(given, state)["equity"][each]
        print_table(list(rows.values()))


def _numbers(given: Given, end: Equilibrium) -> dict[str, dict[str, float]]:
    return {
        "price_fall": dict(zip(given.assets, end.drop.tolist(), strict=True)),
        "sold_share": dict(zip(given.names, end.sold_share.tolist(), strict=True)),
        "equity": dict(zip(given.names, end.equity.tolist(), strict=True)),
    }


def _pairs(option: str, texts: list[str], *, alone: bool = False) -> dict[str, float]:
    """Return numbers by name; with ``alone`` a number without a name stands under ""."""
    found = {}
    for text in texts:
        name, mark, value = text.rpartition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise CrowdfallError("bad_pair", option=option, value=text) from None
        if not name.strip() and (mark or not alone):
            raise CrowdfallError("bad_pair", option=option, value=text)
    return found


def _short(cells: dict[str, str]) -> dict[str, str]:
    named = {translate(f"theory.{name}"): value for name, value in cells.items()}
    return {name: value if len(value) <= 60 else value[:59] + "…" for name, value in named.items()}


def _plain(each: Check) -> dict[str, Any]:
    return {
        "id": each.id,
        "law": translate(f"theory.{each.title}"),
        "computed": list(each.computed),
        "expected": list(each.expected),
        "tolerance": each.tolerance,
        "relative": each.relative,
        "verdict": each.verdict,
        "where": each.where,
    }
