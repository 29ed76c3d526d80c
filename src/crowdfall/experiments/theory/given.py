"""A user's own institutions, from a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from crowdfall.errors import DataError, TermsError
from crowdfall.experiments.theory.contagion import Banks, Equilibria, Impact, solve
from crowdfall.types import Float64

FIRST: Final = ("bank", "equity", "other", "leverage")
"""Columns that every file has, in any order; every further column is an asset."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """Banks with their names and the names of the assets."""

    names: tuple[str, ...]
    assets: tuple[str, ...]
    banks: Banks


def read_banks(path: Path) -> Given:
    """Return the institutions of a CSV file with columns bank, equity, other, leverage, assets.

    One row a bank; money in one unit, ``leverage`` the highest assets over equity. DataError: no
    such file, a missing column, a cell that is no number, a name twice; TermsError: numbers that
    can't be (``contagion.Banks``).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [[cell.strip() for cell in row] for row in csv.reader(file) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error):
        raise DataError("theory_file", path=path) from None
    head = lines[0] if lines else []
    assets = tuple(name for name in head if name not in FIRST)
    if not set(FIRST) <= set(head) or not assets or len(set(head)) < len(head) or len(lines) < 2:
        raise DataError("theory_columns", path=path, columns=", ".join((*FIRST, "ASSET", "...")))
    for row in lines[1:]:
        if len(row) != len(head):
            raise DataError("theory_row", path=path, row=",".join(row))
    named = dict(zip(head, zip(*lines[1:], strict=True), strict=True))
    names = named["bank"]
    for name in names:
        if names.count(name) > 1:
            raise DataError("theory_twice", path=path, name=name)
    return Given(
        names=names,
        assets=assets,
        banks=Banks(
            holdings=np.stack([_numbers(path, named[name]) for name in assets], axis=1),
            equity=_numbers(path, named["equity"]),
            other=_numbers(path, named["other"]),
            leverage=_numbers(path, named["leverage"]),
        ),
    )


def solve_file(
    path: Path, depth: Mapping[str, float], shock: Mapping[str, float], exponent: float = 0.5
) -> tuple[Given, Equilibria]:
    """Return the banks of a file and their equilibria.

    ``depth`` by asset, or by "" for all others; ``shock`` by asset, 0 where it isn't named.
    TermsError: an asset that the file doesn't have, or one without a depth.
    """
    given = read_banks(path)
    for name in (*depth, *shock):
        if name and name not in given.assets:
            raise TermsError("theory_asset", name=name, known=", ".join(given.assets))
    for name in given.assets:
        if name not in depth and "" not in depth:
            raise TermsError("theory_depth", name=name)
    impact = Impact(
        depth=[depth.get(name, depth.get("", 0.0)) for name in given.assets], exponent=exponent
    )
    return given, solve(given.banks, impact, [shock.get(name, 0.0) for name in given.assets])


def _numbers(path: Path, cells: tuple[str, ...]) -> Float64:
    out = []
    for cell in cells:
        try:
            out.append(float(cell))
        except ValueError:
            raise DataError("theory_cell", path=path, cell=cell) from None
    return np.array(out)
