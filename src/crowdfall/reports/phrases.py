"""Amounts, shares, dates and names as a reader of each language writes them.

Yuan become bn and mn in English, 亿 and 万 in Chinese: figures are converted here only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from typing import Any, Final

from crowdfall.i18n import Language, translate, words
from crowdfall.units import BN, WAN, YI

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


_MARKET: ContextVar[str] = ContextVar("market", default="")


@contextmanager
def speaking_of(manifest: Mapping[str, Any]) -> Iterator[None]:
    """Let names and money be those of the run's venue: size groups and dollars in New York."""
    token = _MARKET.set(exchange_of(manifest))
    try:
        yield
    finally:
        _MARKET.reset(token)


def exchange_of(manifest: Mapping[str, Any]) -> str:
    """Return the exchange a run was played at, empty for Shanghai."""
    name = str(venue_of(manifest).get("exchange", "shanghai"))
    return "" if name == "shanghai" else name


def venue_of(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the venue of a run's scenario; empty where the manifest names none."""
    found: Mapping[str, Any] = (manifest.get("scenario") or {}).get("venue") or {}
    return found


def amount(yuan: float, lang: Language) -> str:
    """Return money in round figures, without sign.

    >>> amount(4.83e10, "en"), amount(4.83e10, "zh"), amount(2.5e8, "en")
    ('48 bn yuan', '483亿元', '250 mn yuan')
    """
    size, unit = abs(yuan), _unit(lang)
    if size < 1.0:
        return f"0{unit}"
    if lang == "zh":
        return f"{_figure(size / YI)}亿{unit}" if size >= YI else f"{_figure(size / WAN)}万{unit}"
    if size >= 1000 * BN:
        return f"{_figure(size / (1000 * BN))} tn{unit}"
    return f"{_figure(size / BN)} bn{unit}" if size >= BN else f"{_figure(size / 1e6)} mn{unit}"


def _unit(lang: Language) -> str:
    if lang == "zh":
        return "美元" if _MARKET.get() == "new_york" else "元"
    return " dollars" if _MARKET.get() == "new_york" else " yuan"


def percent(fraction: float) -> str:
    """Return a fraction in percent with one decimal, a minus for falls.

    >>> percent(-0.0584), percent(0.311)
    ('-5.8%', '31.1%')
    """
    return f"{round(fraction * 100, 1) + 0.0:.1f}%"  # plus zero: no -0.0%


def share(fraction: float) -> str:
    """Return a fraction in whole percent.

    >>> share(0.7612)
    '76%'
    """
    return f"{fraction:.0%}"


def count(number: float) -> str:
    """Return a whole number with thousands.

    >>> count(1482.0)
    '1,482'
    """
    return f"{round(number):,}"


def day(when: date, lang: Language) -> str:
    """Return a date in words.

    >>> day(date(2024, 1, 22), "en"), day(date(2024, 1, 22), "zh")
    ('22 January', '1月22日')
    """
    if lang == "zh":
        return f"{when.month}月{when.day}日"
    return f"{when.day} {_MONTHS[when.month - 1]}"


def name_of(thing: str, lang: Language) -> str:
    """Return the word for an index, a participant or a column; a name unknown stays readable.

    >>> name_of("csi1000", "zh"), name_of("my_fund", "en")
    ('中证1000', 'my fund')
    """
    key = f"word.{thing}"
    if _MARKET.get() and f"word.{_MARKET.get()}.{thing}" in words(lang):
        key = f"word.{_MARKET.get()}.{thing}"
    return translate(key, lang) if key in words(lang) else thing.replace("_", " ")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
