"""Which news and trades of a session moved a group's price, and by how much each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import exp
from typing import Final

from crowdfall.engine.happenings import MARKET
from crowdfall.engine.scene import MEMORY, Candidate, Scene, Trade
from crowdfall.engine.trail import Event
from crowdfall.market.snapshot import GROUPS

TRADES: Final = {
    "forced_sale": (-1.0, False),
    "sale": (-1.0, False),
    "rescue": (1.0, False),
    "purchase": (1.0, False),
    "futures_sale": (-1.0, True),
    "futures_purchase": (1.0, True),
}
"""Kinds of events that are trades: their sign, and whether in futures."""
MOVES: Final = ("index_fall", "index_rise")


def price_parts(scene: Scene, event: Event, g: int, sign: float) -> list[Candidate]:
    """Offer news and trades of the event's session by their part of a group's log return.

    They are the same for all events of a path, so they are found once a group and sign.
    """
    key = (event.path, g, sign)
    found = scene.parts.get(key)
    if found is None:
        found = scene.parts[key] = _price_parts(scene, event, g, sign)
    return found


def heaviest_move(scene: Scene, event: Event, g: int, sign: float) -> Iterator[Candidate]:
    """Offer the heaviest of a group's remembered moves and of the pushes that others gave it today.

    Only what stands before the event counts. Moves and pushes are ranked once a path and group.
    """
    key = (event.path, g, sign)
    ranked = scene.moves.get(key)
    if ranked is None:
        ranked = scene.moves[key] = _ranked(scene, event, g, sign)
    for weight, found in ranked:
        own = found.agent == event.agent and found.kind not in MOVES
        if not own and found.is_before(event):
            yield weight, found
            return


def _ranked(scene: Scene, event: Event, g: int, sign: float) -> list[tuple[float, Event]]:
    kind = MOVES[sign > 0.0]
    moves = [
        (move.amount * exp(-age / MEMORY), move)
        for age, move in scene.trail.recent(event.path, event.day, kind, GROUPS[g])
    ]
    pushes = [(weight, by) for weight, by in price_parts(scene, event, g, sign) if by is not None]
    return sorted(moves + pushes, key=lambda found: -found[0])  # stable: of equals the first


def _price_parts(scene: Scene, event: Event, g: int, sign: float) -> list[Candidate]:
    p, sight = event.path, scene.today
    kind = "news" if sign < 0.0 else "good_news"
    parts: list[Candidate] = []
    for weight, agent in ((sight.news, MARKET), (sight.group_news, GROUPS[g])):
        news = one(scene, event, kind, agent)
        if news is not None:
            parts.append((sign * weight.item(p, g), news))
    for m, in_futures, part, whole, trade in scene.trades.get((p, sign), ()):
        push = sight.futures_push if in_futures else sight.stock_push
        parts.append((sign * push.item(p, m, g) * part / whole, trade))
    return [candidate for candidate in parts if candidate[0] > 0.0]


def trades_of(scene: Scene, events: Iterable[Event]) -> dict[tuple[int, float], list[Trade]]:
    """Return the trades among a session's events by path and sign, in the order of participants."""
    found: dict[tuple[int, str, float, bool], list[Event]] = {}
    for event in events:
        trade = TRADES.get(event.kind)
        if trade is not None and event.agent in scene.places:
            found.setdefault((event.path, event.agent, *trade), []).append(event)
    out: dict[tuple[int, float], list[Trade]] = {}
    for (path, agent, sign, in_futures), trades in found.items():
        m = scene.places[agent]
        if in_futures:
            total = sum(trade.amount for trade in trades)
            weighed = [(m, True, trade.amount, total, trade) for trade in trades]
        else:
            weighed = _bought(m, trades) if sign > 0.0 else _sold(m, trades)
        out.setdefault((path, sign), []).extend(weighed)
    return out


def _bought(m: int, trades: list[Event]) -> list[Trade]:
    """Name the largest purchase for all that a participant bought."""
    return [(m, False, 1.0, 1.0, max(trades, key=_amount))]


def _sold(m: int, trades: list[Event]) -> list[Trade]:
    """Name the largest forced sale for all that were forced, then the free sale."""
    kinds = (
        [trade for trade in trades if trade.kind == "forced_sale"],
        [trade for trade in trades if trade.kind == "sale"],
    )
    parts = [sum(trade.amount for trade in kind) for kind in kinds]
    whole = max(sum(parts), 1.0)
    return [
        (m, False, part, whole, max(kind, key=_amount))
        for part, kind in zip(parts, kinds, strict=True)
        if kind
    ]


def _amount(event: Event) -> float:
    return event.amount


def side(sign: float) -> str:
    """Return the kind of a futures trade of a sign."""
    return "futures_purchase" if sign > 0.0 else "futures_sale"


def one(scene: Scene, event: Event, kind: str, agent: str) -> Event | None:
    """Return the first event of a kind and participant in the event's session."""
    return first(scene.trail.of_day(event.path, event.day, kind, agent))


def first(events: Sequence[Event]) -> Event | None:
    """Return the first of some events, None of none."""
    return events[0] if events else None


def largest(events: Sequence[Event]) -> Event | None:
    """Return the event with the largest amount, None of none."""
    return max(events, key=_amount) if events else None
