"""How far a stock may move on one day."""

from __future__ import annotations

import difflib
from datetime import date
from typing import Final

from crowdfall.data import symbols
from crowdfall.errors import RuleError
from crowdfall.rules.loader import number

_PATHS: Final = {"main": "main_board", "chinext": "chinext", "star": "star", "bse": "bse"}
BOARDS: Final = tuple(_PATHS)


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
