"""The story: the days that matter, amounts as the tables hold them, nothing that did not happen."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

import fake_run
from crowdfall.i18n import LANGUAGES, words
from crowdfall.reports import dominoes
from crowdfall.reports.dominoes import Domino, all_dominoes, path_tables
from crowdfall.reports.story import LISTED, MOST_DAYS, PEAKS, choose, tell
from crowdfall.results.metrics import typical_path
from crowdfall.results.store import RunFolder

DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(30)]


@pytest.fixture(scope="module")
def crisis() -> RunFolder:
    return fake_run.shared()


@pytest.fixture(scope="module")
def quiet() -> RunFolder:
    return fake_run.shared(calm=True)


def domino(day: int, kind: str, amount: float, **more: Any) -> Domino:  # noqa: ANN401
    return Domino(date=DAYS[day], kind=kind, amount=amount, **more)


def test_both_languages_tell_the_same_days_and_dominoes(crisis: RunFolder) -> None:
    zh, en = tell(crisis, "zh"), tell(crisis, "en")
    assert [day.date for day in zh.days] == [day.date for day in en.days]
    assert [day.dominoes for day in zh.days] == [day.dominoes for day in en.days]
    assert 4 <= len(en.days) <= MOST_DAYS
    for story in (zh, en):
        text = "\n".join(story.lines())
        assert not re.search(r"story\.|word\.|\{|\}|nan|None", text)


def test_story_is_told_from_the_typical_path(crisis: RunFolder) -> None:
    path = typical_path(crisis.table("daily"))
    assert tell(crisis, "en").path == path
    assert f"Path {path + 1} of 6" in tell(crisis, "en").opening


def test_amounts_are_those_of_the_tables(crisis: RunFolder) -> None:
    story = tell(crisis, "en")
    mine = crisis.table("daily").filter(pl.col("path") == story.path)
    worst = mine.sort("limit_down_count", descending=True).row(0, named=True)
    told = next(day for day in story.days if day.date == worst["date"])
    assert f"{worst['limit_down_count']:,} stocks close limit-down" in told.sentences
    forced = next(d for d in told.dominoes if d.kind == "forced_sales")
    assert forced.amount == worst["forced_sales"]


def test_worst_days_first_rescue_and_the_ban_are_told(crisis: RunFolder) -> None:
    story = tell(crisis, "en")
    mine = crisis.table("daily").filter(pl.col("path") == story.path)
    told = {day.date for day in story.days}
    falls = mine.select(
        "date", pl.min_horizontal(pl.selectors.ends_with("_return")).alias("fall")
    ).sort("fall")
    assert falls["date"][0] in told
    rescued = mine.filter(pl.sum_horizontal(pl.selectors.starts_with("rescue_")) > 0)
    assert rescued["date"][0] in told
    assert any("sales are restricted" in s for day in story.days for s in day.sentences)


def test_days_that_follow_data_say_so(crisis: RunFolder) -> None:
    story = tell(crisis, "en")
    for day in story.days:
        assert day.follows_data == (day.date <= date(2024, 1, 19))
        assert ("follow data" in story.heading(day)) == day.follows_data


def test_quiet_run_says_that_nothing_happened(quiet: RunFolder) -> None:
    story = tell(quiet, "en")
    assert "A quiet run" in story.opening
    told = [d.kind for day in story.days for d in day.dominoes]
    assert set(told) <= {"ban", "policy"}


def test_nothing_of_amount_zero_exists(crisis: RunFolder, quiet: RunFolder) -> None:
    for run in (crisis, quiet):
        for path in range(run.manifest["paths"] if run is crisis else 2):
            assert all(d.amount > 0 for d in all_dominoes(path_tables(run, path)))


def test_dominoes_come_in_the_order_of_time(crisis: RunFolder) -> None:
    found = all_dominoes(path_tables(crisis, 0))
    assert [d.date for d in found] == sorted(d.date for d in found)


def test_basis_is_compared_with_the_same_contract_on_the_day_before() -> None:
    # The front contract changes on the second day: its basis differs, nothing opened.
    rows = [
        (DAYS[0], "IM2401", "front", -0.001), (DAYS[0], "IM2402", "next", -0.030),
        (DAYS[1], "IM2402", "front", -0.031), (DAYS[2], "IM2402", "front", -0.055),
        (DAYS[3], "IM2402", "front", -0.010),
    ]  # fmt: skip
    frame = pl.DataFrame(rows, schema=["date", "contract", "rank", "basis"], orient="row")
    frame = frame.with_columns(pl.lit("im").alias("underlying"))
    tables = dominoes.PathTables(
        daily=frame, futures=frame, agents=frame, flows=frame, events=frame, manifest={}
    )
    found = list(dominoes.basis_moves(tables))
    assert [(d.date, d.kind) for d in found] == [(DAYS[2], "basis_open"), (DAYS[3], "basis_back")]
    assert [d.values["basis"][1] for d in found] == [-0.055, -0.010]


class TestChoice:
    """Which days are told."""

    def test_largest_and_first_of_a_kind(self) -> None:
        found = [domino(2, "rescue", 1.0), domino(5, "rescue", 9.0), domino(7, "rescue", 2.0)]
        assert list(choose(found, DAYS)) == [DAYS[2], DAYS[5]]

    def test_a_first_time_that_nobody_notices_makes_no_day(self) -> None:
        found = [domino(2, "rescue", 0.1), domino(5, "rescue", 9.0)]
        assert list(choose(found, DAYS)) == [DAYS[5]]

    def test_two_falls_only_where_they_lie_apart(self) -> None:
        found = [domino(5, "index_fall", 0.06), domino(6, "index_fall", 0.05),
                 domino(15, "index_fall", 0.04)]  # fmt: skip
        assert list(choose(found, DAYS)) == [DAYS[5], DAYS[15]]

    def test_small_things_of_a_chosen_day_are_left_out(self) -> None:
        found = [
            domino(5, "limit_downs", 1000.0), domino(5, "limit_ups", 60.0),
            domino(9, "limit_ups", 600.0),
        ]  # fmt: skip
        assert [d.kind for d in choose(found, DAYS)[DAYS[5]]] == ["limit_downs"]

    def test_limit_ups_alone_make_no_day(self) -> None:
        assert choose([domino(9, "limit_ups", 600.0)], DAYS) == {}

    def test_nothing_gives_nothing(self) -> None:
        assert choose([], DAYS) == {}

    def test_never_more_days_than_a_reader_bears(self) -> None:
        kinds = [kind for kind in PEAKS if kind != "ban"]
        found = [domino(n, kind, 1.0 + n, subject=str(n)) for n in range(30) for kind in kinds]
        assert len(choose(found, DAYS)) == MOST_DAYS


def test_every_sentence_is_in_both_languages() -> None:
    kinds = {
        "policy", "rule", "ban", "index_fall", "index_fall_two", "index_rise", "index_rise_two",
        "redemption", "dealer_sale", "dealer_purchase", "basis_open", "basis_back", "limit_downs",
        "limit_ups", "forced_sales", "unfilled", "rescue", "both_legs", "value_fall", "knock_in",
        "stop_loss", "margin_call", "shortfall", "opening", "quiet", "end", "joint", "follows_data",
    }  # fmt: skip
    wanted = {f"story.{kind}" for kind in kinds} | {f"story.{kind}.item" for kind in LISTED}
    for lang in LANGUAGES:
        assert wanted <= set(words(lang))
    assert set(PEAKS) <= kinds


@pytest.mark.parametrize("lang", LANGUAGES)
def test_story_as_json_holds_dates_and_amounts(crisis: RunFolder, lang: str) -> None:
    told = tell(crisis, lang).as_dict()  # type: ignore[arg-type]
    first = told["days"][0]
    assert date.fromisoformat(first["date"])
    assert first["dominoes"][0]["amount"] > 0
    assert first["sentences"]
