"""What a desk marks its notes with: volatility, interest, and what a holder of futures earns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from crowdfall.errors import TermsError


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """Flat marks, per year as fractions; defaults are those of design:snowball 2.

    ``q`` is dividends plus the annual discount of the futures the dealer holds (0.06 = futures
    converge upwards by 6% a year against spot). Raises TermsError for an impossible number.
    """

    vol: float = 0.20
    rate: float = 0.02
    q: float = 0.06

    def __post_init__(self) -> None:
        """Refuse numbers no market shows: they are percents or slips of the pen."""
        if not (math.isfinite(self.vol) and 0.01 <= self.vol <= 2.0):
            raise TermsError("vol_wrong", vol=self.vol)
        if not (math.isfinite(self.rate) and abs(self.rate) <= 0.5):
            raise TermsError("rate_wrong", name="rate", value=self.rate)
        if not (math.isfinite(self.q) and abs(self.q) <= 2.0):
            raise TermsError("rate_wrong", name="q", value=self.q)
