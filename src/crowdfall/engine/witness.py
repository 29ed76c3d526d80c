"""What the bars of a session did, kept until the close to say who moved what.

Every participant's trades are summed by bar, size group and contract; prices, basis and factors
are kept bar by bar. From them come the exchanges between participants, and how far each
participant's flow pushed each group and each basis: the weights by which causes are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from crowdfall.agents.protocol import GROUP_OF, UNDERLYINGS
from crowdfall.engine.dislocation import push
from crowdfall.engine.setting import SPOT_TRANSFER, Setting
from crowdfall.market.snapshot import GROUPS
from crowdfall.types import Float64, Int64

if TYPE_CHECKING:
    from crowdfall.engine.run_state import Run

SIZES: Final = len(GROUPS)
ONSET: Final = 0.1
"""A trade of a session begins in the bar by which this share of it was done (assumption)."""


@dataclass(kw_only=True)
class Witness:
    """Bars of one session. K bars, P paths, M participants, G size groups, U underlyings.

    ``bought`` and ``sold`` (K, P, M, G + U), yuan filled. Levels and factors have K + 1 entries,
    the first of the close before: ``market`` (., P), ``group``, ``moved`` (dislocation) and
    ``level`` (., P, G), ``basis`` (., P, U); ``depth`` (K, P, G). ``held`` (P, R, G) and
    ``short`` (P, R, U): stock and futures of the books at the close before, yuan.
    """

    starts: Int64
    bought: Float64
    sold: Float64
    market: Float64
    group: Float64
    moved: Float64
    level: Float64
    basis: Float64
    depth: Float64
    held: Float64
    short: Float64

    @classmethod
    def empty(cls, bars: int, paths: int, starts: Int64, books: int) -> Witness:
        """Return a witness of nothing; ``starts``: first row of each participant."""
        trades, groups = (bars, paths, len(starts), SIZES + len(UNDERLYINGS)), (paths, SIZES)
        return cls(
            starts=starts,
            bought=np.zeros(trades),
            sold=np.zeros(trades),
            market=np.zeros((bars + 1, paths)),
            group=np.zeros((bars + 1, *groups)),
            moved=np.zeros((bars + 1, *groups)),
            level=np.ones((bars + 1, *groups)),
            basis=np.zeros((bars + 1, paths, len(UNDERLYINGS))),
            depth=np.ones((bars, *groups)),
            held=np.zeros((paths, books, SIZES)),
            short=np.zeros((paths, books, len(UNDERLYINGS))),
        )

    def open_session(self, run: Run) -> None:
        """Note where the session starts from: prices, factors and books of the close before."""
        self._note(run, 0)
        self.held[:] = run.ledger.group_value
        self.short[:] = run.ledger.units * run.futures.price[:, None, :]

    def see_trades(self, run: Run, bar: int, traded: Float64) -> None:
        """Sum the stock trades of a bar, and its futures trades (P, R, U), by participant."""
        if not len(self.starts):
            return
        for place, stock, futures in (
            (self.bought, run.scratch.bought, np.maximum(traded, 0.0)),
            (self.sold, run.scratch.sold, np.maximum(-traded, 0.0)),
        ):
            np.add.reduceat(stock, self.starts, axis=1, out=place[bar, :, :, :SIZES])
            np.add.reduceat(futures, self.starts, axis=1, out=place[bar, :, :, SIZES:])

    def see_prices(self, run: Run, bar: int) -> None:
        """Keep what the bar left behind."""
        self.depth[bar] = run.prices.depth
        self._note(run, bar + 1)

    def _note(self, run: Run, entry: int) -> None:
        prices = run.prices
        self.market[entry] = prices.market
        np.add(prices.group, prices.expected, out=self.group[entry])
        np.add(prices.fast, prices.slow, out=self.moved[entry])
        self.level[entry] = prices.level
        self.basis[entry] = run.main_basis()

    def exchanges(self) -> Float64:
        """Return who sold to whom, yuan (P, M + 1, M + 1, G + U): seller, buyer, place.

        The last participant is the background, the residual holder. In every bar and place the
        larger of total sales and total purchases changes hands: each buyer buys from each seller
        in proportion to what that one sold, and the background stands on the shorter side.
        """
        bars, paths, count, places = self.sold.shape
        sell, buy = np.zeros((2, bars, paths, count + 1, places))
        sell[:, :, :-1], buy[:, :, :-1] = self.sold, self.bought
        sales, purchases = self.sold.sum(axis=2), self.bought.sum(axis=2)
        sell[:, :, -1] = np.maximum(purchases - sales, 0.0)
        buy[:, :, -1] = np.maximum(sales - purchases, 0.0)
        sell /= np.maximum(np.maximum(sales, purchases), 1e-300)[:, :, None]
        # Sums over bars as a product a path and place: their order does not depend on the block.
        sellers = np.ascontiguousarray(sell.transpose(1, 3, 2, 0))
        buyers = np.ascontiguousarray(buy.transpose(1, 3, 0, 2))
        return np.ascontiguousarray((sellers @ buyers).transpose(0, 2, 3, 1))

    def background(self) -> tuple[Float64, Float64]:
        """Return what the background bought and sold on the day, yuan (P, G + U)."""
        gap = (self.sold - self.bought).sum(axis=2)
        return np.maximum(gap, 0.0).sum(axis=0), np.maximum(-gap, 0.0).sum(axis=0)


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What a session did, by cause. Log prices; losses in yuan, positive; onsets in bars.

    ``returns``, ``news`` (market factor) and ``group_news`` (group factor) (P, G);
    ``stock_push`` and ``futures_push`` (P, M, G): by a participant's trades in each;
    ``basis_push`` (P, M, U); ``back`` (P, G): dislocation that faded by itself; ``sold`` and
    ``bought`` (P, M, G + U), ``stock_loss`` (P, R, G), ``spot_loss`` and ``basis_loss``
    (P, R, U): of the books held at the close before. ``began`` and ``began_buying``
    (P, M, 1 + U): first bar of stock and futures trades.
    """

    returns: Float64
    news: Float64
    group_news: Float64
    stock_push: Float64
    futures_push: Float64
    basis_push: Float64
    back: Float64
    sold: Float64
    bought: Float64
    stock_loss: Float64
    spot_loss: Float64
    basis_loss: Float64
    began: Int64
    began_buying: Int64
    basis: Float64  # (K + 1, P, U)

    @cached_property
    def _lost(self) -> Float64:
        return np.concatenate([self.stock_loss, self.spot_loss, self.basis_loss], axis=2)

    def losses(self, path: int, rows: slice) -> list[float]:
        """Return what some books lost on each group, future's spot and basis, yuan, G + 2 U."""
        lost: list[float] = (
            self._lost[path, rows.start].tolist()
            if rows.stop == rows.start + 1
            else self._lost[path, rows].sum(axis=0).tolist()
        )
        return lost


