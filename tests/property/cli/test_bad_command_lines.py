"""Whatever is typed: done, or one sentence and exit code 2; nothing written over or half-done."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fake_run
from crowdfall.cli import launch
from crowdfall.cli.main import main
from crowdfall.engine import ensemble
from crowdfall.results.store import create
from fake_cli import fake_ensemble

RUN_FILES = {"manifest.json", "summary.json", "report.html", "daily.parquet", "futures.parquet",
             "agents.parquet", "flows.parquet", "events.parquet", "exchanges.parquet"}  # fmt: skip

words = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
numbers = st.one_of(
    st.integers(-5, 50).map(str),
    st.sampled_from(["", "x", "1.5", "1e3", "nan", "٣", " 7", "0x10", str(2**64), "-" + "9" * 40]),
    words,
)
keys = st.sampled_from([
    "agents.dma.enabled", "agents.dma.gross", "clock.bars", "clock.mode", "clock.end", "noise",
    "inputs.rescue", "channels.spill", "agents", "name", "nothing", "agents.dma.nothing", "",
])  # fmt: skip
values = st.one_of(
    st.sampled_from(["true", "1e400", "-1", "0.5", "[]", "{}", "nan", "2024-01-05", '"x"']),
    words,
)
settings_text = st.one_of(st.tuples(keys, values).map("=".join), words)
scenarios = st.one_of(
    st.sampled_from(["feb2024", "bad.toml", "text.toml", "half.toml", ".", "mine", "x" * 300]),
    words,
)
outs = st.one_of(st.sampled_from(["mine", "folder", "stopped", "done", "new", "a/b/c", "x" * 300,
                                  "mine/below", ".", ".."]), words)  # fmt: skip
options = st.one_of(
    st.tuples(st.sampled_from(["--paths", "--seed", "--workers"]), numbers),
    st.tuples(st.just("--set"), settings_text),
    st.tuples(st.just("--out"), outs),
    st.tuples(st.just("--lang"), st.sampled_from(["zh", "en", "fr", ""])),
    st.sampled_from([("--json",), ("-q",), ("-v",), ("--no-open",), ("--pahts", "3")]),
)
lines = st.tuples(
    st.one_of(
        st.just(("demo",)),
        scenarios.map(lambda name: ("run", name)),
        scenarios.map(lambda name: ("scenario", "check", name)),
        scenarios.map(lambda name: ("scenario", "show", name)),
        outs.map(lambda place: ("report", place)),
        outs.map(lambda place: ("story", place)),
        words.map(lambda word: (word,)),
    ),
    st.lists(options, max_size=4),
).map(lambda parts: [*parts[0], *(word for option in parts[1] for word in option)])


@cache
def furnished() -> Path:
    """A folder in which other things stand already: files, a stopped run, a complete one."""
    place = Path(tempfile.mkdtemp(prefix="crowdfall-")) / "work"
    atexit.register(shutil.rmtree, place.parent, ignore_errors=True)
    place.mkdir()
    (place / "mine").write_text("keep")
    (place / "folder").mkdir()
    (place / "folder" / "note").write_text("keep")
    (place / "bad.toml").write_text('base = "feb2024"\n[agents.dma]\nnothing = 1\n')
    (place / "text.toml").write_text("no toml at all")
    (place / "half.toml").write_bytes(b"\xff\xfe")
    create(place / "stopped", {})
    fake_run.write(place / "done", paths=1, count=2)
    return place


def contents(place: Path) -> dict[str, bytes]:
    return {str(f.relative_to(place)): f.read_bytes() for f in place.rglob("*") if f.is_file()}


@pytest.fixture(autouse=True, scope="module")
def _language() -> Any:  # noqa: ANN401
    with patch.dict(os.environ, {"CROWDFALL_LANG": "en"}):
        yield


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(line=lines)
def test_any_command_line_is_done_or_told_in_one_sentence(line: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    market = SimpleNamespace(digest="m")
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.chdir(folder),
        patch.object(ensemble, "run", fake_ensemble),
        patch.object(launch, "load_market", lambda *asked: market),
    ):
        place = Path(folder) / "work"
        shutil.copytree(furnished(), place)
        os.chdir(place)
        before = contents(place)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(line)
        after = contents(place)
        beside = [item.name for item in Path(folder).iterdir()]
        os.chdir(folder)
    told = err.getvalue()
    if code == 0:
        new = {name for name in after if name not in before}
        changed = {name for name in before if after.get(name) != before[name]}
        assert all(Path(name).name in RUN_FILES for name in new)
        assert changed <= {"done/report.html"}
    else:
        assert code == 2, told
        assert after == before
        assert beside == ["work"]
        assert told.count("\n") == 1, told
        assert told.strip()
        assert "Traceback" not in told
        assert out.getvalue() == ""
