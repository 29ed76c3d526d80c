"""What trading costs on a date, from the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from crowdfall.rules.loader import number
from crowdfall.scenarios.schema import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Fractions of traded value; ``futures_limit``: daily price limit of index futures."""

    buy: float
    sell: float
    futures: float
    futures_limit: float


def costs_of(scenario: Scenario) -> Costs:
    """Return the costs at a scenario's start: of the rules, or flat outside Shanghai."""
    venue = scenario.venue
    if venue.exchange == "shanghai":
        return costs_on(scenario.clock.start)
    return Costs(buy=venue.cost, sell=venue.cost, futures=0.0, futures_limit=1.0)


def costs_on(day: date) -> Costs:
    """Return the costs in force: commission and fees on both sides, stamp duty on sales.

    Raises RuleError where a rule had no value yet.
    """
    both = sum(
        number(f"costs.{name}", day) for name in ("commission", "exchange_fee", "transfer_fee")
    )
    return Costs(
        buy=both,
        sell=both + number("costs.stamp_duty_sell", day),
        futures=number("futures.fee", day),
        futures_limit=number("futures.price_limit", day),
    )