def look_back(witness: Witness, setting: Setting) -> Sight:
    """Return what the session of ``witness`` did."""
    w, edges = witness, setting.edges[:-1]
    slope = np.add.reduceat(setting.index_weight * setting.slope, edges)
    net = w.bought - w.sold
    depth = w.depth[:, :, None, :]
    stock = push(net[..., :SIZES] / setting.group_float, depth, setting)
    for m in rescuers(setting):
        share = net[:, :, m, :SIZES] / setting.group_float
        stock[:, :, m] = push(share, w.depth, setting, rescue=True)
    felt = _felt(net[..., SIZES:], setting) / setting.group_float
    futures = push(felt, depth, setting)
    stock_push, futures_push = stock.sum(axis=0), futures.sum(axis=0)
    moved = w.moved[-1] - w.moved[0]
    growth = np.log(w.level[-1] / w.level[0])
    spot = (growth[:, list(GROUP_OF)])[:, None, :]
    basis = (w.basis[-1] - w.basis[0])[:, None, :]
    return Sight(
        returns=growth,
        news=(w.market[-1] - w.market[0])[:, None] * slope,
        group_news=w.group[-1] - w.group[0],
        stock_push=stock_push,
        futures_push=futures_push,
        basis_push=_basis_push(net[..., SIZES:], w.depth, setting),
        back=moved - (stock_push + futures_push).sum(axis=1),
        sold=w.sold.sum(axis=0),
        bought=w.bought.sum(axis=0),
        stock_loss=-w.held * growth[:, None, :],
        spot_loss=-w.short * spot,
        basis_loss=-w.short * basis,
        began=_began(w.sold),
        began_buying=_began(w.bought),
        basis=w.basis.copy(),
    )


def rescuers(setting: Setting) -> list[int]:
    """Return the numbers of the participants whose purchases are a rescue: the national team."""
    names = setting.scenario.agents.enabled
    return [m for m, name in enumerate(names) if name == "national_team"]


def _felt(futures: Float64, setting: Setting) -> Float64:
    if not setting.scenario.channels.futures_transfer:
        return np.zeros((*futures.shape[:-1], SIZES))
    felt = (futures[..., None] * np.array(SPOT_TRANSFER)).sum(axis=-2)
    return np.asarray(setting.scenario.basis.transfer * felt)


def _basis_push(futures: Float64, depth: Float64, setting: Setting) -> Float64:
    terms = setting.scenario.basis
    kept = 1.0 - terms.transfer if setting.scenario.channels.futures_transfer else 1.0
    scale = setting.open_interest * np.sqrt(depth[:, :, None, list(GROUP_OF)])
    return np.asarray((kept * terms.impact * futures / scale).sum(axis=0))


def _began(trades: Float64) -> Int64:
    """Return the bar by which ONSET of each participant's trades was done, (P, M, 1 + U)."""
    stock = trades[..., :SIZES].sum(axis=3, keepdims=True)
    done = np.cumsum(np.concatenate([stock, trades[..., SIZES:]], axis=3), axis=0)
    return np.asarray((done < ONSET * done[-1]).sum(axis=0), dtype=np.int64)
