"""What the snowball commands do; imports the pricing room, so commands import it late."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from crowdfall.cli.snowball_note import day_of
from crowdfall.errors import DataError
from crowdfall.i18n import Language
from crowdfall.market.snapshot import UNDERLYINGS
from crowdfall.pricing import book_file, exposure
from crowdfall.pricing.book import Book, MarkedBook, Policy, mark
from crowdfall.pricing.exposure import Place
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.synthetic import synthetic_book
from crowdfall.reports import snowball as charts
from crowdfall.reports.charts.parts import Chart

CHART_AGES = (0, 126, 252, 378, 480)


class Desk:
    """A marked book and where its underlyings stand."""

    def __init__(self, book: Book, places: dict[str, Place], marks: Marks, left_out: int) -> None:
        self.book, self.places, self.left_out = book, places, left_out
        self.marks = marks
        self.on = next(iter(places.values())).on

    @cached_property
    def marked(self) -> MarkedBook:
        """Return the book with its surfaces."""
        return mark(self.book, self.marks)

    def totals(self, policy: Policy) -> list[dict[str, Any]]:
        """Return value and greeks by underlying, and the hedge by instrument."""
        rows = []
        levels = {name: place.level for name, place in self.places.items()}
        used = [name for place in self.places for name in policy.instruments(place)]
        none = {f"+{name}": 0.0 for name in used}
        for place in self.places.values():
            row = asdict(exposure.totals(self.marked, place))
            level = np.array([place.level])
            held = float(self.marked.hedge(place.underlying, level, policy=policy)[0, 0])
            split = exposure.by_instrument(place, held, policy, levels)
            rows.append({**row, **none, **{f"+{name}": amount for name, amount in split.items()}})
        return rows

    def shocks(self, policy: Policy) -> list[dict[str, Any]]:
        """Return what dealers trade for each move of each underlying."""
        return [
            {"underlying": place.underlying, **asdict(row)}
            for place in self.places.values()
            for row in exposure.shocks(self.marked, place, policy=policy)
        ]

    def pins(self) -> list[dict[str, Any]]:
        """Return the levels near each index where the hedge jumps."""
        return [
            {"underlying": place.underlying, **asdict(row)}
            for place in self.places.values()
            for row in exposure.pin_risk(self.marked, place)
        ]

    def map(self) -> list[dict[str, Any]]:
        """Return the knock-in map of each underlying."""
        return [
            {"underlying": place.underlying, **asdict(row)}
            for place in self.places.values()
            for row in exposure.knock_in_map(self.marked, place)
        ]

    def ladder(self, days: tuple[int, ...], policy: Policy) -> list[dict[str, Any]]:
        """Return the hedge in lots by underlying, level and days ahead."""
        rows = []
        for place in self.places.values():
            levels = exposure.levels_around(place)
            grid = exposure.ladder(self.marked, place, levels, days, policy)
            for k, level in enumerate(levels.tolist()):
                lots = place.lots(grid[:, k], levels[k : k + 1])
                row: dict[str, Any] = {"underlying": place.underlying, "level": level}
                row |= {f"+{day}d": float(lots[d]) for d, day in enumerate(days)}
                rows.append(row)
        return rows

    def map_charts(self, lang: Language) -> list[Chart]:
        """Return the maps as charts, and delta against spot by age."""
        maps = [
            charts.knock_in_chart(exposure.knock_in_map(self.marked, place), place, lang)
            for place in self.places.values()
        ]
        return [*maps, self._delta_chart(lang)]

    def ladder_charts(self, days: tuple[int, ...], policy: Policy, lang: Language) -> list[Chart]:
        """Return the ladders as charts, and delta against spot by age."""
        drawn = []
        for place in self.places.values():
            levels = exposure.levels_around(place, step=25)
            grid = exposure.ladder(self.marked, place, levels, days, policy)
            drawn.append(charts.ladder_chart(grid, levels, days, place, lang))
        return [*drawn, self._delta_chart(lang)]

    def _delta_chart(self, lang: Language) -> Chart:
        """Return delta against spot by age of the book's first family."""
        spots = np.arange(0.6, 1.2001, 0.005)
        shape = next(iter(self.marked.surfaces.values()))
        ages = [age for age in CHART_AGES if age < shape.table.last]
        coupon = float(self.book.coupon[0])
        hedges = {age: shape.hedge_at(age, coupon, np.log(spots)) for age in ages}
        return charts.delta_chart(spots, hedges, lang)


def open_desk(
    file: Path | None, on: str | None, levels: dict[str, float], interest: dict[str, float],
    marks: Marks, how: tuple[bool, str | None],
) -> Desk:  # fmt: skip
    """Return the desk of a book file, or of the bundled book where none is named.

    ``levels`` and ``interest`` (lots) override those of the market; ``how``: leave out matured
    notes, and which market. Raises DataError for a book with wrong cells.
    """
    skip_ended, market = how
    day = None if on is None else day_of(on, "--date")
    lots: dict[str, float] = {}
    known: dict[str, float] = {}
    if market is not None or day is None or not levels:
        found, known, lots = _from_market(market)
        day = day or found
    left_out = 0
    if file is None:
        book = synthetic_book()
    else:
        book, left_out = book_file.read_book(file, day, skip_ended=skip_ended)
    if not len(book):
        raise DataError("book_empty", file=file)
    points = {**known, **levels}
    places = {}
    for name in book.underlyings:
        if not (np.isfinite(points.get(name, np.nan)) and points[name] > 0):
            raise DataError("level_missing", name=name)
        places[name] = Place(
            underlying=name, level=points[name], on=day,
            open_interest={**lots, **interest}.get(name),
        )  # fmt: skip
    return Desk(book, places, marks, left_out)


def _from_market(path: str | None) -> tuple[date, dict[str, float], dict[str, float]]:
    """Return a market's date, its index levels and its futures' open interest in lots."""
    from crowdfall.cli.launch import load_market

    market = load_market(path)
    lots: dict[str, float] = {}
    for quote in market.futures:
        index = UNDERLYINGS[quote.underlying]
        lots[index] = lots.get(index, 0.0) + quote.open_interest
    return market.date, dict(market.levels), lots


def columns() -> list[dict[str, Any]]:
    """Return the columns of a book file: name, kind, meaning, default."""
    return [
        {
            "column": column.name, "kind": column.kind.__name__, "meaning": column.meaning,
            "default": column.default, "required": column.default is None,
        }
        for column in book_file.COLUMNS
    ]  # fmt: skip


def write_template(out: Path | None) -> None:
    """Write an example book to a file that must not exist, or to the standard output."""
    example = book_file.template()
    if out is None:
        sys.stdout.write(example.write_csv())
        return
    if out.exists():
        raise DataError("file_exists", path=out)
    if out.suffix == ".parquet":
        example.write_parquet(out)
    else:
        example.write_csv(out)
