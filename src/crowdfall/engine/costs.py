"""What trading costs on a date, from the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Fractions of traded value; ``futures_limit``: daily price limit of index futures."""

    buy: float
    sell: float
    futures: float
    futures_limit: float


def costs_on(day: date) -> Costs:
    """Return the costs in force: commission and fees on both sides, stamp duty on sales."""
    both = 0.00015 + 0.0000341 + 0.00001
    return Costs(buy=both, sell=both + 0.0005, futures=0.000023, futures_limit=0.10)
