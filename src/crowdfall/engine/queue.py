"""Orders that wait at the lower limit, from bar to bar and over night.

What a book could not sell into a locked stock stays in its queue, is carried into the opening
auction of the next session, and is cancelled in the bar in which its owner orders no more sales in
that size group. The result does not depend on the order of the books: those in line together fill
pro rata.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.engine.setting import Setting
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
