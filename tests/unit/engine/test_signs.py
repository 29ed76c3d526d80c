"""Signs that theory and the documents give, over pairs of paths with the same draws."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest

from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.engine.state import Factors
from crowdfall.market.snapshot import Market
from crowdfall.results.metrics import spirals
from crowdfall.scenarios.load import load
from crowdfall.types import Float64
from invented_market import CRASH, invented_market, write_scenario

PATHS = 6
QUIET = tuple(
    f"agents.{name}.enabled=false"
    for name in ("followers", "quant", "public_funds", "pledges", "value_investors", "issuers")
)
Tables = dict[str, pl.DataFrame]


@cache
def market() -> Market:
    return invented_market(every=2)


@cache
def _base(days: int, rescue: float, given: tuple[str, ...]) -> tuple[Tables, Factors]:
    return _play(days, rescue, given, None)


def _play(
    days: int, rescue: float, words: tuple[str, ...], factors: Factors | None
) -> tuple[Tables, Factors]:
    with TemporaryDirectory() as folder:
        path = write_scenario(
            Path(folder), moves=CRASH, days=days, assimilated=4, rescue=rescue, more=STRESS
        )
        scenario = load(str(path), [*QUIET, *words, "clock.factors=solve"])
        result = simulate(
            setting(market(), scenario, 7), first_path=0, paths=PATHS, factors=factors
        )
    assert result.factors is not None
    return result.tables, result.factors


STRESS = """
agents.dma.gross = 250e9
agents.dma.tilt = 1.0
agents.dma.swap_checks = false
impact.multiplier = 4.0
impact.depth_floor = 0.3
impact.depth_lock = 2.0
"""


def pair(
    *changed: str, given: tuple[str, ...] = (), days: int = 9, rescue: float = 0.0
) -> tuple[Tables, Tables]:
    """Return tables without and with a change; the second reads the factors of the first."""
    base, factors = _base(days, rescue, given)
    return base, _play(days, rescue, (*given, *changed), factors)[0]


def by_path(table: pl.DataFrame, column: str, kind: str = "") -> Float64:
    """Return the sum of a column by path, of one participant where named."""
    mine = table.filter(pl.col("kind") == kind) if kind else table
    return mine.group_by("path").agg(pl.col(column).sum()).sort("path")[column].to_numpy()


def fall(daily: pl.DataFrame, index: str, day: int) -> Float64:
    """Return the return of an index from the start to a session, by path."""
    growth = daily.sort("path", "date").group_by("path", maintain_order=True)
    level = growth.agg((1.0 + pl.col(f"{index}_return")).head(day + 1).product().alias("level"))
    return level["level"].to_numpy() - 1.0


DOORS = ("cost", "profit_taking", "rotation", "no_new_shorts")
BAN = """[[policy]]
kind = "no_new_shorts"
title = "no new shorts"
source = "invented"
start = 2024-01-02
"""


@pytest.mark.parametrize("door", DOORS)
def test_each_door_alone_makes_neutral_funds_cut(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.STRESS", STRESS + BAN)
    shut = tuple(f"agents.neutral.{name}=false" for name in DOORS)
    given = (*shut, "channels.futures_margin=false",  # calls sell stock as well
             "agents.arbitrageurs.enabled=false", "basis.premium_decay=4.0",
             "agents.neutral.cut_rate=0.0", "agents.neutral.unwind_rate=0.1",
             "agents.neutral.profit_rate=0.1", "agents.neutral.profit_gain=0.01",
             "agents.neutral.rotation_rate=0.05",
             "agents.neutral.rotation_gap=0.004")  # fmt: skip
    off, on = pair(f"agents.neutral.{door}=true", given=given, days=7)
    assert (by_path(off["agents"], "stock_sold", "neutral") == 0.0).all()
    assert (by_path(on["agents"], "stock_sold", "neutral") > 1e6).all()


def test_knock_in_makes_dealers_sell_futures() -> None:
    """The close takes the hedge away, so the sale follows in the next session."""
    daily = pair("agents.dma.enabled=false", days=7)[0]["daily"].sort("path", "date")
    for u, index in (("ic", "csi500"), ("im", "csi1000")):
        fresh = pl.col(f"knocked_in_share_{index}").diff().over("path")
        moved = pl.col(f"dealer_futures_{u}").diff().shift(-1).over("path")
        steps = daily.select(fresh.alias("fresh"), moved.alias("moved")).drop_nulls()
        jumps = steps.filter(pl.col("fresh") > 0.05)["moved"]
        assert jumps.len() > 0
        assert (jumps < 0.0).mean() > 0.8  # a large further fall may ask for more hedge again


def test_an_even_spread_of_knock_ins_softens_the_first_shock() -> None:
    """On the day after the first crowded close CSI 1000 falls less when no level is crowded.

    Only the first shock: notes that are left knock in later, and while DMA books sell as well
    the whole fall of a longer slide may be the deeper one.
    """
    heavy, even = pair("agents.snowball_dealers.map='even'", days=7)
    steps, falls = [], []
    for tables in (heavy, even):
        daily = tables["daily"].sort("path", "date")
        share = daily["knocked_in_share_csi1000"].to_numpy().reshape(PATHS, -1)
        steps.append(np.diff(share, axis=1))
        falls.append(daily["csi1000_return"].to_numpy().reshape(PATHS, -1))
        if tables is heavy:
            crowded = steps[0] > 0.05
            assert crowded.any(axis=1).all()
            first = crowded.argmax(axis=1)
    close = (np.arange(PATHS), first)
    assert (steps[1][close] < steps[0][close]).all()
    day = (np.arange(PATHS), first + 2)  # the hedge is let go in the next session
    assert (falls[0][day] < 0.0).all()
    assert (falls[1][day] > falls[0][day]).all()
    assert (falls[1][:, :3].sum(axis=1) > falls[0][:, :3].sum(axis=1)).all()


def test_rescue_of_the_middle_lowers_books_long_small_and_short_im() -> None:
    """The hedge is bought up while the stocks are not: both legs lose (design:system 39)."""
    only = ("agents.national_team.buy_csi300=false", "agents.national_team.buy_csi2000=false",
            "agents.style_switchers.switch=0.5", "agents.dma.cut_rate=0.0",
            "agents.dma.margin_rules=false", "agents.snowball_dealers.enabled=false",
            "channels.backstop=false", "impact.spill=0.1")  # fmt: skip
    with_rescue, without = pair("agents.national_team.enabled=false", given=only, days=7,
                                rescue=30.0)  # fmt: skip
    navs = []
    for tables in (with_rescue, without):
        books = tables["agents"].filter(
            (pl.col("kind") == "dma") & pl.col("cell").str.contains("-im-25-patient")
        )
        last = books.filter(pl.col("date") == pl.col("date").max())
        navs.append(last.group_by("path").agg(pl.col("nav").mean()).sort("path")["nav"].to_numpy())
    assert (navs[0] < navs[1]).all()


def test_sell_ban_lowers_the_sales_of_the_banned_that_day(monkeypatch: pytest.MonkeyPatch) -> None:
    ban = """[[policy]]
