"""Books of single stocks, held long or sold short: their orders join those of all others.

A stock book has a signed number of shares of every stock, beside its row among the books. What it
sells short it borrows from the background, which stands on the other side of every trade, so shares
and cash are conserved as for all books; nobody refuses to lend (assumption), and T+1 does not bind
a book that may borrow. Shapes: P paths, S stock books, N stocks, R books, G groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crowdfall.types import Float64

if TYPE_CHECKING:
    from crowdfall.engine.crowd import Book
    from crowdfall.engine.ledger import Ledger
    from crowdfall.engine.run_state import Run


def signed_value(ledger: Ledger, price: Float64) -> Float64:
    """Return what the stock books hold at a price (P, N), yuan, short positions negative."""
    return np.asarray(ledger.signed * price[:, None, :])


def by_group(amount: Float64, edges: np.ndarray) -> Float64:
    """Sum amounts by stock (..., N) over the size groups, (..., G)."""
    return np.asarray(np.add.reduceat(amount, edges[:-1], axis=-1))


def most_of_volume(participation: float) -> float:
    """Return the most that may join the usual volume, over it, to be that share of the whole.

    >>> round(most_of_volume(0.2), 9)
    0.25
    """
    return participation / (1.0 - participation) if participation < 1.0 else np.inf


def join(run: Run, orders: Book) -> None:
    """Add the orders of the stock books to the sales and purchases of this bar, in place.

    Together they trade no more of a stock in a bar, on either side, than the participation limit
    of funds, as a share of the volume that there is with their own orders in it; beyond it they
    fill pro rata, and what is left over lapses. Outsiders order the reverse
    of what the books usually trade: books that trade on a signal answer the demand of others, and
    returns of calm times hold both. Books that trade as usual move nothing, and where they stay
    away it is the outsiders who move prices.
    """
    if orders.stocks is None:
        return
    setting, rows = run.setting, run.ledger.signed_rows
    orders.stocks *= np.where(orders.stocks < 0.0, orders.allowed[:, rows, None], 1.0)
    limit = most_of_volume(setting.scenario.noise.participation) * (
        setting.market.stocks.adv * setting.dt
    )
    for side, place in ((1.0, run.scratch.purchases), (-1.0, run.scratch.sales)):
        amount = np.maximum(side * orders.stocks, 0.0)
        wanted = amount.sum(axis=1)
        through = np.minimum(1.0, limit / np.maximum(wanted, 1.0))
        orders.stocks = np.where(
            side * orders.stocks > 0.0, orders.stocks * through[:, None, :], orders.stocks
        )
        place += wanted * through
    if orders.usual is not None:
        run.scratch.purchases += np.maximum(-orders.usual, 0.0)
        run.scratch.sales += np.maximum(orders.usual, 0.0)
    if run.styles is not None:
        usual = np.zeros_like(run.scratch.sales) if orders.usual is None else orders.usual
        run.styles.outside = -usual


def book(run: Run, orders: Book) -> None:
    """Move what filled at this bar's price, and tell it by group like the trades of all books."""
    if orders.stocks is None:
        return
    scratch, ledger, setting = run.scratch, run.ledger, run.setting
    rows, edges = ledger.signed_rows, setting.edges
    buy, sell = np.maximum(orders.stocks, 0.0), np.maximum(-orders.stocks, 0.0)
    bought = buy * scratch.filled_purchases[:, None, :]
    sold = sell * scratch.filled_new[:, None, :]
    moved = (bought - sold) / run.prices.price[:, None, :]
    ledger.signed += moved
    ledger.background -= moved.sum(axis=1)
    scratch.bought[:, rows] += by_group(bought, edges)
    scratch.sold[:, rows] += by_group(sold, edges)
    scratch.wanted[:, rows] += by_group(sell, edges)
    scratch.filled[:, rows] += by_group(sold, edges)
    orders.buy[:, rows] += by_group(buy, edges)  # after the others are booked: for the tally
