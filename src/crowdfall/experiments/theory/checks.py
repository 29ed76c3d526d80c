"""One answer of theory beside what the product computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

Verdict = Literal["holds", "misses", "not_run"]
TIGHT: Final = 1e-9
"""Relative tolerance wherever the answer is a closed form."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A law of the list of answers, by its ``id``.

    ``title``: key of its words; ``computed`` is empty where the check was not run for want of
    data; ``tolerance``: relative to the expected number if ``relative``, else absolute. ``where``:
    the module and name of the product's code that computed it.
    """

    id: str
    title: str
    computed: tuple[float, ...]
    expected: tuple[float, ...]
    tolerance: float
    relative: bool
    where: str

    @property
    def verdict(self) -> Verdict:
        """Say whether every number lies within the tolerance; NaN never does, nor more or fewer."""
        if not self.computed:
            return "not_run"
        if len(self.computed) != len(self.expected):
            return "misses"
        near = np.abs(np.subtract(self.computed, self.expected))
        room = self.tolerance * (np.abs(self.expected) if self.relative else 1.0)
        return "holds" if bool((near <= room).all()) else "misses"


def closed_form(
    id_: str,
    title: str,
    computed: ArrayLike,
    expected: ArrayLike,
    where: str,
    tolerance: float = TIGHT,
) -> Check:
    """Return a check against a closed form, relative tolerance 1e-9 unless said."""
    return Check(
        id=id_, title=title, computed=_floats(computed), expected=_floats(expected),
        tolerance=tolerance, relative=True, where=where,
    )  # fmt: skip


def printed(
    id_: str, title: str, computed: ArrayLike, expected: str, where: str, tolerance: float
) -> Check:
    """Return a check against numbers that a source prints, to half a unit of their last digit."""
    return Check(
        id=id_, title=title, computed=_floats(computed),
        expected=_floats([float(word) for word in expected.split()]), tolerance=tolerance,
        relative=False, where=where,
    )  # fmt: skip


def _floats(values: ArrayLike) -> tuple[float, ...]:
    return tuple(float(value) for value in np.ravel(np.asarray(values, dtype=float)))
