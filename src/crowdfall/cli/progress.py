"""Progress of a run: a bar with the time left on a terminal, JSON lines elsewhere; on stderr."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from crowdfall.i18n import translate


class Step(Protocol):
    """What the engine reports: ``crowdfall.engine.ensemble.Progress`` and the like."""

    @property
    def done_paths(self) -> int: ...  # noqa: D102
    @property
    def paths(self) -> int: ...  # noqa: D102
    @property
    def stage(self) -> str: ...  # noqa: D102


class Count(NamedTuple):
    """A step of anything that is counted."""

    done_paths: int
    paths: int
    stage: str


@contextmanager
def shown(quiet: bool) -> Iterator[Callable[[Step], None]]:
    """Yield a function that shows each step it is given; with ``quiet`` it shows nothing."""
    if quiet:
        yield lambda step: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines(time.monotonic())


def remark(sentence: str) -> None:
    """Say something about a run before its progress: a line, or JSON where that is."""
    told = sentence if sys.stderr.isatty() else json.dumps({"remark": sentence})
    print(told, file=sys.stderr, flush=True)


def _lines(start: float) -> Callable[[Step], None]:
    def show(step: Step) -> None:
        seconds = time.monotonic() - start
        left = _left(seconds, step.done_paths, step.paths, getattr(step, "found_paths", 0))
        line = {
            "stage": step.stage,
            "done_paths": step.done_paths,
            "paths": step.paths,
            "seconds": round(seconds, 2),
            "eta_seconds": None if left is None else round(left, 2),
        }
        print(json.dumps(line), file=sys.stderr, flush=True)

    return show


def _left(seconds: float, done: int, total: int, found: int) -> float | None:
    """Return the seconds left at the speed so far; None before anything is done.

    What a resumed run found finished says nothing about speed.
    """
    return seconds / (done - found) * (total - done) if done > found else None


@contextmanager
def _bar() -> Iterator[Callable[[Step], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[Any] = [
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TimeElapsedColumn(), TextColumn(translate("cli.time_left")), TimeRemainingColumn(),
    ]  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(translate("cli.stage.paths"), total=None)

        def show(step: Step) -> None:
            words = translate(f"cli.stage.{step.stage}")
            bar.update(task, total=step.paths, completed=step.done_paths, description=words)

        yield show
