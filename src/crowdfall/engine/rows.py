"""What each table says at one close, measured from the state."""

from __future__ import annotations

from typing import Any

import numpy as np

from crowdfall.agents.protocol import UNDERLYINGS, Account
from crowdfall.engine.crowd import knocked_in
from crowdfall.engine.futures import by_sort, month_share, spot
from crowdfall.engine.gauges import contrarian_return, day_returns, style_return
from crowdfall.engine.run_state import Run
from crowdfall.engine.volume import background_turnover
from crowdfall.market.snapshot import GROUPS, INDICES
from crowdfall.results.schema import CONTRACT_RANKS
from crowdfall.sums import over_books, over_last
from crowdfall.types import Float64

RESCUED = ("csi300", "csi500", "csi1000", "csi2000")
Row = dict[str, Any]


def daily_row(run: Run, day: int, everything: Account) -> Row:
    """Return the columns of ``daily`` at this close, each of shape (P,)."""
    prices, tally, setting = run.prices, run.tally, run.setting
    row: Row = {}
    for name in INDICES:
        g = GROUPS.index(name)
        row[f"{name}_close"] = prices.level[:, g] * setting.market.levels[name]
        row[f"{name}_return"] = prices.level[:, g] / prices.close_level[:, g] - 1.0
    # Without listed futures there is no basis: NaN becomes null in the tables.
    listed = 1.0 if setting.scenario.venue.futures else np.nan
    basis = basis_of_months(run) * listed
    interest = open_interest(run).sum(axis=2) * listed
    for u, name in enumerate(UNDERLYINGS):
        for k, rank in enumerate(CONTRACT_RANKS):
            row[f"basis_{rank}_{name}"] = basis[:, u, k]
        row[f"open_interest_{name}"] = interest[:, u]
    row["limit_down_count"] = prices.down.copy()
    row["limit_up_count"] = prices.up.copy()
    row["limit_down_touched"] = prices.touched[:, prices.counted].sum(axis=1)
    row["stocks"] = np.full(run.paths, int(prices.counted.sum()))
    _turnover(run, row)
    _dispersion(run, row)
    shares = knocked_in(run.members)
    dealers = _rows(run, "snowball_dealers")
    for u, name in enumerate(UNDERLYINGS):
        index = ("csi500", "csi1000")[u]
        row[f"knocked_in_share_{index}"] = np.zeros(run.paths) if shares is None else shares[:, u]
        row[f"dealer_futures_{name}"] = everything.futures[:, dealers, u].sum(axis=1)
    row["margin_calls"] = run.calls.copy()
    row["forced_sales"] = tally.forced.sum(axis=1)
    for g, name in enumerate(GROUPS):
        row[f"forced_share_{name}"] = tally.forced_group[:, g] / setting.group_float[g]
        row[f"compelled_share_{name}"] = tally.compelled_group[:, g] / setting.group_float[g]
    row["unfilled_sales"] = over_last(tally.left).sum(axis=1)
    row["broker_shortfall"] = run.ledger.broker_paid.sum(axis=1)
    team = tally.bought[:, _rows(run, "national_team")].sum(axis=1)
    for index in RESCUED:
        row[f"rescue_{index}"] = team[:, GROUPS.index(index)]
    today = day_returns(prices)
    row["contrarian_return"] = contrarian_return(run.last_returns, today, setting)
    row["momentum_return"] = style_return("momentum", today, setting)
    row["loop_gain"] = np.full(run.paths, np.nan)
    return row


def _rows(run: Run, name: str) -> slice:
    found = [member.rows for member in run.members if member.name == name]
    return found[0] if found else slice(0, 0)


def _turnover(run: Run, row: Row) -> None:
    prices = run.prices
    traded = over_books(run.tally.bought + run.tally.sold)
    by_group = background_turnover(prices, run.setting) + traded
    row["turnover"] = by_group.sum(axis=1)
    for g, name in enumerate(GROUPS):
        row[f"turnover_share_{name}"] = by_group[:, g] / row["turnover"]
        row[f"depth_{name}"] = prices.depth[:, g].copy()


def _dispersion(run: Run, row: Row) -> None:
    """Put in the cross-sectional sd of the day's simple returns by group, unweighted."""
    setting, prices = run.setting, run.prices
    moves = np.expm1(prices.log_price - prices.last_close)
    for g, name in enumerate(GROUPS):
        part = slice(int(setting.edges[g]), int(setting.edges[g + 1]))
        # compress keeps C order: the sums must not depend on the block size.
        own = moves[:, part].compress(setting.counted[part], axis=1)
        row[f"dispersion_{name}"] = own.std(axis=1) if own.shape[1] else np.full(run.paths, np.nan)


