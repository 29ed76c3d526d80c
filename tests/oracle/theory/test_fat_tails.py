"""Leverage causes fat tails (E4): kurtosis rises with the limit, noise traders alone are normal.

The published runs have 2e5 steps in one market, ours 60 markets side by side; so bands, not
equalities: kurtosis at limits 1, 2, 5, 10 was 4.0, 4.8, 14, 24 there.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from crowdfall.errors import TermsError
from crowdfall.experiments.theory.fat_tails import Market, kurtosis, log_returns


@cache
def tails(limit: float) -> float:
    return kurtosis(log_returns(limit, 500, markets=60, settle=1000))


def test_noise_traders_alone_are_normal_with_their_own_sd() -> None:
    alone = log_returns(1.0, 2000, markets=100, settle=1000, funds=False)
    assert kurtosis(alone) == pytest.approx(3.0, abs=0.1)
    assert alone.std() == pytest.approx(0.035, abs=2e-4)


def test_kurtosis_rises_with_the_leverage_limit() -> None:
    assert tails(1.0) < tails(2.0) < tails(10.0)


@pytest.mark.parametrize(
    ("limit", "low", "high"), [(1.0, 2.9, 5.0), (2.0, 3.0, 8.0), (10.0, 8.0, 60.0)]
)
def test_kurtosis_lies_in_its_band(limit: float, low: float, high: float) -> None:
    assert low < tails(limit) < high


def test_funds_calm_the_market_until_they_must_sell() -> None:
    alone = log_returns(1.0, 500, markets=60, settle=1000, funds=False)
    levered = log_returns(10.0, 500, markets=60, settle=1000)
    assert levered.std() < alone.std()
    assert levered.min() < alone.min()


def test_same_seed_gives_the_same_returns_and_a_limit_below_one_is_refused() -> None:
    one, other = (log_returns(3.0, 20, markets=3, settle=5, terms=Market()) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    with pytest.raises(TermsError, match="leverage"):
        log_returns(0.5, 10)
