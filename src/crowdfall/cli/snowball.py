"""``crowdfall snowball``: value, coupon, book, ladder, map, hedge of snowballs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crowdfall.cli import options
from crowdfall.cli import snowball_options as opts
from crowdfall.cli.said import said
from crowdfall.cli.tables import print_json, print_table
from crowdfall.i18n import Language, language, translate

if TYPE_CHECKING:
    from crowdfall.cli.snowball_desk import Desk

app = options.commands()


@app.callback(help=options.help_of("snowball"))
def snowball() -> None:
    """Group the commands on snowballs."""


@app.command(help=options.help_of("snowball_price"))
def price(
    variant: opts.Variant = "standard",
    coupon: opts.Coupon = None,
    months: opts.Months = None,
    lockup: opts.Lockup = None,
    knock_in: opts.KnockIn = None,
    knock_out: opts.KnockOut = None,
    term: opts.Term = None,
    stage: opts.Stage = None,
    start: opts.Start = None,
    vol: opts.Vol = 0.20,
    rate: opts.Rate = 0.02,
    q: opts.Q = 0.06,
    spot: opts.Spot = None,
    initial: opts.Initial = 100.0,
    age: opts.Age = 0,
    knocked_in: opts.KnockedIn = False,
    skew: Annotated[
        float, typer.Option("--skew", metavar="-0.2", help=options.help_of("snowball_skew"))
    ] = 0.0,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print one note's value, greeks, chances and expected life, per 100 of notional."""
    from crowdfall.cli import snowball_note as desk
    from crowdfall.pricing.marks import Marks

    given = _given(coupon, months, lockup, knock_in, knock_out)
    note = desk.note_from(variant, opts.terms_from(given, term), stage, start)
    standing = desk.standing_of(initial if spot is None else spot, initial, age, knocked_in)
    worth = desk.worth(note, Marks(vol=vol, rate=rate, q=q), standing, skew)
    if as_json:
        print_json(worth)
        return
    print_table([{"": translate(f"word.{name}"), " ": value} for name, value in worth.items()])


