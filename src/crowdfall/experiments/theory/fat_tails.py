"""Leverage causes fat tails: value funds with a leverage limit among noise traders.

Thurner, Farmer and Geanakoplos (2012, "Leverage causes fat tails and clustered volatility"). Funds
buy what is below its value, up to their limit; when prices fall at the limit they must sell into
the fall. R independent markets are run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.experiments.theory.arrays import number
from crowdfall.types import Bool, Float64


@dataclass(frozen=True, kw_only=True)
class Market:
    """Terms of the paper: value V, shares N, noise, ten funds of aggression 5 to 50.

    ``flows``: money that follows a fund's average return beyond ``benchmark``; funds leave below
    ``exit_share`` of their first wealth and are replaced after ``re_entry`` steps.
    """

    value: float = 1.0
    shares: float = 1000.0
    reversion: float = 0.99
    noise: float = 0.035
    aggression: tuple[float, ...] = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50)
    wealth: float = 2.0
    flows: float = 0.15
    averaging: float = 0.1
    benchmark: float = 0.005
    exit_share: float = 0.1
    re_entry: int = 100


@dataclass(kw_only=True)
class _Funds:
    cash: Float64  # (R, H)
    held: Float64
    wealth: Float64
    performance: Float64
    away: Float64  # steps until re-entry, 0 if in


def log_returns(
    leverage: float, steps: int, *, markets: int = 200, settle: int = 500, seed: int = 1,
    terms: Market | None = None, funds: bool = True,
) -> Float64:  # fmt: skip
    """Return log returns (R, T) after ``settle`` steps; without ``funds`` noise traders only.

    Fewer, shorter markets than the paper's 2e5 steps: funds are less rich, and tails less fat.
    ``leverage``: highest value of a fund's shares over its wealth, 1 or more; TermsError below.
    """
    said = terms or Market()
    limit = number("leverage", leverage, low=1.0)
    draw = np.random.default_rng(seed).standard_normal((steps + settle, markets))
    beta = np.array(said.aggression if funds else ())
    shape = (markets, len(beta))
    book = _Funds(
        cash=np.full(shape, said.wealth), held=np.zeros(shape), wealth=np.full(shape, said.wealth),
        performance=np.zeros(shape), away=np.zeros(shape),
    )  # fmt: skip
    log_spent = np.full(markets, np.log(said.value * said.shares))
    price = np.full(markets, said.value)
    out = np.empty((markets, steps + settle))
    for step in range(steps + settle):
        mean = (1.0 - said.reversion) * np.log(said.value * said.shares)
        log_spent = said.reversion * log_spent + mean + said.noise * draw[step]
        new = _clear(np.exp(log_spent), book, beta, limit, said)
        _settle(book, beta, limit, said, new)
        out[:, step] = np.log(new / price)
        price = new
    return out[:, settle:]


def _clear(spent: Float64, book: _Funds, beta: Float64, limit: float, said: Market) -> Float64:
    """Return prices (R,) at which noise traders and funds hold all shares, by bisection.

    Funds' wealth counts at the new price. Above the value they hold nothing.
    """
    free = spent / said.shares
    low, high = np.minimum(free, said.value), np.maximum(free, said.value)
    low = low * 0.5
    for _ in range(34):
        middle = 0.5 * (low + high)
        excess = spent + _wanted(middle, book, beta, limit, said).sum(axis=1)
        above = excess > said.shares * middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(0.5 * (low + high))


def _wanted(price: Float64, book: _Funds, beta: Float64, limit: float, said: Market) -> Float64:
    """Return the money that funds hold in shares at prices (R,), shape (R, H)."""
    wealth = np.maximum(book.cash + book.held * price[:, None], 0.0) * (book.away == 0.0)
    cheap = np.maximum(said.value - price, 0.0)[:, None]
    return np.asarray(wealth * np.minimum(beta * cheap, limit))


def _settle(book: _Funds, beta: Float64, limit: float, said: Market, price: Float64) -> None:
    value = _wanted(price, book, beta, limit, said)
    wealth = book.cash + book.held * price[:, None]
    earned = wealth / np.where(book.wealth > 0.0, book.wealth, 1.0) - 1.0
    book.performance = (1.0 - said.averaging) * book.performance + said.averaging * earned
    flow = np.maximum(said.flows * (book.performance - said.benchmark), -1.0)
    money = flow * np.maximum(wealth, 0.0)
    money = np.where(book.away > 0.0, 0.0, money)
    book.held = value / price[:, None]
    book.cash = wealth - value + money
    book.wealth = wealth + money
    _leave_and_return(book, said)


def _leave_and_return(book: _Funds, said: Market) -> None:
    back: Bool = book.away == 1.0
    book.away = np.maximum(book.away - 1.0, 0.0)
    gone = (book.away == 0.0) & ~back & (book.wealth < said.exit_share * said.wealth)
    book.away = np.where(gone, float(said.re_entry), book.away)
    first = back | gone
    book.cash = np.where(first, said.wealth, book.cash)
    book.wealth = np.where(first, said.wealth, book.wealth)
    book.held = np.where(first, 0.0, book.held)
    book.performance = np.where(first, 0.0, book.performance)


def kurtosis(returns: Float64) -> float:
    """Return the kurtosis of all returns together; 3 for a normal law."""
    centred = returns - returns.mean()
    return float((centred**4).mean() / (centred**2).mean() ** 2)
