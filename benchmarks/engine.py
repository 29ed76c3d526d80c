"""Speed of the engine, measured in one run: a path, its kernels, numpy, and the machine itself.

    python benchmarks/engine.py [--market PATH] [--paths N] [--quick] [--json]

Paths of feb2024 are timed, on the bundled market unless another is named. The kernels of one bar,
with idle books (prices alone) and with every book selling, are compared with their numpy twins on
the same arrays, and the bytes they must touch with what this machine copies in the same time. The
cost table says what a path costs with more paths, stocks and bars; an ensemble is run with one and
two workers, and the memory of a worker read for some paths and for four times as many. Compilation
is shown apart; times are processor seconds of one thread, the best of a few runs, but for the
ensembles' seconds on the clock. All of it takes about four minutes for 20 paths of 5,000 stocks.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy reads it

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "oracle" / "engine"))

PATH_LIMIT = 1.0
"""Seconds that one warm path of feb2024 may take at 5,000 stocks and 8 bars."""
GOALS = {"a path": 0.12, "one path alone": 0.3, "price bars / s": 150e6, "speed-up of two": 1.8,
         "memory of a worker, GB": 1.5, "prices, numpy / kernels": 5.0}  # fmt: skip
"""What the engine aims at; shown beside what was measured."""


def best(work: Callable[[], object], runs: int = 3) -> float:
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def copy_bandwidth() -> float:
    """Return bytes read and written a second by a large copy."""
    source = np.ones(30_000_000)
    target = np.empty_like(source)
    return 2 * source.nbytes / best(lambda: np.copyto(target, source), 5)


def open_block(market: Any, paths: int) -> Any:  # noqa: ANN401
    from crowdfall.engine.run_state import open_run
    from crowdfall.engine.setting import setting
    from crowdfall.scenarios import load

    return open_run(setting(market, load("feb2024"), 1), 0, paths, None)


@contextmanager
def phases(seconds: dict[str, float]) -> Iterator[None]:
    """Add up where the time of a run goes, by the phases of a bar and the close."""
    from crowdfall.engine import simulate, step

    places = [
        (step, name)
        for name in ("set_depth", "collect_orders", "draw_noise", "first_prices",
                     "fill_stocks", "final_prices", "book", "observe")
    ] + [(simulate, "close_day"), (simulate, "open_run"), (simulate, "tables")]  # fmt: skip
    kept = [(place, name, getattr(place, name)) for place, name in places]

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **words: Any) -> Any:  # noqa: ANN401
            start = time.process_time()
            try:
                return work(*args, **words)
            finally:
                seconds[name] += time.process_time() - start

        return run

    for place, name, work in kept:
        setattr(place, name, timed(name, work))
    try:
        yield
    finally:
        for place, name, work in kept:
            setattr(place, name, work)


def play(market: Any, paths: int) -> dict[str, float]:  # noqa: ANN401
    """Return seconds a path, and of the run by phase."""
    from crowdfall.engine.setting import setting
    from crowdfall.engine.simulate import simulate
    from crowdfall.scenarios import load

    constants = setting(market, load("feb2024"), 1)
    start = time.process_time()
    simulate(constants, first_path=0, paths=1)
    first = time.process_time() - start
    seconds: dict[str, float] = defaultdict(float)
    with phases(seconds):
        whole = best(lambda: simulate(constants, first_path=0, paths=paths), 1)
    alone = best(lambda: simulate(constants, first_path=0, paths=1), 2)
    return {"first path": first, "a path": whole / paths, "one path alone": alone, **seconds}


def costs(market: Any, paths: int) -> dict[str, float]:  # noqa: ANN401
    """Return seconds a block by number of paths, by every k-th stock, and by bars of a session."""
    from crowdfall.engine.setting import setting
    from crowdfall.engine.simulate import simulate
    from crowdfall.market.thin import thin
    from crowdfall.scenarios import load

    def seconds(every: int, bars: int, count: int) -> float:
        constants = setting(thin(market, every), load("feb2024", [f"clock.bars={bars}"]), 1)
        return best(lambda: simulate(constants, first_path=0, paths=count), 1)

    few, half = max(paths // 4, 1), max(paths // 2, 1)
    found = {f"{count} paths": seconds(1, 8, count) for count in (few, half, paths)}
    found |= {f"1/{k} of the stocks": seconds(k, 8, half) for k in (4, 2)}
    found |= {"all stocks": found[f"{half} paths"], "4 bars": seconds(1, 4, half)}
    return found | {"8 bars": found[f"{half} paths"]}


def ensembles(market: Any, paths: int) -> dict[str, float]:  # noqa: ANN401
    """Return seconds on the clock with one and two workers, and the memory of a worker.

    Every run has a seed of its own: none finds the factors of another. Blocks are as small as an
    ensemble makes them, so that runs of few and of many paths have the same.
    """
    from crowdfall.engine.ensemble import SMALLEST, run
    from crowdfall.scenarios import load

    def seconds(count: int, workers: int, seed: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            run(market, load("feb2024"), paths=count, seed=seed, workers=workers, block=SMALLEST,
                out=Path(folder) / "run")  # fmt: skip
            return time.perf_counter() - start

    def largest() -> float:
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6

    seconds(2 * SMALLEST, 2, 1)
    few = largest()
    two = seconds(4 * paths, 2, 2)
    many = largest()
    one = 2.0 * seconds(2 * paths, 1, 3)
    return {"one worker": one, "two workers": two, "speed-up of two": one / two,
            f"memory, {2 * SMALLEST} paths, GB": few,
            f"memory, {4 * paths} paths, GB": many, "memory of a worker, GB": many}  # fmt: skip


def bar_of_kernels(run: Any, sold: float) -> Callable[[], None]:  # noqa: ANN401
    """Return the kernels of one bar on a block's own arrays, every book selling a share of all."""
    from crowdfall.engine import kernels as k

    s, p, led, x = run.setting, run.prices, run.ledger, run.scratch
    paths, books, groups = led.group_value.shape
    share, buy = np.full((paths, books, groups), sold), np.zeros((paths, books, groups))
    locked, least = p.locked, s.scenario.impact.locked_fill
    limit = s.market.stocks.adv * 0.03
    normal, stress = np.ones_like(p.noise), np.ones((paths, groups))
    target = np.ones((paths, groups))
    moved, held = p.group, led.held_back.copy()
    shares, kept, worth = led.base.copy(), led.kept.copy(), -np.ones_like(led.kept)
    valued = np.arange(books if sold else 0, dtype=np.int64)
    values, sellable = np.empty_like(share), np.empty_like(share)
    background, fresh = led.background.copy(), led.fresh.copy()
    books_held = (shares, kept, worth, held, fresh, led.slot)

    def work() -> None:
        k.add_noise(p.noise, normal, p.day_scale, stress, s.edges)
        k.group_values(*books_held, p.price, s.edges, valued, values, sellable)
        k.collect_sales(*books_held, p.price, s.edges, share, led.capped, locked, limit, x.sales,
                        x.scale, x.wanted, x.ordered)  # fmt: skip
        k.spread_purchases(buy, s.float_shares, p.price, s.edges, x.weight, x.purchases)
        for _ in range(2):
            np.add(p.noise, p.impact, out=x.own)
            k.solve_factors(x.own, s.slope, p.loading, moved, s.index_weight, p.base, p.low,
                            p.high, s.edges, target, p.market, p.group, True, False)  # fmt: skip
        k.fill_orders(x.own, s.slope, p.loading, moved, p.market, p.log_price, p.low, p.high,
                      s.edges, least, x.sales, x.purchases, x.filled_sales, x.filled_purchases,
                      x.net)  # fmt: skip
        k.filled_by_book(shares, kept, held, fresh, led.slot, p.price, s.edges, share, led.capped,
                         x.scale, x.filled_sales, x.ordered, x.wanted, x.filled)  # fmt: skip
        k.add_volume(p.volume, 0.97, x.sales, x.purchases, x.filled_sales, x.filled_purchases,
                     s.market.stocks.adv, p.depth, s.edges)  # fmt: skip
        k.own_impact(p.volume, run.strength, 0.6, p.impact)
        k.set_prices(x.own, s.slope, p.loading, moved, p.market, p.low, p.high, s.edges,
                     s.market.stocks.close, p.log_price, p.price)  # fmt: skip
        k.book_sales(*books_held, p.price, s.edges, share, led.capped, x.scale, x.filled_sales,
                     x.ordered, background, x.sold)  # fmt: skip
        k.book_purchases(*books_held, p.price, s.edges, buy, x.weight, x.filled_purchases,
                         background, x.bought)  # fmt: skip
        k.index_levels(p.log_price, p.base, s.index_weight, s.edges, p.level)
        k.limit_state(p.log_price, p.low, p.high, s.counted, s.edges, p.locked, p.touched,
                      p.locked_share, p.down, p.up)  # fmt: skip

    return work


