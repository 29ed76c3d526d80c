"""Amounts, shares, dates and names as a reader of each language writes them.

Yuan become bn and mn in English, 亿 and 万 in Chinese: figures are converted here only.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from crowdfall.i18n import Language, translate, words
from crowdfall.units import BN, WAN, YI

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def amount(yuan: float, lang: Language) -> str:
    """Return money in round figures, without sign.

    >>> amount(4.83e10, "en"), amount(4.83e10, "zh"), amount(2.5e8, "en")
    ('48 bn yuan', '483亿元', '250 mn yuan')
    """
    size = abs(yuan)
    if size < 1.0:
        return "0元" if lang == "zh" else "0 yuan"
    if lang == "zh":
        return f"{_figure(size / YI)}亿元" if size >= YI else f"{_figure(size / WAN)}万元"
    if size >= 1000 * BN:
        return f"{_figure(size / (1000 * BN))} tn yuan"
    return f"{_figure(size / BN)} bn yuan" if size >= BN else f"{_figure(size / 1e6)} mn yuan"


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
    return translate(key, lang) if key in words(lang) else thing.replace("_", " ")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
