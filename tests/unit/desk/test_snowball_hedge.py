"""The dealer's profit and loss: cash closes, terms explain it, and on average it is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdfall.desk.futures_path import drawn_paths
from crowdfall.desk.snowball_hedge import TERMS, Deal, Paths, backtest, backtest_book
from crowdfall.errors import DataError
from crowdfall.pricing.book import Policy
from crowdfall.pricing.marks import Marks
from crowdfall.pricing.synthetic import published, synthetic_book
from crowdfall.products.snowball import Snowball
from crowdfall.products.timetable import Timetable
from crowdfall.products.variants import VARIANTS

MARKS = Marks(vol=0.18)
TABLE = Snowball(months=12, lockup=3).timetable()
DEAL = Deal(table=TABLE, coupon=0.12)


def share(deal: Deal, paths: Paths, marks: Marks) -> float:
    """Return the sum of absolute residuals over that of absolute daily profits and losses."""
    result = backtest(deal, paths, marks)
    return float(np.abs(result.residual).sum() / np.abs(result.total).sum())


def finer(table: Timetable, parts: int) -> Timetable:
    """Return a timetable with every session cut in parts, its events on the whole ones."""

    def spread(values: np.ndarray, empty: float) -> np.ndarray:
        out = np.full((table.last * parts + 1, *values.shape[1:]), empty)
        out[::parts] = values
        return out

    return replace(
        table,
        knock_out=spread(table.knock_out, np.inf), knock_in=spread(table.knock_in, 0.0),
        redemption=spread(table.redemption, 0.0),
        coupon_level=spread(table.coupon_level, np.inf),
        coupon_amount=spread(table.coupon_amount, 0.0), year=table.year * parts,
    )  # fmt: skip


@pytest.mark.parametrize("variant", ["standard", "step-down", "phoenix", "airbag", "margin"])
def test_cash_account_closes(variant: str) -> None:
    terms = VARIANTS[variant][1]
    deal = Deal(table=terms.timetable(), coupon=terms.coupon, cost=1e-4)
    paths = drawn_paths(deal.table, MARKS, 5, 3)
    result = backtest(deal, paths, MARKS)
    equity = result.cash - result.liability
    assert np.abs(np.diff(equity, axis=1) - result.total).max() < 1e-9
    growth = np.exp(MARKS.rate / 252) - 1
    back = result.hedge * (paths.futures[:, :, 1] / paths.futures[:, :, 0] - 1)
    for path in range(5):
        cash, life = result.cash[path, 0], int(result.life[path])
        for t in range(life):
            cash += cash * growth + back[path, t] + result.terms["costs"][path, t]
        paid = cash - result.cash[path, life]
        assert result.liability[path, life] == 0.0
        assert np.abs(result.total[path, life:]).max(initial=0.0) == 0.0
        if variant == "standard":
            spot = paths.spot[path, life]
            redeemed = 1 + terms.coupon * life / 252
            ends = (redeemed, 1 + terms.coupon * 2, min(1.0, spot))
            assert min(abs(paid - wanted * 1.0) for wanted in ends) < 1e-2


def test_terms_explain_daily_profit_and_loss_to_one_percent() -> None:
    shares = [share(DEAL, drawn_paths(TABLE, MARKS, 1, seed), MARKS) for seed in range(12)]
    print("residual shares:", ", ".join(f"{each:.2%}" for each in shares))
    assert max(shares) < 0.01


def test_residual_falls_as_steps_shrink() -> None:
    left = []
    for parts in (1, 2, 4):
        table = finer(TABLE, parts)
        fine = drawn_paths(finer(TABLE, 4), MARKS, 60, 5)
        every = 4 // parts
        spot = fine.spot[:, ::every]
        carry = np.exp(-(MARKS.rate - MARKS.q) / table.year)
        paths = Paths(spot=spot, futures=np.stack([spot[:, :-1], spot[:, 1:] * carry], axis=2))
        result = backtest(Deal(table=table, coupon=0.12), paths, MARKS)
        left.append(float(np.median(np.abs(result.residual).sum(axis=1))))
    print("residual per notional by steps a session 1, 2, 4:", left)
    assert left[0] > left[1] > left[2]


def test_mean_discounted_profit_and_loss_is_zero_at_the_true_volatility() -> None:
    paths = drawn_paths(TABLE, MARKS, 600, 11)
    price = backtest(DEAL, Paths(spot=paths.spot[:1], futures=paths.futures[:1]), MARKS)
    deal = replace(DEAL, price=float(price.liability[0, 0]))
    result = backtest(deal, paths, MARKS)
    discount = np.exp(-MARKS.rate * (np.arange(TABLE.last) + 1) / 252)
    # Interest on the equity itself is no profit: discounting each session's change less it.
    equity = result.cash - result.liability
    growth = np.exp(MARKS.rate / 252) - 1
    earned = (result.total - growth * equity[:, :-1]) * discount
    whole = earned.sum(axis=1)
    error = whole.std() / np.sqrt(len(whole))
    print(f"mean {whole.mean():.2e}, standard error {error:.2e}")
    assert abs(whole.mean()) < 3 * error


def test_roll_yield_is_what_futures_earn_beyond_the_index() -> None:
    spot = np.full((1, 21), 1.0)
    futures = np.stack([spot[:, :-1] * 0.99, spot[:, 1:] * 0.9905], axis=2)
    result = backtest(DEAL, Paths(spot=spot, futures=futures), MARKS)
    expected = result.hedge * (0.9905 / 0.99 - 1)
    assert result.terms["roll_yield"] == pytest.approx(expected)
    assert np.abs(result.terms["index"]).max() == 0.0


def test_new_marks_are_booked_as_re_marking() -> None:
    paths = drawn_paths(TABLE, MARKS, 1, 2)
    short = Paths(spot=paths.spot[:, :4], futures=paths.futures[:, :3])
    daily = [MARKS, MARKS, Marks(vol=0.25), Marks(vol=0.25)]
    result = backtest(DEAL, short, daily)
    assert result.terms["remark"][0].tolist()[::2] == [0.0, 0.0]
    assert abs(result.terms["remark"][0, 1]) > 1e-3
    assert np.abs(result.residual).max() < 1e-5


def test_policy_is_kept_to() -> None:
    paths = drawn_paths(TABLE, MARKS, 3, 4)
    capped = backtest(replace(DEAL, policy=Policy(cap=0.8)), paths, MARKS)
    assert capped.hedge.max() <= 0.8 + 1e-12 or (paths.spot.min() <= 0.75)
    lazy = backtest(replace(DEAL, policy=Policy(band=0.1), cost=1e-4), paths, MARKS)
    busy = backtest(replace(DEAL, cost=1e-4), paths, MARKS)
    assert lazy.terms["costs"].sum() > busy.terms["costs"].sum()
    assert set(lazy.terms) == set(TERMS)


def test_bad_paths_are_refused() -> None:
    with pytest.raises(DataError, match="shape"):
        Paths(spot=np.ones((1, 5)), futures=np.ones((1, 5, 2)))
    with pytest.raises(DataError, match="session 2"):
        Paths(spot=np.array([[1.0, 1.0, np.nan]]), futures=np.ones((1, 2, 2)))
    with pytest.raises(DataError, match="sets of marks"):
        backtest(DEAL, drawn_paths(TABLE, MARKS, 1, 1), [MARKS] * 3)


def test_a_book_is_the_sum_of_its_notes() -> None:
    book = synthetic_book(published()[0], steps=1, ages=1)
    drawn = drawn_paths(TABLE, MARKS, 1, 8)
    falling = drawn.spot[:, :16] * np.linspace(1.0, 0.93, 16)
    futures = np.stack([falling[:, :-1] * 0.99, falling[:, 1:] * 0.992], axis=2)
    points = Paths(spot=5200 * falling, futures=5200 * futures)
    whole = backtest_book(book, "csi500", points, MARKS)
    total = np.zeros((1, 15))
    for note in range(len(book)):
        own = Paths(
            spot=points.spot / book.initial[note], futures=points.futures / book.initial[note]
        )
        deal = Deal(table=book.tables[book.family[note]], coupon=0.12, age=int(book.age[note]))
        total += book.notional[note] * backtest(deal, own, MARKS).total
    assert whole.total == pytest.approx(total, rel=1e-4)
    equity = whole.cash - whole.liability
    assert np.abs(np.diff(equity, axis=1) - whole.total).max() < 1e-9 * 106e9
    assert np.abs(whole.residual).sum() < 0.01 * np.abs(whole.total).sum()
    with pytest.raises(DataError):
        backtest_book(book, "csi1000", points, MARKS)
