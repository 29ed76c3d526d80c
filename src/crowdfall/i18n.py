"""Words in Chinese and English, from one pair of locale files.

Python, the report and the web page read the same two files, so a term is translated once.
"""

from __future__ import annotations

import json
import os
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

_chosen: ContextVar[Language | None] = ContextVar("crowdfall_language", default=None)


def language() -> Language:
    """Return the language in force: the one set, else CROWDFALL_LANG, else the system's."""
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    system = os.environ.get("CROWDFALL_LANG") or os.environ.get("LANG", "")
    return "zh" if system.lower().startswith("zh") else "en"


def set_language(lang: Language | None) -> None:
    """Choose the language of every later sentence; None goes back to the system's."""
    _chosen.set(lang)


@cache
def words(lang: Language) -> dict[str, str]:
    """Return all sentences of one language by key."""
    text = files("crowdfall").joinpath("locales", f"{lang}.json").read_text(encoding="utf-8")
    table: dict[str, str] = json.loads(text)
    return table


def translate(key: str, lang: Language | None = None, /, **values: object) -> str:
    """Return the sentence of ``key`` with ``values`` filled in.

    A key that neither file holds is returned as it is: a missing word must not stop a run
    (a test compares the keys used with the files).

    >>> translate("word.basis", "en"), translate("word.basis", "zh")
    ('basis', '基差')
    """
    sentence = words(lang or language()).get(key, key)
    return sentence.format(**values) if values else sentence
