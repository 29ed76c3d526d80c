"""The events of a block as they are written, and the ways to find them again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

WINDOW: Final = 6
"""Sessions over which events are recent: twice what prices remember."""


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
    _days: dict[tuple[int, str, str], list[tuple[int, list[Event]]]] = field(default_factory=dict)
    _last: dict[tuple[int, str, str, str], Event] = field(default_factory=dict)

    def write(
        self, path: int, day: int, bar: int, agent: str, cell: str, kind: str, amount: float
    ) -> Event:
        """Write one event."""
        event = Event(len(self.events), path, day, bar, agent, cell, kind, amount)
        self.events.append(event)
        days = self._days.setdefault((path, kind, agent), [])
        if days and days[-1][0] == day:
            days[-1][1].append(event)
        else:
            days.append((day, [event]))
        self._last[path, kind, agent, cell] = event
        return event

    def of_day(self, path: int, day: int, kind: str, agent: str) -> Sequence[Event]:
        """Return the events of a kind and participant in a session."""
        for then, events in reversed(self._days.get((path, kind, agent), ())):
            if then <= day:
                return events if then == day else ()
        return ()

    def last(self, path: int, kind: str, agent: str, cell: str = "all") -> Event | None:
        """Return the latest event of a kind, participant and book."""
        return self._last.get((path, kind, agent, cell))

    def recent(self, path: int, day: int, kind: str, agent: str) -> Iterator[tuple[int, Event]]:
        """Yield the events of the last sessions, the nearest first, with their age in sessions."""
        for then, events in reversed(self._days.get((path, kind, agent), ())):
            if then < day - WINDOW:
                return
            for event in events:
                yield day - then, event
