"""Errors that a user can act on.

::

    CrowdfallError
    ├── DataError            a table or file is missing, malformed or in the wrong unit
    │   └── SymbolError      a code that is unknown or has several readings
    ├── RuleError            a rule is unknown, or has no value at the date asked
    ├── MarketError          a market snapshot can't be built or read
    ├── ScenarioError        a scenario has an unknown key or an impossible value
    ├── TermsError           contract terms that contradict each other
    ├── RunError             a run folder is taken, incomplete or of another version
    └── CalibrationError     a fit can't start or go on

Every error carries a code; its sentence stands in the locale files under ``error.<code>`` and says
what was wrong, with the value, and what to do.
"""

from __future__ import annotations

from crowdfall.i18n import translate


class CrowdfallError(Exception):
    """An error with a code and values, told in the user's language.

    >>> str(DataError("missing_folder", path="nowhere"))[:20]
    'The folder nowhere w'
    """

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values

    def __reduce__(self) -> tuple[object, ...]:
        # Workers send errors to the parent: pickle must rebuild the keyword values.
        return (_rebuild, (type(self), self.code, self.values))

    def __str__(self) -> str:
        return translate(f"error.{self.code}", **self.values)


def _rebuild(kind: type[CrowdfallError], code: str, values: dict[str, object]) -> CrowdfallError:
    return kind(code, **values)


class DataError(CrowdfallError):
    """A table or file is missing, malformed or in the wrong unit."""


class SymbolError(DataError):
    """A code is unknown or has several readings."""


class RuleError(CrowdfallError):
    """A rule is unknown or has no value at the date asked."""


class MarketError(CrowdfallError):
    """A market snapshot can't be built or read."""


class ScenarioError(CrowdfallError):
    """A scenario has an unknown key or an impossible value."""


class TermsError(CrowdfallError):
    """Contract terms contradict each other."""


class RunError(CrowdfallError):
    """A run folder is taken, incomplete or of another version."""


class CalibrationError(CrowdfallError):
    """A fit can't start or go on."""
