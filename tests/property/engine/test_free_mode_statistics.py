"""Free mode gives back the volatilities and correlations that are put in.

2,000 sessions of the invented market with participants and price limits off. The history is of
independent days, so the law of what must come out is known: the market and group factors are drawn
from the history by blocks, and the stocks' own noise leaves a small variance in each index, sum of
weight^2 x residual variance. Standard errors of the bootstrap part are exact given the history
(Politis and Romano 1994, lemma 1); they are computed from influence functions, as the noise's are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from crowdfall.engine.record import Record
from crowdfall.engine.run_state import open_run
from crowdfall.engine.setting import Setting, setting
from crowdfall.engine.simulate import play_day
from crowdfall.market.snapshot import GROUPS, Market
from crowdfall.scenarios.schema import Scenario
from crowdfall.types import Float64
from invented_market import invented_market, invented_scenario
from random_scenarios import AGENTS

PATHS, DAYS, BLOCK = 50, 40, 10
STUDENT_KURTOSIS = 9.0
"""Of a t with 5 degrees of freedom: 3 + 6 / (5 - 4)."""


def bare(folder: Path, *words: str) -> Scenario:
    """Return free mode with participants and price limits off, and noise that stress leaves."""
    lines = [f"agents.{name}.enabled = false" for name in AGENTS]
    lines += ["channels.price_limits = false", "impact.noise_return = 0.0",
              "impact.loading_dispersion = 0.2", "impact.market_loading = 1.0",
              "noise.student_df = 5.0", f"clock.block_length = {BLOCK}.0"]  # fmt: skip
    scenario = invented_scenario(folder, *lines, *words, days=DAYS, assimilated=0)
    return replace(scenario, clock=replace(scenario.clock, mode="free"))


def play(market: Market, scenario: Scenario) -> tuple[Setting, Float64]:
    """Return the setting and all index levels, shape (P, T + 1, G), of all six groups."""
    constants = setting(market, scenario, 5)
    run, record = open_run(constants, 0, PATHS, None), Record()
    levels = [run.prices.level.copy()]
    for day in range(len(constants.days)):
        play_day(run, record, day)
        levels.append(run.prices.level.copy())
    return constants, np.stack(levels, axis=1)


@dataclass
class Law:
    """What must come out: covariance (G, G), and what its standard errors need."""

    history: Float64
    noise: Float64  # (G,) variance of an index that the stocks' own noise leaves
    kurtosis: Float64  # (G,) of that noise

    @property
    def covariance(self) -> Float64:
        return np.cov(self.history.T, ddof=0) + np.diag(self.noise)

    def error(self, g: int, h: int, *, correlation: bool) -> float:
        """Return the standard error of a standard deviation (g = h) or of a correlation."""
        cov = self.covariance
        sd = np.sqrt(np.diag(cov))
        x = (self.history - self.history.mean(axis=0)) / sd
        noise = self.noise / sd**2
        # Influence of one day: expected given the history's row, and variance of the rest.
        if correlation:
            rho = cov[g, h] / (sd[g] * sd[h])
            a = x[:, g] * x[:, h] - rho / 2 * (x[:, g] ** 2 + x[:, h] ** 2 + noise[g] + noise[h])
            rest = (
                noise[g] * (x[:, h] - rho * x[:, g]) ** 2
                + noise[h] * (x[:, g] - rho * x[:, h]) ** 2
                + noise[g] * noise[h]
                + rho**2 / 4 * ((self.kurtosis[[g, h]] - 1) * noise[[g, h]] ** 2).sum()
            )
        else:
            a = sd[g] / 2 * (x[:, g] ** 2 + noise[g] - 1.0)
            rest = (
                sd[g] ** 2
                / 4
                * (4 * x[:, g] ** 2 * noise[g] + (self.kurtosis[g] - 1) * noise[g] ** 2)
            )
        return float(np.sqrt((bootstrap_variance(a) + rest.mean() / DAYS) / PATHS))


def bootstrap_variance(values: Float64) -> float:
    """Return the variance of a path's mean of ``values`` drawn by the stationary bootstrap."""
    centred, count = values - values.mean(), len(values)
    transform = np.fft.rfft(centred)
    autocovariance = np.fft.irfft(transform * transform.conj(), count) / count
    lag = np.arange(1, DAYS)
    stays = (1.0 - lag / DAYS) * (1.0 - 1.0 / BLOCK) ** lag
    return float((autocovariance[0] + 2 * (stays * autocovariance[lag]).sum()) / DAYS)


