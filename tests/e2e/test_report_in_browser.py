"""The report opens from disk in a browser: no request, no error, every series as in the tables."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import fake_run
from crowdfall.market.snapshot import GROUPS, INDICES
from crowdfall.reports.page import write_report
from crowdfall.reports.palette import PALETTES
from crowdfall.results.store import RunFolder, open_run

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
SERIES = """() => Object.fromEntries([...document.querySelectorAll('[data-chart]')].map(place => {
  const option = echarts.getInstanceByDom(place).getOption();
  return [place.dataset.chart, {
    days: option.xAxis ? option.xAxis[0].data : null,
    series: option.series.map(s => ({id: s.id, name: s.name, data: s.data, links: s.links,
                                     colour: s.itemStyle && s.itemStyle.color})),
  }];
}))"""


class Watched:
    """A page that remembers what it asked for and what went wrong in it."""

    def __init__(self, page: Any) -> None:  # noqa: ANN401
        self.page = page
        self.requests: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on(
            "console",
            lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else 0,
        )

    def open(self, report: Path, query: str = "") -> Watched:
        self.page.goto(report.as_uri() + query)
        self.page.wait_for_function("document.querySelectorAll('[data-chart] svg').length > 10")
        return self

    def charts(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.page.evaluate(SERIES)
        return shown


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((found for name in names if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no browser: install chromium to run the tests of the report page")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("browser") / "run"
    return open_run(fake_run.write(folder).path)


@pytest.fixture(scope="module")
def report(run: RunFolder) -> Path:
    return write_report(run, lang="en")


@pytest.fixture
def watched(browser: Any) -> Iterator[Watched]:  # noqa: ANN401
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(20_000)
    yield Watched(page)
    page.close()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_report_opens_from_disk_without_request_or_error(
    watched: Watched, report: Path, lang: str
) -> None:
    watched.open(report, f"?lang={lang}")
    watched.page.wait_for_timeout(200)
    assert watched.requests == [f"{report.as_uri()}?lang={lang}"]
    assert watched.errors == []
    words = {"zh": "多米诺骨牌：依次发生了什么", "en": "What happened, in order"}
    for each, sentence in words.items():
        assert watched.page.get_by_text(sentence, exact=True).is_visible() == (each == lang)


def grid(frame: pl.DataFrame, column: str) -> np.ndarray:
    """One row a path, one column a session."""
    paths = frame["path"].n_unique()
    return frame.sort("path", "date")[column].to_numpy().astype(float).reshape(paths, -1)


def expected(run: RunFolder) -> dict[str, np.ndarray]:
    """Each quantity of a chart, (paths, sessions), worked out without the report's code."""
    daily, agents = run.table("daily"), run.table("agents")
    found = {name: grid(daily, name) for name in daily.columns if name not in ("path", "date")}
    for index in INDICES:
        close, moves = found[f"{index}_close"], found[f"{index}_return"]
        found[index] = close / (close[:, :1] / (1 + moves[:, :1])) - 1
    for kind in agents["kind"].unique():
        mine = agents.filter(pl.col("kind") == kind)
        cells = [mine.filter(pl.col("cell") == cell) for cell in mine["cell"].unique()]
        equity = np.array([grid(cell, "equity") for cell in cells])
        invested = equity / np.array([grid(cell, "nav") for cell in cells])
        found[kind] = equity.sum(axis=0) / invested.sum(axis=0)
    return found


