"""The control year: volatility put to the last sessions, spirals under two readings, the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.engine.setting import setting
from crowdfall.engine.simulate import simulate
from crowdfall.engine.targets import at_volatility
from crowdfall.experiments import control_year as study
from crowdfall.market.snapshot import GROUPS, INDICES
from crowdfall.results.metrics import COMPELLED, FORCED, spirals
from crowdfall.scenarios import load
from invented_market import invented_market

PATHS = 4


def year(*, falls: bool, forced: float, compelled: float, path: int = 0) -> pl.DataFrame:
    """Ten sessions; from the fifth on all indices fall 4% a day, or not."""
    days = [date(2023, 1, 3 + k) for k in range(10)]
    move = [-0.04 if falls and k >= 4 else 0.001 * (-1) ** k for k in range(10)]
    out: dict[str, object] = {"path": [path] * 10, "date": days}
    for index in INDICES:
        out[f"{index}_return"] = move
    for group in GROUPS:
        out[f"forced_share_{group}"] = [forced] * 10
        out[f"compelled_share_{group}"] = [compelled] * 10
    return pl.DataFrame(out)


def test_a_spiral_by_own_lines_is_none_by_brokers_alone() -> None:
    own = year(falls=True, forced=0.0002, compelled=0.002)
    assert spirals(own, FORCED).is_empty()
    assert spirals(own).is_empty()  # the narrow reading is the default
    found = spirals(own, COMPELLED)
    assert set(found["index"]) == set(INDICES)
    assert found["forced"].to_list() == pytest.approx([0.011] * len(found))
    assert spirals(year(falls=True, forced=0.002, compelled=0.0), FORCED).height > 0
    assert spirals(year(falls=False, forced=0.02, compelled=0.02), COMPELLED).is_empty()


def test_paths_are_counted_once_and_by_each_reading() -> None:
    daily = pl.concat(
        [
            year(falls=True, forced=0.002, compelled=0.0, path=0),
            year(falls=True, forced=0.0, compelled=0.002, path=1),
            year(falls=False, forced=0.002, compelled=0.002, path=2),
        ]
    )
    narrow, wide = study.counted(daily)
    assert (narrow.paths, wide.paths, wide.of) == (1, 2, 3)


def test_interval_of_a_share_is_that_of_wilson() -> None:
    """Brown, Cai, DasGupta (2001): the interval inverts the score test."""
    for count, of in ((0, 10), (3, 10), (10, 10), (190, 200)):
        low, high = study.wilson(count, of)
        for edge in (low, high):
            if 1e-12 < edge < 1.0 - 1e-12:
                score = (count / of - edge) / np.sqrt(edge * (1 - edge) / of)
                assert abs(score) == pytest.approx(1.959964, rel=1e-6)
        assert low <= count / of <= high + 1e-12


def test_drawn_returns_have_the_volatility_of_the_last_sessions() -> None:
    rng = np.random.default_rng(4)
    returns = rng.standard_normal((900, 6)) * 0.02
    returns[-120:] *= 0.25
    put = at_volatility(returns, 0.94)
    square, weight = np.zeros(6), 0.0
    for row in returns:  # the recursion that RiskMetrics prints
        square, weight = 0.94 * square + row**2, 0.94 * weight + 1.0
    np.testing.assert_allclose((put**2).mean(axis=0), square / weight, rtol=1e-9)
    assert (np.sqrt(square / weight) < 0.5 * returns[:700].std(axis=0)).all()
    np.testing.assert_allclose(np.corrcoef(put.T), np.corrcoef(returns.T), atol=1e-12)
    assert at_volatility(returns, 1.0) is returns
    changed = returns.copy()
    changed[:300] *= -1.0  # nothing of what is long past but its size
    np.testing.assert_allclose(np.abs(at_volatility(changed, 0.94)), np.abs(put), rtol=1e-6)


def test_without_participants_the_year_keeps_its_volatility_and_nothing_spirals() -> None:
    """The control on an invented market: what is drawn is what is played."""
    market = invented_market(noise=0.0)
    words = ["clock.start=2023-12-29", "clock.end=2024-06-28"]
    base = load("control2023", words)
    named = [name for name, terms in vars(base.agents).items() if hasattr(terms, "enabled")]
    silent = [f"agents.{name}.enabled=false" for name in named]
    bare = replace(load("control2023", [*words, *silent]), policy=())
    played = setting(market, bare, 1)
    daily = simulate(played, first_path=0, paths=PATHS).tables["daily"]
    want = dict(zip(GROUPS, played.targets.returns.std(axis=0).tolist(), strict=True))
    for each in study.volatilities(daily, want, want):
        print(each.index, f"{each.gap:+.3f}")
        assert each.holds
    assert [each.paths for each in study.counted(daily)] == [0, 0]


def test_broker_and_own_lines_never_count_a_sale_twice() -> None:
    words = ["clock.start=2023-12-29", "clock.end=2024-03-29", "agents.dma.cut_drawdown=0.02"]
    scenario = replace(load("control2023", words), policy=())
    tables = simulate(setting(invented_market(), scenario, 1), first_path=0, paths=PATHS).tables
    sold = tables["flows"].filter(pl.col("place").is_in(GROUPS), pl.col("kind") != "background")
    whole = sold.group_by("path", "date", "place").agg(pl.col("sold").sum())
    held = dict(zip(GROUPS, setting(invented_market(), scenario, 1).group_float, strict=True))
    seen = 0.0
    for group in GROUPS:
        rows = whole.filter(pl.col("place") == group).join(tables["daily"], on=["path", "date"])
        parts = rows[f"forced_share_{group}"] + rows[f"compelled_share_{group}"]
        assert (parts.to_numpy() * held[group] <= rows["sold"].to_numpy() * (1 + 1e-9) + 1.0).all()
        seen += float(rows[f"compelled_share_{group}"].sum())
    assert seen > 0.0


def test_the_page_says_what_holds_and_what_does_not(tmp_path: Path) -> None:
    daily = pl.concat([year(falls=k == 0, forced=0.002, compelled=0.0, path=k) for k in range(30)])
    crisis = pl.concat([year(falls=k < 29, forced=0.0, compelled=0.01, path=k) for k in range(30)])
    real = dict.fromkeys(INDICES, 0.00105)
    found = study.Control(
        names=("calm", "crisis"), hashes=("a", "b"), markets=("c", "d"), seeds=(1, 1),
        volatility=study.volatilities(daily, real, real), calm=study.counted(daily),
        crisis=study.counted(crisis),
    )  # fmt: skip
    assert [found.holds(k) for k in range(2)] == [False, True]
    for lang, word in (("en", "| these, and stop-loss"), ("zh", "| 以上，加止损线")):
        study.write(found, tmp_path / f"{lang}.md", lang)  # type: ignore[arg-type]
        text = (tmp_path / f"{lang}.md").read_text(encoding="utf-8")
        assert word in text
        assert "1 / 30" in text
        assert "29 / 30" in text