def law(constants: Setting) -> Law:
    weight, group = constants.index_weight, constants.market.stocks.group
    own = (weight * constants.market.stocks.residual_volatility) ** 2
    noise = np.bincount(group, weights=own)
    excess = (STUDENT_KURTOSIS - 3.0) * np.bincount(group, weights=own**2) / noise**2
    return Law(constants.market.history.returns, noise, 3.0 + excess)


@cache
def sample(folder: Path) -> tuple[Law, Float64]:
    """Return the law and the daily log returns of 2,000 sessions, (P x T, G)."""
    constants, levels = play(invented_market(days=4000), bare(folder))
    return law(constants), np.diff(np.log(levels), axis=1).reshape(-1, len(GROUPS))


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Law, Float64]:
    return sample(tmp_path_factory.mktemp("free"))


def test_volatilities_are_recovered(
    drawn: tuple[Law, Float64], capsys: pytest.CaptureFixture[str]
) -> None:
    target, returns = drawn
    assert len(returns) == PATHS * DAYS == 2000
    lines, far = [], []
    for g, name in enumerate(GROUPS):
        wanted, found = np.sqrt(target.covariance[g, g]), returns[:, g].std()
        error = target.error(g, g, correlation=False)
        score = (found - wanted) / error
        far.append(abs(score))
        lines.append(f"  {name:9}{100 * wanted:8.3f}%{100 * found:8.3f}%{score:+6.1f}")
    with capsys.disabled():
        print("\nvolatility a day: put in, recovered, standard errors between", *lines, sep="\n")
    assert max(far) < 3.0


def test_correlations_are_recovered(
    drawn: tuple[Law, Float64], capsys: pytest.CaptureFixture[str]
) -> None:
    target, returns = drawn
    sd = np.sqrt(np.diag(target.covariance))
    wanted, found = target.covariance / np.outer(sd, sd), np.corrcoef(returns.T)
    lines, far = [], []
    for g, h in zip(*np.triu_indices(len(GROUPS), 1), strict=True):
        score = (found[g, h] - wanted[g, h]) / target.error(g, h, correlation=True)
        far.append(abs(score))
        pair = f"{GROUPS[g]}-{GROUPS[h]}"
        lines.append(f"  {pair:18}{wanted[g, h]:8.3f}{found[g, h]:8.3f}{score:+6.1f}")
    with capsys.disabled():
        print("\ncorrelation: put in, recovered, standard errors between", *lines, sep="\n")
    assert max(far) < 3.0


def test_days_keep_no_memory_that_the_history_has_not(drawn: tuple[Law, Float64]) -> None:
    _, returns = drawn
    paths = returns.reshape(PATHS, DAYS, -1)
    centred = paths - returns.mean(axis=0)
    follow = (centred[:, 1:] * centred[:, :-1]).mean(axis=(0, 1)) / returns.var(axis=0)
    assert (np.abs(follow) < 4.0 / np.sqrt(PATHS * (DAYS - 1))).all()


def test_overnight_gap_has_its_share_of_the_variance(tmp_path: Path) -> None:
    share = 0.4
    constants = setting(
        invented_market(every=5), bare(tmp_path, f"clock.overnight_share = {share}"), 5
    )
    run, record = open_run(constants, 0, 200, None), Record()
    play_day(run, record, 0)
    first = run.drawn[:, 0, 1:]
    total = run.drawn[:, :, 1:].sum(axis=1)
    wanted = share + (1 - share) / constants.bars
    found = first.var(axis=0)[1:] / total.var(axis=0)[1:]
    assert found == pytest.approx(np.full(4, wanted), rel=0.25)
    np.testing.assert_allclose(
        run.drawn[:, :, 0].sum(axis=1) * constants.targets.mean_slope[0], run.drawn_days[:, 0, 0]
    )


def test_noise_alone_moves_no_expected_index(tmp_path: Path) -> None:
    """Over a flat history the mean level of every index stays at one: noise has no drift."""
    market = invented_market(noise=1.5)
    flat = replace(market.history, returns=np.zeros((100, 6)))
    _, levels = play(replace(market, history=flat), bare(tmp_path))
    last = levels[:, -1]
    error = last.std(axis=0) / np.sqrt(PATHS)
    assert (np.abs(last.mean(axis=0) - 1.0) < 3.5 * error).all()
    # Without the correction the daily rebalanced index would gain this much, many errors more.
    lift = DAYS * (0.8 * 1.5 * market.stocks.volatility).mean() ** 2 / 2
    assert lift > 3.5 * error[5]
