"""Which index futures trade on a day, and until when (CFFEX contract specification)."""

from __future__ import annotations

import difflib
from datetime import date, timedelta
from typing import Final, NamedTuple

from crowdfall.data import calendar
from crowdfall.data.schema import FUTURES_PRODUCTS
from crowdfall.errors import RuleError
from crowdfall.rules.loader import number

_FRIDAY: Final = 4
_QUARTER: Final = 3


class ContractMonth(NamedTuple):
    """The month in which a contract expires."""

    year: int
    month: int

    @property
    def code(self) -> str:
        """Return the month as contract codes write it: 2402."""
        return f"{self.year % 100:02d}{self.month:02d}"

    def after(self, months: int) -> ContractMonth:
        """Return the month that many months later."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return ContractMonth(year, month + 1)


def last_trading_day(year: int, month: int) -> date:
    """Return the third Friday of a month, or the next session where it is none.

    >>> last_trading_day(2024, 1).isoformat(), last_trading_day(2024, 2).isoformat()
    ('2024-01-19', '2024-02-19')
    """
    first = date(year, month, 1)
    third_friday = first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14)
    return calendar.shift(third_friday, 0)


def contract_months(on: date) -> tuple[ContractMonth, ContractMonth, ContractMonth, ContractMonth]:
    """Return the four listed months, nearest first: current, next, two following quarters.

    A contract trades to the end of its last trading day; the one that follows is listed on the
    next session.

    >>> [month.code for month in contract_months(date(2024, 1, 22))]
    ['2402', '2403', '2406', '2409']
    """
    front = ContractMonth(on.year, on.month)
    if on > last_trading_day(*front):
        front = front.after(1)
    second = front.after(1)
    third = second.after(_QUARTER - second.month % _QUARTER)
    return front, second, third, third.after(_QUARTER)


def contract_symbols(product: str, on: date) -> tuple[str, str, str, str]:
    """Return the canonical symbols of the listed contracts of one product, nearest first.

    >>> contract_symbols("im", date(2024, 2, 5))[0]
    'IM2402.CFE'
    """
    multiplier(product, on)
    first, second, third, fourth = (
        f"{product.upper()}{month.code}.CFE" for month in contract_months(on)
    )
    return first, second, third, fourth


def multiplier(product: str, on: date) -> float:
    """Return yuan a point; RuleError for an unknown product, or before it was listed."""
    return number(f"futures.multiplier_{_known(product)}", on)


def exchange_margin(product: str, on: date) -> float:
    """Return the exchange's margin as a fraction of notional, on the larger side only.

    Brokers ask for 2 to 4 points more (design:system B.11, from memory).
    """
    return number(f"futures.margin_{_known(product)}", on)


def price_limit(contract: ContractMonth, on: date) -> float:
    """Return the largest move either way, as a fraction of the previous settlement.

    >>> price_limit(ContractMonth(2024, 1), date(2024, 1, 19))
    0.2
    """
    last_day = on == last_trading_day(*contract)
    return number(f"futures.price_limit{'_last_day' if last_day else ''}", on)


def _known(product: str) -> str:
    if product not in FUTURES_PRODUCTS:
        near = difflib.get_close_matches(product, FUTURES_PRODUCTS, n=1, cutoff=0.0)
        raise RuleError("rule_product", product=product, suggestion=near[0])
    return product
