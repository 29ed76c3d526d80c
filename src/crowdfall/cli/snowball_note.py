"""One note on the command line: its terms, its worth, and a dealer's hedge of it.

Imports the pricing room, so commands import it late; books are in ``cli.snowball_desk``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from crowdfall.cli.snowball_options import stages_from
from crowdfall.data import calendar
from crowdfall.desk.futures_path import drawn_paths
from crowdfall.desk.snowball_hedge import Deal, Paths, backtest
from crowdfall.errors import CrowdfallError, DataError, TermsError
from crowdfall.pricing.book import Policy
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.value import Standing, price
from crowdfall.products.schedule import add_months, dated
from crowdfall.products.timetable import Timetable
from crowdfall.products.variants import terms_of


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
    from crowdfall.pricing.local_vol import Smile, value_with_smile

    smile = Smile(level=marks.vol, skew=skew, rate=marks.rate, q=marks.q)
    pv, delta, gamma = value_with_smile(note.table, note.coupon, smile, standing)
    return {"pv": pv, "delta": delta, "gamma": gamma}


def day_of(text: str, option: str) -> date:
    """Return a date of the command line; CrowdfallError where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CrowdfallError("bad_date", option=option, value=text) from None


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
