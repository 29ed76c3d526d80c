"""``crowdfall fork RUN --at DATE``: continue a run under other terms, one or several."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crowdfall.cli import launch, options, progress
from crowdfall.cli.compare import show as show_differences
from crowdfall.cli.said import said

if TYPE_CHECKING:
    from crowdfall.engine.fork import Variant
    from crowdfall.results.place import Place
    from crowdfall.results.store import RunFolder

app = options.commands()
At = Annotated[
    Any,
    typer.Option(
        "--at", metavar="YYYY-MM-DD", parser=options.day, help=options.help_of("fork_at")
    ),
]  # fmt: skip
Policies = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help=options.help_of("fork_policy"))
]
Variants = Annotated[
    Path | None, typer.Option("--variants", metavar="FILE", help=options.help_of("fork_variants"))
]
Out = Annotated[
    Any,
    typer.Option(
        "--out", metavar="PATH|URL", parser=options.place, help=options.help_of("run_out")
    ),
]


@app.command(help=options.help_of("fork"))
def fork(
    run: options.RunPath,
    at: At,
    out: Out,
    overrides: options.Set = None,
    policies: Policies = None,
    variants: Variants = None,
    workers: options.Workers = None,
    engine: options.Engine = "local",
    no_open: options.NoOpen = False,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fork a run; with ``--variants`` several times, and print the paired differences."""
    from crowdfall.engine.fork import Variant, read_levers, read_variants
    from crowdfall.results.store import open_run

    base = open_run(run)
    own = Variant(set=tuple(overrides or ()))
    if policies is not None:
        own += read_levers(policies)
    count = workers or options.default_workers()
    if variants is None:
        forked = _play(base, at, own, out, count, engine)
        launch.present(forked, as_json=as_json, no_open=no_open)
        return
    from crowdfall.results.compare import differences

    asked = {name: own + each for name, each in read_variants(variants).items()}
    _check(base, at, asked)
    runs = [_play(base, at, each, out / name, count, engine) for name, each in asked.items()]
    show_differences(differences(base, runs), as_json=as_json)


def _play(
    base: RunFolder, at: Any, variant: Variant, out: Place, workers: int, engine: Any  # noqa: ANN401
) -> RunFolder:  # fmt: skip
    from crowdfall.engine.fork import fork as play

    with progress.shown(said.quiet) as told:
        return play(base, at, variant, out=out, workers=workers, engine=engine, progress=told)


def _check(base: RunFolder, at: Any, asked: dict[str, Variant]) -> None:  # noqa: ANN401
    """Let a mistake in the last variant speak before the first is played."""
    from crowdfall.results.inputs import kept

    with kept(base) as (_, scenario):
        for each in asked.values():
            each.over(scenario, at)
