"""A fork is its run until the fork's date, and pairs with it path by path after."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crowdfall.cli.main import main
from crowdfall.engine import ensemble
from crowdfall.engine.fork import Variant, fork, read_levers, read_variants
from crowdfall.errors import CrowdfallError, RunError, ScenarioError
from crowdfall.results.compare import differences
from crowdfall.results.schema import TABLES
from crowdfall.results.store import RunFolder
from crowdfall.scenarios import describe, load
from crowdfall.scenarios.changes import check_changes, opening_terms
from crowdfall.scenarios.inputs import rescue_schedule
from crowdfall.scenarios.schema import Agents, Change
from invented_market import CRASH, invented_scenario, play_days
from random_scenarios import market
from told import told

DAYS = play_days(5)
AT = DAYS[3]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("fork")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROWDFALL_CACHE", str(folder / "cache"))
        scenario = invented_scenario(folder, moves=CRASH, days=5, assimilated=2, rescue=40.0)
        run = ensemble.run(market(), scenario, paths=3, seed=5, workers=1, out=folder / "base")
        for item in folder.glob("*.*"):
            item.unlink()  # a fork needs no file beside its run
        return run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROWDFALL_CACHE", str(tmp_path / "cache"))


def forked(base: RunFolder, out: Path, *words: str, at: date = AT) -> RunFolder:
    return fork(base, at, Variant(set=words), out=out, workers=1)


@pytest.mark.parametrize(
    "word",
    ["agents.national_team.enabled=false", "agents.national_team.scale=3",
     "agents.trend_retail.outflow=0.2", "channels.price_limits=false", "impact.multiplier=9",
     "channels.stock_impact=false", "inputs.rescue_first=csi2000"],
)  # fmt: skip
def test_rows_before_the_fork_are_those_of_the_run(
    base: RunFolder, tmp_path: Path, word: str
) -> None:
    other = forked(base, tmp_path / "fork", word)
    before, after = pl.col("date") < AT, pl.col("date") >= AT
    for name in TABLES:
        one, two = (run.table(name) for run in (base, other))
        assert_frame_equal(one.filter(before), two.filter(before), check_exact=True)
    assert not base.table("daily").filter(after).equals(other.table("daily").filter(after))


def test_fork_that_changes_nothing_is_the_run(base: RunFolder, tmp_path: Path) -> None:
    other = forked(base, tmp_path / "fork", "agents.national_team.scale=1.0")
    for name in TABLES:
        assert_frame_equal(base.table(name), other.table(name), check_exact=True)


def test_fork_without_rescue_buys_nothing_from_its_date_on(base: RunFolder, tmp_path: Path) -> None:
    other = forked(base, tmp_path / "fork", "agents.national_team.enabled=false")
    names = [f"rescue_{index}" for index in ("csi300", "csi500", "csi1000", "csi2000")]
    late = pl.col("date") >= AT
    assert base.table("daily").filter(late).select(pl.sum_horizontal(*names).sum()).item() > 0.0
    assert other.table("daily").filter(late).select(pl.sum_horizontal(*names).sum()).item() == 0.0


def test_rescue_of_one_index_first_spends_the_same(base: RunFolder, tmp_path: Path) -> None:
    with_first = forked(base, tmp_path / "fork", "inputs.rescue_first=csi2000")
    late = with_first.table("daily").filter(pl.col("date") >= AT)
    assert late["rescue_csi2000"].sum() > 0.0
    plain = base.table("daily").filter(pl.col("date") >= AT)
    spent = [frame.select(pl.sum_horizontal("^rescue_.*$").sum()).item() for frame in (late, plain)]
    assert spent[0] == pytest.approx(spent[1], rel=0.01)  # small stocks at their limit do not fill
    more = late["rescue_csi2000"].sum() - plain["rescue_csi2000"].sum()
    # Three paths; a quarter of the amount was for it anyway.
    assert more == pytest.approx(3 * 100e9 * 3 / 4, rel=0.02)


def test_schedule_goes_on_after_the_amount_bought_first(tmp_path: Path) -> None:
    plain = invented_scenario(tmp_path, days=4, rescue=30.0)
    first = replace(plain, inputs=replace(plain.inputs, rescue_first="csi2000",
                                          rescue_first_amount=50e9))  # fmt: skip
    days = play_days(4)
    before, after = rescue_schedule(plain, days), rescue_schedule(first, days)
    assert after.sum(axis=2) == pytest.approx(before.sum(axis=2))
    moved = after[:, :, 3].sum() - before[:, :, 3].sum()
    assert moved == pytest.approx(50e9 * 3 / 4)  # a quarter was for csi2000 anyway
    assert after[-1, -1] == pytest.approx(before[-1, -1])


def test_fork_of_a_fork_keeps_the_first(base: RunFolder, tmp_path: Path) -> None:
    one = forked(base, tmp_path / "one", "agents.national_team.enabled=false", at=DAYS[2])
    two = forked(one, tmp_path / "two", "channels.price_limits=false")
    before = pl.col("date") < AT
    assert_frame_equal(one.table("daily").filter(before), two.table("daily").filter(before),
                       check_exact=True)  # fmt: skip
    assert two.manifest["factors"] == base.manifest["factors"]


def test_policies_of_a_file_take_effect(base: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "ban.toml"
    file.write_text(f"""[[policy]]
