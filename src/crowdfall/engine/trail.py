"""The events of a block as they are written, and the ways to find them again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

WINDOW: Final = 6
"""Sessions over which events can still be looked up by day: twice what prices remember."""


@dataclass(slots=True)
class Event:
    """One event; ``number`` counts the events of the block as they were written.

    ``cause`` is the event that led to it, None for roots. ``path`` counts within the block.
    """

    number: int
    path: int
    day: int
    bar: int
    agent: str
    cell: str
    kind: str
    amount: float
    cause: Event | None = None

    def is_before(self, other: Event) -> bool:
        """Whether this event stands before another one of its path in the table."""
        mine = (self.day, self.bar, self.number)
        return mine < (other.day, other.bar, other.number)


@dataclass
class Trail:
    """All events of a block, in the order in which they were written."""

    events: list[Event] = field(default_factory=list)
    _day: dict[tuple[int, int, str, str], list[Event]] = field(default_factory=dict)
    _last: dict[tuple[int, str, str, str], Event] = field(default_factory=dict)

    def write(
        self, path: int, day: int, bar: int, agent: str, cell: str, kind: str, amount: float
    ) -> Event:
        """Write one event."""
        event = Event(len(self.events), path, day, bar, agent, cell, kind, amount)
        self.events.append(event)
        self._day.setdefault((path, day, kind, agent), []).append(event)
        self._last[path, kind, agent, cell] = event
        return event

    def of_day(self, path: int, day: int, kind: str, agent: str) -> list[Event]:
        """Return the events of a kind and participant on one of the last sessions."""
        return self._day.get((path, day, kind, agent), [])

    def last(self, path: int, kind: str, agent: str, cell: str = "all") -> Event | None:
        """Return the latest event of a kind, participant and book."""
        return self._last.get((path, kind, agent, cell))

    def recent(self, path: int, day: int, kind: str, agent: str) -> Iterator[tuple[int, Event]]:
        """Yield the events of the last sessions, the nearest first, with their age in sessions."""
        for age in range(WINDOW + 1):
            for event in self.of_day(path, day - age, kind, agent):
                yield age, event

    def forget(self, day: int) -> None:
        """Drop the look-up of a session that lies too far back."""
        for key in [key for key in self._day if key[1] < day - WINDOW]:
            del self._day[key]
