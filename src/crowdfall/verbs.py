"""What the command line does, as Python functions: the public names of the package.

Importing this module imports the engine; ``import crowdfall`` alone does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from crowdfall import __version__
from crowdfall.data.sources.files import FilesSource
from crowdfall.data.sources.us2007 import Us2007Source
from crowdfall.engine import ensemble
from crowdfall.engine.ensemble import Progress
from crowdfall.engine.factors import code_digest
from crowdfall.engine.fork import Variant, read_levers
from crowdfall.engine.fork import fork as play_fork
from crowdfall.engine.workers import Engine
from crowdfall.experiments.validate import Scoreboard
from crowdfall.experiments.validate import validate as score
from crowdfall.i18n import Language, language
from crowdfall.market import store
from crowdfall.market.build import build
from crowdfall.market.snapshot import Market
from crowdfall.market.us import build_us
from crowdfall.reports.page import write_report
from crowdfall.reports.story import tell
from crowdfall.results.compare import differences
from crowdfall.results.place import Place, place
from crowdfall.results.store import RunFolder, open_run, run_id
from crowdfall.scenarios import load
from crowdfall.scenarios.schema import Scenario

if TYPE_CHECKING:
    import polars as pl

RUNS = Path("runs")
"""Where runs go that are not told where."""


def bundled_market() -> Market:
    """Return the synthetic market that comes with the package.

    >>> len(bundled_market().stocks) > 1000
    True
    """
    return store.bundled()


def load_market(path: str | Path) -> Market:
    """Return the market saved at ``path``; MarketError where there is none."""
    return store.load(Path(path))


def build_market(
    data: str | Path, on: date, out: str | Path | None = None, source: str = "files"
) -> Market:
    """Build the market at the close of ``on`` from a folder of observed data.

    ``out`` saves it too; ``source``: ``files``, or ``us2007`` for the US panel of 2006 to 2008.
    DataError: what is wrong with the data, and where; MarketError: ``out`` is taken.
    """
    if source == "us2007":
        market = build_us(Us2007Source(Path(data)), on)
    else:
        market = build(FilesSource(Path(data)), on)
    if out is not None:
        store.save(market, Path(out))
    return market


def load_scenario(name: str | Path, *overrides: str) -> Scenario:
    """Return a scenario of the library or of a file, with values changed.

    >>> load_scenario("feb2024", "agents.dma.enabled=false").agents.dma.enabled
    False
    """
    return load(str(name), overrides)


def run(
    scenario: str | Path | Scenario = "feb2024",
    market: str | Path | Market | None = None,
    *,
    paths: int = 20,
    seed: int = 1,
    workers: int | None = None,
    out: str | Place | None = None,
    engine: Engine = "local",
    progress: Callable[[Progress], None] | None = None,
) -> RunFolder:
    """Run an ensemble and return its folder.

    ``market``: a snapshot, where one is saved, or None for the bundled one that the scenario is
    made for. ``workers``: processes,
    all processors where None; ``engine``: ``local`` or ``ray``; the result depends on neither.
    ``out``: a folder or an fsspec URL. Without it the run goes to ``runs/<id>``, and a complete
    run of the same id is opened instead of computed again: the id is a hash of all that
    determines the result, code included. RunError where ``out`` is taken.
    """
    chosen = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
    where = market_of(market, chosen)
    folder = place(out) if out is not None else RUNS / name_of(chosen, where, seed, paths)
    if out is None and (folder / "summary.json").is_file():
        return open_run(folder)
    return ensemble.run(
        where, chosen, paths=paths, seed=seed, workers=workers or os.cpu_count() or 1,
        out=folder, progress=progress, engine=engine,
    )  # fmt: skip


def resume(
    run: str | Place | RunFolder,
    *,
    workers: int | None = None,
    engine: Engine = "local",
    progress: Callable[[Progress], None] | None = None,
) -> RunFolder:
    """Finish a run that was stopped, at whatever moment, and return its folder.

    Finished blocks are kept; the tables are bit for bit those of the uninterrupted run. RunError:
    no run there, another version's or other code's, or another process is writing it.
    """
    folder = run.path if isinstance(run, RunFolder) else run
    return ensemble.resume(
        folder, workers=workers or os.cpu_count() or 1, engine=engine, progress=progress
    )


def fork(
    run: RunFolder,
    at: date,
    *overrides: str,
    out: str | Place,
    policies: str | Path | None = None,
    workers: int | None = None,
    engine: Engine = "local",
    progress: Callable[[Progress], None] | None = None,
) -> RunFolder:
    """Continue a run under other terms from session ``at``: same paths, draws and factors.

    ``overrides``: words like ``agents.national_team.enabled=false``; ``policies``: a file of
    ``[[policy]]`` and ``[[rule]]`` entries. Rows before ``at`` are those of the run, bit for bit.
    """
    variant = Variant(set=overrides)
    if policies is not None:
        variant += read_levers(Path(policies))
    return play_fork(
        run, at, variant, out=out, workers=workers or os.cpu_count() or 1, engine=engine,
        progress=progress,
    )  # fmt: skip


def compare(base: RunFolder, *others: RunFolder) -> pl.DataFrame:
    """Return the headline numbers of runs less those of ``base``, path by path, with bands."""
    return differences(base, others)


def story(run: RunFolder, lang: Language | None = None, path: int | None = None) -> str:
    """Return the run's dominoes in words, one line a day, and the chain that joins them.

    ``path`` counts from 0; the path closest to the median where None. RunError: no such path.
    """
    return "\n".join(tell(run, lang or language(), path).lines())


def report(run: RunFolder, lang: Language | None = None, out: str | Path | None = None) -> Place:
    """Write the report of a run, one HTML file, and return its path.

    It goes into the run folder unless ``out`` names a file, and replaces an older one.
    """
    return write_report(run, lang=lang, target=None if out is None else Path(out))


def validate(run: RunFolder, targets: str | Path | None = None) -> Scoreboard:
    """Return the scoreboard of a run on the published numbers, or on the targets of a file."""
    return score(run, targets)


def market_of(market: str | Path | Market | None, scenario: Scenario | None = None) -> Market:
    """Return a market as it is, the one saved at a path, or a bundled one for None.

    Of the bundled ones that which the scenario is made for.
    """
    if market is None:
        return store.named(scenario.venue.market if scenario is not None else "")
    return store.named(market) if isinstance(market, str | Path) else market


def name_of(scenario: Scenario, market: Market, seed: int, paths: int) -> str:
    """Return the id of a run: a hash of all that determines its result, code included."""
    origin = scenario.factor_base
    return run_id(
        scenario=scenario.digest, base=None if origin is scenario else origin.digest,
        market=market.digest, seed=seed, paths=paths, version=__version__, code=code_digest(),
    )  # fmt: skip
