"""Arrays that live for one bar, kept to save allocation; and the sums of a day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crowdfall.engine import kernels
from crowdfall.engine.crowd import Book
from crowdfall.engine.setting import Setting
from crowdfall.sums import over_last
from crowdfall.types import Float64


@dataclass(kw_only=True)
class Scratch:
    """Orders and fills of a bar. P paths, N stocks, R books, G groups; money in yuan."""

    sales: Float64  # (P, N) ordered, after the participation limit
    ordered: Float64  # (P, 2, N) shares, before it: of books that are not capped, and that are
    purchases: Float64
    scale: Float64  # (P, N) share of funds' orders let through
    weight: Float64  # (P, N) of purchases within the group
    filled_sales: Float64  # (P, N) shares filled
    filled_new: Float64  # (P, N) the same of orders that did not wait in a queue
    filled_purchases: Float64
    own: Float64  # (P, N) noise and own impact
    net: Float64  # (P, G) filled net flow
    dislocation: Float64  # (P, G)
    wanted: Float64  # (P, R, G) sales ordered
    filled: Float64  # (P, R, G) sales filled, at the last price
    sold: Float64  # (P, R, G) at this bar's price
    served: Float64  # (P, R, G) the part of it that had waited in a queue
    bought: Float64

    @classmethod
    def empty(cls, paths: int, books: int, stocks: int, groups: int) -> Scratch:
        """Return zeroed arrays."""
        flat, by_book = (paths, stocks), (paths, books, groups)
        wide = (
            "sales",
            "purchases",
            "scale",
            "weight",
            "filled_sales",
            "filled_new",
            "filled_purchases",
            "own",
        )
        return cls(
            **{name: np.zeros(flat) for name in wide},
            ordered=np.zeros((paths, 2, stocks)),
            **{name: np.zeros((paths, groups)) for name in ("net", "dislocation")},
            **{
                name: np.zeros(by_book) for name in ("wanted", "filled", "sold", "served", "bought")
            },
        )

    def wanted_net(self, setting: Setting) -> Float64:
        """Return the net flow by group if all orders let through were filled, (P, G)."""
        kernels.net_flow(self.purchases, self.sales, setting.edges, self.net)
        return self.net


@dataclass(kw_only=True)
class Tally:
    """Sums of a session by book: stock (P, R, G), futures (P, R, U), money (P, R)."""

    bought: Float64
    sold: Float64
    wanted_bought: Float64
    left: Float64  # sales wanted and not filled
    forced: Float64  # (P, R) filled sales that a broker forced
    forced_group: Float64  # (P, G) the same by size group
    compelled_group: Float64  # (P, G) filled sales that a fund's own lines ask for
    futures_bought: Float64
    futures_sold: Float64
    costs: Float64
    gain: Float64
    basis_gain: Float64
    interest: Float64
    capital: Float64

    @classmethod
    def empty(cls, paths: int, books: int, groups: int) -> Tally:
        """Return zero sums."""
        stock = ("bought", "sold", "wanted_bought", "left")
        money = ("forced", "costs", "gain", "basis_gain", "interest", "capital")
        return cls(
            **{name: np.zeros((paths, books, groups)) for name in stock},
            **{name: np.zeros((paths, books, 2)) for name in ("futures_bought", "futures_sold")},
            **{name: np.zeros((paths, books)) for name in money},
            forced_group=np.zeros((paths, groups)),
            compelled_group=np.zeros((paths, groups)),
        )

    def clear(self) -> None:
        """Start a new session."""
        for name in self.__dataclass_fields__:
            getattr(self, name)[:] = 0.0

    def add_bar(
        self,
        scratch: Scratch,
        orders: Book,
        traded: Float64,
        costs: Float64,
        gain: Float64,
        by_basis: Float64,
    ) -> None:
        """Add one bar. What is left over adds up too; the close cuts it to what is still held."""
        self.left += np.maximum(scratch.wanted - scratch.filled, 0.0) - scratch.served
        np.maximum(self.left, 0.0, out=self.left)
        self.bought += scratch.bought
        self.sold += scratch.sold
        self.wanted_bought += orders.buy
        self.forced += orders.forced * over_last(scratch.sold)
        self.forced_group += (orders.forced[:, None, :] @ scratch.sold)[:, 0]
        self.compelled_group += (orders.compelled[:, None, :] @ scratch.sold)[:, 0]
        self.futures_bought += np.maximum(traded, 0.0)
        self.futures_sold += np.maximum(-traded, 0.0)
        self.costs += costs
        self.gain += over_last(gain)
        self.basis_gain += over_last(by_basis)
