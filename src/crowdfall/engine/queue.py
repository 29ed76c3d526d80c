"""Orders that wait at the lower limit, from bar to bar and over night.

What a book could not sell into a locked stock stays in its queue, is carried into the opening
auction of the next session, and is cancelled in the bar in which its owner orders no more sales in
that size group. The result does not depend on the order of the books: those in line together fill
pro rata.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.engine import kernels
from crowdfall.engine.crowd import Book
from crowdfall.engine.ledger import Ledger
from crowdfall.engine.scratch import Scratch
from crowdfall.engine.setting import Setting
from crowdfall.engine.state import Prices
from crowdfall.types import Bool, Float64


@dataclass(kw_only=True)
class Queue:
    """Queues of a block: ``shares`` (P, R, N); ``standing`` (P, R, G), ``waiting`` (P, N): where.

    ``queued`` (P, N): yuan of the queue in this bar's orders; ``filled`` (P, N): its filled part.
    ``early``: time priority.
    """

    early: bool
    shares: Float64
    standing: Bool
    waiting: Bool
    queued: Float64
    filled: Float64

    @classmethod
    def empty(cls, paths: int, books: int, setting: Setting) -> Queue | None:
        """Return empty queues, or None where orders lapse with the bar."""
        channels = setting.scenario.channels
        if not channels.limit_queue:
            return None
        flat = (paths, len(setting.slope))
        return cls(
            early=channels.time_priority,
            shares=np.zeros((paths, books, flat[1])),
            standing=np.zeros((paths, books, len(setting.edges) - 1), bool),
            waiting=np.zeros(flat, bool),
            queued=np.zeros(flat),
            filled=np.zeros(flat),
        )

    def join(
        self, orders: Book, ledger: Ledger, prices: Prices, scratch: Scratch, setting: Setting
    ) -> None:
        """Add the queues to the sale orders of this bar."""
        kernels.join_queue(
            self.shares, self.standing, self.waiting, ledger.base, ledger.kept, ledger.held_back,
            ledger.slot, prices.price, setting.edges, orders.share, ledger.capped, scratch.scale,
            orders.allowed, prices.low, prices.high, scratch.sales, self.queued,
        )  # fmt: skip

    def part(self, scratch: Scratch) -> None:
        """Part the fills of each stock between its queue and new orders."""
        kernels.share_fills(
            scratch.sales, self.queued, scratch.filled_sales, self.early, self.filled,
            scratch.filled_new,
        )  # fmt: skip

    def serve(
        self, orders: Book, ledger: Ledger, prices: Prices, scratch: Scratch, setting: Setting
    ) -> None:
        """Book what of the queues fills; queue what of the new orders did not."""
        kernels.serve_queue(
            self.shares, self.standing, self.waiting, ledger.base, ledger.kept, ledger.worth,
            ledger.held_back, ledger.slot, prices.price, setting.edges, orders.share,
            ledger.capped, scratch.scale, orders.allowed, prices.low, prices.high,
            self.queued, self.filled, scratch.filled_new, ledger.background, scratch.sold,
            scratch.served,
        )  # fmt: skip
