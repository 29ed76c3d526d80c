"""Speed and error of the snowball room, measured in one run.

    python benchmarks/snowball.py [--json]

Compiled loops are warmed up first; the first compilation is shown apart (cached runs load in well
under a second). Times are processor seconds of this process on one thread, the best of a few runs:
what other programs do at the same time matters less. QuantLib is compared where it is
installed; pricelib only by ``scripts/compare_pricelib.py`` in its own environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy reads it

import numpy as np

LIMITS = {
    "16 families, all ages and states": 0.4,
    "book of 2,000 x 200 levels, from nothing": 0.5,
    "book of 2,000 x 200 levels, with surfaces": 0.005,
    "book of 100,000 x 200 levels, with surfaces": 1.0,
    "one price with all greeks": 0.015,
}


def best(work: Callable[[], object], runs: int = 7) -> float:
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def measure() -> dict[str, float]:
    from crowdfall.pricing.book import Book, mark
    from crowdfall.pricing.marks import Marks
    from crowdfall.pricing.surface import surface
    from crowdfall.pricing.value import present_value, price
    from crowdfall.products.snowball import Snowball

    marks = Marks(vol=0.18)
    families = [
        Snowball(knock_in=low, knock_out=out, step_down=down).timetable()
        for low in (0.70, 0.75, 0.80, 0.85)
        for out in (1.00, 1.03)
        for down in (0.0, 0.005)
    ]
    start = time.perf_counter()
    price(families[0], 0.2, marks)
    surface(families[0], marks)
    first = time.perf_counter() - start

    def book(count: int) -> Book:
        rng = np.random.default_rng(count)
        return Book(
            tables=tuple(families), family=rng.integers(0, 16, count),
            name=np.arange(count).astype(np.str_), underlying=np.full(count, "csi500"),
            coupon=rng.uniform(0.08, 0.2, count), initial=rng.uniform(5000, 7000, count),
            notional=rng.uniform(1e6, 1e8, count), age=rng.integers(0, 504, count),
            knocked_in=rng.uniform(size=count) < 0.2,
        )  # fmt: skip

    levels = np.linspace(4000, 6500, 200)
    small, large = book(2_000), book(100_000)
    ready, ready_large = mark(small, marks), mark(large, marks)
    ready.hedge("csi500", levels)
    table = Snowball().timetable()
    return {
        "first call, with compilation or its cache": first,
        "16 families, all ages and states": best(lambda: [surface(t, marks) for t in families]),
        "book of 2,000 x 200 levels, from nothing": best(
            lambda: mark(replace(small), marks).hedge("csi500", levels)
        ),
        "book of 2,000 x 200 levels, with surfaces": best(lambda: ready.hedge("csi500", levels)),
        "book of 100,000 x 200 levels, with surfaces": best(
            lambda: ready_large.hedge("csi500", levels), 3
        ),
        "one price with all greeks": best(lambda: price(table, 0.2, marks), 20),
        "one price, delta and gamma": best(lambda: present_value(table, 0.2, marks), 20),
    }


def quantlib() -> dict[str, float]:
    """Time one value of the base contract on QuantLib's finite differences, and its error."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests/oracle/pricing"))
    from quantlib_notes import snowball

    terms = {"vol": 0.2, "rate": 0.02, "q": 0.06, "coupon": 0.2, "knock_in": 0.75,
             "knock_out": 1.03, "months": 24}  # fmt: skip
    seconds = best(lambda: snowball(1.0, 0, **terms), 3)
    return {"seconds": seconds, "error": abs(snowball(1.0, 0, **terms) - 98.20344)}


def main() -> None:
    times = measure()
    other = quantlib() if find_spec("QuantLib") else None
    ratio = other["seconds"] / times["one price, delta and gamma"] if other else None
    if "--json" in sys.argv:
        print(json.dumps({"seconds": times, "quantlib": other, "quantlib_ratio": ratio}, indent=2))
        return
    for name, seconds in times.items():
        limit = LIMITS.get(name)
        share = f"{seconds / limit:5.2f} of the limit {limit:g} s" if limit else ""
        print(f"{name:48s} {1e3 * seconds:9.1f} ms  {share}")
    if other and ratio:
        print(f"QuantLib's finite differences, one value, one mesh: {other['seconds']:.2f} s "
              f"(error {other['error']:.1e}): {ratio:.0f} times ours")  # fmt: skip


if __name__ == "__main__":
    main()
