"""How each quantity is taken from ``daily``: days, columns and one value a path.

A quantity names the keys it needs and computes, from a ``Sheet``, an array (P,) in the unit of the
tables. NaN where a path has no value there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from crowdfall.data.calendar import previous_session
from crowdfall.errors import CalibrationError
from crowdfall.experiments.targets import rows
from crowdfall.experiments.targets.terms import Target
from crowdfall.results.schema import CONTRACT_RANKS
from crowdfall.rules.futures import ContractMonth, contract_months, last_trading_day
from crowdfall.types import Float64

if TYPE_CHECKING:
    import polars as pl

KNOCKED_IN: Final = ("csi500", "csi1000")
RESCUED: Final = ("csi300", "csi500", "csi1000", "csi2000")
DAYS_A_YEAR: Final = 365.0
WEEK: Final = 5


@dataclass
class Sheet:
    """``daily`` as arrays: a column is (P, T), its paths in order, its days the same in each.

    ``share_csi500`` is the part of the snowball notional that is written on CSI 500; ``others``
    holds the other tables by name, or reads them when asked.
    """

    frame: pl.DataFrame
    days: tuple[date, ...]
    paths: int
    share_csi500: float
    others: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    _columns: dict[str, Float64] = field(default_factory=dict)

    def column(self, name: str) -> Float64:
        """Return one column, nulls as NaN, (P, T)."""
        if name not in self._columns:
            if name not in self.frame.columns:
                raise CalibrationError("target_column_missing", column=name)
            values = self.frame[name].to_numpy().astype(np.float64)
            self._columns[name] = values.reshape(self.paths, len(self.days))
        return self._columns[name]

    @property
    def path_names(self) -> list[int]:
        """Return the numbers of the paths, in the order of every array."""
        names: list[int] = self.frame["path"].unique().sort().to_list()
        return names

    def table(self, name: str) -> pl.DataFrame:
        """Return a table of the run; CalibrationError where it was not given."""
        if name == "daily":
            return self.frame
        if name not in self.others:
            raise CalibrationError("target_needs_table", table=name)
        return self.others[name]

    def place(self, target: Target, day: date | None) -> int:
        """Return the number of a session; CalibrationError where the run has no such day."""
        assert day is not None  # load has asked for the days that the quantity needs
        try:
            return self.days.index(day)
        except ValueError:
            code = "target_not_a_session"
            if not self.days[0] <= day <= self.days[-1]:
                code = "target_outside_run"
            raise CalibrationError(
                code, id=target.id, date=day, first=self.days[0], last=self.days[-1]
            ) from None

    def level(self, target: Target, day: date | None) -> Float64:
        """Return the close of the target's index, also that before the first session, (P,)."""
        closes = self.column(f"{target.index}_close")
        if day == previous_session(self.days[0]):
            return np.asarray(closes[:, 0] / (1.0 + self.column(f"{target.index}_return")[:, 0]))
        return closes[:, self.place(target, day)]

    def window(self, target: Target) -> slice:
        """Return the sessions after ``start`` to ``end``; a missing end is the run's own."""
        if target.start is None or target.start == previous_session(self.days[0]):
            first = 0
        else:
            first = self.place(target, target.start) + 1
        last = len(self.days) - 1 if target.end is None else self.place(target, target.end)
        return slice(first, last + 1)


def _index_return(sheet: Sheet, target: Target) -> Float64:
    return sheet.level(target, target.end) / sheet.level(target, target.start) - 1.0


def _lowest_close(sheet: Sheet, target: Target) -> Float64:
    closes = sheet.column(f"{target.index}_close")[:, sheet.window(target)]
    return np.asarray(closes.min(axis=1) / sheet.level(target, target.start) - 1.0)


def _volatility(sheet: Sheet, target: Target) -> Float64:
    """Return the standard deviation of daily log returns in the window."""
    moves = np.log1p(sheet.column(f"{target.index}_return")[:, sheet.window(target)])
    return np.asarray(moves.std(axis=1, ddof=1))