def bar_of_numpy(run: Any, sold: float) -> Callable[[], None]:  # noqa: ANN401
    """Return the same bar from the numpy twins of the kernels (factors given, not solved)."""
    import kernel_twins as t

    s, p, led = run.setting, run.prices, run.ledger
    paths, books, groups = led.group_value.shape
    share, buy = np.full((paths, books, groups), sold), np.zeros((paths, books, groups))
    limit, least = s.market.stocks.adv * 0.03, s.scenario.impact.locked_fill
    normal, stress = np.ones_like(p.noise), np.ones((paths, groups))
    shares = led.shares
    own_books = (shares, led.held_back, led.slot)
    sales = scale = np.zeros_like(p.noise)

    def work() -> None:
        nonlocal sales, scale
        noise = t.add_noise(p.noise, normal, p.day_scale, stress, s.edges)
        if sold:
            t.group_values(*own_books, p.price, s.edges)
            sales, scale, *_ = t.collect_sales(
                *own_books, p.price, s.edges, share, led.capped, p.locked, limit
            )
        weight, purchases = t.spread_purchases(buy, s.float_shares, p.price, s.edges)
        own = noise + t.own_impact(p.volume, run.strength, 0.6)
        x = t.tentative(own, s.slope, p.loading, p.group, p.market, s.edges)
        filled, bought = t.fill_orders(x, p.log_price, p.low, p.high, least)
        t.by_group(purchases * bought - sales * filled, s.edges)
        if sold:
            out = t.sold_shares(*own_books, s.edges, share, led.capped, scale, filled)
            t.by_group(out * p.price[:, None, :], s.edges)
        volume = p.volume * 0.97 + (purchases * bought - sales * filled) / 1e9
        own = noise + t.own_impact(volume, run.strength, 0.6)
        log_price = np.clip(
            t.tentative(own, s.slope, p.loading, p.group, p.market, s.edges), p.low, p.high
        )
        price = s.market.stocks.close * np.exp(log_price)
        if sold:
            into = t.bought_shares(buy, weight, bought, price, s.edges)
            t.by_group(out * price[:, None, :], s.edges)
            t.by_group(into * price[:, None, :], s.edges)
            _ = shares - out + into
        t.index_levels(log_price, p.base, s.index_weight, s.edges)
        t.limit_state(log_price, p.low, p.high, s.counted, s.edges)

    return work