def test_every_series_is_what_the_tables_hold(
    watched: Watched, report: Path, run: RunFolder
) -> None:
    known = expected(run)
    sessions = [day.isoformat() for day in run.table("daily")["date"].unique().sort()]
    checked = 0
    for name, chart in watched.open(report).charts().items():
        if name.startswith("flow-"):
            continue
        assert chart["days"] == sessions
        for series in chart["series"]:
            stem, _, part = series["id"].rpartition(".")
            if part == "actual":
                closes = run.manifest["actual"][stem]
                wanted = np.array([closes[day] for day in sessions]) / closes["2023-12-29"] - 1
            else:
                values = known[stem]
                low, high = np.percentile(values, [5, 95], axis=0)
                by_part = {"low": low, "width": high - low, "median": np.median(values, axis=0)}
                wanted = by_part[part]
            drawn = np.array(series["data"], dtype=float)
            np.testing.assert_allclose(
                drawn, wanted, rtol=1e-6, atol=1e-6 * np.abs(wanted).max() + 1e-12, err_msg=name
            )
            checked += 1
    assert checked >= 3 * (2 * len(INDICES) + len(GROUPS) + 2 + 2 + 2 + 3)


@pytest.mark.parametrize("venue", ["stocks", "futures"])
def test_flows_of_a_chosen_day_are_who_sold_to_whom_on_the_path_told(
    watched: Watched, report: Path, run: RunFolder, venue: str
) -> None:
    watched.open(report)
    path = int(watched.page.locator(".opening:visible").inner_text().split()[1]) - 1
    inside = pl.col("place").is_in(["ic", "im"])
    flows = run.table("flows").filter(
        pl.col("path") == path, inside if venue == "futures" else ~inside
    )
    for day in ("2024-02-05", "2024-01-22", "2024-02-08"):
        watched.page.select_option("#day", day)
        shown = {
            (link["source"], link["target"]): link["value"]
            for link in watched.charts()[f"flow-{venue}"]["series"][0]["links"]
        }
        wanted = {}
        today = flows.filter(pl.col("date") == pl.lit(day).str.to_date())
        for row in today.iter_rows(named=True):
            if row["sold"] > 0:
                wanted[(f"sell:{row['kind']}", row["place"])] = row["sold"]
            if row["bought"] > 0:
                wanted[(row["place"], f"buy:{row['kind']}")] = row["bought"]
        total = sum(value for ends, value in wanted.items() if ends[0].startswith("sell:"))
        large = {ends: value for ends, value in wanted.items() if value > 0.003 * total}
        assert large
        assert set(large) <= set(shown) <= set(wanted)
        for ends, value in shown.items():
            assert value == pytest.approx(wanted[ends], rel=1e-5)


def test_days_can_be_stepped_through(watched: Watched, report: Path) -> None:
    watched.open(report)
    watched.page.select_option("#day", "2024-02-08")
    watched.page.click("[data-step='1']")
    assert watched.page.input_value("#day") == "2024-02-19"
    watched.page.click("[data-step='-1']")
    watched.page.click("[data-step='-1']")
    assert watched.page.input_value("#day") == "2024-02-07"
    watched.page.locator("#day-slider").fill("0")
    assert watched.page.input_value("#day") == "2024-01-02"
    watched.page.click("[data-step='-1']")
    assert watched.page.input_value("#day") == "2024-01-02"
    assert watched.errors == []


def test_language_switch_changes_words_charts_and_colours(watched: Watched, report: Path) -> None:
    watched.open(report)
    english = watched.charts()
    watched.page.click("[data-set-lang='zh']")
    chinese = watched.charts()
    assert english["indices"]["series"][2]["name"] == "CSI 300"
    assert chinese["indices"]["series"][2]["name"] == "沪深300"
    for name in english:
        assert [s["data"] for s in english[name]["series"] if not name.startswith("flow")] == [
            s["data"] for s in chinese[name]["series"] if not name.startswith("flow")
        ]
    bars = {s["id"]: s["colour"] for s in chinese["limits"]["series"]}
    assert bars["limit_down_count.median"] == PALETTES["red_up"]["@down"]
    assert watched.page.evaluate("document.documentElement.lang") == "zh"
    assert watched.page.title().startswith("2024年1-2月")
    assert not watched.page.get_by_text("Key numbers", exact=True).is_visible()


