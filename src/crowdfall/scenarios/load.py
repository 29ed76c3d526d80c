"""Scenario files: the library, bases, overrides and the resolved text."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from crowdfall.errors import ScenarioError
from crowdfall.parameters import Meaning, meaning
from crowdfall.scenarios.changes import keys_of, merge, override
from crowdfall.scenarios.check import check
from crowdfall.scenarios.read import build
from crowdfall.scenarios.schema import Scenario


def library() -> dict[str, Path]:
    """Return the scenarios that ship, by name."""
    folder = Path(str(files("crowdfall.scenarios").joinpath("library")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load(name_or_path: str, overrides: Sequence[str] = ()) -> Scenario:
    """Return a resolved scenario of the library or of a file.

    ``overrides`` are words like ``agents.dma.enabled=false``. A replay with overrides is a
    variation: it keeps the scenario before them as its ``origin`` and reads the factors solved
    for that one. It solves its own if it says ``clock.factors=solve``, or if an override moves
    what the factors are pinned to (clock or inputs). A file says ``clock.factors = "base"`` to be
    a variation of its base.
    """
    found = _find(name_or_path)
    origin = _resolve(found, found.words)
    if origin.clock.factors == "base":
        if found.base is None:
            raise ScenarioError("base_without_base", path=found.path)
        origin = replace(origin, origin=load(found.base))
    if not overrides:
        return origin
    changed, keys = found.words, []
    for text in overrides:
        words = override(text)
        keys += keys_of(words)
        changed = merge(changed, words)
    clock = dict(_table(changed, "clock"))
    if "clock.factors" not in keys:
        clock["factors"] = "solve" if _moves_pins(keys, changed, origin) else "base"
    variation = _resolve(found, {**changed, "clock": clock})
    return replace(variation, origin=origin.factor_base)


@dataclass(frozen=True, kw_only=True)
class _Found:
    path: Path
    words: dict[str, Any]
    base: str | None = None
    base_folder: Path = Path()


def _find(name_or_path: str, seen: tuple[Path, ...] = ()) -> _Found:
    path = library().get(name_or_path, Path(name_or_path))
    if not path.is_file():
        raise ScenarioError("unknown_scenario", name=name_or_path, known=", ".join(library()))
    words = _with_parameters(path, _toml_words(path))
    base = words.pop("base", None)
    if base is None:
        return _Found(path=path, words=words)
    if not isinstance(base, str) or path.resolve() in seen:
        raise ScenarioError("bad_base", path=path, base=base)
    name = base if base in library() else str(path.parent / base)
    under = _find(name, (*seen, path.resolve()))
    folder = under.path.parent if under.base is None else under.base_folder
    return _Found(path=path, words=merge(under.words, words), base=name, base_folder=folder)


def _toml_words(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError("bad_toml", path=path, why=str(error)) from None


def _with_parameters(path: Path, words: dict[str, Any]) -> dict[str, Any]:
    """Put the fitted numbers that a scenario names under its own words."""
    name = words.pop("parameters", None)
    if name is None:
        return words
    file = path.parent / str(name)
    if not file.is_file():
        raise ScenarioError("missing_input", file=name, folder=path.parent)
    return merge(_toml_words(file), words)


def _resolve(found: _Found, words: Mapping[str, object]) -> Scenario:
    for name in _table(words, "custom"):  # where own agents once stood
        raise ScenarioError("custom_place", name=name)
    scenario = build(Scenario, {"name": found.path.stem, **words})
    scenario = replace(scenario, folder=found.path.parent, base_folder=found.base_folder)
    check(scenario)
    return scenario


def _moves_pins(keys: Sequence[str], words: Mapping[str, Any], origin: Scenario) -> bool:
    if _table(words, "clock").get("mode", "replay") != "replay":
        return True
    pins = ("clock.start", "clock.bars", "clock.assimilate_until", "clock.mode")
    inputs = ("inputs.index_path", "inputs.assimilation")
    if any(key in pins + inputs for key in keys):
        return True
    end = _table(words, "clock").get("end", origin.clock.end)
    return str(end) > origin.clock.end.isoformat()


def _table(words: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = words.get(key, {})
    if not isinstance(value, Mapping):
        raise ScenarioError("wrong_type", key=key, value=value, wanted="a table")
    return value


def describe(scenario: Scenario) -> str:
    """Return the resolved scenario as TOML, with the unit and source of every number."""
    lines = [f"name = {_toml(scenario.name)}"]
    if scenario.clock.factors == "base" and scenario.origin is not None:
        lines.insert(0, f"base = {_toml(scenario.origin.name)}  # whose factors are read")
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
        elif isinstance(value, dict) and any(map(is_dataclass, value.values())):
            tables += [(f"[{path}.{key}]", each) for key, each in value.items()]
        elif isinstance(value, dict):
            lines += [f"{item.name}.{_toml(str(k))} = {_toml(v)}" for k, v in value.items()]
        else:
            source = sources.get(path)
            lines.append(f"{item.name} = {_toml(value)}{_note(meaning(item), source)}")
    for header, value in tables:
        lines += ["", header]
        _describe(value, header.strip("[]"), lines, sources)


def _note(known: Meaning | None, source: str | None) -> str:
    source = "".join(c for c in source or "" if c.isprintable())  # a comment is one line
    if known is None:
        return f"  # {source}" if source else ""
    unit = f" [{known.unit}]" if known.unit else ""
    return f"  # {known.text}{unit}; {source or known.source}; {known.low:g} to {known.high:g}"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return str(value)
