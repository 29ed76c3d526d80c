"""What a search for causes may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from crowdfall.engine.run_state import Run
from crowdfall.engine.trail import Event, Trail
from crowdfall.engine.witness import Sight

MEMORY: Final = 3.0
"""Sessions over which falls are remembered: that of the groups' memory (design:model 1 a.2)."""
LOSS_WINDOW: Final = 5
"""Sessions whose losses are weighed against each other (assumption, 3-10)."""

Candidate = tuple[float, Event | None]

Trade = tuple[int, bool, float, float, Event]
"""Participant, whether in futures, its part and the whole of what it traded there, the event."""


@dataclass(kw_only=True)
class Scene:
    """What rules may look at: the run, its events so far, and its last sessions, latest last."""

    run: Run
    trail: Trail
    sights: list[Sight] = field(default_factory=list)
    parts: dict[tuple[int, int, float], list[Candidate]] = field(default_factory=dict)
    """Of this session by path, group and sign, once asked for."""
    moves: dict[tuple[int, int, float], list[tuple[float, Event]]] = field(default_factory=dict)
    """The same with the moves that are remembered, heaviest first."""
    trades: dict[tuple[int, float], list[Trade]] = field(default_factory=dict)
    """Of this session by path and sign: sales (-1) and purchases (+1)."""
    places: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        self.places = {member.name: m for m, member in enumerate(self.run.members)}

    @property
    def today(self) -> Sight:
        """Return what the session did that closes now."""
        return self.sights[-1]

    def see(self, sight: Sight) -> None:
        """Add a session and forget the oldest."""
        self.sights = [*self.sights[-LOSS_WINDOW + 1 :], sight]
        self.parts.clear()
        self.moves.clear()
        self.trades.clear()

    def member(self, name: str) -> int | None:
        """Return the place of a participant, None where it is switched off."""
        return self.places.get(name)


Rule = Callable[[Scene, Event], Iterable[Candidate]]