def test_colour_switch_is_kept_when_the_language_changes(watched: Watched, report: Path) -> None:
    watched.open(report)
    langs = iter(("zh", "en", "zh"))
    for scheme, palette in PALETTES.items():
        watched.page.click(f"[data-set-scheme='{scheme}']")
        watched.page.click(f"[data-set-lang='{next(langs)}']")
        bars = {s["id"]: s["colour"] for s in watched.charts()["limits"]["series"]}
        assert bars["limit_down_count.median"] == palette["@down"]
        assert bars["limit_up_count.median"] == palette["@up"]
    assert watched.errors == []


def test_hidden_series_stay_hidden_when_colours_change(watched: Watched, report: Path) -> None:
    watched.open(report)
    hide = "echarts.getInstanceByDom(document.getElementById('chart-indices')).dispatchAction"
    watched.page.evaluate(f"{hide}({{type: 'legendUnSelect', name: 'CSI 500'}})")
    watched.page.click("[data-set-scheme='colour_blind']")
    chosen = watched.page.evaluate(
        "echarts.getInstanceByDom(document.getElementById('chart-indices'))"
        ".getOption().legend[0].selected"
    )
    assert chosen["CSI 500"] is False


def test_tooltip_tells_median_and_band_in_the_unit_of_the_axis(
    watched: Watched, report: Path
) -> None:
    watched.open(report, "?lang=en")
    watched.page.locator("#chart-pressure").scroll_into_view_if_needed()
    watched.page.locator("#chart-pressure").hover(position={"x": 300, "y": 150})
    watched.page.wait_for_timeout(300)
    text = watched.page.locator("#chart-pressure > div:last-child").inner_text()
    assert re.search(r"forced sales.* \(.* … .*\)", text)
    assert "unfilled sales" in text
    assert "NaN" not in text
    assert "undefined" not in text
    assert watched.errors == []


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_at_desk_and_phone_width(
    watched: Watched, report: Path, width: int
) -> None:
    watched.page.set_viewport_size({"width": width, "height": 900})
    watched.open(report, "?lang=zh")
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    boxes = watched.page.evaluate("""() => [...document.querySelectorAll('[data-chart]')].map(p => {
      const svg = p.querySelector('svg').getBoundingClientRect(), b = p.getBoundingClientRect();
      const texts = [...p.querySelectorAll('text')].filter(t => !t.closest('[clip-path]'))
        .map(t => t.getBoundingClientRect());
      return {id: p.id, width: b.width, same: Math.abs(svg.width - b.width) < 2,
              out: texts.filter(t => t.left < b.left - 2 || t.right > b.right + 2).length};
    })""")
    assert len(boxes) >= 15
    for box in boxes:
        assert box["width"] > 0.7 * min(width, 350), box
        assert box["same"], box
        assert box["out"] == 0, box


def test_quiet_run_opens_without_error(watched: Watched, tmp_path: Path) -> None:
    run = open_run(fake_run.write(tmp_path / "quiet", paths=1, count=6, calm=True).path)
    watched.open(write_report(run, lang="zh"))
    assert watched.errors == []
    assert "波澜不惊" in watched.page.locator(".opening:visible").inner_text()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_chain_stands_beside_the_dominoes_with_dates_and_amounts(
    watched: Watched, report: Path, run: RunFolder, lang: str
) -> None:
    watched.open(report, f"?lang={lang}")
    links = watched.page.locator("#chain li:visible")
    dates = [each.get_attribute("datetime") for each in links.locator("time").all()]
    figures = [each.inner_text() for each in links.locator("b").all()]
    assert len(dates) == len(figures) == links.count() >= 6
    days = {day.isoformat() for day in run.table("events")["date"]}
    assert set(dates) <= days
    assert all(figures)
    story, chain = (watched.page.locator(name).bounding_box() for name in ("#story", "#chain"))
    assert chain["x"] >= story["x"] + story["width"]
    assert watched.errors == []