def open_interest(run: Run) -> Float64:
    """Return open interest by month in yuan, (P, U, M).

    Participants' longs, and the background's, count by the months that their sort of book holds;
    what else was open at the start spreads as the market's.
    """
    futures, ledger = run.futures, run.ledger
    longs = by_sort(ledger, np.maximum(ledger.units, 0.0)).transpose(0, 2, 1)
    net = by_sort(ledger, ledger.units).transpose(0, 2, 1)
    mix = futures.mix
    by_month = longs @ mix + np.maximum(-(net @ mix), 0.0)
    rest = (run.first_open_units - run.first_longs)[:, :, None]
    units = rest * month_share(run.setting, futures.listed, futures.days) + by_month
    return np.asarray(np.maximum(units, 0.0) * futures.points)


def basis_of_months(run: Run) -> Float64:
    """Return futures / spot - 1 of the listed months, (P, U, M)."""
    return np.asarray(run.futures.points / spot(run.prices, run.setting)[:, :, None] - 1.0)


def futures_row(run: Run, settle: Float64) -> Row:
    """Return the columns of ``futures``, (P, U, months); labels of the months as lists."""
    futures = run.futures
    traded = by_sort(run.ledger, run.tally.futures_bought + run.tally.futures_sold)
    by_month = traded.transpose(0, 2, 1) @ futures.mix
    return {
        "contract": [f"{u.upper()}{code}" for u in UNDERLYINGS for code in futures.listed.codes],
        "underlying": [u for u in UNDERLYINGS for _ in futures.listed.codes],
        "rank": [rank for _ in UNDERLYINGS for rank in CONTRACT_RANKS],
        "settle": settle,
        "close": futures.points.copy(),
        "basis": basis_of_months(run),
        "volume": _calm_volume(run) + by_month,
        "open_interest": open_interest(run),
    }


def _calm_volume(run: Run) -> Float64:
    """Return the volume of the snapshot by rank of the month, yuan, (U, M)."""
    volume = np.zeros((len(UNDERLYINGS), len(CONTRACT_RANKS)))
    for u, name in enumerate(UNDERLYINGS):
        for k, quote in enumerate(run.setting.market.contracts(name)[: len(CONTRACT_RANKS)]):
            volume[u, k] = quote.volume * quote.multiplier * quote.close
    return volume


def agents_row(
    run: Run, before: Float64, now: Account, settled: Float64, statuses: list[Any]
) -> Row:
    """Return the columns of ``agents``, (P, R); ``settled``: equity at settlement."""
    tally, ledger = run.tally, run.ledger
    bought, sold = over_last(tally.bought), over_last(tally.sold)
    short = over_last(np.abs(now.futures))
    held = now.gross > 1.0
    invested = ledger.capital > 0.0
    benchmarked = np.concatenate(
        [np.full(len(m.cells), bool(m.benchmark)) for m in run.members] or [np.zeros(0, bool)]
    )
    status = np.full(held.shape, "open", dtype="<U8")
    for rows, names in statuses:
        if names is not None:
            status[:, rows] = names
    nothing = np.nan
    return {
        "equity": now.equity,
        "stock_value": now.stock_value.copy(),
        "cash": ledger.cash.copy(),
        "futures_ic": now.futures[:, :, 0],
        "futures_im": now.futures[:, :, 1],
        "gross": now.gross + short,
        "net": now.stock_value + over_last(now.futures),
        "leverage": np.where(now.equity > 0, now.gross / np.maximum(now.equity, 1e-9), nothing),
        "margin_ratio": np.where(held, settled / np.maximum(now.gross, 1.0), nothing),
        "nav": np.where(invested, now.nav, nothing),
        "excess": np.where(benchmarked, now.excess, nothing),
        "pnl_stock": now.stock_value - before - bought + sold,
        "pnl_futures": tally.gain - tally.basis_gain,
        "pnl_basis": tally.basis_gain.copy(),
        "pnl_financing": tally.interest.copy(),
        "pnl_costs": -tally.costs,
        "capital_flow": tally.capital.copy(),
        "stock_bought": bought,
        "stock_sold": sold,
        "status": status,
    }


def flows_row(run: Run) -> Row:
    """Return the columns of ``flows``, (P, participants and background, places)."""
    tally = run.tally
    amounts = {  # by book and place, (P, R, G + U); futures orders always fill
        "bought": np.concatenate([tally.bought, tally.futures_bought], axis=2),
        "sold": np.concatenate([tally.sold, tally.futures_sold], axis=2),
        "wanted_bought": np.concatenate([tally.wanted_bought, tally.futures_bought], axis=2),
        "wanted_sold": np.concatenate([tally.sold + tally.left, tally.futures_sold], axis=2),
    }
    bought, sold = run.witness.background()
    rest = {"bought": bought, "sold": sold, "wanted_bought": bought, "wanted_sold": sold}
    row: Row = {}
    for name, amount in amounts.items():
        row[name] = np.empty(
            (run.paths, len(run.members) + 1, amount.shape[2])
        )  # (P, M + 1, G + U)
        if run.members:
            np.add.reduceat(amount, run.witness.starts, axis=1, out=row[name][:, :-1])
        row[name][:, -1] = rest[name]
    return row
