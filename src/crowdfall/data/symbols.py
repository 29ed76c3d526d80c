"""Codes of stocks, funds, indices and index futures in every spelling that is in use.

Canonical is the spelling of Wind: ``600519.SH``, ``000852.SH``, ``IM2402.CFE``. A bare code with
two readings (``000001`` is Ping An Bank in Shenzhen and the SSE Composite in Shanghai) is an error
that lists both, never a guess.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from crowdfall.data.schema import FUTURES_PRODUCTS, INDEX_SYMBOLS
from crowdfall.errors import SymbolError

Kind = Literal["stock", "fund", "index", "future"]
Spelling = Literal["wind", "tushare", "joinquant", "vnpy", "qlib", "sina", "baostock", "eastmoney"]
SPELLINGS: Final[tuple[Spelling, ...]] = get_args(Spelling)

_SUFFIXES: Final[dict[str, dict[str, str]]] = {
    "wind": {"SH": "SH", "SZ": "SZ", "BJ": "BJ", "CSI": "CSI", "WI": "WI", "CFE": "CFE"},
    "tushare": {"CFE": "CFX"},
    "joinquant": {"SH": "XSHG", "SZ": "XSHE", "BJ": "BJSE", "CFE": "CCFX"},
    "vnpy": {"SH": "SSE", "SZ": "SZSE", "BJ": "BSE", "CFE": "CFFEX"},
}
_EXCHANGES: Final = {
    name: exchange for names in _SUFFIXES.values() for exchange, name in names.items()
}
# Eastmoney numbers its markets; 0 is Shenzhen and Beijing together.
_EASTMONEY: Final = {"SH": "1", "SZ": "0", "BJ": "0", "CSI": "2", "CFE": "8"}

_PRODUCTS: Final = "|".join(FUTURES_PRODUCTS).upper()
_RANGES: Final[tuple[tuple[str, Kind, str], ...]] = (
    ("SH", "stock", "60[0-9]{4}|68[89][0-9]{3}|900[0-9]{3}"),
    ("SH", "fund", "5[0-9]{5}"),
    ("SH", "index", "000[0-9]{3}|95[0-9]{4}"),
    ("SZ", "stock", "00[0-4][0-9]{3}|30[0-2][0-9]{3}|200[0-9]{3}"),
    ("SZ", "fund", "1[568][0-9]{4}"),
    ("SZ", "index", "399[0-9]{3}|98[0-9]{4}"),
    ("BJ", "stock", "43[0-9]{4}|8[378][0-9]{4}|920[0-9]{3}"),
    ("BJ", "index", "899[0-9]{3}"),
    ("CSI", "index", "93[0-9]{4}|H[0-9]{5}"),
    ("WI", "index", "88[0-9]{5}"),
    ("CFE", "future", f"(?:{_PRODUCTS})[0-9]{{2}}(?:0[1-9]|1[0-2])"),
)
_CODES: Final = tuple((exchange, kind, re.compile(pattern)) for exchange, kind, pattern in _RANGES)
_GLUED: Final = re.compile("(SH|SZ|BJ)([0-9]{6})")


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """One code at one exchange; ``str`` gives the canonical spelling."""

    code: str
    exchange: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.code}.{self.exchange}"

    def spell(self, spelling: Spelling) -> str:
        """Return the code as a vendor writes it; canonical where the vendor has no own way.

        >>> parse("000852.SH").spell("joinquant"), parse("000852.SH").spell("eastmoney")
        ('000852.XSHG', '1.000852')
        """
        if spelling == "eastmoney" and self.exchange in _EASTMONEY:
            return f"{_EASTMONEY[self.exchange]}.{self.code}"
        if self.exchange in ("SH", "SZ", "BJ"):
            match spelling:
                case "qlib":
                    return f"{self.exchange}{self.code}"
                case "sina":
                    return f"{self.exchange.lower()}{self.code}"
                case "baostock":
                    return f"{self.exchange.lower()}.{self.code}"
        return f"{self.code}.{_SUFFIXES.get(spelling, {}).get(self.exchange, self.exchange)}"


def parse(text: str, kind: Kind | None = None) -> Symbol:
    """Return the symbol that ``text`` spells; ``kind`` settles what a bare code stands for.

    Raises SymbolError where the code is unknown, is not of that kind or has several readings.

    >>> str(parse("sh000852")), str(parse("000001", kind="stock")), str(parse("im2402"))
    ('000852.SH', '000001.SZ', 'IM2402.CFE')
    """
    code, exchanges = _split(text)
    readings = _readings(code)
    fitting = [one for one in readings if exchanges is None or one.exchange in exchanges]
    if not fitting:
        raise _unknown(text, readings)
    found = [one for one in fitting if kind in (None, one.kind)]
    if not found:
        raise SymbolError("symbol_kind", text=text, kind=kind, found=_listed(fitting))
    if len(found) > 1:
        raise SymbolError(
            "symbol_ambiguous", text=text, readings=_listed(found), example=str(found[0])
        )
    return found[0]


def _split(text: str) -> tuple[str, tuple[str, ...] | None]:
    """Return code and possible exchanges; None where the text names no exchange."""
    plain = text.strip().upper()
    glued = _GLUED.fullmatch(plain)
    if glued:
        return glued[2], (glued[1],)
    left, dot, right = plain.partition(".")
    if not dot:
        return plain, None
    if right in _EXCHANGES:
        return left, (_EXCHANGES[right],)
    if left in _EXCHANGES:
        return right, (_EXCHANGES[left],)
    numbered = tuple(exchange for exchange, number in _EASTMONEY.items() if number == left)
    if numbered:
        return right, numbered
    raise _unknown(text, _readings(left) or _readings(right))


def _readings(code: str) -> list[Symbol]:
    return [
        Symbol(code, exchange, kind)
        for exchange, kind, pattern in _CODES
        if pattern.fullmatch(code)
    ]


def _listed(readings: list[Symbol]) -> str:
    return ", ".join(f"{one} ({one.kind})" for one in readings)


def _unknown(text: str, readings: list[Symbol]) -> SymbolError:
    """Return the error for a text without a reading, with what may have been meant."""
    near = [str(one) for one in readings] or _similar(text)
    if near:
        return SymbolError("symbol_unknown_similar", text=text, suggestion=", ".join(near))
    return SymbolError("symbol_unknown", text=text)


def _similar(text: str) -> list[str]:
    plain = "".join(letter for letter in text.lower() if letter.isalnum())
    names = difflib.get_close_matches(plain, INDEX_SYMBOLS, n=1, cutoff=0.75)
    if names:
        return [INDEX_SYMBOLS[names[0]]]
    product, month = plain[:2], plain[2:]
    guess = difflib.get_close_matches(product, FUTURES_PRODUCTS, n=1, cutoff=0.5)
    if guess and len(month) == 4 and month.isascii() and month.isdigit():
        return [str(one) for one in _readings((guess[0] + month).upper())]
    return []
