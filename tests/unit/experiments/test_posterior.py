"""ABC-SMC against a posterior that is known, and the table of what is pinned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from crowdfall.errors import CalibrationError
from crowdfall.experiments import calibrate, identifiability, posterior, sensitivity
from crowdfall.experiments.calibrate.objective import Measured, Task
from crowdfall.experiments.posterior import Schedule, smc, study
from crowdfall.market import store
from crowdfall.types import Float64
from told import told

OBSERVED = np.array([0.3, 0.6])
NOISE = 0.1


@dataclass(frozen=True)
class Normals:
    """Two means with a flat prior on the unit square, each seen once with noise of known sd."""

    def log_prior(self, point: Float64) -> float:
        return 0.0 if ((point >= 0.0) & (point <= 1.0)).all() else -np.inf

    def draw(self, rng: np.random.Generator) -> Float64:
        return rng.random(2)

    def simulate(self, point: Float64, trial: int) -> tuple[float, Float64]:
        seen = point + NOISE * np.random.default_rng([7, trial]).standard_normal(2)
        return float(np.abs(seen - OBSERVED).max()), seen[None, :]


SCHEDULE = Schedule(tolerances=(0.4, 0.2, 0.1, 0.05), particles=600, attempts=4000)


def sampled(state: Path, **more: object) -> tuple[posterior.Population, ...]:
    return smc(Normals(), SCHEDULE, seed=1, state=state, key="k", **more)  # type: ignore[arg-type]


def test_a_known_posterior_is_found(tmp_path: Path) -> None:
    found = sampled(tmp_path / "s")
    last = found[-1]
    assert [each.tolerance for each in found] == list(SCHEDULE.tolerances)
    assert len(last.points) == 600
    assert last.effective > 300
    assert last.weights.sum() == pytest.approx(1.0)
    mean = last.weights @ last.points
    sd = np.sqrt(last.weights @ (last.points - mean) ** 2)
    # Flat prior: a normal around what was seen, widened by the flat kernel of the tolerance.
    np.testing.assert_allclose(mean, OBSERVED, atol=4 * NOISE / np.sqrt(last.effective) + 0.005)
    np.testing.assert_allclose(sd, np.hypot(NOISE, 0.05 / np.sqrt(3)), rtol=0.12)
    assert abs(identifiability.correlations(last.points, last.weights)[0, 1]) < 0.15


def test_the_predictive_is_of_simulations_that_nobody_chose(tmp_path: Path) -> None:
    """Accepted ones lie within the tolerance by choice, fresh ones do not."""
    last = sampled(tmp_path / "s")[-1]
    fresh = posterior.afresh(Normals(), SCHEDULE, last, state=tmp_path / "s", key="k")
    accepted = last.values[:, 0]
    assert np.abs(accepted - OBSERVED).max() <= 0.05
    sd = np.sqrt(last.weights @ (fresh[:, 0] - last.weights @ fresh[:, 0]) ** 2)
    np.testing.assert_allclose(sd, np.sqrt(2 * NOISE**2 + 0.05**2 / 3), rtol=0.12)


def test_a_stopped_predictive_goes_on_where_it_was(tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done >= 5 * SCHEDULE.particles - 100:
            raise KeyboardInterrupt

    last = sampled(tmp_path / "s")[-1]
    words = {"state": tmp_path / "s", "key": "k"}
    with pytest.raises(KeyboardInterrupt):
        posterior.afresh(Normals(), SCHEDULE, last, progress=stop, **words)  # type: ignore[arg-type]
    done = 0

    def counting(function: object, jobs: object) -> list[object]:
        nonlocal done
        assert callable(function)
        found = [function(Normals(), job) for job in jobs]  # type: ignore[attr-defined]
        done += len(found)
        return found

    again = posterior.afresh(Normals(), SCHEDULE, last, apply=counting, **words)  # type: ignore[arg-type]
    assert 0 < done <= 132
    whole = posterior.afresh(Normals(), SCHEDULE, last, state=tmp_path / "t", key="k")
    np.testing.assert_array_equal(again, whole)


def test_a_stopped_sampling_ends_at_the_same_population(tmp_path: Path) -> None:
    whole = sampled(tmp_path / "a")
    calls = 0

    def stop(_: int) -> None:
        nonlocal calls
        calls += 1
        if calls in (5, 29, 44):
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            sampled(tmp_path / "b", progress=stop)
    again = sampled(tmp_path / "b")
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one.points, other.points)
        np.testing.assert_array_equal(one.weights, other.weights)
    with pytest.raises(CalibrationError):
        smc(Normals(), SCHEDULE, seed=1, state=tmp_path / "b", key="other")


def test_the_order_of_work_changes_nothing(tmp_path: Path) -> None:
    def backwards(function: object, jobs: object) -> list[object]:
        assert callable(function)
        return [function(Normals(), job) for job in list(jobs)[::-1]][::-1]  # type: ignore[call-overload]

    one, other = sampled(tmp_path / "a"), sampled(tmp_path / "b", apply=backwards)
    np.testing.assert_array_equal(one[-1].points, other[-1].points)


def test_the_schedule_ends_where_too_few_come_near(tmp_path: Path) -> None:
    schedule = Schedule(tolerances=(0.4, 0.2, 1e-6), particles=100, attempts=20)
    found = smc(Normals(), schedule, seed=1, state=tmp_path / "s", key="k")
    assert [each.tolerance for each in found] == [0.4, 0.2]
    never = Schedule(tolerances=(1e-9,), particles=10, attempts=2)
    with pytest.raises(CalibrationError) as caught:
        smc(Normals(), never, seed=1, state=tmp_path / "t", key="k")
    assert "1e-09" in told(caught.value)


PLAN = """
scenario = "feb2024"
end = 2024-01-22

