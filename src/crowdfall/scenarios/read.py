"""From the words of a TOML file to frozen terms, with a sentence for every mistake."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from typing import Any, TypeVar

from crowdfall.errors import ScenarioError
from crowdfall.parameters import meaning

T = TypeVar("T")


def build(kind: type[T], words: Mapping[str, object], where: str = "") -> T:
    """Return terms of ``kind`` from a mapping; keys may leave out what has a default.

    Raises ScenarioError naming the key, its value and the remedy: for an unknown key (with the
    nearest known one), a wrong type, or a number outside the range of its parameter.
    """
    known = {item.name: item for item in fields(kind) if item.compare}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in words.items():
        path = f"{where}.{key}" if where else key
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"{where}.{near[0]}" if near and where else (near[0] if near else "")
            code = "unknown_key_near" if near else "unknown_key"
            raise ScenarioError(code, key=path, near=hint, known=", ".join(sorted(known)))
        values[key] = _value(hints[key], value, path)
        _check_range(known[key], values[key], path)
    missing = [n for n, item in known.items() if n not in values and _required(item)]
    if missing:
        raise ScenarioError("missing_key", key=missing[0], where=where or "the scenario")
    return kind(**values)


def _required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _check_range(item: Field[Any], value: object, path: str) -> None:
    known = meaning(item)
    if known is None or not isinstance(value, int | float):
        return
    if not known.low <= value <= known.high:  # NaN fails too
        raise ScenarioError(
            "out_of_range", key=path, value=value, low=known.low, high=known.high,
            unit=known.unit or "1",
        )  # fmt: skip


def _value(hint: Any, value: object, path: str) -> object:  # noqa: ANN401 - a type expression
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return None if value is None else _value(options[0], value, path)
    if origin is typing.Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise ScenarioError(
                "not_a_choice", key=path, value=value, choices=", ".join(map(str, allowed))
            )
        return value
    if origin is tuple:
        return _items(typing.get_args(hint)[0], value, path)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ScenarioError("wrong_type", key=path, value=value, wanted="a table")
        inner = typing.get_args(hint)[1]
        # In order of the keys: one digest must mean one result, and sums round by their order.
        ordered = sorted(value.items(), key=lambda entry: str(entry[0]))
        return {str(k): _value(inner, v, f"{path}.{k}") for k, v in ordered}
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ScenarioError("wrong_type", key=path, value=value, wanted="a table")
        return build(hint, value, path)
    return _scalar(hint, value, path)


def _items(hint: Any, value: object, path: str) -> tuple[object, ...]:  # noqa: ANN401
    if not isinstance(value, list | tuple):
        raise ScenarioError("wrong_type", key=path, value=value, wanted="a list")
    return tuple(_value(hint, item, f"{path}[{k}]") for k, item in enumerate(value))


def _scalar(hint: Any, value: object, path: str) -> object:  # noqa: ANN401
    if hint is bool and isinstance(value, bool):
        return value
    if hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is str and isinstance(value, str):
        return value
    if hint is date:
        return _date(value, path)
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    raise ScenarioError("wrong_type", key=path, value=value, wanted=names.get(hint, str(hint)))


def _date(value: object, path: str) -> date:
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ScenarioError(
            "wrong_type", key=path, value=value, wanted="a date such as 2024-01-19"
        ) from None
