"""The scoreboard of a run: each target, what the run made of it, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from crowdfall.errors import CalibrationError
from crowdfall.experiments.targets import Target, covered, load, measure_matrix
from crowdfall.results.metrics import HIGH, LOW
from crowdfall.results.schema import TABLES
from crowdfall.types import Float64

if TYPE_CHECKING:
    import polars as pl

    from crowdfall.results.store import RunFolder

Verdict = Literal["inside", "outside", "input", "uncovered"]
VERDICTS: Final[tuple[Verdict, ...]] = ("inside", "outside", "input", "uncovered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One target on a run, numbers in the target's unit.

    ``median`` and the 5-95% band are over paths, None where no path has a value; ``inside_share``
    is the share of paths within the tolerance. An ``input`` was fed in and is never counted;
    ``why`` says what an ``uncovered`` target lacks.
    """

    id: str
    title: dict[str, str]
    kind: str
    unit: str
    wanted: float
    tolerance: float | None
    median: float | None = None
    low: float | None = None
    high: float | None = None
    inside_share: float | None = None
    verdict: Verdict
    why: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoreboard:
    """The rows of a run in the order of the target file, and how many free numbers hold.

    ``pinned``: CSI 300 was solved to follow its path. In a variation or a free run it is an
    outcome, although the target file calls it an input.
    """

    run: str
    scenario: str
    paths: int
    pinned: bool
    rows: tuple[Row, ...]

    @property
    def free(self) -> int:
        """Return how many targets count."""
        return sum(row.kind == "free" for row in self.rows)

    @property
    def inside(self) -> int:
        """Return how many of those hold by their median."""
        return sum(row.verdict == "inside" for row in self.rows)

    @property
    def misses(self) -> tuple[str, ...]:
        """Return the ids of free targets that do not hold, uncovered ones too."""
        return tuple(row.id for row in self.rows if row.kind == "free" and row.verdict != "inside")

    def table(self) -> pl.DataFrame:
        """Return the rows as a frame; the title becomes ``title_en`` and ``title_zh``."""
        import polars as pl

        flat = []
        for row in self.rows:
            words = asdict(row)
            titles = words.pop("title")
            flat.append({"id": words.pop("id"), "title_en": titles["en"],
                         "title_zh": titles["zh"], **words})  # fmt: skip
        return pl.DataFrame(flat, infer_schema_length=None)

    def to_json(self) -> str:
        """Return the scoreboard as JSON, missing numbers as null."""
        words: dict[str, Any] = asdict(self)
        words |= {"free": self.free, "inside": self.inside, "misses": self.misses}
        return json.dumps(words, ensure_ascii=False, indent=2, allow_nan=False)


class _Tables(Mapping[str, "pl.DataFrame"]):
    """The tables of a run, each read when a target first asks for it."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._read: dict[str, pl.DataFrame] = {}

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in TABLES:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = self._run.table(name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


def validate(run: RunFolder, targets: str | Path | None = None) -> Scoreboard:
    """Return the scoreboard of a complete run on the shipped targets, or on those of a file.

    A target whose days, columns or contracts the run does not hold is ``uncovered``. Raises
    DataError for a bad target file, CalibrationError where the run covers no target at all,
    RunError for a damaged run.
    """
    asked = load(targets)
    daily, others = run.table("daily"), _Tables(run)
    able, why = covered(asked, daily, others)
    if not able:
        raise CalibrationError(
            "targets_uncovered", run=run.path.name, first=daily["date"].min(),
            last=daily["date"].max(), why=str(next(iter(why.values()))),
        )  # fmt: skip
    matrix = measure_matrix(able, daily, tables=others, share_csi500=_share_csi500(run.manifest))
    return Scoreboard(
        run=run.path.name,
        scenario=str(run.manifest.get("scenario_name", "")),
        paths=len(matrix),
        pinned=_is_pinned(run.manifest),
        rows=tuple(score(asked, able, matrix, {key: str(each) for key, each in why.items()})),
    )


def score(
    asked: Sequence[Target], able: Sequence[Target], matrix: Float64, why: dict[str, str]
) -> list[Row]:
    """Return a row for each target asked; the columns of ``matrix`` (P, K) are those ``able``."""
    place = {target.id: k for k, target in enumerate(able)}
    return [
        _row(target, matrix[:, place[target.id]]) if target.id in place
        else _uncovered(target, why[target.id])
        for target in asked
    ]  # fmt: skip


def _row(target: Target, values: Float64) -> Row:
    known = values[np.isfinite(values)]
    low, median, high = np.quantile(known, (LOW, 0.5, HIGH)) if len(known) else (None,) * 3
    holds = median is not None and target.holds(float(median))
    counted: Verdict = "inside" if holds else "outside"
    share = None if target.tolerance is None else float(np.mean([target.holds(v) for v in values]))
    return Row(
        **_terms(target),
        median=_rounded(median),
        low=_rounded(low),
        high=_rounded(high),
        inside_share=share,
        verdict=counted if target.kind == "free" else "input",
    )


def _uncovered(target: Target, why: str) -> Row:
    return Row(**_terms(target), verdict="uncovered", why=why)


def _terms(target: Target) -> dict[str, Any]:
    return {
        "id": target.id, "title": target.title, "kind": target.kind, "unit": target.unit,
        "wanted": target.value, "tolerance": target.tolerance, "source": target.source,
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)


def _share_csi500(manifest: dict[str, Any]) -> float | None:
    """Return the scenario's share of snowball notional on CSI 500; None where it says none."""
    agents = manifest.get("scenario", {}).get("agents", {})
    share = agents.get("snowball_dealers", {}).get("share_ic")
    return None if share is None else float(share)


def _is_pinned(manifest: dict[str, Any]) -> bool:
    clock = manifest.get("scenario", {}).get("clock", {})
    return bool(clock.get("mode") == "replay" and clock.get("factors", "solve") == "solve")
