"""Colours. A chart option names a colour (``@down``); the page puts in the scheme's value.

Three schemes: red up for Chinese readers, green up for the others, and a pair that colour-blind
readers tell apart. Charts and pages never hold a colour of their own.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

from crowdfall.i18n import Language

Scheme = Literal["red_up", "green_up", "colour_blind"]
SCHEMES: Final[tuple[Scheme, ...]] = get_args(Scheme)

_RED, _GREEN, _BLUE, _ORANGE = "#b8382f", "#2d7f5e", "#1f6fb2", "#d1720f"

_NEUTRAL: Final = {
    "@ink": "#1d2733",
    "@soft": "#5d6b7a",
    "@faint": "#d9dfe5",
    "@shade": "#eef1f4",
    "@paper": "#ffffff",
}

_SERIES: Final = {
    "@csi300": "#1b3a57",
    "@csi500": "#3d7ea6",
    "@csi1000": "#6a5acd",
    "@csi2000": "#c79a1e",
    "@tail": "#8d8d8d",
    "@microcap": "#c0532b",
    "@front": "#1b3a57",
    "@next": "#3d7ea6",
    "@quarter": "#c79a1e",
    "@far": "#9a9a9a",
    "@s0": "#c0532b",
    "@s1": "#1b3a57",
    "@s2": "#c79a1e",
    "@s3": "#3d7ea6",
    "@s4": "#6a5acd",
    "@s5": "#3f8f73",
    "@s6": "#8b5a7c",
    "@s7": "#7a8591",
}

# Okabe and Ito (2008), "Color universal design", darkened where white paper asks for it.
_SAFE_SERIES: Final = {
    "@csi300": "#000000",
    "@csi500": "#0072b2",
    "@csi1000": "#56a5d8",
    "@csi2000": "#009e73",
    "@tail": "#8d8d8d",
    "@microcap": "#d55e00",
    "@front": "#000000",
    "@next": "#0072b2",
    "@quarter": "#d55e00",
    "@far": "#8d8d8d",
    "@s0": "#d55e00",
    "@s1": "#000000",
    "@s2": "#0072b2",
    "@s3": "#009e73",
    "@s4": "#cc79a7",
    "@s5": "#56a5d8",
    "@s6": "#c9a400",
    "@s7": "#8d8d8d",
}

PALETTES: Final[dict[Scheme, dict[str, str]]] = {
    "red_up": {**_NEUTRAL, **_SERIES, "@up": _RED, "@down": _GREEN},
    "green_up": {**_NEUTRAL, **_SERIES, "@up": _GREEN, "@down": _RED},
    "colour_blind": {**_NEUTRAL, **_SAFE_SERIES, "@up": _BLUE, "@down": _ORANGE},
}


def scheme_of(lang: Language) -> Scheme:
    """Return the scheme that readers of a language expect.

    >>> scheme_of("zh"), scheme_of("en")
    ('red_up', 'green_up')
    """
    return "red_up" if lang == "zh" else "green_up"
