"""Terms of the futures account that a hedged book keeps with its broker."""

from __future__ import annotations

from dataclasses import dataclass

from crowdfall.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class FuturesMargin:
    """How much a hedged book keeps beside its short futures, and what its swap still lends.

    The exchange's rates and the rule time of a call are rules (``futures.margin_*``).
    """

    buffer: float = parameter(
        0.5, "deposit beyond the exchange's margin, as a share of it",
        source="assumption (0.2-1; brokers ask for 2-4 points more than the exchange)",
        low=0.0, high=5.0,
    )  # fmt: skip
    credit_line: float = parameter(
        0.19, "equity over stock down to which a swap broker advances margin",
        source="assumption (0.15-0.25: between top-up line and initial margin)",
        low=0.0, high=1.0,
    )  # fmt: skip
