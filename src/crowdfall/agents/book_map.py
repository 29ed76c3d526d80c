"""The street's knock-in map from a book file of the snowball desk."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from crowdfall.agents.protocol import UNDERLYINGS, KnockInMap
from crowdfall.errors import ScenarioError
from crowdfall.pricing.book import FUTURES
from crowdfall.pricing.book_file import read_book

BUCKET: Final = 50.0
"""Points of a bucket: as fine as the built-in map."""


def book_map(path: Path, on: date) -> KnockInMap:
    """Return a book's notes by underlying, 50-point bucket of knock-in, and whether it is lost.

    Notes that have matured are left out. The level of a bucket is the mean of its notes, weighted
    by notional. Raises DataError that names every wrong cell, and ScenarioError for an underlying
    whose futures are not simulated, or a book in which nothing is left.
    """
    book, _ = read_book(path, on, skip_ended=True)
    names = [FUTURES[str(name)] for name in book.underlying]
    for name, index in zip(names, book.underlying.tolist(), strict=True):
        if name not in UNDERLYINGS:
            raise ScenarioError(
                "book_underlying", file=path.name, name=index, known="csi500, csi1000"
            )
    level = book.knock_in_level
    watched = level > 0.0
    if not watched.any():
        raise ScenarioError("book_without_knock_in", file=path.name)
    which = np.array([UNDERLYINGS.index(name) for name in names])
    bucket = np.floor(level / BUCKET).astype(np.int64)
    key = np.stack([which, bucket, book.knocked_in.astype(np.int64)], axis=1)[watched]
    kinds, place = np.unique(key, axis=0, return_inverse=True)
    place = place.reshape(-1)
    notional = np.bincount(place, weights=book.notional[watched]).astype(float)
    mean = np.bincount(place, weights=(book.notional * level)[watched]) / notional
    return KnockInMap(
        level=mean, notional=notional, underlying=kinds[:, 0].astype(np.int64),
        lost=kinds[:, 2] > 0,
    )  # fmt: skip