kind = "sell_ban"
title = "ban"
source = "invented"
start = 2024-01-08
shares = { dma = 0.7 }
"""
    monkeypatch.setattr(f"{__name__}.STRESS", STRESS + ban)
    banned, free = pair("channels.sell_ban=false", days=8)
    day = pl.col("date").cast(pl.String) == "2024-01-08"
    sold = [by_path(t["agents"].filter(day), "stock_sold", "dma") for t in (banned, free)]
    assert (sold[1] > 0.0).all()
    assert (sold[0] < sold[1]).all()
    shortfall = [t["daily"]["broker_shortfall"].max() for t in (banned, free)]
    print(f"largest shortfall, yuan: {shortfall[0]:.3g} banned, {shortfall[1]:.3g} free")


FORCED = (
    "agents.dma.cut_rate=0.0", "agents.dma.top_up_line=0.17", "agents.dma.liquidation_line=0.08",
    "agents.dma.urgency=2.0", "agents.dma.stages=1.0", "noise.participation=0.6",
)  # fmt: skip
"""Only brokers cut: what is sold is forced."""


def test_half_the_leverage_at_the_same_equity_removes_the_spiral() -> None:
    four, two = pair("agents.dma.leverage_cap=2.0", given=FORCED, days=11)
    free = pl.col("date").cast(pl.String) > "2024-01-05"  # before, inputs make the fall
    with_spiral, still = (set(spirals(t["daily"].filter(free))["path"]) for t in (four, two))
    assert len(with_spiral) >= PATHS // 2
    assert len(with_spiral & still) <= 0.1 * len(with_spiral)
    assert (fall(two["daily"], "microcap", 8) > fall(four["daily"], "microcap", 8)).all()


def test_the_loop_of_excess_inflow_and_leverage_grows_the_crowd() -> None:
    """buildup2023 with and without the loop, on the same draws."""
    scenarios = {
        on: load("buildup2023", ["clock.end='2024-02-29'", f"agents.dma.growth.enabled={on}"])
        for on in ("true", "false")
    }
    most, flows, bought, lead = {}, {}, {}, {}
    for on, scenario in scenarios.items():
        tables = simulate(setting(market(), scenario, 3), first_path=0, paths=PATHS).tables
        books = tables["agents"].filter(pl.col("kind") == "dma")
        whole = books.group_by("path", "date").agg(pl.col("stock_value").sum())
        most[on] = whole.group_by("path").agg(pl.col("stock_value").max()).sort("path")
        flows[on] = by_path(books, "capital_flow")
        bought[on] = by_path(books, "stock_bought")
        rising = tables["daily"].sort("path", "date").group_by("path", maintain_order=True)
        highest = rising.agg(pl.col("microcap_close").head(6).mean())  # money comes in at first
        lead[on] = highest.sort("path")["microcap_close"].to_numpy()
    assert (bought["false"] == 0.0).all()
    assert (bought["true"] > 0.0).all()
    assert (flows["true"] > flows["false"]).all()
    grown = most["true"]["stock_value"].to_numpy() / most["false"]["stock_value"].to_numpy()
    assert np.median(grown) > 1.05  # the crowd
    higher = lead["true"] / lead["false"]
    assert higher.mean() > 1.0  # and what it holds
