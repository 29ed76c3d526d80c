"""Long/short books of single stocks that crowd into styles, levered: August 2007.

Every book holds the same styles, long what scores high and short what scores low: weights are the
score z of a style times sqrt(adv x float), by which all funds of the engine weigh their names, as
many dollars long as short, styles netted. The portfolio is that of the start, and a book only makes
it smaller or larger. A first seller winds its whole book down over some sessions, whatever happens.
The others have a limit on their leverage, beyond which they come back to it (Cont and Schaanning
2017), a stop on the drawdown and a broker's margin (by the rules of the DMA books, lines in units
of their own initial margin), and rebuild after a day without loss. What they cut by themselves
they cut in bars that follow a loss: selling stops when prices stop running away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from crowdfall.agents.leverage import kept_share
from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.errors import MarketError
from crowdfall.parameters import parameter
from crowdfall.types import Bool, Float64

SELLER: Final = "first_seller"
STARTS: Final = {
    "low": (0.75, 0.28, 1.0),
    "middle": (1.0, 0.26, 1.0),
    "high": (1.25, 0.28, 1.0),
    "patient": (1.0, 0.18, 0.0),
}
"""Leverage over the mean, share of the others' capital, and whether the stop is at its normal place
(1) or that of a patient book (assumption: the patient share is that of the DMA books; 4:1 to 10:1
was common in August 2007, NBER working paper 14465)."""


def _styles() -> dict[str, float]:
    """Return the shares of the styles in a book (assumption, each 0.3-0.7)."""
    return {"reversal": 0.5, "momentum": 0.5}


@dataclass(kw_only=True)
class FactorState:
    """What each book wants, (P, R) unless said; ``portfolio`` (N,): weights, gross 1.

    ``over``: above its leverage limit and not yet back; ``cut`` and ``forced``: rates a day at
    which it sells by itself and its broker sells; ``build``: yuan to be bought back tomorrow.
    """

    cells: tuple[str, ...]
    portfolio: Float64
    leverage: Float64  # (R,)
    stop: Float64  # (R,)
    seller: Bool  # (R,)
    over: Bool
    cut: Float64
    forced: Float64
    build: Float64
    called: Bool
    last_nav: Float64  # at the last close
    bar_nav: Float64  # before the last bar


@dataclass(frozen=True, kw_only=True)
class FactorBooks:
    """Terms of the factor books: a first seller and four others."""

    enabled: bool = False
    unwind: bool = True
    styles: dict[str, float] = field(default_factory=_styles)
    capital: float = parameter(
        60e9, "equity of all books, in the market's money", unit="dollars",
        source="assumption (30e9-120e9): about 5% of hedge fund assets of 1.7-2.0 tn in mid-2007 "
        "were equity market neutral (index weights, from memory), two thirds of it quantitative",
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
    return_rate: float = parameter(
        0.1, "share of what is missing that is rebuilt after a day without loss", unit="per day",
        source="assumption (0-0.5)", low=0.0, high=1.0,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, FactorState]:
        """Return long/short books of the same portfolio; MarketError for an unknown style."""
        cells = (SELLER, *STARTS)
        leverage = self.leverage * np.array([1.0, *(each[0] for each in STARTS.values())])
        share = np.array([each[1] for each in STARTS.values()])
        share = np.array([self.seller_share, *((1.0 - self.seller_share) * share)])
        equity = self.capital * self.inside * share
        portfolio = self._weights(opening)
        target = (equity * leverage)[:, None] * portfolio
        margin = 1.0 / leverage
        patient = np.array([1.0, *(each[2] for each in STARTS.values())]) == 0.0
        stop = self.cut_drawdown * (0.6 + 1.6 * margin) * np.where(patient, self.patience, 1.0)
        wide = (opening.paths, len(cells))
        shares = target / opening.market.stocks.close
        positions = Positions(
            cells=cells,
            shares=np.zeros((*wide, target.shape[1])),
            cash=np.broadcast_to(equity - target.sum(axis=1), wide).copy(),
            futures=np.zeros((*wide, 2)),
            capital=np.broadcast_to(equity, wide).copy(),
            hedge_mix=np.zeros((len(cells), 2)),
            stocks=np.broadcast_to(shares, (opening.paths, *shares.shape)).copy(),
        )
        return positions, FactorState(
            cells=cells, portfolio=portfolio, leverage=leverage, stop=stop,
            seller=np.arange(len(cells)) == 0, over=np.zeros(wide, bool), cut=np.zeros(wide),
            forced=np.zeros(wide), build=np.zeros(wide), called=np.zeros(wide, bool),
            last_nav=np.ones(wide), bar_nav=np.ones(wide),
        )  # fmt: skip

    def _weights(self, opening: Opening) -> Float64:
        """Return the portfolio of all books, (N,): sum 0, gross 1."""
        known, stocks = opening.market.styles, opening.market.stocks
        room = np.sqrt(stocks.adv * stocks.free_float_cap)
        out = np.zeros(len(opening.market.stocks))
        for name, part in self.styles.items():
            if name not in known:
                raise MarketError("no_style", name=name, known=", ".join(sorted(known)) or "-")
            score = known[name] - (known[name] * room).sum() / room.sum()
            out += part * score * room / np.abs(score * room).sum()
        gross = np.abs(out).sum()
        return out / gross if gross > 0.0 else out

    def decide(self, view: View, state: FactorState) -> Orders | None:
        """Wind down, or go towards the leverage wanted: every position alike, long and short."""
        own = view.own
        assert own.stocks is not None  # these are stock books
        kept = kept_share(own.equity, own.gross, state.leverage)
        state.over = (kept < 1.0) & (state.over | (kept < 1.0 / self.leverage_limit))
        delever = np.where(state.over, -np.log(np.maximum(kept, 0.01)) / self.delever_days, 0.0)
        falling = own.nav < state.bar_nav
        state.bar_nav = own.nav.copy()
        rate = np.where(falling, np.maximum(state.cut, delever), 0.0)
        forced = (state.forced > rate) & ~state.seller
        share = 1.0 - np.exp(-np.maximum(rate, state.forced) * view.dt)
        share[:, state.seller] = self._unwound(view) if self.unwind else 0.0
        if not (share.any() or state.build.any()):
            return None
        build = np.where(share > 0.0, 0.0, state.build * view.dt)
        order = build[:, :, None] * state.portfolio - share[:, :, None] * own.stocks
        return Orders(stocks=order, forced=forced.astype(float))

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
        missing = state.leverage * np.maximum(own.equity, 0.0) - own.gross
        back = calm & ~called & ~state.seller
        state.build = np.where(back, self.return_rate * np.maximum(missing, 0.0), 0.0)
        return Plan(notices=notices, status=_statuses(own.gross, state))


def _statuses(gross: Float64, state: FactorState) -> list[list[str]]:
    status = np.where(gross <= 1.0, "closed", np.where(state.called, "called", "open"))
    words: list[list[str]] = np.where(state.forced > 0.0, "forced", status).tolist()
    return words