kind = "sell_ban"
title = "nobody sells"
source = "invented"
start = {AT}
end = {DAYS[-1]}
shares = {{ dma = 1.0, trend_retail = 1.0 }}
""")
    other = fork(base, AT, read_levers(file), out=tmp_path / "o", workers=1)
    late = (pl.col("date") >= AT) & (pl.col("kind") == "trend_retail")
    sold = [run.table("flows").filter(late)["sold"].sum() for run in (base, other)]
    assert sold[0] > 0.0
    assert sold[1] == 0.0


@pytest.mark.parametrize(
    ("at", "words", "code"),
    [
        (date(2023, 12, 29), ("channels.spill=false",), "fork_outside"),
        (date(2024, 6, 3), ("channels.spill=false",), "fork_outside"),
        (date(2024, 1, 6), ("channels.spill=false",), "fork_outside"),  # a Saturday
        (AT, ("agents.dma.gross=1e9",), "read_at_start"),
        (AT, ("clock.bars=4",), "fixed_at_start"),
        (AT, ("agents.dma.grosss=1e9",), "unknown_key_near"),
        (AT, ("impact.multiplier=-1",), "out_of_range"),
        (AT, ("nonsense",), "bad_override"),
    ],
)
def test_fork_that_can_not_be_is_told_before_anything_is_written(
    base: RunFolder, tmp_path: Path, at: date, words: tuple[str, ...], code: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        forked(base, tmp_path / "fork", *words, at=at)
    assert caught.value.code == code
    assert told(caught.value)
    assert not (tmp_path / "fork").exists()


def test_fork_without_a_change_is_refused(base: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the run itself"):
        forked(base, tmp_path / "fork")


def test_participant_that_was_off_can_not_join(tmp_path: Path) -> None:
    scenario = invented_scenario(tmp_path, "agents.dma.enabled = false", days=4)
    late = replace(scenario, changes=(Change(start=AT, set=("agents.dma.enabled=true",)),))
    with pytest.raises(ScenarioError, match="can't join"):
        check_changes(replace(late, clock=replace(late.clock, end=DAYS[-1])))


def test_terms_read_at_the_start_only_are_known() -> None:
    agents = Agents()
    assert "gross" in opening_terms(type(agents.dma))  # type: ignore[arg-type]
    assert "cut_rate" not in opening_terms(type(agents.dma))  # type: ignore[arg-type]
    assert opening_terms(type(agents.trend_retail)) == {"held"}  # type: ignore[arg-type]


def test_changes_of_a_scenario_file_survive_describing(tmp_path: Path) -> None:
    lines = ("[[changes]]", f"start = {AT}", 'set = ["channels.spill=false"]')
    scenario = invented_scenario(tmp_path, *lines, days=5)
    assert scenario.changes[0].set == ("channels.spill=false",)
    again = tmp_path / "again.toml"
    again.write_text(describe(scenario))
    assert load(str(again)).changes == scenario.changes


class TestComparing:
    def test_differences_are_those_of_the_same_paths(self, base: RunFolder, tmp_path: Path) -> None:
        other = forked(base, tmp_path / "fork", "agents.national_team.enabled=false")
        found = differences(base, [other])
        row = found.row(by_predicate=pl.col("name") == "rescue", named=True)
        names = [name for name in base.table("daily").columns if name.startswith("rescue_")]
        totals = [
            run.table("daily").group_by("path", maintain_order=True)
            .agg(pl.sum_horizontal(*names).sum().alias("x"))["x"]
            for run in (base, other)
        ]  # fmt: skip
        gap = totals[1] - totals[0]
        low = gap.quantile(0.05, "linear")
        assert (row["median"], row["low"]) == pytest.approx((gap.median(), low))
        assert (row["up"], row["paths"]) == (0.0, 3)

    def test_run_with_itself_differs_in_nothing(self, base: RunFolder) -> None:
        found = differences(base, [base])
        assert found.select(pl.col("low", "median", "high", "up").abs().sum()).row(0) == (
            0,
            0,
            0,
            0,
        )

    def test_runs_of_other_seeds_are_not_compared(self, base: RunFolder, tmp_path: Path) -> None:
        scenario = invented_scenario(tmp_path, moves=CRASH, days=5)
        other = ensemble.run(market(), scenario, paths=1, seed=6, workers=1, out=tmp_path / "o")
        with pytest.raises(RunError, match="would be chance"):
            differences(base, [other])


def test_one_command_forks_and_compares(
    base: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "variants.toml"
    file.write_text("""[none]
