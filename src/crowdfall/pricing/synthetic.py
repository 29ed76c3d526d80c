"""Books built from published knock-in histograms, where no list of notes is public."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from crowdfall.errors import TermsError
from crowdfall.parameters import parameter
from crowdfall.pricing.book import Book
from crowdfall.products.snowball import Snowball
from crowdfall.products.timetable import Timetable
from crowdfall.types import Float64

BUCKET: Final = 100.0

CSI500_PUBLISHED: Final = {
    5100.0: 111.3, 5000.0: 158.6, 4900.0: 164.2, 4800.0: 166.9, 4700.0: 122.4, 4600.0: 72.3,
    4500.0: 89.0, 4400.0: 77.9, 4300.0: 50.1, 4200.0: 27.8, 4100.0: 19.5,
}  # fmt: skip
"""CSI 500 notional by knock-in level, 0.1 bn yuan: a broker's histogram of January 2024, in
bigquant.com/square/paper/03f28144-efcd-48cf-9e30-c1ffcf0c520b (design:snowball 6)."""

CSI500_MASS: Final = {5300.0: 5.0, 5200.0: 10.0, **CSI500_PUBLISHED}
"""The same with a thin top added (assumption, design:model 10)."""

CSI1000_MASS: Final = dict(
    zip(
        np.arange(5500.0, 4200.0, -100.0).tolist(),
        (2.0, 3.0, 9.0, 13.0, 13.0, 13.0, 12.0, 9.0, 7.0, 5.0, 4.0, 3.0, 2.0),
        strict=True,
    )
)
"""CSI 1000 shares by knock-in level: shaped on the density of 13% per 100 points around 5,200 that
a broker gave on 2024-01-22 (assumption, design:model 10; others put the peak at 4,800)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stock:
    """What is outstanding on one underlying, and what its notes are like.

    Half of the notes knock in at each of ``knock_ins`` and half are called at each of
    ``knock_outs``; ages are uniform between two sessions since issue (assumptions of
    design:snowball 6).
    """

    underlying: str
    mass: tuple[tuple[float, float], ...]  # knock-in level in points, weight
    # Yuan. Published estimates of the whole market differ twofold, 200 to 350 bn yuan, with the
    # two indices about half each (design:system E.1).
    notional: float = parameter(
        106.0e9, "outstanding", unit="yuan", source="sum of the published histogram "
        "(design:snowball 6)", low=50e9, high=200e9,
    )  # fmt: skip
    knock_ins: tuple[float, ...] = (0.75, 0.80)
    knock_outs: tuple[float, ...] = (1.00, 1.03)
    ages: tuple[int, int] = (120, 330)
    coupon: float = 0.12
    months: int = 24


def histogram(mass: dict[float, float]) -> tuple[tuple[float, float], ...]:
    """Return a histogram as terms hold it."""
    return tuple(sorted(mass.items(), reverse=True))


def published() -> tuple[Stock, ...]:
    """Return the bundled market of January 2024: CSI 500 and CSI 1000.

    >>> [stock.underlying for stock in published()]
    ['csi500', 'csi1000']
    """
    return (
        Stock(underlying="csi500", mass=histogram(CSI500_PUBLISHED)),
        Stock(underlying="csi1000", mass=histogram(CSI1000_MASS)),
    )


def synthetic_book(*stocks: Stock, steps: int = 6, ages: int = 7) -> Book:
    """Return a book that spreads each bucket over ``steps`` levels and ``ages`` ages.

    No randomness: levels and ages are even within their ranges. Raises TermsError for an empty
    histogram.
    """
    parts, tables = [], list[Timetable]()
    for stock in stocks or published():
        spread = _spread(stock, steps, ages)
        spread["family"] += len(tables)
        parts.append(spread)
        tables += _families(stock)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    names = np.repeat(
        [stock.underlying for stock in stocks or published()],
        [len(part["family"]) for part in parts],
    )
    return Book(
        tables=tuple(tables),
        family=joined["family"].astype(np.int64),
        name=np.array([f"{name}-{k}" for k, name in enumerate(names.tolist())]),
        underlying=names,
        coupon=joined["coupon"],
        initial=joined["initial"],
        notional=joined["notional"],
        age=joined["age"].astype(np.int64),
        knocked_in=np.zeros(len(names), dtype=np.bool_),
    )


def _pairs(stock: Stock) -> list[tuple[float, float]]:
    return [(low, out) for low in stock.knock_ins for out in stock.knock_outs]


def _families(stock: Stock) -> list[Timetable]:
    return [
        Snowball(
            coupon=stock.coupon, months=stock.months, knock_in=low, knock_out=out
        ).timetable()
        for low, out in _pairs(stock)
    ]  # fmt: skip


def _spread(stock: Stock, steps: int, ages: int) -> dict[str, Float64]:
    """Return one stock's notes: every kind at even levels within each bucket and even ages."""
    weights = np.array([weight for _, weight in stock.mass])
    if not len(weights) or weights.min() < 0 or weights.sum() <= 0:
        raise TermsError("mass_wrong", underlying=stock.underlying)
    pairs = _pairs(stock)
    offset = ((np.arange(steps) + 0.5) / steps - 0.5) * BUCKET
    first, last = stock.ages
    age = np.round(first + (np.arange(ages) + 0.5) / ages * (last - first))
    level = np.array([centre for centre, _ in stock.mass])
    shape = (len(pairs), len(level), steps, ages)
    kind, bucket, step, old = (part.ravel() for part in np.indices(shape))
    lows = np.array([low for low, _ in pairs])
    share = weights[bucket] / weights.sum() / (len(pairs) * steps * ages)
    return {
        "family": kind.astype(np.float64),
        "initial": (level[bucket] + offset[step]) / lows[kind],
        "notional": stock.notional * share,
        "age": age[old],
        "coupon": np.full(len(kind), stock.coupon),
    }
