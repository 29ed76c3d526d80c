"""Files of ablations: a scenario, the numbers to compare, and what is switched off in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crowdfall.experiments import reading
from crowdfall.experiments.targets import Target
from crowdfall.experiments.targets.load import read_targets

SHIPPED: Final = "feb2024"
"""Name of the ablations that ship."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ablation:
    """One mechanism switched off: overrides of the scenario, as ``--set`` takes them."""

    id: str
    title: dict[str, str]
    overrides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What is compared on which scenario. A column's value is what the market did.

    ``title``: heading of the document by language; the general one where empty.
    """

    scenario: str
    title: dict[str, str]
    columns: tuple[Target, ...]
    ablations: tuple[Ablation, ...]


def load(name_or_path: str | Path | None = None) -> Study:
    """Return the study of a file; the one that ships where None is given.

    ``columns_of`` names another study whose columns it takes.

    DataError: no such file, no valid TOML, a key missing or unknown, an id used twice, a column
    that is no target, an ablation without overrides.

    >>> load().ablations[0].overrides
    ('agents.snowball_dealers.enabled=false',)
    """
    words, file = reading.read("ablations", SHIPPED if name_or_path is None else name_or_path)
    columns = "columns_of" if "columns_of" in words else "column"
    reading.check_keys(file, words, ("scenario", columns, "ablation"), ("title", "note"))
    found = reading.entries(words, "ablation", file)
    ablations = tuple(_ablation(where, entry) for where, entry in found)
    reading.check_unique(file, (ablation.id for ablation in ablations))
    return Study(
        scenario=reading.text(file, "scenario", words["scenario"]),
        title=reading.title(file, words["title"]) if "title" in words else {},
        columns=(
            load(reading.text(file, columns, words[columns])).columns
            if columns == "columns_of"
            else read_targets(words, "column", file)
        ),
        ablations=ablations,
    )


def _ablation(where: str, entry: Mapping[str, Any]) -> Ablation:
    reading.check_keys(where, entry, ("id", "title", "set"))
    overrides = entry["set"]
    if not isinstance(overrides, list) or not overrides:
        raise reading.wrong(where, "set", overrides, 'a list such as ["agents.dma.enabled=false"]')
    return Ablation(
        id=reading.text(where, "id", entry["id"]),
        title=reading.title(where, entry["title"]),
        overrides=tuple(reading.text(where, "set", each) for each in overrides),
    )
