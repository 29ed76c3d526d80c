"""Scenario files: the library, bases, overrides and the resolved text."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from crowdfall.errors import ScenarioError
from crowdfall.parameters import Meaning, meaning
from crowdfall.scenarios.check import check
from crowdfall.scenarios.read import build
from crowdfall.scenarios.schema import Scenario


def library() -> dict[str, Path]:
    """Return the scenarios that ship, by name."""
    folder = Path(str(files("crowdfall.scenarios").joinpath("library")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load(name_or_path: str, overrides: Sequence[str] = ()) -> Scenario:
    """Return a resolved scenario of the library or of a file.

    ``overrides`` are words like ``agents.dma.enabled=false``. A scenario with overrides is a
    variation: it keeps the scenario before them as its ``origin``, and in replay mode reads the
    factors solved for that one, unless it says ``clock.factors=solve``.
    """
    path, words = _words(name_or_path)
    origin = _resolve(path, words)
    if not overrides:
        return origin
    changed = words
    for text in overrides:
        changed = _override(changed, text)
    clock = dict(_table(changed, "clock"))
    if not any(text.startswith("clock.factors=") for text in overrides):
        clock["factors"] = "base" if clock.get("mode", "replay") == "replay" else "solve"
    variation = _resolve(path, {**changed, "clock": clock})
    return replace(variation, origin=origin)


def _words(name_or_path: str) -> tuple[Path, dict[str, Any]]:
    path = library().get(name_or_path, Path(name_or_path))
    if not path.is_file():
        raise ScenarioError("unknown_scenario", name=name_or_path, known=", ".join(library()))
    try:
        words = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError("bad_toml", path=path, why=str(error)) from None
    base = words.pop("base", None)
    if base is None:
        return path, words
    if not isinstance(base, str) or base == path.stem:
        raise ScenarioError("bad_base", path=path, base=base)
    base_path, base_words = _words(base if base in library() else str(path.parent / base))
    merged = _merge(base_words, words)
    inputs = _table(words, "inputs")
    merged["inputs"] = {
        key: _beside(base_path, value) if key in _FILES and key not in inputs else value
        for key, value in _table(merged, "inputs").items()
    }
    return path, merged


_FILES = ("index_path", "assimilation", "rescue")


def _beside(base_path: Path, name: object) -> object:
    return str(base_path.parent / str(name)) if name else name


def _resolve(path: Path, words: Mapping[str, object]) -> Scenario:
    scenario = build(Scenario, {"name": path.stem, **words})
    scenario = replace(scenario, folder=path.parent)
    check(scenario)
    return scenario


def _merge(base: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in words.items():
        old = out.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        out[key] = _merge(old, value) if both and old is not None else value
    return out


def _table(words: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = words.get(key, {})
    if not isinstance(value, Mapping):
        raise ScenarioError("wrong_type", key=key, value=value, wanted="a table")
    return value


def _override(words: Mapping[str, Any], text: str) -> dict[str, Any]:
    key, sign, value = text.partition("=")
    parts = key.strip().split(".")
    if not sign or not all(parts):
        raise ScenarioError("bad_override", text=text)
    nested: Any = _parse(value.strip())
    for part in reversed(parts):
        nested = {part: nested}
    return _merge(words, nested)


def _parse(value: str) -> object:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def describe(scenario: Scenario) -> str:
    """Return the resolved scenario as TOML, with the unit and source of every number."""
    lines = [f'name = "{scenario.name}"']
    _describe(scenario, "", lines, scenario.sources)
    return "\n".join(lines) + "\n"


def _describe(terms: Any, where: str, lines: list[str], sources: Mapping[str, str]) -> None:  # noqa: ANN401
    tables: list[tuple[str, object]] = []
    for item in fields(terms):
        value, path = getattr(terms, item.name), f"{where}.{item.name}".lstrip(".")
        if not item.compare or value is None or path == "name":
            continue
        if is_dataclass(value):
            tables.append((f"[{path}]", value))
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            tables += [(f"[[{path}]]", entry) for entry in value]
        elif isinstance(value, dict):
            lines += [f"{item.name}.{_toml(str(k))} = {_toml(v)}" for k, v in value.items()]
        else:
            source = sources.get(path)
            lines.append(f"{item.name} = {_toml(value)}{_note(meaning(item), source)}")
    for header, value in tables:
        lines += ["", header]
        _describe(value, header.strip("[]"), lines, sources)


def _note(known: Meaning | None, source: str | None) -> str:
    if known is None:
        return f"  # {source}" if source else ""
    unit = f" [{known.unit}]" if known.unit else ""
    return f"  # {known.text}{unit}; {source or known.source}; {known.low:g} to {known.high:g}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value)
