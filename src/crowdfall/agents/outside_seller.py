"""A seller from outside: sales of the scenario's ``[[shock]]`` entries, from a book of its own.

It answers to nothing: what follows from one more sale is what the others make of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.agents.baskets import float_shares
from crowdfall.agents.dealers import empty_book
from crowdfall.agents.protocol import Opening, Orders, Positions, View
from crowdfall.types import Float64

STOCKED: Final = 3.0
"""Stock held at the start over the yuan to be sold: prices fall before (assumption, 2-5)."""


@dataclass(frozen=True, kw_only=True)
class OutsideSeller:
    """Yuan to sell by session, bar and size group, (T, K, G)."""

    schedule: Float64
    enabled: bool = True

    def open(self, opening: Opening) -> tuple[Positions, None]:
        """Return one book that holds what it will sell."""
        worth = STOCKED * self.schedule.sum(axis=(0, 1))
        book = empty_book(opening)
        book.shares = float_shares(opening, worth[None, :])
        book.capital = np.full((opening.paths, 1), float(worth.sum()))
        return book, None

    def decide(self, view: View, state: None) -> Orders | None:
        """Sell what the schedule says for this bar, as a broker that forces it."""
        amount = self.schedule[view.session, view.bar]
        if not amount.any():
            return None
        paths = len(view.memory)
        return Orders(
            sell=np.broadcast_to(amount, (paths, 1, len(amount))).copy(),
            forced=np.ones((paths, 1), bool),
        )

    def plan(self, view: View, state: None) -> None:
        """Decide nothing overnight."""
