"""The market's names for these notes, and the terms each name stands for.

The names are those of Chinese OTC desks and of pricelib (design:snowball 1); the defaults make each
variant a complete example and are overridden term by term.
"""

from __future__ import annotations

import difflib
from dataclasses import fields, replace
from typing import Final, TypeAlias

from crowdfall.errors import TermsError
from crowdfall.products.airbag import Airbag
from crowdfall.products.phoenix import Phoenix
from crowdfall.products.snowball import Snowball, Stage

Terms: TypeAlias = Snowball | Phoenix | Airbag

VARIANTS: Final[dict[str, tuple[str, Terms]]] = {
    "standard": ("平敲", Snowball()),
    "step-down": ("降敲", Snowball(step_down=0.005)),
    "both-down": (
        "双降",
        Snowball(coupon=0.24, step_down=0.005, stages=(Stage(after=12, coupon=0.12),)),
    ),
    "early-profit": (
        "早利",
        Snowball(coupon=0.24, stages=(Stage(after=12, coupon=0.06),)),
    ),
    "butterfly": (
        "蝶变",
        Snowball(
            months=36,
            coupon=0.19,
            stages=(
                Stage(after=12, knock_out=1.0, coupon=0.06),
                Stage(after=24, knock_out=0.97, coupon=0.04),
            ),
        ),
    ),
    "limited-loss": ("限损", Snowball(coupon=0.14, knock_in=0.85, floor=0.80)),
    "floored": ("保底", Snowball(coupon=0.06, knock_in=0.90, floor=1.0)),
    "otm": ("虚值", Snowball(coupon=0.15, strike=0.90)),
    "parachute": ("降落伞", Snowball(coupon=0.15, last_knock_out=0.75)),
    "european": ("欧式敲入", Snowball(coupon=0.15, knock_in_observed="maturity")),
    "no-lockup": ("无锁定期", Snowball(lockup=1)),
    "margin": ("大雪球（保证金）", Snowball(margin=0.25)),
    "small": ("小雪球（不敲入）", Snowball(coupon=0.06, knock_in_observed="never", bonus=0.0)),
    "phoenix": ("凤凰", Phoenix()),
    "fcn": ("FCN", Phoenix(coupon_level=0.0, knock_in_observed="maturity", knock_in=0.8)),
    "dcn": ("DCN", Phoenix(coupon_level=0.8, knock_in_observed="maturity", knock_in=0.8)),
    "airbag": ("安全气囊", Airbag()),
}
"""English name of each variant, its Chinese name and its default terms."""


def terms_of(variant: str, changed: dict[str, object] | None = None) -> Terms:
    """Return a variant's terms with some changed; raises TermsError for an unknown name or term.

    >>> terms_of("step-down", {"coupon": 0.16}).coupon
    0.16
    """
    if variant not in VARIANTS:
        near = difflib.get_close_matches(variant, VARIANTS, n=1)
        raise TermsError("unknown_variant", name=variant, near=(near or ["standard"])[0])
    base = VARIANTS[variant][1]
    changed = changed or {}
    known = {item.name for item in fields(base)}
    for name in changed:
        if name not in known:
            raise TermsError("unknown_term", name=name, variant=variant)
        _check_kind(name, changed[name], getattr(base, name))
    if variant == "parachute" and "knock_in" in changed and "last_knock_out" not in changed:
        changed = {**changed, "last_knock_out": changed["knock_in"]}
    if variant == "dcn" and "knock_in" in changed and "coupon_level" not in changed:
        changed = {**changed, "coupon_level": changed["knock_in"]}
    return replace(base, **changed)  # type: ignore[arg-type]


def _check_kind(name: str, value: object, usual: object) -> None:
    """Refuse a word where a number belongs and the other way round; raises TermsError."""
    if isinstance(usual, bool) or isinstance(value, bool):
        fits = isinstance(usual, bool) and isinstance(value, bool)
    elif isinstance(usual, int):
        fits = isinstance(value, int)
    elif isinstance(usual, str | tuple):
        fits = isinstance(value, type(usual))
    else:
        fits = isinstance(value, int | float)
    if name == "knock_in_observed":
        fits = value in ("daily", "maturity", "never")
    if not fits:
        raise TermsError("term_kind", name=name, value=value, usual=usual)
