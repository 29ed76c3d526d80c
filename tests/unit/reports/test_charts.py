"""Chart options: plain values, the right numbers, words in both languages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import polars as pl
import pytest

import fake_run
from crowdfall.i18n import LANGUAGES, Language
from crowdfall.reports.catalogue import key_numbers, options, sections
from crowdfall.reports.charts import flows, funds, futures, prices
from crowdfall.reports.palette import PALETTES, SCHEMES
from crowdfall.results.store import RunFolder

SCRIPT = files("crowdfall.reports").joinpath("static", "report.js").read_text(encoding="utf-8")
KEY = re.compile(r"\b(report|story|word|headline)\.[a-z_]+")


@pytest.fixture(scope="module")
def crisis() -> RunFolder:
    return fake_run.shared()


@pytest.fixture(scope="module")
def quiet() -> RunFolder:
    return fake_run.shared(calm=True)


def names_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from names_in(each)
    elif isinstance(value, list):
        for each in value:
            yield from names_in(each)
    elif isinstance(value, str) and value.startswith("@"):
        yield value


def series(option: dict, key: str) -> list:
    return next(each["data"] for each in option["series"] if each["id"] == key)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_chart_is_json_with_words_and_known_names(crisis: RunFolder, lang: Language) -> None:
    formats = {f"@{name}" for name in ("percent", "percent0", "ratio", "count", "yuan", "day")}
    formats |= {"@tooltip", "@flow"}
    for section in sections(crisis, lang):
        for chart in section.charts:
            json.dumps({"option": chart.option, "days": chart.days}, allow_nan=False)
            assert not KEY.search(chart.title + chart.reading + json.dumps(chart.option))
            used = set(names_in({"option": chart.option, "days": chart.days}))
            for scheme in SCHEMES:
                assert used <= formats | set(PALETTES[scheme])
    for name in formats - {"@tooltip", "@flow"}:
        assert re.search(rf"\b{name[1:]}[:,(]", SCRIPT), name


def test_schemes_name_the_same_colours_and_swap_up_and_down() -> None:
    assert len({frozenset(palette) for palette in PALETTES.values()}) == 1
    red, green, safe = (PALETTES[scheme] for scheme in SCHEMES)
    assert (red["@up"], red["@down"]) == (green["@down"], green["@up"])
    assert {safe["@up"], safe["@down"]}.isdisjoint({red["@up"], red["@down"]})


def test_ids_of_charts_are_equal_in_both_languages_and_unique(crisis: RunFolder) -> None:
    zh, en = (list(options(sections(crisis, lang))) for lang in LANGUAGES)
    assert zh == en
    assert len(set(zh)) == len(zh) >= 15


def test_band_edges_and_median_are_quantiles(crisis: RunFolder) -> None:
    daily = crisis.table("daily")
    option = futures.basis(daily, "im", "en").option
    values = daily.sort("path", "date")["basis_front_im"].to_numpy().reshape(6, -1)
    low, width = (np.array(series(option, f"basis_front_im.{part}")) for part in ("low", "width"))
    np.testing.assert_allclose(low, np.percentile(values, 5, axis=0))
    np.testing.assert_allclose(low + width, np.percentile(values, 95, axis=0))
    np.testing.assert_allclose(
        series(option, "basis_front_im.median"), np.median(values, axis=0), rtol=1e-12
    )
    assert (low < 0).all()  # negative edges need a stack that ignores the sign
    assert all(s["stackStrategy"] == "all" for s in option["series"] if "stack" in s)


def test_actual_closes_are_drawn_from_the_close_before_the_first_session(
    crisis: RunFolder,
) -> None:
    panels = prices.index_panels(crisis.table("daily"), crisis.manifest, "en")
    option = next(chart.option for chart in panels if chart.id == "index-csi1000")
    drawn = series(option, "csi1000.actual")
    assert drawn[0] == pytest.approx(5800.0 / 5887.2 - 1)
    assert drawn[-1] == pytest.approx((5800.0 - 360) / 5887.2 - 1)
    others = [chart for chart in panels if chart.id != "index-csi1000"]
    assert not any(s["id"].endswith(".actual") for c in others for s in c.option["series"])


@pytest.mark.parametrize(
    "actual",
    [{}, {"csi1000": {}}, {"csi1000": {"2024-01-02": 5.0}}, {"csi1000": {"2020-01-01": 1}}],
)
def test_actual_closes_without_a_start_or_a_day_draw_nothing(actual: dict) -> None:
    assert prices.actual_change({"actual": actual}, "csi1000", ["2024-01-02", "2024-01-03"]) == []


def test_panels_share_one_scale_that_holds_every_value(crisis: RunFolder) -> None:
    panels = prices.index_panels(crisis.table("daily"), crisis.manifest, "zh")
    ends = {(c.option["yAxis"][0]["min"], c.option["yAxis"][0]["max"]) for c in panels}
    assert len(ends) == 1
    low, high = ends.pop()
    for chart in panels:
        name = chart.id.removeprefix("index-")
        lows = np.array(series(chart.option, f"{name}.low"))
        highs = lows + np.array(series(chart.option, f"{name}.width"))
        assert low <= lows.min()
        assert highs.max() <= high


def test_assimilated_days_are_shaded_except_where_the_index_is_an_input(crisis: RunFolder) -> None:
    panels = {c.id: c for c in prices.index_panels(crisis.table("daily"), crisis.manifest, "en")}
    assert "markArea" not in panels["index-csi300"].option["series"][0]
    area = panels["index-csi500"].option["series"][0]["markArea"]["data"][0]
    assert [each["xAxis"] for each in area] == ["2024-01-02", "2024-01-19"]
    free = {"scenario": {"clock": {"mode": "free"}}}
    for chart in prices.index_panels(crisis.table("daily"), free, "en"):
        assert "markArea" not in chart.option["series"][0]


@pytest.mark.parametrize("venue", ["stocks", "futures"])
def test_what_flows_into_a_place_flows_out_of_it(crisis: RunFolder, venue: flows.Venue) -> None:
    chart = flows.exchange(crisis.table("exchanges"), 5, venue, "en")
    assert chart.days is not None
    assert len(chart.days) == 37
    for shown in chart.days.values():
        names = {node["name"] for node in shown["data"]}
        assert len(names) == len(shown["data"])
        into: dict[str, float] = {}
        for link in shown["links"]:
            assert {link["source"], link["target"]} <= names
            assert link["value"] > 0
            place, sign = (
                (link["target"], 1) if link["source"].startswith("sell:") else (link["source"], -1)
            )
            into[place] = into.get(place, 0.0) + sign * link["value"]
        total = sum(link["value"] for link in shown["links"])
        assert all(abs(rest) <= 0.02 * total for rest in into.values())


def test_flow_opens_on_the_day_of_the_largest_sales_of_participants(crisis: RunFolder) -> None:
    table = crisis.table("flows").filter(pl.col("path") == 5, ~pl.col("place").is_in(["ic", "im"]))
    sold = table.filter(pl.col("kind") != "background").group_by("date").agg(pl.col("sold").sum())
    busiest = sold.sort("sold")["date"][-1]
    chart = flows.exchange(crisis.table("exchanges"), 5, "stocks", "en")
    assert chart.days is not None
    assert chart.option["series"][0]["links"] == chart.days[str(busiest)]["links"]


def test_value_chart_shows_funds_first_and_keeps_the_others_in_the_legend(
    crisis: RunFolder,
) -> None:
    chosen = funds.value(crisis.table("agents"), "en").option["legend"]["selected"]
    assert list(chosen)[:3] == ["DMA books", "neutral funds", "enhanced funds"]
    assert [name for name, on in chosen.items() if on] == list(chosen)[:3]
    assert "background market" not in chosen


def test_value_chart_without_any_fund_is_empty_and_still_a_chart(crisis: RunFolder) -> None:
    nobody = crisis.table("agents").with_columns(pl.lit(None, dtype=pl.Float64).alias("nav"))
    assert funds.value(nobody, "en").option["series"] == []


def test_quiet_run_has_every_chart(quiet: RunFolder) -> None:
    for section in sections(quiet, "zh"):
        for chart in section.charts:
            json.dumps(chart.option, allow_nan=False)


def test_key_numbers_say_what_they_are(crisis: RunFolder) -> None:
    numbers = {number.name: number for number in key_numbers(crisis, "en")}
    assert numbers["drawdown_csi300"].standing == "input"
    assert numbers["rescue"].standing == "input"
    assert numbers["limit_downs"].standing == "free"
    assert numbers["drawdown_microcap"].median.startswith("-")
    assert not any(KEY.search(number.label) for number in numbers.values())
    assert "nav_background" not in numbers