def bytes_of_a_bar(run: Any, sold: float) -> int:  # noqa: ANN401
    """Return the bytes that a bar must read or write at least once from memory.

    Books are read for orders and for trades; about forty passes over arrays of path and stock are
    left to the caches.
    """
    books = 2 * int(run.ledger.base.nbytes) if sold else 0
    return books + 40 * int(run.prices.noise.nbytes)


def measure_bar(run: Any, sold: float, name: str) -> dict[str, float]:  # noqa: ANN401
    fast, slow = bar_of_kernels(run, sold), bar_of_numpy(run, sold)
    fast()  # compiled
    kernels, twin = best(fast, 7), best(slow, 2)
    traffic = bytes_of_a_bar(run, sold) / kernels
    return {
        f"{name}, ms": 1e3 * kernels, f"{name}, numpy / kernels": twin / kernels,
        f"{name}, stock-path-bars / s": run.prices.noise.size / kernels,
        f"{name}, GB/s": traffic / 1e9, f"{name}, share of copy": traffic / copy_bandwidth(),
    }  # fmt: skip


def measure(market: Any, paths: int, quick: bool) -> dict[str, float]:  # noqa: ANN401
    played = play(market, paths)
    run = open_block(market, paths)
    found = {
        "stocks": len(market.stocks), "books": run.ledger.cash.shape[1], "paths": paths,
        "copy bandwidth, GB/s": copy_bandwidth() / 1e9, **played,
        **measure_bar(run, 0.0, "prices"), **measure_bar(run, 0.01, "books"),
    }  # fmt: skip
    found["price bars / s"] = found["prices, stock-path-bars / s"]
    if not quick:
        found |= costs(market, paths) | ensembles(market, paths)
    return found


