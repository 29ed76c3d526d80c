from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdfall.errors import RuleError, SymbolError
from crowdfall.rules.price_limits import BOARDS, board_of, limit_prices, price_limit

CRISIS = date(2024, 2, 5)


@pytest.mark.parametrize(
    ("board", "limit", "limit_st"),
    [("main", 0.10, 0.05), ("chinext", 0.20, 0.20), ("star", 0.20, 0.20), ("bse", 0.30, 0.30)],
)
def test_special_treatment_narrows_the_main_boards_only(
    board: str, limit: float, limit_st: float
) -> None:
    assert price_limit(board, False, CRISIS) == limit
    assert price_limit(board, True, CRISIS) == limit_st


def test_the_limit_of_special_treatment_becomes_that_of_the_board() -> None:
    assert price_limit("main", True, date(2026, 1, 5)) == price_limit("main", False, CRISIS)


def test_a_board_has_no_limit_before_it_opened() -> None:
    with pytest.raises(RuleError, match="2019-07-22"):
        price_limit("star", False, date(2019, 7, 19))


def test_an_unknown_board_is_answered_with_the_nearest() -> None:
    with pytest.raises(RuleError, match="did you mean chinext"):
        price_limit("chi-next", False, CRISIS)


@pytest.mark.parametrize(
    ("symbol", "board"),
    [
        ("600519.SH", "main"), ("002594.SZ", "main"), ("300750.SZ", "chinext"),
        ("688981.SH", "star"), ("689009.SH", "star"), ("430047.BJ", "bse"), ("920002.BJ", "bse"),
    ],
)  # fmt: skip
def test_the_code_tells_the_board(symbol: str, board: str) -> None:
    assert board_of(symbol) == board
    assert board in BOARDS


def test_an_index_has_no_board() -> None:
    with pytest.raises(SymbolError):
        board_of("000852.SH")


@pytest.mark.parametrize(
    ("close", "limit", "upper", "lower"),
    [
        (10.05, 0.10, 11.06, 9.05), (3.33, 0.10, 3.66, 3.00), (7.77, 0.20, 9.32, 6.22),
        (12.34, 0.10, 13.57, 11.11), (4.45, 0.10, 4.90, 4.01), (4.45, 0.05, 4.67, 4.23),
        (0.03, 0.10, 0.04, 0.02), (0.01, 0.10, 0.02, 0.01),
    ],
)  # fmt: skip
def test_limit_prices_are_rounded_half_up_to_the_tick(
    close: float, limit: float, upper: float, lower: float
) -> None:
    assert limit_prices(np.array(close), np.array(limit)) == (upper, lower)


@given(st.integers(10, 500_000), st.sampled_from(["0.05", "0.1", "0.2", "0.3"]))
def test_limit_prices_agree_with_decimal_arithmetic(ticks: int, limit: str) -> None:
    close, tick = Decimal(ticks) / 100, Decimal("0.01")
    up, down = limit_prices(np.array(ticks / 100), np.array(float(limit)))
    for found, move in ((up, Decimal(limit)), (down, -Decimal(limit))):
        exact = (close * (1 + move)).quantize(tick, ROUND_HALF_UP)
        exact = max(exact, close + tick) if move > 0 else min(exact, close - tick)
        assert f"{float(found):.2f}" == str(max(exact, tick))