def _deepest_week(sheet: Sheet, target: Target) -> Float64:
    """Return the worst return over five sessions that end in the window."""
    closes = sheet.column(f"{target.index}_close")
    first = closes[:, :1] / (1.0 + sheet.column(f"{target.index}_return")[:, :1])
    levels = np.concatenate([np.repeat(first, WEEK, axis=1), closes], axis=1)
    change = levels[:, WEEK:] / levels[:, :-WEEK] - 1.0
    return np.asarray(change[:, sheet.window(target)].min(axis=1))


def _sold_in_a_week(sheet: Sheet, target: Target) -> Float64:
    """Return the most that five sessions in the window sold by force or at a line, over float."""
    from crowdfall.results.metrics import COMPELLED

    sold = sum(sheet.column(f"{name}_{target.index}") for name in COMPELLED)
    weeks = np.cumsum(np.asarray(sold)[:, sheet.window(target)], axis=1)
    weeks[:, WEEK:] -= weeks[:, :-WEEK].copy()
    return np.asarray(weeks.max(axis=1))


def _basis(sheet: Sheet, target: Target) -> Float64:
    place = sheet.place(target, target.day)
    underlying, month = contract_terms(target.contract)
    listed = contract_months(sheet.days[place])
    if month not in listed:
        names = ", ".join(target.contract[:2] + m.code for m in listed)
        raise CalibrationError(
            "target_contract_unlisted", id=target.id, contract=target.contract,
            date=target.day, listed=names,
        )  # fmt: skip
    rank = CONTRACT_RANKS[listed.index(month)]
    return sheet.column(f"basis_{rank}_{underlying}")[:, place]


def _basis_annual(sheet: Sheet, target: Target) -> Float64:
    basis = _basis(sheet, target)
    _, month = contract_terms(target.contract)
    day = sheet.days[sheet.place(target, target.day)]
    left = max((last_trading_day(*month) - day).days, 1)
    return basis * (DAYS_A_YEAR / left)


def _limit_down_share(sheet: Sheet, target: Target) -> Float64:
    place = sheet.place(target, target.day)
    return np.asarray(sheet.column("limit_down_count") / sheet.column("stocks"))[:, place]


def _limit_down_highest(sheet: Sheet, target: Target) -> Float64:
    share = sheet.column("limit_down_count") / sheet.column("stocks")
    return np.asarray(share[:, sheet.window(target)].max(axis=1))


def _peak_day(sheet: Sheet, target: Target) -> Float64:
    """Return how many sessions the first highest day lies after the wanted one."""
    wanted = sheet.place(target, target.day)
    values = np.nan_to_num(sheet.column(target.column), nan=-np.inf)
    away = np.argmax(values, axis=1) - float(wanted)
    flat = values.max(axis=1) == values.min(axis=1)
    return np.where(flat, np.nan, away)


def _knocked_in_share(sheet: Sheet, target: Target) -> Float64:
    place = sheet.place(target, target.day)
    first, second = (sheet.column(f"knocked_in_share_{name}")[:, place] for name in KNOCKED_IN)
    share = float(target.index == KNOCKED_IN[0]) if target.index else sheet.share_csi500
    return np.asarray(share * first + (1.0 - share) * second)


def _rescue_total(sheet: Sheet, target: Target) -> Float64:
    return np.asarray(sum(_bought(sheet, target, index) for index in RESCUED))


def _rescue_share(sheet: Sheet, target: Target) -> Float64:
    total = _rescue_total(sheet, target)
    share = _bought(sheet, target, target.index) / np.where(total > 0.0, total, np.nan)
    return np.asarray(share)


def _bought(sheet: Sheet, target: Target, index: str) -> Float64:
    return np.asarray(sheet.column(f"rescue_{index}")[:, sheet.window(target)].sum(axis=1))


def _nav_change(sheet: Sheet, target: Target) -> Float64:
    """Return what a participant's books made since the start; NaN where it is switched off."""
    from crowdfall.results.metrics import nav_by_kind

    books = sheet.table("agents")
    day = sheet.days[sheet.place(target, target.end)]
    now = nav_by_kind(books.filter(books["kind"] == target.participant)).filter(date=day)
    out = np.full(sheet.paths, np.nan)
    out[np.searchsorted(np.array(sheet.path_names), now["path"].to_numpy())] = (
        now["nav"].to_numpy() - 1.0
    )
    return out


