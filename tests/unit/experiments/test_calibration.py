"""The staged search: reproducible, resumable after kill -9, honest about edges."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdfall.errors import CalibrationError, CrowdfallError, DataError
from crowdfall.experiments import calibrate as study
from crowdfall.experiments.calibrate import objective, search
from crowdfall.experiments.calibrate.objective import Measured, Task
from crowdfall.experiments.targets import Target
from crowdfall.market import store
from crowdfall.market.thin import thin
from crowdfall.scenarios import load
from told import told

PLAN = """
scenario = "feb2024"
end = 2024-01-24

[[targets]]
file = "{targets}"
weight = 3.0

[[stage]]
name = "basis"
blocks = ["basis"]
every = 16
paths = 1
draws = 2
population = 4
generations = 1
sigma = 0.3
targets = ["K09"]

[[stage]]
name = "all"
blocks = ["basis", "impact"]
every = 16
paths = 1
draws = 0
population = 4
generations = 2
sigma = 0.1

[[parameter]]
keys = ["basis.transfer"]
block = "basis"
low = 0.2
high = 0.9

[[parameter]]
keys = ["basis.impact"]
block = "basis"
low = 0.3
high = 4.0
log = true

[[parameter]]
keys = ["impact.multiplier"]
block = "impact"
low = 1
high = 10
"""
TARGETS = """
[[target]]
id = "{id}"
title = "t"
kind = "free"
quantity = "index_return"
index = "csi1000"
from = 2024-01-19
to = 2024-01-{day}
unit = "percent"
value = {value}
tolerance = 1.5
source = "a test"
"""


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    targets = tmp_path / "own.toml"
    rows = (("K06a", 22, -5.8), ("K09x", 24, -3.0))
    targets.write_text("".join(TARGETS.format(id=i, day=d, value=v) for i, d, v in rows))
    file = tmp_path / "plan.toml"
    file.write_text(PLAN.format(targets=targets))
    return file


def toy(task: Task, point: np.ndarray) -> Measured:
    """A bowl with its floor at 0.7 in every direction."""
    value = float(((point - 0.7) ** 2).sum())
    count = len(task.plan.targets)
    misses = np.tanh(point - 0.7)[:count]
    return Measured(loss=value, medians=np.full(count, value), crashed=1.0, misses=misses)


def in_this_process(task: Task, workers: int, engine: str) -> object:
    class Here:
        def __enter__(self) -> Here:
            return self

        def __exit__(self, *_: object) -> None: ...

        def evaluate(self, points: list[np.ndarray]) -> list[Measured]:
            return [toy(task, point) for point in points]

    return Here()


def test_the_search_finds_the_floor_from_a_wide_start(
    plan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "pool", in_this_process)
    plan = study.plan(str(plan_file))
    plan = replace(plan, stages=tuple(replace(s, generations=40) for s in plan.stages))
    found = study.calibrate(plan, store.bundled(), seed=3, workers=1, state=tmp_path / "state")
    assert [fit.stage for fit in found] == ["basis", "all"]
    assert found[0].point[2] == 0.5  # the first stage leaves the other block at the middle
    np.testing.assert_allclose(found[1].point, 0.7, atol=0.01)


def test_gauss_newton_finds_the_floor_in_a_few_steps(
    plan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "pool", in_this_process)
    text = plan_file.read_text().replace('name = "basis"', 'name = "basis"\nmethod = "newton"')
    plan_file.write_text(text)
    plan = study.plan(str(plan_file))
    few = replace(
        plan.stages[0], blocks=("basis",), targets=(), generations=4, draws=0, population=8
    )
    found = study.calibrate(
        replace(plan, stages=(few,)), store.bundled(), seed=3, workers=1, state=tmp_path / "state"
    )
    moving = plan.moving(few)
    np.testing.assert_allclose(found[0].point[moving], 0.7, atol=0.02)


@pytest.mark.parametrize("method", ["cma", "newton"])
def test_a_stopped_search_goes_on_to_the_same_end(
    plan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(search, "pool", in_this_process)
    plan, market = study.plan(str(plan_file)), store.bundled()
    plan = replace(plan, stages=tuple(replace(s, method=method) for s in plan.stages))
    whole = study.calibrate(plan, market, seed=3, workers=1, state=tmp_path / "a")
    for stop in range(1, 5):
        calls = 0

        def interrupt(_: int, stop: int = stop) -> None:
            nonlocal calls
            calls += 1
            if calls == stop:
                raise KeyboardInterrupt

        state = tmp_path / f"b{stop}"
        with pytest.raises(KeyboardInterrupt):
            study.calibrate(plan, market, seed=3, workers=1, state=state, progress=interrupt)
        again = study.calibrate(plan, market, seed=3, workers=1, state=state)
        np.testing.assert_array_equal(again[-1].point, whole[-1].point)


def test_a_state_of_another_search_is_told(
    plan_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "pool", in_this_process)
    plan, market = study.plan(str(plan_file)), store.bundled()
    study.calibrate(plan, market, seed=3, workers=1, state=tmp_path / "s")
    with pytest.raises(CalibrationError) as caught:
        study.calibrate(plan, market, seed=4, workers=1, state=tmp_path / "s")
    told(caught.value)
    (tmp_path / "s").write_bytes(b"nothing")
    with pytest.raises(CalibrationError):
        study.calibrate(plan, market, seed=3, workers=1, state=tmp_path / "s")


def command(plan: Path, out: Path, workers: int) -> list[str]:
    words = ["experiment", "calibrate", "--plan", str(plan), "--out", str(out), "--quiet"]
    code = "import sys; from crowdfall.cli.main import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code, *words, "--workers", str(workers), "--seed", "5"]


def test_kill_9_and_any_number_of_workers_give_the_same_file(
    plan_file: Path, tmp_path: Path
) -> None:
    # One stage: each has workers of its own, and starting them takes longest.
    text = plan_file.read_text()
    second = text.rindex("[[stage]]")
    plan_file.write_text(text[:second] + text[text.index("[[parameter]]") :])
    whole, killed = tmp_path / "whole.toml", tmp_path / "killed.toml"
    subprocess.run(command(plan_file, whole, 2), check=True, capture_output=True)
    state = tmp_path / ".killed.toml.state"
    with subprocess.Popen(command(plan_file, killed, 1), start_new_session=True) as search_:
        while not state.exists() and search_.poll() is None:
            time.sleep(0.05)
        os.killpg(search_.pid, signal.SIGKILL)
    assert not killed.exists()
    assert state.exists()
    subprocess.run(command(plan_file, killed, 1), check=True, capture_output=True)
    assert killed.read_bytes() == whole.read_bytes()
    assert not state.exists()
    text = whole.read_text(encoding="utf-8")
    for word in (
        "seed 5",
        store.bundled().digest,
        "own.toml",
        "Stage basis",
        "[impact]",
        "[basis]",
    ):
        assert word in text


def free(name: str = "A") -> Target:
    return Target(id=name, title={}, kind="free", quantity="basis", unit="percent", value=10.0,
                  tolerance=2.0, source="a test")  # fmt: skip


def test_the_loss_sees_paths_that_do_not_crash() -> None:
    ones = np.ones(1)
    all_near = np.full((9, 1), 10.0)
    split = np.array([[10.0]] * 5 + [[40.0]] * 4)  # the median is perfect
    assert objective.loss([free()], ones, all_near) == 0.0
    assert objective.loss([free()], ones, split) > 5.0


def test_a_missing_value_is_a_large_miss_and_no_end_of_the_world() -> None:
    values = np.array([[10.0], [np.nan]])
    found = objective.loss([free()], np.ones(1), values)
    assert 5.0 < found < 100.0
    assert objective.medians_of(values).tolist() == [10.0]


def test_crashed_paths_are_counted(plan_file: Path) -> None:
    text = plan_file.read_text() + '\n[crash]\ntarget = "K06a"\nwithin = 3.0\nweight = 10.0\n'
    plan_file.write_text(text)
    plan = study.plan(str(plan_file))
    measured = np.array([[-5.0, 0.0], [-2.9, 0.0], [0.0, 0.0], [-8.7, 0.0]])
    assert objective.crashed_share(plan, measured) == 0.75


CALM = """
[calm]
scenario = "feb2024_free"
end = 2024-01-24
file = "{file}"
weight = 2.0
every = 16
paths = 2
keeps = ["impact.multiplier"]
"""
YEAR = """
[[target]]
id = "C01"
title = "t"
kind = "free"
quantity = "volatility"
index = "csi1000"
unit = "percent"
value = 1.0
tolerance = 0.25
source = "a test"
"""


@pytest.fixture
def with_calm(plan_file: Path, tmp_path: Path) -> Path:
    year = tmp_path / "year.toml"
    year.write_text(YEAR)
    plan_file.write_text(plan_file.read_text() + CALM.format(file=year))
    return plan_file


def test_a_calm_year_counts_beside_the_crisis(with_calm: Path) -> None:
    plan, market = study.plan(str(with_calm)), thin(store.bundled(), 16)
    task = Task(plan=plan, market=market, seed=1, paths=2, counts=np.ones(3, bool), calm=market)
    here = objective.evaluate(task, np.full(3, 0.5))
    alone = objective.evaluate(replace(task, counts=np.ones(2, bool), calm=None), np.full(3, 0.5))
    assert here.medians.shape == here.misses.shape == (3,)
    np.testing.assert_array_equal(here.medians[:2], alone.medians)
    off = abs(here.medians[2] - 1.0) / 0.25
    assert here.misses[2] == pytest.approx(np.sign(here.medians[2] - 1.0) * off, rel=0.2)
    assert (here.loss > alone.loss) == (off > 0.0)
    np.testing.assert_allclose(task.weights, [1.5, 1.5, 2.0])


def test_a_calm_year_keeps_its_own_state(with_calm: Path) -> None:
    plan = study.plan(str(with_calm))
    assert plan.calm is not None
    words = objective.overrides(plan, np.full(3, 0.5), plan.calm.keeps)
    assert [word.split("=")[0] for word in words] == ["basis.transfer", "basis.impact"]


def test_a_stage_on_chosen_targets_leaves_the_calm_year_out(
    with_calm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def watch(task: Task, workers: int, engine: str) -> object:
        seen.append((task.calm is None, len(task.counts)))
        return in_this_process(task, workers, engine)

    monkeypatch.setattr(search, "pool", watch)
    plan, market = study.plan(str(with_calm)), store.bundled()
    study.calibrate(plan, market, seed=3, workers=1, state=tmp_path / "a", calm=market)
    assert seen == [(True, 2), (False, 3)]


def test_a_calm_year_without_its_market_is_told(with_calm: Path, tmp_path: Path) -> None:
    plan = study.plan(str(with_calm))
    with pytest.raises(CalibrationError) as caught:
        study.calibrate(plan, store.bundled(), seed=3, workers=1, state=tmp_path / "a")
    assert "--calm-market" in told(caught.value)


def test_values_and_places_are_inverse(plan_file: Path) -> None:
    for parameter in study.plan(str(plan_file)).parameters:
        for share in (0.0, 0.3, 1.0):
            assert parameter.place(parameter.value(share)) == pytest.approx(share, abs=1e-5)


def test_every_point_of_the_plan_that_ships_is_a_scenario() -> None:
    plan = study.plan("feb2024")
    assert {each.file for each in plan.counted} == {"feb2024", "feb2024_daily"}
    rng = np.random.default_rng(1)
    for point in (np.zeros(len(plan.parameters)), np.ones(len(plan.parameters)),
                  rng.random(len(plan.parameters))):  # fmt: skip
        load(plan.scenario, objective.overrides(plan, point))
    assert all(stage.sigma > 0.03 for stage in plan.stages)  # no search at a point set by hand


def test_a_set_that_cannot_be_run_loses_and_does_not_stop_the_search(
    plan_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crowdfall.errors import RunError

    def fails(*_: object, **__: object) -> None:
        raise RunError("not_finite", date="2024-01-22")

    monkeypatch.setattr(objective, "simulate", fails)
    plan = study.plan(str(plan_file))
    task = Task(plan=plan, market=thin(store.bundled(), 16), seed=1, paths=2,
                counts=np.ones(2, bool))  # fmt: skip
    assert objective.evaluate(task, np.full(3, 0.5)).loss == objective.IMPOSSIBLE


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('block = "impact"', "", "block"),
        ('blocks = ["basis", "impact"]', 'blocks = ["basic"]', "basis"),
        ("sigma = 0.1", "sigma = 0", "sigma"),
        ("population = 4", "population = 2", "population"),
        ("low = 0.2", "low = 0.95", "high"),
        ('targets = ["K09"]', 'targets = ["K99"]', "K99"),
        ("end = 2024-01-24", "end = 3", "end"),
        ("weight = 3.0", "weight = 0", "weight"),
        ("log = true", "log = 2", "log"),
        ("high = 10", "high = 10\nmean = 3", "sd"),
        ("high = 10", "high = 10\nsurplus = 3", "surplus"),
        ("sigma = 0.1", "sigma = 0.1\n[calm]\nscenario = 'control2023'\n", "calm"),
    ],
)
def test_a_mistake_in_a_plan_is_one_sentence(
    old: str, new: str, word: str, plan_file: Path
) -> None:
    plan_file.write_text(plan_file.read_text().replace(old, new))
    with pytest.raises(CrowdfallError) as caught:
        study.plan(str(plan_file))
    assert isinstance(caught.value, DataError)
    assert word in told(caught.value)
