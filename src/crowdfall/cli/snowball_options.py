"""Options of the snowball commands: terms of a note, marks, a book and how it is hedged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crowdfall.cli.options import help_of
from crowdfall.errors import CrowdfallError, TermsError

Variant = Annotated[
    str, typer.Option("--variant", metavar="NAME", help=help_of("snowball_variant"))
]
Coupon = Annotated[
    float | None,
    typer.Option("--coupon", metavar="0.20", help=help_of("snowball_coupon_rate")),
]
Months = Annotated[
    int | None,
    typer.Option("--months", metavar="N", help=help_of("snowball_months")),
]
Lockup = Annotated[
    int | None,
    typer.Option("--lockup", metavar="N", help=help_of("snowball_lockup")),
]
KnockIn = Annotated[
    float | None,
    typer.Option("--knock-in", metavar="0.75", help=help_of("snowball_knock_in")),
]
KnockOut = Annotated[
    float | None,
    typer.Option("--knock-out", metavar="1.03", help=help_of("snowball_knock_out")),
]
Term = Annotated[
    list[str] | None, typer.Option("--term", metavar="NAME=VALUE", help=help_of("snowball_term"))
]
Stage = Annotated[
    list[str] | None,
    typer.Option("--stage", metavar="AFTER:KNOCK_OUT:COUPON", help=help_of("snowball_stage")),
]
Start = Annotated[
    str | None, typer.Option("--start", metavar="YYYY-MM-DD", help=help_of("snowball_start"))
]
Vol = Annotated[float, typer.Option("--vol", metavar="0.20", help=help_of("snowball_vol"))]
Rate = Annotated[float, typer.Option("--rate", metavar="0.02", help=help_of("snowball_rate"))]
Q = Annotated[float, typer.Option("--q", metavar="0.06", help=help_of("snowball_q"))]
Spot = Annotated[float | None, typer.Option("--spot", metavar="100", help=help_of("snowball_spot"))]
Initial = Annotated[
    float, typer.Option("--initial", metavar="100", help=help_of("snowball_initial"))
]
Age = Annotated[int, typer.Option("--age", metavar="N", help=help_of("snowball_age"))]
KnockedIn = Annotated[bool, typer.Option("--knocked-in", help=help_of("snowball_knocked_in"))]
BookFile = Annotated[
    Path | None, typer.Argument(metavar="[BOOK]", help=help_of("snowball_book_file"))
]
On = Annotated[
    str | None, typer.Option("--date", metavar="YYYY-MM-DD", help=help_of("snowball_on"))
]
Level = Annotated[
    list[str] | None,
    typer.Option("--level", metavar="INDEX=POINTS", help=help_of("snowball_level")),
]
OpenInterest = Annotated[
    list[str] | None,
    typer.Option("--open-interest", metavar="INDEX=LOTS", help=help_of("snowball_open_interest")),
]
SkipEnded = Annotated[bool, typer.Option("--skip-ended", help=help_of("snowball_skip_ended"))]
Cap = Annotated[float, typer.Option("--cap", metavar="X", help=help_of("snowball_cap"))]
Ramp = Annotated[float, typer.Option("--ramp", metavar="0.03", help=help_of("snowball_ramp"))]
Band = Annotated[float, typer.Option("--band", metavar="0.02", help=help_of("snowball_band"))]
Mix = Annotated[
    list[str] | None, typer.Option("--mix", metavar="NAME=SHARE", help=help_of("snowball_mix"))
]
Page = Annotated[Path | None, typer.Option("--page", metavar="FILE", help=help_of("snowball_page"))]


def pairs(texts: list[str] | None, option: str) -> dict[str, float]:
    """Return NAME=NUMBER texts as a mapping; CrowdfallError names the text that is none."""
    out = {}
    for text in texts or []:
        name, _, number = text.partition("=")
        try:
            out[name.strip()] = float(number)
        except ValueError:
            raise CrowdfallError("bad_pair", option=option, value=text) from None
    return out


def terms_from(given: dict[str, object], more: list[str] | None) -> dict[str, object]:
    """Return the terms said on the command line; ``--term`` values are read as what they look like.

    Words stay words (``knock_in_observed=maturity``), numbers become numbers.
    """
    out = {name: value for name, value in given.items() if value is not None}
    for text in more or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise CrowdfallError("bad_pair", option="--term", value=text)
        out[name.strip().replace("-", "_")] = _read(value.strip())
    return out


def stages_from(texts: list[str]) -> tuple[object, ...]:
    """Return the stages said as AFTER:KNOCK_OUT:COUPON, where an empty part keeps what was."""
    from crowdfall.products.snowball import Stage as StageTerms

    out = []
    for text in texts:
        parts = [part.strip() for part in text.split(":")]
        try:
            after, knock_out, coupon = int(parts[0]), parts[1], parts[2]
            out.append(
                StageTerms(
                    after=after,
                    knock_out=float(knock_out) if knock_out else None,
                    coupon=float(coupon) if coupon else None,
                )
            )
        except (ValueError, IndexError):
            raise TermsError("bad_stage", value=text) from None
    return tuple(sorted(out, key=lambda stage: stage.after))


def _read(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
