"""What the snowball commands do; imports the pricing room, so commands import it late."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from crowdfall.cli.snowball_options import stages_from
from crowdfall.data import calendar
from crowdfall.desk.snowball_hedge import Deal, Paths, backtest
from crowdfall.errors import CrowdfallError, DataError, TermsError
from crowdfall.i18n import Language
from crowdfall.market.snapshot import UNDERLYINGS
from crowdfall.pricing import book_file, exposure
from crowdfall.pricing.book import Book, MarkedBook, Policy, mark
from crowdfall.pricing.exposure import Place
from crowdfall.pricing.local_vol import Smile, value_with_smile
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.synthetic import synthetic_book
from crowdfall.pricing.value import Standing, price
from crowdfall.products.schedule import add_months, dated
from crowdfall.products.timetable import Timetable
from crowdfall.products.variants import VARIANTS, terms_of
from crowdfall.reports import snowball as charts
from crowdfall.reports.charts.parts import Chart

CHART_AGES = (0, 126, 252, 378, 480)


@dataclass(frozen=True, kw_only=True)
class Note:
    """A note as the command line gives it."""

    table: Timetable
    coupon: float


def note_from(
    variant: str, changed: dict[str, object], stage: list[str] | None, start: str | None
) -> Note:
    """Return a note of a variant with terms changed; with a start its months follow the calendar.

    Raises TermsError for terms that do not fit, or a start in the future.
    """
    if stage:
        changed = {**changed, "stages": stages_from(stage)}
    terms = terms_of(variant, changed)
    if start is None:
        return Note(table=terms.timetable(), coupon=terms.coupon)
    first = day_of(start, "--start")
    if first > date.today():
        raise TermsError("start_future", start=first, today=date.today())
    last = add_months(first, terms.months) + timedelta(days=40)
    schedule = dated(first, terms.months, calendar.sessions(first, last))
    return Note(table=terms.timetable(schedule), coupon=terms.coupon)


def standing_of(spot: float, initial: float, age: int, knocked_in: bool) -> Standing:
    """Return where a note stands; TermsError where a price is not positive."""
    if not (np.isfinite(initial) and initial > 0 and np.isfinite(spot) and spot > 0):
        raise TermsError("prices_wrong", spot=spot, initial=initial)
    return Standing(spot=spot / initial, age=age, knocked_in=knocked_in)


def worth(note: Note, marks: Marks, standing: Standing, skew: float) -> dict[str, float]:
    """Return a note's value and greeks by name; with a skew value, delta and gamma only."""
    if skew == 0.0:
        return asdict(price(note.table, note.coupon, marks, standing))
    smile = Smile(level=marks.vol, skew=skew, rate=marks.rate, q=marks.q)
    pv, delta, gamma = value_with_smile(note.table, note.coupon, smile, standing)
    return {"pv": pv, "delta": delta, "gamma": gamma}


def day_of(text: str, option: str) -> date:
    """Return a date of the command line; CrowdfallError where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CrowdfallError("bad_date", option=option, value=text) from None


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


def paths_from(file: Path | None, note: Note, marks: Marks, draws: tuple[int, int]) -> Paths:
    """Return the paths of a file with columns spot, futures[, futures_next], else drawn ones.

    Drawn paths follow the marks: their futures earn ``q`` against the index. In a file ``futures``
    is the contract held until that close and ``futures_next`` the one held after it.
    """
    if file is None:
        return drawn_paths(note.table, marks, *draws)
    if not file.is_file():
        raise DataError("book_missing", path=file)
    try:
        table = pl.read_csv(file)
        spot, until = (table[name].cast(pl.Float64).to_numpy() for name in ("spot", "futures"))
        after = table["futures_next"].cast(pl.Float64) if "futures_next" in table.columns else None
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError("path_unreadable", file=file.name, reason=str(error)[:120]) from error
    begun = until if after is None else after.fill_null(table["futures"]).to_numpy()
    if len(spot) < 2:
        raise DataError("path_short", file=file.name, rows=len(spot))
    futures = np.stack([begun[:-1], until[1:]], axis=1)
    return Paths(spot=(spot / spot[0])[None, :], futures=(futures / spot[0])[None])


def drawn_paths(table: Timetable, marks: Marks, count: int, seed: int) -> Paths:
    """Return lognormal paths at the marks, over the note's life; the same for the same seed."""
    sessions, step = table.last, 1.0 / table.year
    normal = np.random.default_rng(seed).standard_normal((count, sessions))
    drift = (marks.rate - marks.q - 0.5 * marks.vol**2) * step
    walk = np.cumsum(drift + marks.vol * np.sqrt(step) * normal, axis=1)
    spot = np.exp(np.hstack([np.zeros((count, 1)), walk]))
    carry = np.exp(-(marks.rate - marks.q) * step)
    futures = np.stack([spot[:, :-1], spot[:, 1:] * carry], axis=2)
    return Paths(spot=spot, futures=futures)


def hedged(note: Note, marks: Marks, policy: Policy, paths: Paths, cost: float) -> dict[str, Any]:
    """Return a backtest's sums per 100 of notional, and its unexplained share.

    The share is the sum of absolute residuals over the sum of absolute daily profits and losses.
    """
    deal = Deal(table=note.table, coupon=note.coupon, policy=policy, cost=cost)
    result = backtest(deal, paths, marks)
    whole = float(np.abs(result.total).sum())
    daily = {name: (100 * values[0]).tolist() for name, values in result.terms.items()}
    return {
        "paths": len(result.life),
        "sessions": float(result.life.mean()),
        "sums": {name: 100 * value for name, value in result.sums().items()},
        "residual_share": float(np.abs(result.residual).sum()) / whole if whole else 0.0,
        "first_path": {**daily, "total": (100 * result.total[0]).tolist()},
    }


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


def variants() -> list[str]:
    """Return the names of all variants, with their Chinese names."""
    return [f"{name} {chinese}" for name, (chinese, _) in VARIANTS.items()]
