"""Whoever a story may name has a word in both languages, and is counted only where it can be."""

from __future__ import annotations

import pytest

from crowdfall.i18n import LANGUAGES, Language, words
from crowdfall.scenarios.schema import PARTICIPANTS


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_participant_has_a_word(lang: Language) -> None:
    assert [name for name in PARTICIPANTS if f"word.{name}" not in words(lang)] == []
