"""A participant of the user's own, from one numpy file, by the protocol of all others.

The file holds ``open(opening)`` and ``decide(view, state)``, and may hold ``plan(view, state)``;
``number(name, default)`` in it reads the scenario's numbers. Every order is checked before the
engine sees it. A file is code and runs with the rights of the user: name only files you trust.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np

from crowdfall.agents.protocol import Opening, Orders, Plan, Positions, State, View
from crowdfall.errors import RunError, ScenarioError

CENT: Final = 0.01
"""Yuan by which a sale may pass the holding: rounding."""


@dataclass(frozen=True, kw_only=True)
class CustomTerms:
    """Which file, and its own numbers, which ``number`` gives to the code in it."""

    file: str
    enabled: bool = True
    numbers: dict[str, float] = field(default_factory=dict)


class CustomAgent:
    """The functions of one file, their answers checked."""

    def __init__(self, name: str, terms: CustomTerms, path: Path) -> None:
        self.enabled = terms.enabled
        self._name = name
        self._cells: tuple[str, ...] = ()
        self._code: dict[str, Any] = {
            "__name__": f"crowdfall_custom_{name}",
            "number": lambda key, default: terms.numbers.get(key, default),
        }
        try:
            exec(compile(path.read_bytes(), str(path), "exec"), self._code)
        except Exception as error:
            raise ScenarioError(
                "custom_file", name=name, file=path.name, why=_first_line(error)
            ) from error
        for function in ("open", "decide"):
            if not callable(self._code.get(function)):
                raise ScenarioError("custom_function", name=name, file=path.name, function=function)

    def open(self, opening: Opening) -> tuple[Positions, State]:
        """Return the file's first positions, checked, and its state."""
        found = self._call("open", "open", opening)
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Positions)):
            raise RunError("custom_answer", name=self._name, when="open", wanted="Positions, state")
        positions: Positions = found[0]
        self._cells = positions.cells
        wide = (opening.paths, len(positions.cells))
        stocks = len(opening.market.stocks)
        shapes = {"shares": (*wide, stocks), "cash": wide, "capital": wide}
        for part, shape in shapes.items():
            self._check(part, getattr(positions, part), shape, "open")
        for part in ("futures", "hedge_mix"):
            shape = (*wide[part == "hedge_mix" :], np.shape(positions.futures)[-1])
            self._check(part, getattr(positions, part), shape, "open")
        if positions.stocks is not None:
            self._check("stocks", positions.stocks, (*wide, stocks), "open")
            if positions.capped:
                raise RunError("custom_capped", name=self._name)
        if (positions.shares < 0.0).any():
            raise RunError("custom_short", name=self._name)
        return positions, found[1]

    def decide(self, view: View, state: State) -> Orders | None:
        """Return the file's orders of this bar, checked."""
        when = f"{view.date} bar {view.bar}"
        orders = self._call("decide", when, view, state)
        if orders is None:
            return None
        if not isinstance(orders, Orders):
            raise RunError("custom_answer", name=self._name, when=when, wanted="Orders")
        held = view.own.group_value
        wide = held.shape[:2]
        for item in fields(Orders):
            value = getattr(orders, item.name)
            if value is None:
                continue
            by_group = item.name in ("sell_share", "sell", "buy")
            shape = held.shape if by_group else wide
            shape = view.own.futures.shape if item.name == "futures" else shape
            if item.name in ("stocks", "usual"):  # of stock books: signed, by stock
                shape = np.shape(view.own.stocks) if view.own.stocks is not None else ()
                shape = shape if item.name == "stocks" else (*shape[:1], *shape[2:])
            self._check(item.name, value, shape, when)
            if item.name not in ("futures", "stocks", "usual") and (value < 0).any():
                raise RunError("custom_negative", name=self._name, what=item.name, when=when)
        self._check_sales(orders, held, when)
        return orders

    def plan(self, view: View, state: State) -> Plan | None:
        """Return the file's plan, if it has any, checked."""
        if "plan" not in self._code:
            return None
        when = f"{view.date} close"
        plan: Plan | None = self._call("plan", when, view, state)
        if plan is not None and not isinstance(plan, Plan):
            raise RunError("custom_answer", name=self._name, when=when, wanted="Plan")
        if plan is not None and plan.capital is not None:
            self._check("capital", plan.capital, view.own.cash.shape, when)
        return plan

    def _check_sales(self, orders: Orders, held: Any, when: str) -> None:  # noqa: ANN401
        if orders.sell_share is not None and (orders.sell_share > 1.0).any():
            raise RunError(
                "custom_oversold", name=self._name, when=when,
                wanted=f"{100 * orders.sell_share.max():.1f}%", held="100%",
            )  # fmt: skip
        if orders.sell is None:
            return
        excess = orders.sell - held
        if (excess > CENT).any():
            worst = np.unravel_index(np.argmax(excess), excess.shape)
            raise RunError(
                "custom_oversold", name=self._name, when=when,
                wanted=f"{orders.sell[worst]:,.0f}", held=f"{held[worst]:,.0f}",
            )  # fmt: skip

    def _call(self, function: str, when: str, *words: object) -> Any:  # noqa: ANN401
        call: Callable[..., Any] = self._code[function]
        try:
            return call(*words)
        except Exception as error:
            raise RunError(
                "custom_failed", name=self._name, function=function, when=when,
                why=_first_line(error),
            ) from error  # fmt: skip

    def _check(self, what: str, value: Any, shape: tuple[int, ...], when: str) -> None:  # noqa: ANN401
        if np.shape(value) != shape:
            raise RunError(
                "custom_shape", name=self._name, what=what, when=when, shape=np.shape(value),
                wanted=shape,
            )  # fmt: skip
        if not np.isfinite(value).all():
            raise RunError("custom_not_finite", name=self._name, what=what, when=when)


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
