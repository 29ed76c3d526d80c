"""Compare speed and values with pricelib, which lives in an environment of its own.

    uv venv .pricelib && uv pip install --python .pricelib/bin/python pricelib==1.3.0
    python scripts/compare_pricelib.py .pricelib/bin/python

pricelib prices note by note by finite differences; one solution of a note holds all index levels,
so a book of 2,000 notes costs it 2,000 solutions. That time is extrapolated from one note
(processor seconds). Its clock is 243 sessions a year and months of its own calendar; the value and
delta compared here are those of a contract on that clock; its calendar-day discounting and its own
observation dates stay different and are the larger part of what remains between the values. Note
that pricelib looks at the package index when imported.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

import numpy as np

from crowdfall.pricing.book import Book, mark
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.value import Standing, present_value
from crowdfall.products.schedule import Schedule
from crowdfall.products.snowball import Snowball

NOTES, LEVELS, YEAR = 2_000, 200, 243
SPOTS = (100, 90, 80, 76)
THEIRS = """
import json, logging, time
logging.disable(logging.CRITICAL)
from pricelib import StandardSnowball
rows, best = [], 1e9
for spot in %r:
    note = StandardSnowball(maturity=2, lock_term=3, s0=100, barrier_out=103, barrier_in=75,
                            coupon_out=0.2, s=spot, r=0.02, q=0.06, vol=0.2)
    for _ in range(2):
        start = time.process_time()
        value = note.price()
        best = min(best, time.process_time() - start)
    rows.append((value, note.delta()))
print(json.dumps({"rows": rows, "seconds": best}))
"""


def theirs(python: str) -> dict[str, object]:
    done = subprocess.run(
        [python, "-c", THEIRS % (SPOTS,)], capture_output=True, text=True, check=True
    )
    answer: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def our_book() -> float:
    """Return the seconds of a book's hedge at all levels, from no surfaces at all."""
    marks = Marks()
    tables = tuple(
        Snowball(knock_in=low, knock_out=out, step_down=down).timetable()
        for low in (0.70, 0.75, 0.80, 0.85)
        for out in (1.00, 1.03)
        for down in (0.0, 0.005)
    )
    rng = np.random.default_rng(1)
    book = Book(
        tables=tables, family=rng.integers(0, 16, NOTES), name=np.arange(NOTES).astype(np.str_),
        underlying=np.full(NOTES, "csi500"), coupon=rng.uniform(0.08, 0.2, NOTES),
        initial=rng.uniform(5000, 7000, NOTES), notional=np.ones(NOTES),
        age=rng.integers(0, 504, NOTES), knocked_in=rng.uniform(size=NOTES) < 0.2,
    )  # fmt: skip
    times = []
    for _ in range(5):
        start = time.process_time()
        mark(book, marks).hedge("csi500", np.linspace(4000, 6500, LEVELS))
        times.append(time.process_time() - start)
    return min(times)


def main() -> None:
    if len(sys.argv) != 2:
        print(__doc__)
        sys.exit(2)
    other, seconds = theirs(sys.argv[1]), our_book()
    each = float(str(other["seconds"]))
    months = np.arange(25)
    schedule = Schedule(
        observed=np.round(months * YEAR / 12).astype(np.int64), accrual=months / 12, year=YEAR
    )
    table = Snowball().timetable(schedule)
    print("index   value ours  theirs    delta ours  theirs")
    for spot, (value, delta) in zip(SPOTS, list(other["rows"]), strict=True):  # type: ignore[call-overload]
        ours = present_value(table, 0.20, Marks(), Standing(spot=spot / 100))
        print(f"{spot:5d}  {ours[0]:10.4f} {value:8.4f}  {ours[1]:10.4f} {delta:8.4f}")
    whole = NOTES * each
    print(f"book of {NOTES} notes x {LEVELS} levels, processor time: ours {seconds:.3f} s,")
    print(f"pricelib {whole / 60:.0f} min ({each:.2f} s a note): {whole / seconds:,.0f} times")


if __name__ == "__main__":
    main()
