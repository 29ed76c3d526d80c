"""Long/short books of single stocks that crowd into styles, levered: August 2007.

Every book holds the same styles, long what scores high and short what scores low: weights are the
score z of a style times sqrt(adv x float), by which all funds of the engine weigh their names, as
many dollars long as short, styles netted. Scores change from session to session and the books
follow them, within what they trade a day when nothing is wrong. Outsiders order the reverse of
those usual trades (``Orders.usual``), so books at work move nothing; a book that has shrunk, or
that cuts, leaves the outsiders without an answer.

A first seller winds its whole book down over some sessions, whatever happens. The others have a
limit on their leverage, beyond which they come back to it (Cont and Schaanning 2017), a stop on the
drawdown and a broker's margin (by the rules of the DMA books, lines in units of their own initial
margin). What they cut by themselves they cut while they have lost since the last close, and trade
nothing else meanwhile. When nobody sold in the last bar the forced sale has ended: who had cut
rebuilds unless it loses, and once the crowd stood below its stop, new money takes its side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from crowdfall.agents.leverage import kept_share
from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.errors import MarketError
from crowdfall.parameters import parameter
from crowdfall.sums import over_last
from crowdfall.types import Bool, Float64

SELLER: Final = "first_seller"
NEWCOMER: Final = "newcomer"
STARTS: Final = {
    "low": (0.75, 0.28, 1.0),
    "middle": (1.0, 0.26, 1.0),
    "high": (1.25, 0.28, 1.0),
    "patient": (1.0, 0.18, 0.0),
}
"""Leverage over the mean, share of the others' capital, and whether the stop is at its normal place
(1) or that of a patient book (assumption: the patient share is that of the DMA books; 4:1 to 10:1
was common in August 2007, NBER working paper 14465)."""


def _bargains() -> dict[str, float]:
    """Return what new money trades: it comes for what fell and rose in the sale (assumption)."""
    return {"reversal": 1.0}


def _styles() -> dict[str, float]:
    """Return the shares of the styles in a book (assumption, each 0.3-0.7)."""
    return {"reversal": 0.5, "momentum": 0.5}


@dataclass(kw_only=True)
class FactorState:
    """What each book wants, (P, R) unless said; ``portfolio`` (P, N): weights, gross 1.

    ``usual``: the portfolio without what the crowd did to prices; ``bargain``: that of new money,
    from the second session on; ``room`` (N,): of a weight per
    score; ``trades`` (R, N): yuan a day at most that follow the signal at full size. ``shadow``
    (P, R, N): shares of the books if nothing were wrong, before what they ordered last, ``pending``
    (P, R, N) yuan. ``over``: above its leverage limit and not yet back; ``cut`` and ``forced``:
    rates a day at which it sells by itself and its broker sells; ``has_cut``: at any time; ``sold``
    (P,): somebody sold in the last bar; ``lured`` (P,): the mean book was below its stop.
    """

    cells: tuple[str, ...]
    portfolio: Float64
    usual: Float64
    bargain: Float64
    session: int
    room: Float64
    trades: Float64
    shadow: Float64
    pending: Float64
    leverage: Float64  # (R,)
    stop: Float64  # (R,)
    seller: Bool  # (R,)
    newcomer: Bool  # (R,)
    over: Bool
    cut: Float64
    forced: Float64
    has_cut: Bool
    sold: Bool
    lured: Bool
    called: Bool
    last_nav: Float64  # at the last close


@dataclass(frozen=True, kw_only=True)
class FactorBooks:
    """Terms of the factor books: a first seller, four others, and new money."""

    enabled: bool = False
    unwind: bool = True
    styles: dict[str, float] = field(default_factory=_styles)
    new_styles: dict[str, float] = field(default_factory=_bargains)
    capital: float = parameter(
        60e9, "equity of all books, in the market's money", unit="dollars",
        source="assumption (30e9-120e9): hedge funds had 1.67-1.74 tn in mid-2007 (Lipper TASS, "
        "HFR), about 5% of it equity market neutral (index weights, from memory), two thirds of "
        "that quantitative",
        low=0.0, high=1e12,
    )  # fmt: skip
    inside: float = parameter(
        0.5, "share of their positions in the stocks of the market",
        source="assumption (0.3-0.75): books hold far more names than 500", low=0.0, high=1.0,
    )  # fmt: skip
    leverage: float = parameter(
        8.0, "mean gross positions over equity", source="Khandani and Lo (2007): 8:1",
        low=1.0, high=20.0,
    )  # fmt: skip
    seller_share: float = parameter(
        0.2, "share of the capital that the first seller has",
        source="assumption (0.1-0.3): one or more sizable funds (Khandani and Lo 2007)",
        low=0.0, high=1.0,
    )  # fmt: skip
    unwind_days: float = parameter(
        3.0, "sessions over which the first seller winds down, from the first", unit="sessions",
        source="Khandani and Lo (2007): losses on 7, 8 and 9 August", low=0.1, high=20.0,
    )  # fmt: skip
    cut_rate: float = parameter(
        0.14, "voluntary cut", unit="per day", source="as agents.dma.cut_rate", low=0.0, high=1.0
    )
    cut_drawdown: float = parameter(
        0.10, "drawdown that starts it", source="as agents.dma.cut_drawdown", low=0.01, high=1.0
    )
    patience: float = parameter(
        4.0, "multiple of that drawdown in patient books", source="as agents.dma.patience",
        low=1.0, high=50.0,
    )  # fmt: skip
    leverage_limit: float = parameter(
        1.1, "leverage over its own at which a book must come back to it",
        source="assumption (1.05-1.25): threshold of Cont and Schaanning (2017)",
        low=1.0, high=100.0,
    )  # fmt: skip
    delever_days: float = parameter(
        0.5, "time in which it does", unit="days", source="assumption (0.25-2)",
        low=0.1, high=1000.0,
    )  # fmt: skip
    urgency: float = parameter(
        0.96, "speed of forced sale, per 1.5 log gap and day", source="as agents.dma.urgency",
        low=0.0, high=3.0,
    )  # fmt: skip
    call_line: float = parameter(
        0.6, "margin ratio that brings the call, over the initial one",
        source="as DMA swaps: 15% of 25%", low=0.0, high=1.0,
    )  # fmt: skip
    liquidation_line: float = parameter(
        0.24, "margin ratio under which the broker sells all, over the initial one",
        source="as agents.dma: 6% of 25%", low=0.0, high=1.0,
    )  # fmt: skip
    signal_life: float = parameter(
        5.0, "life of the reversal signal; 1: that of the last session alone", unit="sessions",
        source="assumption (1-20): a week (Lehmann 1990); a day (Khandani and Lo 2007)",
        low=1.0, high=250.0,
    )  # fmt: skip
    trade_share: float = parameter(
        0.15, "what all books trade a day on their signals, at most, over the stock's volume",
        source="assumption (0.1-0.3): program trading was 28-35% of NYSE volume from 2006 to 2008 "
        "(weekly reports of the NYSE), and signals of books are half of it", low=0.0, high=1.0,
    )  # fmt: skip
    return_rate: float = parameter(
        0.1, "share of what is missing that a book which cut rebuilds without loss",
        unit="per day", source="assumption (0-0.5)", low=0.0, high=1.0,
    )  # fmt: skip
    new_capital: float = parameter(
        3e9, "equity of new money that comes when the crowd is down and the forced sale has ended",
        unit="dollars", source="3 bn into Global Equity Opportunities of Goldman Sachs, announced "
        "13 August 2007; others are not known: assumption (0-6e9)", low=0.0, high=1e12,
    )  # fmt: skip
    entry_days: float = parameter(
        1.0, "sessions in which it buys", unit="sessions", source="assumption (0.5-3)",
        low=0.1, high=20.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, FactorState]:
        """Return long/short books of the same portfolio; MarketError for an unknown style."""
        cells = (SELLER, *STARTS, NEWCOMER)
        kinds = np.array(list(STARTS.values()))
        leverage = self.leverage * np.array([1.0, *kinds[:, 0], 1.0])
        share = np.array([self.seller_share, *((1.0 - self.seller_share) * kinds[:, 1]), 0.0])
        equity = self.capital * share
        equity[-1] = self.new_capital
        equity *= self.inside
        newcomer = np.arange(len(cells)) == len(cells) - 1
        stocks = opening.market.stocks
        room = np.sqrt(stocks.adv * stocks.free_float_cap)
        portfolio = _weights(self.styles, opening.signals, room)
        gross = np.where(newcomer, 0.0, equity * leverage)
        target = gross[:, None] * portfolio[:, None, :]
        shares = target / stocks.close
        patient = np.array([False, *(kinds[:, 2] == 0.0), False])
        stop = self.cut_drawdown * (0.6 + 1.6 / leverage) * np.where(patient, self.patience, 1.0)
        wide = (opening.paths, len(cells))
        no = np.zeros(wide, bool)
        positions = Positions(
            cells=cells,
            shares=np.zeros((*wide, len(stocks))),
            cash=equity - target.sum(axis=2),
            futures=np.zeros((*wide, 2)),
            capital=np.broadcast_to(equity, wide).copy(),
            hedge_mix=np.zeros((len(cells), 2)),
            stocks=shares,
        )
        return positions, FactorState(
            cells=cells, portfolio=portfolio, usual=portfolio, bargain=portfolio, session=0,
            room=room,
            trades=self.trade_share * (gross / max(gross.sum(), 1.0))[:, None] * stocks.adv,
            shadow=shares.copy(), pending=np.zeros_like(shares), leverage=leverage, stop=stop,
            seller=np.arange(len(cells)) == 0, newcomer=newcomer, over=no, cut=np.zeros(wide),
            forced=np.zeros(wide), has_cut=no, sold=no[:, 0], lured=no[:, 0],
            called=no, last_nav=np.ones(wide),
        )  # fmt: skip

    def decide(self, view: View, state: FactorState) -> Orders | None:
        """Wind down or cut, every position alike; else follow the signal, and rebuild."""
        own = view.own
        assert own.stocks is not None  # these are stock books
        usual = self._usual(view, state)
        kept = kept_share(own.equity, own.gross, state.leverage)
        state.over = (kept < 1.0) & (state.over | (kept < 1.0 / self.leverage_limit))
        delever = np.where(state.over, -np.log(np.maximum(kept, 0.01)) / self.delever_days, 0.0)
        losing = own.nav < state.last_nav
        rate = np.where(losing, np.maximum(state.cut, delever), 0.0)
        forced = (state.forced > rate) & ~state.seller
        share = 1.0 - np.exp(-np.maximum(rate, state.forced) * view.dt)
        share[:, state.seller] = self._unwound(view) if self.unwind else 0.0
        idle = share == 0.0
        build = np.where(idle & ~losing, self._rebuilt(view, state), 0.0)
        turned = self._turn(view, state, own.stocks, state.portfolio)
        if self.unwind:
            turned[:, state.seller] = 0.0
        bought = np.where(state.newcomer[:, None], state.bargain[:, None], state.portfolio[:, None])
        order = build[:, :, None] * bought - share[:, :, None] * own.stocks
        order += np.where(idle[:, :, None], turned, 0.0)
        state.has_cut = state.has_cut | ~idle
        state.sold = (~idle & (own.gross > 1.0)).any(axis=1)
        if not (order.any() or usual.any()):
            return None
        return Orders(stocks=order, usual=usual.sum(axis=1), forced=forced.astype(float))

    def _rebuilt(self, view: View, state: FactorState) -> Float64:
        """Return what each book may add to its gross positions in a bar without loss, (P, R)."""
        own, crowd = view.own, ~(state.seller | state.newcomer)
        fall = over_last(own.drawdown[:, crowd]) / crowd.sum()
        state.lured = state.lured | (fall > state.stop[crowd].min())
        aim = state.leverage * np.maximum(own.equity, 0.0)
        missing = np.maximum(aim - own.gross, 0.0)
        back = state.has_cut & crowd & ~state.called
        old = np.where(back, self.return_rate * missing * view.dt, 0.0)
        new = np.minimum(missing, aim * view.dt / self.entry_days)
        out = np.where(state.newcomer & state.lured[:, None], new, old)
        return np.where(state.sold[:, None], 0.0, out)

    def _usual(self, view: View, state: FactorState) -> Float64:
        """Return what the books would order if nothing were wrong, yuan (P, R, N)."""
        assert view.price is not None
        if view.session != state.session:
            state.session = view.session
            state.portfolio = _weights(self.styles, view.signals, state.room)
            state.usual = _weights(self.styles, view.calm_signals, state.room)
            state.bargain = _weights(self.new_styles, view.signals, state.room)
        state.shadow += state.pending / view.price[:, None]
        state.pending = self._turn(view, state, state.shadow * view.price[:, None], state.usual)
        return state.pending

    def _turn(self, view: View, state: FactorState, held: Float64, portfolio: Float64) -> Float64:
        """Return orders that turn what is held (P, R, N) to a portfolio by the close, in size."""
        assert view.price is not None
        if view.session == 0:
            return np.zeros_like(held)
        gross = np.abs(held).sum(axis=2)
        full = np.abs(state.shadow * view.price[:, None]).sum(axis=2)
        size = gross / np.maximum(full, 1.0)
        most = state.trades * (size * view.dt)[:, :, None]
        wanted = gross[:, :, None] * portfolio[:, None] - held
        return np.asarray(np.clip(wanted / (view.bars - view.bar), -most, most))

    def _unwound(self, view: View) -> float:
        """Return the share of what the first seller has left that it trades in this bar.

        What the participation limit kept it from selling in its time it keeps: the unwind ends.
        """
        left = self.unwind_days - view.session - view.bar * view.dt
        return min(1.0, view.dt / left) if left > 1e-9 else 0.0

    def plan(self, view: View, state: FactorState) -> Plan:
        """Compare drawdown and margin with their lines; set the rates of the next session."""
        own, calm = view.own, view.own.nav >= state.last_nav
        state.last_nav = own.nav.copy()
        over = own.drawdown > state.stop
        rate = self.cut_rate * np.minimum(2.0, own.drawdown / state.stop - 0.4)
        state.cut = np.where(over & ~calm, np.maximum(rate, 0.0), 0.0)
        ratio = np.where(own.gross > 1.0, own.equity / np.maximum(own.gross, 1.0), np.inf)
        ratio *= state.leverage  # over the initial margin
        called = (ratio < self.call_line) & ~state.seller
        kept = kept_share(own.equity, own.gross, state.leverage)
        left = np.clip(np.where(ratio < self.liquidation_line, 0.0, kept), 0.01, 1.0)
        state.forced = np.where(called, -1.5 * self.urgency * np.log(left), 0.0)
        gap = own.gross / state.leverage - own.equity
        notices = [
            Notice(path=int(p), cell=state.cells[r], kind="margin_call", amount=float(gap[p, r]))
            for p, r in zip(*np.nonzero(called & ~state.called), strict=True)
        ]
        state.called = called
        return Plan(notices=notices, status=_statuses(own.gross, state))


def _weights(styles: Mapping[str, float], signals: Mapping[str, Float64], room: Float64) -> Float64:
    """Return the portfolio of all books, (P, N): sum 0, gross 1."""
    out = 0.0
    for name, part in styles.items():
        if name not in signals:
            raise MarketError("no_style", name=name, known=", ".join(sorted(signals)) or "-")
        mean = (signals[name] * room).sum(axis=1, keepdims=True) / room.sum()
        weight = (signals[name] - mean) * room
        out = out + part * weight / np.abs(weight).sum(axis=1, keepdims=True)
    gross = np.abs(out).sum(axis=1, keepdims=True)
    return np.asarray(np.where(gross > 0.0, out / np.where(gross > 0.0, gross, 1.0), out))


def _statuses(gross: Float64, state: FactorState) -> list[list[str]]:
    status = np.where(gross <= 1.0, "closed", np.where(state.called, "called", "open"))
    words: list[list[str]] = np.where(state.forced > 0.0, "forced", status).tolist()
    return words
