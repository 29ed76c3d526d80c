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


@dataclass(kw_only=True)
class Scene:
    """What rules may look at: the run, its events so far, and its last sessions, latest last."""

    run: Run
    trail: Trail
    sights: list[Sight] = field(default_factory=list)
    parts: dict[tuple[int, int, float], list[Candidate]] = field(default_factory=dict)
    """Of this session by path, group and sign, once asked for."""

    @property
    def today(self) -> Sight:
        """Return what the session did that closes now."""
        return self.sights[-1]

    def see(self, sight: Sight) -> None:
        """Add a session and forget the oldest."""
        self.sights = [*self.sights[-LOSS_WINDOW + 1 :], sight]
        self.parts.clear()

    def member(self, name: str) -> int | None:
        """Return the place of a participant, None where it is switched off."""
        names = [member.name for member in self.run.members]
        return names.index(name) if name in names else None


Rule = Callable[[Scene, Event], Iterable[Candidate]]
