"""What a participant is: frozen terms and three functions over arrays.

``open`` says what it holds at the start, ``decide`` what it orders in a bar, ``plan`` (once at the
close, after settlement) what it will do next session. A participant sees a ``View`` of what is
public and an ``Account`` of its own books, never another's. It only decides: the engine executes,
fills, marks, margins and books, so conservation is proved once.

Shapes: P paths, R own books (cells), G size groups, U underlyings (ic, im), N stocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np

from crowdfall.market.snapshot import Market
from crowdfall.sums import over_last
from crowdfall.types import Bool, Float64, Int64

UNDERLYINGS: Final = ("ic", "im")
GROUP_OF: Final = (1, 2)
"""Size group under each underlying: IC on CSI 500, IM on CSI 1000."""
UNDER: Final = slice(GROUP_OF[0], GROUP_OF[-1] + 1)
"""The same as a slice, which cuts arrays by group several times faster."""


@dataclass(frozen=True, kw_only=True)
class KnockInMap:
    """The street's notes by bucket, all shape (B,): level, yuan, and underlying (0 IC, 1 IM).

    ``lost``: those knocked in before the start, wherever the index stands; None for none.
    """

    level: Float64
    notional: Float64
    underlying: Int64
    lost: Bool | None = None

    @cached_property
    def _is_of(self) -> Float64:
        """Return which buckets are of which underlying, ones and zeros (B, 2)."""
        return np.stack([self.underlying == 0, self.underlying != 0], axis=1).astype(float)

    def by_underlying(self, amount: Float64) -> Float64:
        """Sum amounts (P, B) by underlying, (P, 2)."""
        # A product a path, in C order: the order of the sums must not depend on the block size.
        return np.asarray((np.ascontiguousarray(amount)[:, None, :] @ self._is_of)[:, 0])


@dataclass(frozen=True, kw_only=True)
class Opening:
    """What a participant needs to build its first positions.

    ``draw(cell)`` gives uniforms of shape (P, N) that belong to that cell alone, so switching one
    participant off never moves another's draws. ``group_float``: free float by group, yuan, (G,);
    ``knock_in_map`` is what
    brokers publish of the street's notes; empty where there are no dealers.
    """

    market: Market
    paths: int
    group_float: Float64
    open_interest: Float64
    knock_in_map: KnockInMap
    draw: Callable[[str], Float64]
    schedule: Float64  # rescue by session, bar and group, yuan: (T, K, G)
    signals: Mapping[str, Float64] = field(default_factory=dict)  # of the first session, (P, N)


@dataclass(kw_only=True)
class Positions:
    """First positions: shares (P, R, N), cash (P, R), futures in yuan (P, R, U), capital (P, R).

    ``hedge_mix`` (R, U) names how a hedged book splits its short; zeros for books without a hedge.
    ``capped``: the books respect the participation limit of funds; ``buys``: they may buy stock;
    ``financing``: yearly rate on what they borrow. ``benchmark`` (R,): size group whose index a
    book is measured against; empty for none. ``stocks`` (P, R, N): shares of stock books, which
    may be short (negative) and order stock by stock; such books are not capped.
    """

    cells: tuple[str, ...]
    shares: Float64
    cash: Float64
    futures: Float64
    capital: Float64
    hedge_mix: Float64
    capped: bool = False
    buys: bool = False
    financing: float = 0.0
    benchmark: tuple[int, ...] = ()
    stocks: Float64 | None = None


@dataclass(frozen=True, kw_only=True)
class Account:
    """A participant's own books at the last mark, yuan; ratios as fractions.

    ``drawdown``: fall of nav from its highest close, positive. ``excess``: return since the start
    less the benchmark's (zero without one). ``group_value``: stock by size group, (P, R, G).
    ``gross`` (P, R): stock held and, by stock books, sold short. ``stocks`` (P, R, N): what stock
    books hold, short positions negative; None for other books.
    """

    equity: Float64
    stock_value: Float64
    group_value: Float64
    futures: Float64
    cash: Float64
    nav: Float64
    drawdown: Float64
    excess: Float64
    gross: Float64
    stocks: Float64 | None = None


@dataclass(frozen=True, kw_only=True)
class PolicyInForce:
    """The levers that bind one participant in a bar; the defaults are those of no policy.

    ``no_new_shorts``: share of its new short futures that is refused; ``leverage_cap``: highest
    stock value over equity of a DMA book; ``new_money``: client money may enter DMA;
    ``notional_capped``: DMA notional may not grow; ``lines``: multiple of every liquidation line;
    ``extra_days``: sessions added to every top-up deadline; ``lending``: share of stock lending
    that still works; ``listings``: share of new listings that go on.
    """

    no_new_shorts: float = 0.0
    leverage_cap: float = math.inf
    new_money: bool = True
    notional_capped: bool = False
    lines: float = 1.0
    extra_days: int = 0
    lending: float = 1.0
    listings: float = 1.0


NO_POLICY: Final = PolicyInForce()


@dataclass(frozen=True, kw_only=True)
class View:
    """What everybody may know before a bar.

    ``memory`` (P, G): three-day memory of group returns; ``locked`` (P, G): share of a group at
    its lower limit, ``locked_small`` (P,) the same below CSI 500; ``calm`` (P, G): share of
    stress that a credible rescue and announcements leave, 1 without them; ``panic`` (P, G): what
    announcements alone leave of panic; ``basis`` (P, U): log gap of the main
    contract from its fair carry; ``spot`` (P, U): index points under the futures; ``rescue``
    (P, G): yuan bought by the national team in the bar before; ``level`` (P, G): size-group
    indices over their first level; ``price`` (P, N): last prices of the stocks, in the market's
    order of groups; ``policy``: the levers that bind this participant; ``signals``: scores of the
    stocks by style (P, N), where the market has styles; ``calm_signals``: the same without what
    crowded books have done to prices.
    """

    date: date
    session: int
    bar: int
    bars: int
    memory: Float64
    locked: Float64
    locked_small: Float64
    calm: Float64
    panic: Float64
    basis: Float64
    spot: Float64
    rescue: Float64
    level: Float64
    own: Account
    policy: PolicyInForce = NO_POLICY
    price: Float64 | None = None
    signals: Mapping[str, Float64] = field(default_factory=dict)
    calm_signals: Mapping[str, Float64] = field(default_factory=dict)

    def of(self, own: Account, policy: PolicyInForce) -> View:
        """Return what one participant sees: this view, its own books and its levers.

        As ``dataclasses.replace``, at a tenth of its time: it runs for every participant and bar.
        """
        seen = object.__new__(View)
        seen.__dict__.update(self.__dict__, own=own, policy=policy)
        return seen

    @property
    def own_panic(self) -> Float64:
        """Return ``panic`` averaged over what each own book holds, (P, R); 1 for an empty one."""
        held = self.own.group_value
        felt = held @ (self.panic - 1.0)[:, :, None]
        return np.asarray(1.0 + felt[:, :, 0] / np.maximum(over_last(held), 1.0))

    @property
    def dt(self) -> float:
        """Return the length of a bar in days."""
        return 1.0 / self.bars


@dataclass(kw_only=True)
class Orders:
    """Orders of one bar. None means nothing of that sort.

    ``sell_share`` (P, R, G): fraction of sellable stock in each group; ``sell`` and ``buy``
    (P, R, G): yuan, spread over the group by holding and by free float; ``futures`` (P, R, U):
    yuan, + to buy; ``follow_wanted`` (P, R): how much of a hedge follows wanted instead of filled
    sales; ``forced`` (P, R): share of the sales that a broker or lender forces; ``compelled``
    (P, R): share, beside it, that the fund's own stop-loss or warning line asks for. ``stocks``
    (P, R, N): yuan by stock, + to buy, - to sell or sell short; of stock books only. ``usual``
    (P, N): what these books would order if nothing were wrong, in sum; outsiders, to whose demand
    it answers, order the reverse.
    """

    sell_share: Float64 | None = None
    sell: Float64 | None = None
    buy: Float64 | None = None
    futures: Float64 | None = None
    follow_wanted: Float64 | None = None
    forced: Float64 | None = None
    compelled: Float64 | None = None
    stocks: Float64 | None = None
    usual: Float64 | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something a participant did or suffered at the close: becomes an event."""

    path: int
    cell: str
    kind: str
    amount: float


@dataclass(kw_only=True)
class Plan:
    """What a participant changes at the close, yuan (P, R).

    ``capital`` is put in beside what was invested (a top-up: the nav answers); ``flow`` is client
    money in (+) or out (-) at the day's nav, which stays; ``broker`` is paid in by the broker for
    a swap under zero (+), or taken back by it (-).
    """

    capital: Float64 | None = None
    flow: Float64 | None = None
    broker: Float64 | None = None
    notices: list[Notice] = field(default_factory=list)
    status: list[list[str]] | None = None  # (P, R)


State = Any
"""A participant's own memory between bars: each has a type of its own, or None."""


class Participant(Protocol):
    """Frozen terms that can open, decide and plan."""

    enabled: bool

    def open(self, opening: Opening) -> tuple[Positions, State]:
        """Return the first positions and the state."""
        ...

    def decide(self, view: View, state: State) -> Orders | None:
        """Return the orders of this bar, or None."""
        ...

    def plan(self, view: View, state: State) -> Plan | None:
        """Decide at the close what holds for the next session."""
        ...
