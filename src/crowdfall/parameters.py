"""Numbers that carry their unit, source and range.

Terms objects are frozen dataclasses whose numeric fields are made with ``parameter``. Scenario
files are checked against the range; ``crowdfall scenario show`` prints the source.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from typing import Any

PROTOTYPE = "fit on the K targets by a research prototype (design:model 2)"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a number is: its unit, where it comes from, and the range it may take."""

    text: str
    unit: str
    source: str
    low: float
    high: float


def parameter(
    default: float, text: str, *, unit: str = "", source: str, low: float, high: float
) -> Any:  # noqa: ANN401 - a dataclass field stands for its value, as dataclasses.field does
    """Return a dataclass field with a ``Meaning``; low and high bound what users may set."""
    return field(default=default, metadata={"meaning": Meaning(text, unit, source, low, high)})


def meaning(item: Field[Any]) -> Meaning | None:
    """Return the meaning of a dataclass field, or None where it is not a parameter."""
    found: Meaning | None = item.metadata.get("meaning")
    return found