def _hedged_margin(sheet: Sheet, target: Target) -> Float64:
    """Return the margin ratio at ``end`` of a book fixed at ``start``.

    It holds one yuan of the index against one yuan of the future sold short, both marked at
    settlement, with ``margin`` of equity; nobody trades or tops up. Equity over stock value.
    """
    first, last = (_settle(sheet, target, day) for day in (target.start, target.end))
    stock = sheet.level(target, target.end) / sheet.level(target, target.start)
    return np.asarray((target.margin + (stock - 1.0) - (last / first - 1.0)) / stock)


def _settle(sheet: Sheet, target: Target, day: date | None) -> Float64:
    when = sheet.days[sheet.place(target, day)]
    quotes = sheet.table("futures").filter(contract=target.contract, date=when).sort("path")
    if quotes.height != sheet.paths:
        held = sheet.table("futures").filter(date=when)["contract"].unique().sort().to_list()
        raise CalibrationError(
            "target_contract_unlisted", id=target.id, contract=target.contract, date=day,
            listed=", ".join(held),
        )  # fmt: skip
    return quotes["settle"].to_numpy()


def _column(sheet: Sheet, target: Target) -> Float64:
    return sheet.column(target.column)[:, sheet.place(target, target.day)]


def _column_total(sheet: Sheet, target: Target) -> Float64:
    return np.asarray(sheet.column(target.column)[:, sheet.window(target)].sum(axis=1))


def _column_highest(sheet: Sheet, target: Target) -> Float64:
    return np.asarray(sheet.column(target.column)[:, sheet.window(target)].max(axis=1))


def _column_lowest(sheet: Sheet, target: Target) -> Float64:
    return np.asarray(sheet.column(target.column)[:, sheet.window(target)].min(axis=1))


@dataclass(frozen=True, slots=True)
class Quantity:
    """A way to take one value a path: the keys it needs, those it may have, and the function."""

    needs: tuple[str, ...]
    may: tuple[str, ...]
    take: Callable[[Sheet, Target], Float64]


QUANTITIES: Final = {
    "index_return": Quantity(("index", "from", "to"), (), _index_return),
    "lowest_close": Quantity(("index", "from"), ("to",), _lowest_close),
    "volatility": Quantity(("index",), ("from", "to"), _volatility),
    "deepest_week": Quantity(("index",), ("from", "to"), _deepest_week),
    "sold_in_a_week": Quantity(("index",), ("from", "to"), _sold_in_a_week),
    "basis": Quantity(("contract", "date"), (), _basis),
    "basis_annual": Quantity(("contract", "date"), (), _basis_annual),
    "limit_down_share": Quantity(("date",), (), _limit_down_share),
    "limit_down_highest": Quantity((), ("from", "to"), _limit_down_highest),
    "peak_day": Quantity(("column", "date"), (), _peak_day),
    "knocked_in_share": Quantity(("date",), ("index",), _knocked_in_share),
    "rescue_total": Quantity((), ("from", "to"), _rescue_total),
    "rescue_share": Quantity(("index",), ("from", "to"), _rescue_share),
    "nav_change": Quantity(("participant", "to"), (), _nav_change),
    "hedged_margin": Quantity(("index", "contract", "margin", "from", "to"), (), _hedged_margin),
    "rows": Quantity(
        ("table",), ("column", "where", "across", "over", "per", "date", "from", "to"), rows.take
    ),
    "column": Quantity(("column", "date"), (), _column),
    "column_total": Quantity(("column",), ("from", "to"), _column_total),
    "column_highest": Quantity(("column",), ("from", "to"), _column_highest),
    "column_lowest": Quantity(("column",), ("from", "to"), _column_lowest),
}
"""What a target file may ask for. ``rows`` reaches every column of every table."""


def contract_terms(contract: str) -> tuple[str, ContractMonth]:
    """Return the underlying and month of a contract's name.

    >>> contract_terms("IM2403")
    ('im', ContractMonth(year=2024, month=3))
    """
    return contract[:2].lower(), ContractMonth(2000 + int(contract[2:4]), int(contract[4:]))
