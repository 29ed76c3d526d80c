"""What a command line said about language and volume; made anew by each call of ``main``."""

from __future__ import annotations

from dataclasses import dataclass

from crowdfall.errors import CrowdfallError
from crowdfall.i18n import LANGUAGES, Language


@dataclass
class Said:
    """Volume: more words, fewer words, tracebacks."""

    verbose: bool = False
    quiet: bool = False
    debug: bool = False


said = Said()


def start_afresh(*, debug: bool) -> None:
    """Forget what an earlier command line said; tracebacks are wanted before words are parsed."""
    said.verbose = said.quiet = False
    said.debug = debug


def language_named(value: str) -> Language:
    """Return the language of a word on the command line; CrowdfallError where it is none."""
    for lang in LANGUAGES:
        if value == lang:
            return lang
    raise CrowdfallError("bad_language", value=value, known=", ".join(LANGUAGES))
