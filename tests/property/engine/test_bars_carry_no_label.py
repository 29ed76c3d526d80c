"""What follows a sale depends on the bars that have passed since, not on the names of the bars."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdfall.engine import simulate, step
from crowdfall.engine.run_state import Run
from crowdfall.engine.setting import setting
from crowdfall.market.snapshot import GROUPS
from crowdfall.types import Float64
from invented_market import invented_market, invented_scenario
from random_scenarios import AGENTS

FLAT = dict.fromkeys(("csi300", "csi500", "csi1000", "csi2000", "microcap"), (0.0,) * 4)
MARKET = invented_market(every=2, noise=0.0)
SHORT = settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def played(folder: Path, bars: int, bar: int, sold: str, yuan: float) -> Float64:
    """Return log prices by bar and group in the first session, (K, G): one sale, nothing else."""
    quiet = [f"agents.{name}.enabled = false" for name in AGENTS]
    quiet += ["noise.group_daily = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]", f"clock.bars = {bars}"]
    sale = f"[[shock]]\ndate = 2024-01-02\nbar = {bar}\ngroup = '{sold}'\nyuan = {yuan!r}"
    scenario = invented_scenario(folder, *quiet, sale, moves=FLAT, days=2, assimilated=0)
    seen, group = [], MARKET.stocks.group

    def watched(run: Run, day: int, at: int) -> None:
        step.step(run, day, at)
        if day == 0:
            seen.append([run.prices.log_price[0, group == g].mean() for g in range(len(GROUPS))])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulate, "step", watched)
        simulate.simulate(setting(MARKET, scenario, 1), first_path=0, paths=1)
    return np.array(seen)


@SHORT
@given(
    bars=st.sampled_from([4, 8]), first=st.integers(0, 2), later=st.integers(1, 3),
    group=st.sampled_from(GROUPS[1:]), size=st.floats(0.01, 0.5),
)  # fmt: skip
def test_a_later_bar_answers_as_an_earlier_one(
    tmp_path: Path, bars: int, first: int, later: int, group: str, size: float
) -> None:
    later = min(first + later, bars - 1)
    yuan = size * 20e9
    calm, early, late = (
        played(tmp_path, bars, bar, group, amount)
        for bar, amount in ((first, 0.0), (first, yuan), (later, yuan))
    )
    one, other = (early - calm)[first : first + bars - later], (late - calm)[later:]
    largest = np.abs(one).max()
    assert largest > 1e-6  # the sale moves something
    # CSI 300 wanders within the session, and depth with it: not the same to the last digit.
    np.testing.assert_allclose(other, one, rtol=0.02, atol=0.02 * largest)
