"""Run a scenario and show what came out; shared by ``demo`` and ``run``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from crowdfall.cli import options, progress
from crowdfall.cli.said import said
from crowdfall.cli.tables import print_json, print_story
from crowdfall.i18n import language, translate

if TYPE_CHECKING:
    from crowdfall.engine.workers import Engine
    from crowdfall.market.snapshot import Market
    from crowdfall.results.place import Place
    from crowdfall.results.store import RunFolder
    from crowdfall.scenarios.schema import Scenario

BUNDLED: Final = "bundled"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the command line asks for."""

    scenario: str
    market: str | None = None
    paths: int
    seed: int
    workers: int | None = None
    overrides: Sequence[str] = field(default_factory=tuple)
    out: Place | None = None
    engine: Engine = "local"
    fresh: bool = False
    """Take the next free name where the default one is taken."""


def load_market(name: str | None, default: str = BUNDLED) -> Market:
    """Return the market saved at a path or bundled by that name; the default where none is."""
    from crowdfall.market import store

    return store.named(name or default)


def play(order: Order) -> RunFolder:
    """Run an order and return the complete run.

    What is wrong with the order is told before anything is written.
    """
    from crowdfall import verbs
    from crowdfall.results.store import check_free
    from crowdfall.scenarios.load import load

    if order.out is not None:
        check_free(order.out)
    scenario = load(order.scenario, list(order.overrides))
    tell_moved(scenario)
    market = load_market(order.market, scenario.venue.market)
    name = verbs.name_of(scenario, market, order.seed, order.paths)
    out = order.out or _free(verbs.RUNS, name, order.fresh)
    workers = order.workers or options.default_workers()
    if said.verbose:
        words = {"scenario": scenario.name, "market": market.digest, "workers": workers}
        typer.echo(translate("cli.running", **words, paths=order.paths, out=out), err=True)
    with progress.shown(said.quiet) as show:
        return verbs.run(
            scenario, market, paths=order.paths, seed=order.seed, workers=workers, out=out,
            engine=order.engine, progress=show,
        )  # fmt: skip


def tell_moved(scenario: Scenario) -> None:
    """Say on stderr which policies wait for the next session, unless quiet."""
    from crowdfall.scenarios.policies import remarks

    if said.quiet:
        return
    for sentence in remarks(scenario, language()):
        progress.remark(sentence)


def _free(folder: Path, name: str, fresh: bool) -> Path:
    place = folder / name
    number = 2
    while fresh and place.exists():
        place = folder / f"{name}-{number}"
        number += 1
    return place


def present(run: RunFolder, *, as_json: bool, no_open: bool) -> None:
    """Write the report of a run, tell its story, and open the report for a reader."""
    from crowdfall.reports.page import write_report
    from crowdfall.reports.story import tell

    report = write_report(run, lang=language())
    story = tell(run, language())
    if as_json:
        print_json(
            {"run": str(run.path), "report": str(report), "summary": run.summary,
             "story": story.as_dict()}
        )  # fmt: skip
        return
    print_story(story)
    if not said.quiet:
        typer.echo()
        typer.echo(translate("cli.run_at", path=run.path))
        typer.echo(translate("cli.report_at", path=report))
    open_page(report, no_open=no_open)


def open_page(page: Place, *, no_open: bool) -> None:
    """Open a page in the browser of a person at a terminal."""
    if no_open or not isinstance(page, Path) or not sys.stdout.isatty():
        return
    import webbrowser

    webbrowser.open(page.resolve().as_uri())