@app.command(help=options.help_of("snowball_coupon"))
def coupon(
    variant: opts.Variant = "standard",
    months: opts.Months = None,
    lockup: opts.Lockup = None,
    knock_in: opts.KnockIn = None,
    knock_out: opts.KnockOut = None,
    term: opts.Term = None,
    stage: opts.Stage = None,
    start: opts.Start = None,
    vol: opts.Vol = 0.20,
    rate: opts.Rate = 0.02,
    q: opts.Q = 0.06,
    quoted: Annotated[
        float | None,
        typer.Option("--quoted", metavar="0.12", help=options.help_of("snowball_quoted")),
    ] = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print the fair coupon, and the q that makes a quoted coupon fair."""
    from crowdfall.cli import snowball_note as desk
    from crowdfall.pricing.marks import Marks
    from crowdfall.pricing.value import fair_coupon, implied_discount

    given = _given(None, months, lockup, knock_in, knock_out)
    note = desk.note_from(variant, opts.terms_from(given, term), stage, start)
    marks = Marks(vol=vol, rate=rate, q=q)
    answer = {"fair_coupon": fair_coupon(note.table, marks)}
    if quoted is not None:
        answer["implied_discount"] = implied_discount(note.table, quoted, marks)
    if as_json:
        print_json(answer)
        return
    print_table(
        [{"": translate(f"word.{name}"), " ": f"{value:.4%}"} for name, value in answer.items()]
    )


@app.command(help=options.help_of("snowball_book"))
def book(
    file: opts.BookFile = None,
    on: opts.On = None,
    level: opts.Level = None,
    open_interest: opts.OpenInterest = None,
    vol: opts.Vol = 0.18,
    rate: opts.Rate = 0.02,
    q: opts.Q = 0.06,
    cap: opts.Cap = float("inf"),
    ramp: opts.Ramp = 0.0,
    band: opts.Band = 0.0,
    mix: opts.Mix = None,
    skip_ended: opts.SkipEnded = False,
    market: options.Market = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print a book's value and greeks, what moves of the index make dealers trade, and pins."""
    desk = _desk(file, on, level, open_interest, (vol, rate, q), skip_ended, market)
    policy = _policy(cap, ramp, band, mix)
    _show(
        {
            "totals": desk.totals(policy),
            "shocks": desk.shocks(policy),
            "pins": desk.pins(),
        },
        as_json,
    )


@app.command(name="map", help=options.help_of("snowball_map"))
def knock_in_map(
    file: opts.BookFile = None,
    on: opts.On = None,
    level: opts.Level = None,
    open_interest: opts.OpenInterest = None,
    vol: opts.Vol = 0.18,
    rate: opts.Rate = 0.02,
    q: opts.Q = 0.06,
    skip_ended: opts.SkipEnded = False,
    market: options.Market = None,
    page: opts.Page = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print the knock-in map: amount by 100-point level, distance, share of open interest."""
    desk = _desk(file, on, level, open_interest, (vol, rate, q), skip_ended, market)
    _show({"map": desk.map()}, as_json)
    _write_page(page, desk.map_charts, desk, as_json)


@app.command(help=options.help_of("snowball_ladder"))
def ladder(
    file: opts.BookFile = None,
    on: opts.On = None,
    level: opts.Level = None,
    open_interest: opts.OpenInterest = None,
    days: Annotated[
        list[int] | None,
        typer.Option("--days", metavar="N", min=0, max=2520, help=options.help_of("snowball_days")),
    ] = None,
    vol: opts.Vol = 0.18,
    rate: opts.Rate = 0.02,
    q: opts.Q = 0.06,
    cap: opts.Cap = float("inf"),
    ramp: opts.Ramp = 0.0,
    skip_ended: opts.SkipEnded = False,
    market: options.Market = None,
    page: opts.Page = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print the hedge in lots over index levels and days ahead."""
    desk = _desk(file, on, level, open_interest, (vol, rate, q), skip_ended, market)
    policy = _policy(cap, ramp, 0.0, None)
    ahead = tuple(sorted(set(days or (0, 5, 20))))
    _show({"ladder": desk.ladder(ahead, policy)}, as_json)
    _write_page(page, lambda lang: desk.ladder_charts(ahead, policy, lang), desk, as_json)


@app.command(help=options.help_of("snowball_hedge"))
def hedge(
    path: Annotated[
        Path | None,
        typer.Option("--path", metavar="FILE", help=options.help_of("snowball_path")),
    ] = None,
    paths: options.Paths = 1,
    seed: options.Seed = 1,
    variant: opts.Variant = "standard",
    coupon: opts.Coupon = None,
    months: opts.Months = None,
    lockup: opts.Lockup = None,
    knock_in: opts.KnockIn = None,
    knock_out: opts.KnockOut = None,
    term: opts.Term = None,
    stage: opts.Stage = None,
    vol: opts.Vol = 0.20,
    rate: opts.Rate = 0.02,
    q: opts.Q = 0.06,
    cap: opts.Cap = float("inf"),
    ramp: opts.Ramp = 0.0,
    band: opts.Band = 0.0,
    cost: Annotated[
        float, typer.Option("--cost", metavar="0.0001", help=options.help_of("snowball_cost"))
    ] = 0.0,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print the dealer's profit and loss on one note, term by term, and what is unexplained."""
    from crowdfall.cli import snowball_note as desk
    from crowdfall.pricing.marks import Marks

    given = _given(coupon, months, lockup, knock_in, knock_out)
    note = desk.note_from(variant, opts.terms_from(given, term), stage, None)
    answer = desk.hedged(
        note, Marks(vol=vol, rate=rate, q=q), _policy(cap, ramp, band, None),
        desk.paths_from(path, note, Marks(vol=vol, rate=rate, q=q), (paths, seed)), cost,
    )  # fmt: skip
    if as_json:
        print_json(answer)
        return
    sums = answer["sums"]
    print_table([{"": translate(f"word.pnl_{name}"), " ": value} for name, value in sums.items()])
    typer.echo(translate("cli.snowball_residual", share=f"{answer['residual_share']:.3%}"))


@app.command(help=options.help_of("snowball_template"))
def template(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help=options.help_of("snowball_out"))
    ] = None,
    as_json: options.Json = False,
    lang: options.Lang = None,
    verbose: options.Verbose = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Print or write an example of a book file; --json lists its columns."""
    from crowdfall.cli import snowball_desk as desk

    if as_json:
        print_json(desk.columns())
        return
    desk.write_template(out)


def _given(
    coupon: float | None, months: int | None, lockup: int | None, knock_in: float | None,
    knock_out: float | None,
) -> dict[str, object]:  # fmt: skip
    return {
        "coupon": coupon, "months": months, "lockup": lockup, "knock_in": knock_in,
        "knock_out": knock_out,
    }  # fmt: skip


def _desk(
    file: Path | None, on: str | None, level: list[str] | None, open_interest: list[str] | None,
    marks: tuple[float, float, float], skip_ended: bool, market: str | None,
) -> Desk:  # fmt: skip
    from crowdfall.cli.snowball_desk import open_desk
    from crowdfall.pricing.marks import Marks

    vol, rate, q = marks
    desk = open_desk(
        file, on, opts.pairs(level, "--level"), opts.pairs(open_interest, "--open-interest"),
        Marks(vol=vol, rate=rate, q=q), (skip_ended, market),
    )  # fmt: skip
    if desk.left_out and not said.quiet:
        typer.echo(translate("cli.snowball_left_out", count=desk.left_out), err=True)
    return desk


def _policy(cap: float, ramp: float, band: float, mix: list[str] | None) -> Any:  # noqa: ANN401
    from crowdfall.pricing.book import Policy

    shares = tuple(opts.pairs(mix, "--mix").items())
    return Policy(cap=cap, ramp=ramp, band=band, mix=shares)


def _show(tables: dict[str, list[dict[str, Any]]], as_json: bool) -> None:
    if as_json:
        print_json(tables if len(tables) > 1 else next(iter(tables.values())))
        return
    for name, rows in tables.items():
        typer.echo(translate(f"cli.snowball_table.{name}"))
        if rows:
            print_table([{_label(key): value for key, value in row.items()} for row in rows])
        else:
            typer.echo(translate("cli.snowball_none"))


def _label(key: str) -> str:
    return translate(f"word.{key}") if not key.startswith("+") else key.removeprefix("+")


def _write_page(
    page: Path | None, charts: Callable[[Language], list[Any]], desk: Desk, as_json: bool
) -> None:
    if page is None:
        return
    from crowdfall.reports.snowball import write_page

    written = write_page(charts, desk.on, page)
    if not (as_json or said.quiet):
        typer.echo(translate("cli.report_at", path=written, lang=language()))
