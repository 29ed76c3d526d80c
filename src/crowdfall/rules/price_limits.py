"""How far a stock may move on one day."""

from __future__ import annotations

import difflib
from datetime import date
from typing import Final

import numpy as np

from crowdfall.data import symbols
from crowdfall.errors import RuleError
from crowdfall.rules.loader import number
from crowdfall.types import Float64

_PATHS: Final = {"main": "main_board", "chinext": "chinext", "star": "star", "bse": "bse"}
BOARDS: Final = tuple(_PATHS)
_UNIT: Final = 10_000


def price_limit(board: str, is_st: bool, on: date) -> float:
    """Return the largest move either way, as a fraction of the ex-rights previous close.

    ``board`` is one of BOARDS. Special treatment matters on the main boards only. The first
    sessions after a listing are free of limits (``price_limits.free_sessions_<board>``). Raises
    RuleError for an unknown board, and for a day before the board opened.

    >>> price_limit("main", False, date(2024, 2, 5)), price_limit("main", True, date(2024, 2, 5))
    (0.1, 0.05)
    """
    if board not in _PATHS:
        near = difflib.get_close_matches(board, BOARDS, n=1, cutoff=0.0)
        raise RuleError("rule_board", board=board, suggestion=near[0])
    suffix = "_st" if is_st and board == "main" else ""
    return number(f"price_limits.{_PATHS[board]}{suffix}", on)


def limit_prices(previous_close: Float64, limit: Float64) -> tuple[Float64, Float64]:
    """Return the upper and lower limit prices in yuan, rounded half up to 0.01 yuan.

    ``previous_close``: ex-rights previous close, yuan, read to the nearest 0.01; ``limit``: the
    largest move as a fraction; the shapes broadcast. The arithmetic is decimal, in integers of
    0.01 yuan and of 0.01%: binary floats would put 4.45 less 10% at 4.00 instead of 4.01. A limit
    lies at least one tick from the close, and no price below one tick (trading rules of the
    exchanges).

    >>> up, down = limit_prices(np.array([10.05, 4.45]), np.array(0.10))
    >>> up.tolist(), down.tolist()
    ([11.06, 4.9], [9.05, 4.01])
    """
    close = np.maximum(np.rint(np.asarray(previous_close) * 100.0), 1.0).astype(np.int64)
    move = np.rint(np.asarray(limit) * _UNIT).astype(np.int64)
    upper = np.maximum((close * (_UNIT + move) + _UNIT // 2) // _UNIT, close + 1)
    lower = np.minimum((close * (_UNIT - move) + _UNIT // 2) // _UNIT, close - 1)
    return upper / 100.0, np.maximum(lower, 1) / 100.0


def board_of(symbol: str) -> str:
    """Return the board on which a stock trades; SymbolError where it is no stock.

    >>> board_of("688981.SH"), board_of("300750.SZ"), board_of("600519.SH")
    ('star', 'chinext', 'main')
    """
    stock = symbols.parse(symbol, "stock")
    if stock.exchange == "BJ":
        return "bse"
    if stock.code.startswith("68"):
        return "star"
    return "chinext" if stock.code.startswith("30") else "main"
