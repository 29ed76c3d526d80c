"""The report: one file, whole, offline, in two languages, safe whatever the scenario is called."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

import fake_run
from crowdfall.errors import RunError
from crowdfall.reports.page import embedded, render, write_report
from crowdfall.results.store import RunFolder, open_run

ECHARTS = files("crowdfall.reports").joinpath("static", "echarts.min.js").read_text()
REMOTE = re.compile(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", re.IGNORECASE)


@pytest.fixture(scope="module")
def crisis() -> RunFolder:
    return fake_run.shared()


@pytest.fixture(scope="module")
def quiet() -> RunFolder:
    return fake_run.shared(calm=True)


class Elements(HTMLParser):
    """Counts elements and keeps every attribute that could load something."""

    def __init__(self) -> None:
        super().__init__()
        self.count: dict[str, int] = {}
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.loads += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "action")]


@pytest.fixture(scope="module")
def page(crisis: RunFolder) -> str:
    return render(crisis, lang="en")


def test_page_names_no_remote_host_and_loads_nothing(page: str) -> None:
    own = page.replace(ECHARTS, "")
    assert len(own) < len(page) - 1_000_000
    assert not REMOTE.search(own)
    found = Elements()
    found.feed(page)
    assert found.loads == []
    assert "link" not in found.count
    assert found.count["script"] == 3
    assert "default-src 'none'" in page


def test_echarts_can_stand_inside_a_script_element() -> None:
    assert "</script" not in ECHARTS.lower()
    assert "<!--" not in ECHARTS
    assert 'version="6.1.0"' in ECHARTS
    static = files("crowdfall.reports").joinpath("static")
    assert "Apache License" in static.joinpath("echarts-LICENSE.txt").read_text()
    assert "Apache Software Foundation" in static.joinpath("echarts-NOTICE.txt").read_text()
    assert "Bostock" in static.joinpath("echarts-LICENSE-d3.txt").read_text()


def test_page_is_small_and_speaks_both_languages(page: str) -> None:
    assert len(page.encode()) < 3_000_000
    assert "Index paths by size group" in page
    assert "各市值组指数路径" in page
    visible = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    assert not re.search(r"\b(?:report|story|word|headline)\.[a-z_]+", visible)


def test_header_says_what_determined_the_run(page: str) -> None:
    for value in ("synthetic", "2023-12-29", "feb2024", "aaaabbbbccccdddd", "1111222233334444",
                  "0.1.0", "2024-01-02 … 2024-02-29 (37)", "--paths 6 --seed 7",
                  "A test fixture."):  # fmt: skip
        assert value in page


def test_inputs_assimilated_and_free_are_told_apart(page: str) -> None:
    assert "assimilated until 2024-01-19 and free afterwards" in page
    assert 'class="badge input"' in page
    assert 'class="badge free"' in page


def test_language_and_colours_shown_first_can_be_chosen(crisis: RunFolder) -> None:
    assert 'data-lang="zh" data-scheme="red_up"' in render(crisis, lang="zh")
    assert 'data-lang="en" data-scheme="green_up"' in render(crisis, lang="en")
    assert 'data-scheme="colour_blind"' in render(crisis, lang="en", scheme="colour_blind")


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    bad = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    scenario = {"name": bad, "title": {"en": bad, "zh": bad}, "clock": {"mode": "free"}}
    run = fake_run.write(tmp_path / "run", paths=1, count=5, scenario=scenario, sources={bad: bad})
    found = Elements()
    found.feed(render(open_run(run.path), lang="en"))
    assert found.count["script"] == 3
    assert "img" not in found.count


def test_embedded_json_reads_back_and_opens_no_tag() -> None:
    value = {"a": "<!--<script>", "b": [1.23456789012, None, True, 5], "c": "中"}
    text = str(embedded(value))
    assert "<" not in text
    assert json.loads(text) == {**value, "b": [1.234568, None, True, 5]}


def test_report_is_written_into_the_run_folder_and_replaces_the_old_one(tmp_path: Path) -> None:
    run = open_run(fake_run.write(tmp_path / "run", paths=1, count=5).path)
    first = write_report(run, lang="zh")
    assert first == run.path / "report.html"
    assert 'data-lang="en"' in write_report(run, lang="en").read_text(encoding="utf-8")
    assert [item.name for item in run.path.iterdir() if item.name.startswith(".")] == []


def test_report_that_cannot_be_written_is_told(crisis: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="could not be written"):
        write_report(crisis, lang="en", target=tmp_path / "nowhere" / "report.html")


def test_quiet_run_and_free_run_have_a_page(quiet: RunFolder, tmp_path: Path) -> None:
    assert "A quiet run" in render(quiet, lang="en")
    free = {"name": "free", "clock": {"mode": "free"}}
    run = fake_run.write(tmp_path / "run", paths=2, count=5, scenario=free, actual={})
    assert "Read the outcome as a probability" in render(open_run(run.path), lang="en")


def test_run_without_snowballs_and_funds_has_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fake_run, "CELLS", {kind: fake_run.CELLS[kind] for kind in ("trend_retail", "background")}
    )
    run = fake_run.write(tmp_path / "run", paths=2, count=12)
    assert "Path 1 of 2" in render(open_run(run.path), lang="en")
