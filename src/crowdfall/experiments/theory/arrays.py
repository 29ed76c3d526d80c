"""What solvers accept: finite arrays of the right shape, and one sentence where they are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from crowdfall.errors import TermsError
from crowdfall.types import Bool, Float64


def array(name: str, values: ArrayLike, shape: Sequence[int | None]) -> Float64:
    """Return ``values`` as finite floats of ``shape``; None in it stands for any length above 0.

    Raises TermsError where the shape differs or a number is NaN, infinite or no number.
    """
    try:
        out = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise TermsError("theory_number", name=name, value=values) from None
    wanted = "x".join("N" if n is None else str(n) for n in shape) or "1"
    fits = out.ndim == len(shape) and all(
        have > 0 if n is None else have == n for have, n in zip(out.shape, shape, strict=True)
    )
    if not fits:
        given = "x".join(map(str, out.shape)) or "1"
        raise TermsError("theory_shape", name=name, shape=given, wanted=wanted)
    if not np.isfinite(out).all():
        raise TermsError("theory_number", name=name, value=_first(out, ~np.isfinite(out)))
    return out


def within(
    name: str,
    values: ArrayLike,
    shape: Sequence[int | None],
    *,
    low: float = 0.0,
    high: float = np.inf,
    above: bool = False,
) -> Float64:
    """Return ``array(...)`` with every number in low..high, or above low with ``above``."""
    out = array(name, values, shape)
    wrong = (out <= low if above else out < low) | (out > high)
    if wrong.any():
        code = "theory_above" if above else "theory_least"
        if (out[wrong].flat[0]) > high:
            code = "theory_most"
        raise TermsError(
            code, name=name, value=_first(out, wrong), low=f"{low:g}", high=f"{high:g}"
        )
    return out


def number(
    name: str, value: float, *, low: float = 0.0, high: float = np.inf, above: bool = False
) -> float:
    """Return one finite number in low..high, or above low with ``above``; else a TermsError."""
    return float(within(name, value, (), low=low, high=high, above=above))


def _first(out: Float64, wrong: Bool) -> str:
    return f"{float(out[wrong].flat[0]):g}"
