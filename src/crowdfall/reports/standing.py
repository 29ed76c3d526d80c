"""Which numbers of a run were put in, which were pulled to data, which are outcomes.

Every figure and table says it: ``input`` (given by the scenario), ``assimilated`` (moved to
observed closes until a date), ``free`` (an outcome of the model).
"""

from __future__ import annotations

from typing import Any, Literal

Standing = Literal["input", "assimilated", "free"]


def mode(manifest: dict[str, Any]) -> str:
    """Return ``replay`` or ``free``."""
    return str(_clock(manifest).get("mode", "free"))


def is_pinned(manifest: dict[str, Any]) -> bool:
    """Whether CSI 300 was solved to follow its path.

    In a variation the factors of another run are read: CSI 300 is an outcome there.
    """
    return mode(manifest) == "replay" and _clock(manifest).get("factors", "solve") == "solve"


def assimilated_until(manifest: dict[str, Any]) -> str | None:
    """Return the ISO date up to which the size groups follow data, or None."""
    until = _clock(manifest).get("assimilate_until")
    return str(until) if until and is_pinned(manifest) else None


def of_headline(name: str, manifest: dict[str, Any]) -> Standing:
    """Return the standing of a number of ``metrics.headline``."""
    if name == "rescue":
        return "input"
    if name == "drawdown_csi300" and is_pinned(manifest):
        return "input"
    return "free"


def _clock(manifest: dict[str, Any]) -> dict[str, Any]:
    clock = manifest.get("scenario", {}).get("clock", {})
    return clock if isinstance(clock, dict) else {}