set = ["agents.national_team.enabled=false"]

[small_first]
set = ["inputs.rescue_first=csi2000"]
""")
    assert set(read_variants(file)) == {"none", "small_first"}
    words = ["fork", base.path, "--at", AT, "--variants", file, "--out", tmp_path / "forks"]
    assert main([*map(str, words), "--json", "-q", "--workers", "1"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["run"] for row in rows} == {"none", "small_first"}
    assert all(row["low"] <= row["median"] <= row["high"] for row in rows)
    runs = [base.path, *(tmp_path / "forks" / name for name in ("none", "small_first"))]
    assert main(["compare", *map(str, runs), "--lang", "zh"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "同一路径" in lines[-1]
    assert lines[1].split()[-3:] == ["基准中位数", "none", "small_first"]
    rescue = next(line for line in lines if "国家队买入合计" in line)
    wanted = next(row for row in rows if row["name"] == "rescue" and row["run"] == "none")
    assert f"{wanted['median'] / 1e9:+,.3g} (" in rescue
    assert "↑0%" in rescue


@pytest.mark.parametrize("text", ["x = 1", "[a]\nsets = []", "[a]\nset = [1]", "[a"])
def test_file_of_variants_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "variants.toml"
    file.write_text(text)
    with pytest.raises(CrowdfallError) as caught:
        read_variants(file)
    assert str(file) in told(caught.value)


def test_variants_of_february_are_three_forks() -> None:
    file = Path(__file__).resolve().parents[3] / "examples" / "variants" / "february.toml"
    found = read_variants(file)
    assert list(found) == ["no_rescue", "csi2000_first", "dma_at_two"]
    scenario = load("feb2024")
    for each in found.values():
        forked_scenario = each.over(scenario, date(2024, 2, 2))
        assert forked_scenario.digest != scenario.digest
