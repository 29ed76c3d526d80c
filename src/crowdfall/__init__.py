"""Crowdfall: an open wind tunnel for crowded trades.

Every public name is imported when it is first used, so that ``import crowdfall`` stays quick. The
types of the names stand in ``__init__.pyi``.

>>> import crowdfall as cf
>>> "feb2024" in cf.library()
True
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

__version__ = "0.1.0"

_PLACES: Final = {
    "build_market": "verbs",
    "bundled_market": "verbs",
    "compare": "verbs",
    "fork": "verbs",
    "load_market": "verbs",
    "load_scenario": "verbs",
    "report": "verbs",
    "resume": "verbs",
    "run": "verbs",
    "story": "verbs",
    "validate": "verbs",
    "library": "scenarios.load",
    "describe": "scenarios.load",
    "open_run": "results.store",
    "set_language": "i18n",
    "Market": "market.snapshot",
    "Scenario": "scenarios.schema",
    "RunFolder": "results.store",
    "Scoreboard": "experiments.validate",
    "CrowdfallError": "errors",
    "DataError": "errors",
    "SymbolError": "errors",
    "RuleError": "errors",
    "MarketError": "errors",
    "ScenarioError": "errors",
    "TermsError": "errors",
    "RunError": "errors",
    "CalibrationError": "errors",
}
"""Public name and the module that defines it."""

__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'crowdfall' has no attribute {name!r}")
    value: object = getattr(import_module(f"crowdfall.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
