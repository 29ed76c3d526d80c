"""Whatever happened on a path, the story tells it in time, in measure, and never a nothing."""

from __future__ import annotations

import json
import re
import tempfile
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import fake_run
from crowdfall.i18n import LANGUAGES, Language
from crowdfall.reports.dominoes import Domino
from crowdfall.reports.page import embedded, render
from crowdfall.reports.phrases import amount, count, percent
from crowdfall.reports.story import FIRSTS, MOST_DAYS, NOTICED_SHARE, PEAKS, choose, tell
from crowdfall.results.store import open_run

SESSIONS = [date(2024, 1, 1) + timedelta(days=n) for n in range(20)]
NOTHING = re.compile(r"(?<![\d.,])0(\.0)? (bn|mn|stocks|lots)|(?<![\d.,])0(\.0)?(亿|万|只|手)")
kinds = st.sampled_from([*PEAKS, "limit_ups", "unfilled", "policy", "value_fall"])
dominoes = st.lists(
    st.builds(
        Domino,
        date=st.sampled_from(SESSIONS),
        kind=kinds,
        amount=st.floats(1e-6, 1e12),
        subject=st.sampled_from(["", "ic", "im", "dma"]),
    ),
    max_size=80,
)


@given(found=dominoes)
def test_choice_is_ordered_bounded_and_made_of_what_happened(found: list[Domino]) -> None:
    chosen = choose(found, SESSIONS)
    assert list(chosen) == sorted(chosen)
    assert len(chosen) <= MOST_DAYS
    for day, told in chosen.items():
        assert told
        assert all(domino in found and domino.date == day for domino in told)
        assert any(domino.kind in PEAKS for domino in told)


@given(found=dominoes)
def test_where_few_days_matter_the_largest_and_the_first_of_each_kind_are_told(
    found: list[Domino],
) -> None:
    told = [domino for day in choose(found, SESSIONS).values() for domino in day]
    if len({domino.date for domino in found}) > MOST_DAYS:
        return
    for kind in PEAKS:
        for subject in {domino.subject for domino in found if domino.kind == kind}:
            mine = [d for d in found if (d.kind, d.subject) == (kind, subject)]
            if kind == "ban":  # all bans are one series
                continue
            assert max(d.amount for d in mine) in [d.amount for d in told if d.kind == kind]
            if kind in FIRSTS:
                noticed = NOTICED_SHARE * max(d.amount for d in mine)
                first = min(d.date for d in mine if d.amount >= noticed)
                assert first in [d.date for d in told if d.kind == kind]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 9999), paths=st.integers(1, 3), days=st.integers(1, 37), calm=st.booleans()
)
def test_story_of_any_run_has_no_gap_no_zero_and_no_strange_number(
    seed: int, paths: int, days: int, calm: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = fake_run.write(Path(folder) / "r", paths=paths, count=days, seed=seed, calm=calm)
        for lang in LANGUAGES:
            text = "\n".join(tell(open_run(run.path), lang).lines())
            assert not re.search(r"story\.|word\.|[{}]|\bnan\b|\binf\b|None", text)
            assert not NOTHING.search(text)


class Scripts(HTMLParser):
    """Counts script elements."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.scripts += tag == "script"


@settings(max_examples=6, deadline=None)
@given(title=st.text(max_size=40), source=st.text("</script>!-&\"' a", max_size=40))
def test_page_of_any_title_keeps_its_three_scripts(title: str, source: str) -> None:
    title = title.encode("utf-8", "replace").decode("utf-8")
    run = fake_run.shared(calm=True)
    scenario = {"name": source, "title": {"en": title, "zh": title}}
    manifest = {**run.manifest, "scenario": scenario, "sources": {source: title}}
    parser = Scripts()
    parser.feed(render(type(run)(run.path, manifest, run.summary), lang="en"))
    assert parser.scripts == 3


@given(value=st.recursive(st.text() | st.integers() | st.none(), lambda v: st.lists(v, max_size=3)))
def test_embedded_json_reads_back(value: object) -> None:
    text = str(embedded(value))
    assert "<" not in text
    assert json.loads(text) == value


@given(yuan=st.floats(1.0, 1e14), lang=st.sampled_from(LANGUAGES))
def test_amounts_read_back_within_a_twentieth(yuan: float, lang: Language) -> None:
    words = amount(yuan, lang)
    figure = float(re.sub(r"[^\d.]", "", words))
    scale = {"tn": 1e12, "bn": 1e9, "mn": 1e6, "亿": 1e8, "万": 1e4}
    unit = next(value for name, value in scale.items() if name in words)
    assert abs(figure * unit - yuan) <= max(0.05 * yuan, 0.06 * unit)


@given(value=st.floats(-1, 1))
def test_percent_and_count_have_one_sign_and_no_negative_nothing(value: float) -> None:
    assert percent(value) != "-0.0%"
    assert count(value * 0.4) == "0"
