"""A run on disk: written whole or not at all, never over another."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import fake_run
from crowdfall.errors import RunError
from crowdfall.i18n import LANGUAGES, words
from crowdfall.results import store
from crowdfall.results.schema import TABLES, column_names
from crowdfall.results.store import SCHEMA_VERSION, check_free, create, open_run, run_id


@pytest.fixture
def blocks() -> list[dict[str, pl.DataFrame]]:
    return [fake_run.tables(path, 5, 1, False) for path in range(3)]


def files_under(folder: Path) -> set[str]:
    return {str(item.relative_to(folder)) for item in folder.rglob("*") if item.is_file()}


def test_finished_run_reads_back_what_the_blocks_held(
    tmp_path: Path, blocks: list[dict[str, pl.DataFrame]]
) -> None:
    run = create(tmp_path / "run", {"seed": 1})
    for number in (2, 0, 1):
        run.write_block(number, blocks[number])
    assert run.finished_blocks() == [0, 1, 2]
    run.finish({"paths": 3})
    opened = open_run(tmp_path / "run")
    assert opened.summary == {"paths": 3}
    assert opened.manifest == {"seed": 1, "schema": SCHEMA_VERSION}
    for name in TABLES:
        wanted = pl.concat([block[name] for block in blocks]).select(column_names(name))
        assert_frame_equal(opened.table(name), wanted, check_dtypes=False)
    assert files_under(run.path) == {
        "manifest.json", "summary.json", *(f"{name}.parquet" for name in TABLES)
    }  # fmt: skip


def test_block_table_holds_the_finished_blocks_before_the_run_is_complete(
    tmp_path: Path, blocks: list[dict[str, pl.DataFrame]]
) -> None:
    run = create(tmp_path / "run", {})
    with pytest.raises(RunError, match="no finished block"):
        run.block_table("daily")
    run.write_block(1, blocks[1])
    run.write_block(0, blocks[0])
    assert run.block_table("daily")["path"].unique(maintain_order=True).to_list() == [0, 1]


@pytest.mark.parametrize("name", ["a[1]*", "year=2024", "中文 ?", "-q"])
def test_folder_may_have_any_name(
    tmp_path: Path, blocks: list[dict[str, pl.DataFrame]], name: str
) -> None:
    run = create(tmp_path / name, {})
    run.write_block(0, blocks[0])
    run.finish({})
    found = open_run(tmp_path / name).table("daily")
    assert found.columns == list(column_names("daily"))
    assert found.height == 5


def test_existing_folder_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "mine.txt").write_text("keep")
    with pytest.raises(RunError, match="nothing was written over"):
        create(folder, {})
    assert files_under(folder) == {"mine.txt"}


def test_existing_file_and_stopped_run_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="nothing was written over"):
        check_free(tmp_path / "file")
    create(tmp_path / "stopped", {})
    with pytest.raises(RunError, match="was stopped"):
        check_free(tmp_path / "stopped")


def test_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="could not be made"):
        create(tmp_path / "file" / "run", {})


def test_block_that_fails_half_way_leaves_no_block(
    tmp_path: Path, blocks: list[dict[str, pl.DataFrame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create(tmp_path / "run", {})
    written = []
    write = Path.write_bytes

    def stop_at_third(target: Path, data: bytes) -> int:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(target)
        return write(target, data)

    monkeypatch.setattr(Path, "write_bytes", stop_at_third)
    with pytest.raises(RunError, match="disk is full") as caught:
        run.write_block(0, blocks[0])
    assert str(run.path) in str(caught.value)
    assert run.finished_blocks() == []
    assert not [item for item in run.path.rglob(".*") if item.is_file()]
    monkeypatch.undo()
    run.write_block(0, blocks[0])
    assert run.finished_blocks() == [0]


def test_finish_that_is_stopped_leaves_an_incomplete_run_that_can_be_finished(
    tmp_path: Path, blocks: list[dict[str, pl.DataFrame]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create(tmp_path / "run", {})
    run.write_block(0, blocks[0])
    join = store.RunFolder._join

    def stop_at_flows(folder: store.RunFolder, name: str, numbers: list[int]) -> None:
        if name == "flows":
            raise KeyboardInterrupt
        join(folder, name, numbers)

    monkeypatch.setattr(store.RunFolder, "_join", stop_at_flows)
    with pytest.raises(KeyboardInterrupt):
        run.finish({})
    monkeypatch.undo()
    with pytest.raises(RunError, match="stopped after 1 blocks"):
        open_run(run.path)
    for name in ("daily", "futures", "agents"):  # each table that is there is whole
        assert pl.read_parquet(run.path / f"{name}.parquet").height > 0
    open_run(run.path, incomplete=True).finish({})
    assert open_run(run.path).table("flows").height == blocks[0]["flows"].height


def test_whole_leaves_no_draft_behind_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(target: Path, data: bytes) -> int:
        target.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="disk full"):
        store.write_text(tmp_path / "report.html", "a whole page")
    assert files_under(tmp_path) == set()


def test_a_block_is_written_once(tmp_path: Path, blocks: list[dict[str, pl.DataFrame]]) -> None:
    run = create(tmp_path / "run", {})
    run.write_block(0, blocks[0])
    with pytest.raises(RunError, match="written once"):
        run.write_block(0, blocks[0])


def test_rows_are_ordered_by_path_and_date_whatever_the_engine_wrote(
    tmp_path: Path, blocks: list[dict[str, pl.DataFrame]]
) -> None:
    mixed = {name: pl.concat([blocks[1][name], blocks[0][name]]).reverse() for name in TABLES}
    run = create(tmp_path / "run", {})
    run.write_block(0, mixed)
    run.finish({})
    keys = open_run(run.path).table("flows").select("path", "date")
    assert_frame_equal(keys, keys.sort("path", "date"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: t.drop("turnover"), "turnover"),
        (lambda t: t.with_columns(extra=1), "extra"),
        (lambda t: t.with_columns(pl.lit("x").alias("margin_calls")), "margin_calls"),
        (lambda t: t.with_columns(pl.lit("x").alias("date")), "date"),
    ],
)
def test_table_of_another_shape_is_refused(
    tmp_path: Path,
    blocks: list[dict[str, pl.DataFrame]],
    change: Callable[[pl.DataFrame], pl.DataFrame],
    sentence: str,
) -> None:
    run = create(tmp_path / "run", {})
    with pytest.raises(RunError, match=sentence):
        run.write_block(0, {**blocks[0], "daily": change(blocks[0]["daily"])})
    assert run.finished_blocks() == []


def test_missing_table_of_a_block_is_refused(
    tmp_path: Path, blocks: list[dict[str, pl.DataFrame]]
) -> None:
    run = create(tmp_path / "run", {})
    del blocks[0]["events"]
    with pytest.raises(RunError, match="events"):
        run.write_block(0, blocks[0])


def test_run_without_blocks_cannot_finish(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no finished block"):
        create(tmp_path / "run", {}).finish({})


def test_json_has_sorted_keys_and_refuses_numbers_that_are_none(tmp_path: Path) -> None:
    run = create(tmp_path / "run", {"b": 1, "a": {"d": 1, "c": "中"}})
    text = (run.path / "manifest.json").read_text(encoding="utf-8")
    assert text == json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False, indent=2) + "\n"
    with pytest.raises(ValueError, match="Out of range"):
        create(tmp_path / "other", {"a": float("nan")})
    assert not (tmp_path / "other").exists()


def test_run_id_depends_on_every_determinant_and_on_nothing_else() -> None:
    base = {"scenario": "a", "market": "b", "seed": 1, "paths": 2, "version": "0.1"}
    names = {run_id(**base)} | {run_id(**{**base, key: "other"}) for key in base}
    assert len(names) == len(base) + 1
    assert run_id(**base) == run_id(**dict(reversed(base.items())))
    assert all(len(name) == 12 and int(name, 16) >= 0 for name in names)


class TestOpening:
    """What is wrong with a folder is told in one sentence."""

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(RunError, match="holds no run"):
            open_run(tmp_path / "nowhere")

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        with pytest.raises(RunError, match="holds no run"):
            open_run(tmp_path / "file")

    @pytest.mark.parametrize("text", ["{", "[1]", "\x00", '"x"'])
    def test_manifest_that_is_no_manifest(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(RunError, match="damaged"):
            open_run(tmp_path)

    @pytest.mark.parametrize("version", [0, SCHEMA_VERSION + 1, "1", None])
    def test_other_schema_version(self, tmp_path: Path, version: object) -> None:
        (tmp_path / "manifest.json").write_text(json.dumps({"schema": version}))
        with pytest.raises(RunError, match=f"version {version}"):
            open_run(tmp_path)

    def test_damaged_missing_and_unknown_table(self, tmp_path: Path) -> None:
        run = fake_run.write(tmp_path / "run", paths=1, count=3)
        whole = (run.path / "daily.parquet").read_bytes()
        (run.path / "daily.parquet").write_bytes(whole[: len(whole) // 2])
        (run.path / "flows.parquet").unlink()
        opened = open_run(run.path)
        for table, sentence in (("daily", "damaged"), ("flows", "no table"), ("x", "choose one")):
            with pytest.raises(RunError, match=sentence):
                opened.table(table)


def test_every_error_of_the_store_speaks_both_languages() -> None:
    source = Path(store.__file__).read_text(encoding="utf-8")
    codes = {part.split('"')[1] for part in source.split("RunError(")[1:] if part[:1] in '"\n'}
    assert len(codes) > 10
    for lang in LANGUAGES:
        assert {f"error.{code}" for code in codes if code} <= set(words(lang))