PHASES = ("open_run", "set_depth", "collect_orders", "draw_noise", "first_prices",
          "fill_stocks", "final_prices", "book", "observe", "close_day", "tables")  # fmt: skip


def show(found: dict[str, float], paths: int) -> None:
    print(f"{found['stocks']:.0f} stocks, {found['books']:.0f} books, block of {paths} paths")
    print(f"  first path, loading or compiling kernels {found['first path']:7.2f} s")
    print(f"  a warm path of feb2024                   {found['a path']:7.2f} s"
          f"  (at most {PATH_LIMIT} s)")  # fmt: skip
    print("  where it goes:")
    for name in PHASES:
        share = found[name] / (found["a path"] * paths)
        print(f"    {name:16}{found[name] / paths:8.3f} s{100 * share:6.1f}%")
    print(f"  a copy moves {found['copy bandwidth, GB/s']:.1f} GB/s; the kernels of one bar:")
    for name, what in (("prices", "idle books"), ("books", "all books sell")):
        speed = found[f"{name}, stock-path-bars / s"] / 1e6
        print(f"    {what:16}{found[f'{name}, ms']:7.2f} ms, {speed:.1f} million stock-path-bars/s,"
              f" numpy {found[f'{name}, numpy / kernels']:.1f} times as long,"
              f" {100 * found[f'{name}, share of copy']:.0f}% of a copy's GB/s")  # fmt: skip
    told = {"stocks", "books", "paths", "first path", "a path", "copy bandwidth, GB/s", *PHASES}
    for name, value in found.items():
        if name not in told and not name.startswith(("prices, ", "books, ", "price bars")):
            print(f"  {name:32}{value:8.3f}")
    print("  aims:")
    for name, aim in GOALS.items():
        if name in found:
            print(f"    {name:28}{found[name]:14.4g}  aim {aim:g}")


def main() -> int:
    """Measure, print, and return 1 where a path takes longer than it may."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--market", type=Path, help="a saved market; the bundled one by default")
    words.add_argument("--paths", type=int, default=10)
    words.add_argument("--quick", action="store_true", help="no cost table, no ensembles")
    words.add_argument("--json", action="store_true")
    asked = words.parse_args()
    import crowdfall as cf

    market = cf.load_market(asked.market) if asked.market else cf.bundled_market()
    found = measure(market, asked.paths, asked.quick)
    if asked.json:
        print(json.dumps(found, indent=1))
    else:
        show(found, asked.paths)
    return 0 if found["a path"] <= PATH_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