[[targets]]
file = "{targets}"
weight = 1.0

[posterior]
tolerances = [50.0, 40.0]
particles = 4
attempts = 3
every = 16
paths = 1

[[stage]]
name = "all"
blocks = ["a"]
every = 16
paths = 1
draws = 0
population = 4
generations = 1
sigma = 0.1

[[parameter]]
keys = ["basis.transfer"]
block = "a"
low = 0.2
high = 0.9

[[parameter]]
keys = ["impact.stock_impact"]
block = "a"
low = 0.0
high = 1.2
mean = 0.5
sd = 0.1
"""
TARGET = """
[[target]]
id = "A"
title = "t"
kind = "free"
quantity = "column"
column = "dispersion_csi1000"
date = 2024-01-22
unit = "percent"
value = 2.5
tolerance = 1
source = "a test"
"""


@pytest.fixture
def plan(tmp_path: Path) -> calibrate.Plan:
    (tmp_path / "own.toml").write_text(TARGET)
    (tmp_path / "plan.toml").write_text(PLAN.format(targets=tmp_path / "own.toml"))
    return calibrate.plan(str(tmp_path / "plan.toml"))


def test_a_replay_is_sampled_written_and_read(plan: calibrate.Plan, tmp_path: Path) -> None:
    found = posterior.sample(plan, store.bundled(), seed=1, workers=1, state=tmp_path / "state")
    posterior.write(found, tmp_path / "out")
    rows = pl.read_parquet(tmp_path / "out" / "particles.parquet")
    last = rows.filter(generation=len(found.generations) - 1)
    assert last["weight"].sum() == pytest.approx(1.0)
    assert last["basis.transfer"].is_between(0.2, 0.9).all()
    values = found.last.values
    assert len({float(v) for v in values[:, 0, 0]}) == len(values)  # fresh paths every time
    again = posterior.read(plan, tmp_path / "out")
    np.testing.assert_allclose(again.points, found.last.points, atol=1e-5)
    assert again.facts["generations"][-1]["effective_sample_size"] > 1.0
    assert again.facts["predictive_coverage"]
    page = identifiability.markdown(plan, again, identifiability.lines(plan, again), "en")
    assert "`basis.transfer`" in page
    assert "experiment." not in page
    with pytest.raises(CalibrationError):
        posterior.read(plan, tmp_path)


def test_priors_that_are_not_flat_are_drawn_from(plan: calibrate.Plan) -> None:
    model = study.ReplayModel(plan=plan, market=store.bundled(), seed=1, paths=1)
    rng = np.random.default_rng(3)
    drawn = np.array([model.draw(rng) for _ in range(2000)])
    assert drawn[:, 1].mean() * 1.2 == pytest.approx(0.5, abs=0.01)
    assert drawn[:, 1].std() * 1.2 == pytest.approx(0.1, rel=0.05)
    assert drawn[:, 0].std() == pytest.approx(np.sqrt(1 / 12), rel=0.05)
    assert model.log_prior(np.array([0.5, 1.01])) == -np.inf


def test_sobol_indices_and_slices_of_a_known_function(
    plan: calibrate.Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def additive(task: Task, workers: int, engine: str) -> object:
        class Here:
            def __enter__(self) -> Here:
                return self

            def __exit__(self, *_: object) -> None: ...

            def evaluate(self, points: list[Float64]) -> list[Measured]:
                return [
                    Measured(
                        loss=3.0 * x[0] + x[1],
                        medians=np.array([x[1]]),
                        crashed=1.0,
                        misses=np.zeros(1),
                    )
                    for x in points
                ]

        return Here()

    monkeypatch.setattr(sensitivity, "pool", additive)
    found = sensitivity.sensitivity(
        plan, store.bundled(), seed=1, paths=1, samples=512, workers=1, points=4
    )
    np.testing.assert_allclose(found.first[0], [0.9, 0.1], atol=0.03)
    np.testing.assert_allclose(found.total[1], [0.0, 1.0], atol=0.02)
    np.testing.assert_allclose(np.ptp(found.slices, axis=1), [2.25, 0.75])
    assert found.pinned_by(1) == "A"
    sensitivity.write(found, tmp_path / "s.json")
    again = sensitivity.read(plan, tmp_path / "s.json")
    np.testing.assert_allclose(again.total, found.total, atol=1e-6)
    with pytest.raises(CalibrationError) as caught:
        sensitivity.sensitivity(plan, store.bundled(), seed=1, paths=1, samples=100, workers=1)
    assert "100" in told(caught.value)


def test_what_is_pinned_what_is_open_and_what_trades_off(plan: calibrate.Plan) -> None:
    rng = np.random.default_rng(5)
    first = rng.random(4000)
    second = np.clip(0.4 + 0.02 * rng.standard_normal(4000), 0, 1)
    facts: dict[str, object] = {}
    weights = np.full(4000, 1 / 4000)
    free = study.Sampled(points=np.stack([first, second], axis=1), weights=weights, facts=facts)
    rows = identifiability.lines(plan, free)
    assert [row.verdict for row in rows] == ["open", "pinned"]
    assert rows[0].trades == ()
    tied = study.Sampled(
        points=np.stack([first, 0.2 + 0.5 * (1 - first)], axis=1), weights=weights, facts=facts
    )
    assert identifiability.lines(plan, tied)[0].trades[0][1] == pytest.approx(-1.0)
