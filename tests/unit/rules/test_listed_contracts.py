from __future__ import annotations

from datetime import date

import pytest

from crowdfall.errors import RuleError
from crowdfall.rules.futures import (
    ContractMonth,
    contract_months,
    contract_symbols,
    exchange_margin,
    last_trading_day,
    multiplier,
    price_limit,
)


@pytest.mark.parametrize(
    ("year", "month", "day"),
    [
        (2024, 1, date(2024, 1, 19)),
        (2024, 2, date(2024, 2, 19)),  # the third Friday fell into the Spring Festival
        (2024, 3, date(2024, 3, 15)),
        (2018, 2, date(2018, 2, 22)),
        (2015, 2, date(2015, 2, 25)),
    ],
)
def test_the_last_day_is_the_third_friday_or_the_next_session(
    year: int, month: int, day: date
) -> None:
    assert last_trading_day(year, month) == day


@pytest.mark.parametrize(
    ("on", "codes"),
    [
        (date(2024, 1, 19), ["2401", "2402", "2403", "2406"]),
        (date(2024, 1, 22), ["2402", "2403", "2406", "2409"]),
        (date(2024, 2, 19), ["2402", "2403", "2406", "2409"]),
        (date(2024, 2, 20), ["2403", "2404", "2406", "2409"]),
        (date(2023, 12, 18), ["2401", "2402", "2403", "2406"]),
        (date(2023, 11, 20), ["2312", "2401", "2403", "2406"]),
    ],
)
def test_four_months_are_listed_and_roll_after_the_last_day(on: date, codes: list[str]) -> None:
    assert [month.code for month in contract_months(on)] == codes


def test_symbols_are_canonical_and_nearest_first() -> None:
    assert contract_symbols("im", date(2024, 2, 5)) == (
        "IM2402.CFE", "IM2403.CFE", "IM2406.CFE", "IM2409.CFE",
    )  # fmt: skip


def test_a_product_has_no_contracts_before_it_was_listed() -> None:
    with pytest.raises(RuleError, match="2022-07-22"):
        contract_symbols("im", date(2022, 7, 21))
    assert multiplier("im", date(2022, 7, 22)) == 200
    assert multiplier("if", date(2024, 2, 5)) == 300
    assert exchange_margin("ih", date(2024, 2, 5)) == 0.12


def test_an_unknown_product_is_answered_with_the_nearest() -> None:
    with pytest.raises(RuleError, match="did you mean i"):
        multiplier("ib", date(2024, 2, 5))


def test_the_limit_doubles_on_the_last_day_only() -> None:
    february = ContractMonth(2024, 2)
    assert price_limit(february, date(2024, 2, 16)) == 0.10
    assert price_limit(february, date(2024, 2, 19)) == 0.20
    assert price_limit(ContractMonth(2024, 3), date(2024, 2, 19)) == 0.10
