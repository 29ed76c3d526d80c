"""What a user is told: one whole sentence in each language, and the words in it."""

from __future__ import annotations

from crowdfall.errors import CrowdfallError
from crowdfall.i18n import LANGUAGES, set_language, words


def told(error: CrowdfallError) -> str:
    """Return the English sentence, after checking that both languages have a whole one."""
    sentences = {}
    for lang in LANGUAGES:
        assert f"error.{error.code}" in words(lang), error.code
        set_language(lang)
        try:
            sentences[lang] = str(error)
        finally:
            set_language(None)
    assert sentences["en"].rstrip().endswith((".", "?")), sentences["en"]
    assert sentences["zh"].rstrip().endswith(("。", "？")), sentences["zh"]
    return sentences["en"]
