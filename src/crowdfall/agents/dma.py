"""Leveraged neutral books on brokers' swap desks (DMA): margin, stop-loss, forced sale.

A book holds stocks worth up to four times its margin and is short index futures of the same
value. At each settlement its margin ratio is equity over stock value. Under the top-up line the
client is called; what is not topped up by the rule time of the next session the broker sells
down, in stages; a swap under zero is the broker's loss.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Final

import numpy as np

from crowdfall.agents.baskets import HEDGED_HIGH, HEDGED_LOW, fund_shares, tilted
from crowdfall.agents.growth import Growth, Trail
from crowdfall.agents.leverage import kept_share
from crowdfall.agents.protocol import Notice, Opening, Orders, Plan, Positions, View
from crowdfall.agents.swap import admitted, beyond_net, hold_single_names, swap_rules
from crowdfall.parameters import PROTOTYPE, parameter
from crowdfall.types import Bool, Float64, Int64

TILTS: Final = (-0.35, -0.12, 0.12, 0.35)
STARTS: Final = {
    "25": (0.25, 0.22),
    "25-patient": (0.25, 0.18),
    "28": (0.28, 0.35),
    "36": (0.36, 0.25),
}
"""Starting margin and weight (assumption; the mean of design:model 10). Managers differ in
patience: a patient book has no stop-loss worth the name and sits until its broker calls."""
MIX: Final = {"im": (0.0, 1.0), "ic": (1.0, 0.0), "mix": (0.5, 0.5)}
"""How a book's short is split over IC and IM; books stand in this order."""


def _hedges() -> dict[str, float]:
    """Return the weights of the hedges (assumption, design:model 10)."""
    return {"im": 0.65, "ic": 0.15, "mix": 0.20}


@dataclass(kw_only=True)
class DmaState:
    """What stands between client and broker, by path and book; all (P, R) unless said.

    ``voluntary``, ``forced``, ``delever``: selling rates a day. ``wait``: whole sessions left
    before the deadline; ``stage``: sessions since the broker began to sell.
    """

    cells: tuple[str, ...]
    stop: Float64  # drawdown that starts the voluntary cut, (R,)
    mix: Float64  # (R, U)
    weights: Float64  # (R, G)
    net_limit: float
    opened: Bool
    voluntary: Float64
    forced: Float64
    delever: Float64
    net_order: Float64  # (P, R, U) that brings net exposure into its limits
    called: Bool
    urgent: Bool
    wait: Int64
    stage: Int64
    topped_up: Bool
    broker_paid: Float64  # into swaps under zero, so far
    trail: Trail
    first: Float64  # stock value at the start
    notional: Float64  # highest allowed once notional is capped
    buy: Float64  # to be bought tomorrow
    cap: float = np.inf  # on leverage, in force
    days_left: float = 0.0  # sessions until a book must be under it
    told: bool = False


@dataclass(frozen=True, kw_only=True)
class Dma:
    """Terms of the DMA books: 48 cells = 4 tilts x 3 hedges x 4 starts."""

    enabled: bool = True
    margin_rules: bool = True
    swap_checks: bool = True
    hedges: dict[str, float] = field(default_factory=_hedges)
    growth: Growth = Growth()
    gross: float = parameter(
        196e9, "stock held", unit="yuan", source=PROTOTYPE + "; published 100-350 bn",
        low=0.0, high=600e9,
    )  # fmt: skip
    tilt: float = parameter(
        0.75, "mean size tilt, 0 = CSI 1000-like, 1 = micro-cap", source=PROTOTYPE,
        low=0.0, high=1.0,
    )  # fmt: skip
    leverage_cap: float = parameter(
        4.0, "highest stock value over equity at the start; equity stays",
        source="swap terms: initial margin at least 25%", low=1.0, high=10.0,
    )  # fmt: skip
    cut_rate: float = parameter(
        0.14, "voluntary cut", unit="per day", source=PROTOTYPE, low=0.0, high=1.0
    )
    cut_drawdown: float = parameter(
        0.10, "drawdown that starts it", source=PROTOTYPE, low=0.01, high=1.0
    )
    patience: float = parameter(
        4.0, "multiple of that drawdown in patient books", source="assumption (1-10)",
        low=1.0, high=50.0,
    )  # fmt: skip
    top_up_line: float = parameter(
        0.15, "margin ratio that calls the client", source="swap terms: 15% top-up line",
        low=0.0, high=0.5,
    )  # fmt: skip
    warning_line: float = parameter(
        0.19, "margin ratio under which the client cuts by himself", source="assumption",
        low=0.0, high=0.6,
    )  # fmt: skip
    initial_margin: float = parameter(
        0.25, "margin ratio that brokers restore", source="swap terms: initial margin 25%",
        low=0.05, high=1.0,
    )  # fmt: skip
    top_up_share: float = parameter(
        0.25, "share of the gap that the client tops up, once", source="assumption",
        low=0.0, high=1.0,
    )  # fmt: skip
    hopeless_line: float = parameter(
        0.08, "margin ratio under which nobody tops up", source="assumption", low=0.0, high=0.3
    )
    liquidation_line: float = parameter(
        0.06, "margin ratio under which the broker sells all", source="assumption",
        low=-1.0, high=0.3,
    )  # fmt: skip
    deadline: float = parameter(
        2.0, "eighth of the next session by which a call must be met",
        source="assumption (0-4): an hour after the opening", low=0.0, high=7.0,
    )  # fmt: skip
    stages: float = parameter(
        2.0, "sessions until the broker sells at full speed", unit="sessions",
        source="assumption (1-4): forbearance", low=1.0, high=20.0,
    )  # fmt: skip
    urgency: float = parameter(
        0.96, "speed of forced sale, per 1.5 log gap and day", source=PROTOTYPE, low=0.0, high=3.0
    )
    delever_days: float = parameter(
        10.0, "time to come under a new leverage cap", unit="days",
        source="assumption (5-60): products were phased out", low=1.0, high=250.0,
    )  # fmt: skip
    financing: float = parameter(
        0.04, "rate on what the broker lends", unit="per year",
        source="from memory: 3-5% (design:system B.11)", low=0.0, high=0.15,
    )  # fmt: skip

    def open(self, opening: Opening) -> tuple[Positions, DmaState]:
        """Return 48 hedged books; equity is fixed by the starting margins, gross by leverage.

        Books that the swap rules do not admit stay empty; the others share the whole.
        """
        grid = list(product(TILTS, (h for h in MIX if h in self.hedges), STARTS))
        cells = tuple(f"tilt{t:+.2f}-{h}-{s}" for t, h, s in grid)
        weight = np.array([self.hedges[h] * STARTS[s][1] / len(TILTS) for _, h, s in grid])
        margin = np.array([STARTS[s][0] for _, _, s in grid])
        equity = self.gross * weight * margin
        margin = np.maximum(margin, 1.0 / self.leverage_cap)
        value = equity / margin
        weights = tilted(HEDGED_LOW, HEDGED_HIGH, tuple(self.tilt + t for t, _, _ in grid))
        shares = fund_shares(opening, tuple("dma/" + c for c in cells), weights, value)
        mix = np.array([MIX[h] for _, h, _ in grid])
        opened = self._admit(opening, shares, weights, mix)
        size = opened * weight
        size = np.where(opened, weight.sum() / np.maximum(size.sum(axis=1, keepdims=True), 1e-9), 0)
        shares *= size[:, :, None]
        positions = Positions(
            cells=cells,
            shares=shares,
            cash=size * (equity - value),
            futures=-(size * value)[:, :, None] * mix,
            capital=size * equity,
            hedge_mix=mix,
            capped=True,
            buys=self.growth.enabled,
            financing=self.financing,
        )
        stop = self._stop(margin, [s for _, _, s in grid])
        net_limit = swap_rules(opening).net if self.swap_checks else np.inf
        first = size * value
        return positions, _first_state(cells, stop, mix, weights, opened, net_limit, margin, first)

    def _admit(self, opening: Opening, shares: Float64, weights: Float64, mix: Float64) -> Bool:
        if not self.swap_checks:
            return np.ones(shares.shape[:2], bool)
        limit = swap_rules(opening).single_name
        hold_single_names(shares, opening.market.stocks.close, limit)
        return admitted(opening, shares, weights, mix)

    def decide(self, view: View, state: DmaState) -> Orders | None:
        """Sell at the fastest of the rates that bind; keep net exposure; buy where money came."""
        eighth = view.bar * 8 // view.bars
        due = state.urgent | ((state.wait == 0) & ((state.stage > 0) | (eighth >= self.deadline)))
        forced = np.where(due, state.forced, 0.0)
        own = np.maximum(state.voluntary * view.own_panic, state.delever)
        rate = np.maximum(own, forced)
        if not (rate.any() or state.net_order.any() or state.buy.any()):
            return None
        share = 1.0 - np.exp(-rate * view.dt)
        groups = view.memory.shape[1]
        bought = state.buy * view.dt
        is_forced = forced > own
        return Orders(
            sell_share=np.repeat(share[:, :, None], groups, axis=2),
            buy=bought[:, :, None] * state.weights if self.growth.enabled else None,
            futures=state.net_order * view.dt - bought[:, :, None] * state.mix,
            follow_wanted=np.where(is_forced, 0.35, 0.15),
            forced=is_forced.astype(float),
            compelled=((state.voluntary > 0.0) & ~is_forced).astype(float),
        )

    def plan(self, view: View, state: DmaState) -> Plan:
        """Compare the margin ratio with the lines; set the next session's selling rates."""
        own = view.own
        held = own.stock_value > 1.0
        ratio = np.where(held, own.equity / np.maximum(own.stock_value, 1.0), np.inf)
        state.voluntary = self._voluntary(own.drawdown, ratio, state)
        if np.isfinite(state.net_limit):
            state.net_order = beyond_net(own.stock_value, own.futures, state.mix, state.net_limit)
        self._delever(view, state)
        flow = self._grow(view, state) if self.growth.enabled else None
        broker = _borne(own.equity, state)
        notices = _refusals(state)
        notices += _notices(broker > 0.0, "broker_shortfall", broker, state.cells)
        if not self.margin_rules:
            return Plan(flow=flow, broker=broker, notices=notices)
        called = held & (ratio < self.top_up_line * view.policy.lines)
        top_up = called & ~state.topped_up & (ratio > self.hopeless_line)
        gap = self.initial_margin * own.stock_value - own.equity
        capital = np.where(top_up, self.top_up_share * np.maximum(gap, 0.0), 0.0)
        state.topped_up |= top_up
        notices += _notices(called & ~state.called, "margin_call", gap, state.cells)
        notices += _notices(top_up, "top_up", capital, state.cells)
        self._clock(called, view.policy.extra_days, state)
        self._force(view, called, ratio, capital, state)
        status = _statuses(held, called, state)
        return Plan(capital=capital, flow=flow, broker=broker, notices=notices, status=status)

    def _clock(self, called: Bool, extra_days: int, state: DmaState) -> None:
        """Count the sessions to the deadline and since the broker began to sell."""
        fresh = called & ~state.called
        selling = called & ~fresh & (state.wait == 0)
        state.stage = np.where(called, state.stage + selling, 0)
        state.wait = np.where(fresh, 0, np.maximum(state.wait - 1, 0))
        waiting = called & (state.stage == 0)
        # The rule may lengthen a deadline that runs, once: the days already waited count.
        state.wait = np.where(fresh & waiting, extra_days, state.wait)
        state.called = called

    def _force(
        self, view: View, called: Bool, ratio: Float64, capital: Float64, state: DmaState
    ) -> None:
        own = view.own
        state.urgent = called & (ratio < self.liquidation_line * view.policy.lines)
        state.urgent &= state.wait == 0
        kept = kept_share(own.equity + capital, own.stock_value, 1.0 / self.initial_margin)
        left = np.clip(np.where(state.urgent, 0.0, kept), 0.01, 1.0)
        speed = np.minimum(1.0, (state.stage + 1.0) / self.stages)
        speed = np.where(state.urgent, 1.0, speed)
        state.forced = np.where(called, -1.5 * self.urgency * speed * np.log(left), 0.0)

    def _delever(self, view: View, state: DmaState) -> None:
        """Spread what lies above a leverage cap over the days left until it must be met."""
        cap = view.policy.leverage_cap
        state.days_left = self.delever_days if cap < state.cap else state.days_left - 1.0
        state.cap = cap
        leverage = view.own.stock_value / np.maximum(view.own.equity, 1.0)
        over = np.log(np.maximum(leverage / cap, 1.0))
        # What is left is not spread anew every day: the cap would never be met.
        state.delever = over / max(state.days_left, 1.0)

    def _grow(self, view: View, state: DmaState) -> Float64:
        """Take client money in after a good excess and plan what to buy with it, levered."""
        own = view.own
        trailing = state.trail.excess(own.nav, int(self.growth.window))
        open_books = state.opened & ~state.called & (own.equity > 0.0)
        flow = np.where(open_books, self.growth.flow(trailing, own.equity), 0.0)
        if not view.policy.new_money:
            flow = np.zeros_like(flow)
        allowed = min(self.leverage_cap, view.policy.leverage_cap)
        self.growth.lever(state.trail, trailing, allowed)
        target = state.trail.leverage * np.maximum(own.equity + flow, 0.0)
        if view.policy.notional_capped:
            state.notional = np.minimum(state.notional, own.stock_value)
            target = np.minimum(target, np.maximum(state.notional, 0.0))
        rising = open_books & (trailing > 0.0) & (state.voluntary <= 0.0)
        bought = self.growth.purchase(own.stock_value, target, state.first)
        state.buy = np.where(rising, bought, 0.0)
        return flow

    def _stop(self, margin: Float64, starts: list[str]) -> Float64:
        patient = np.array([start.endswith("patient") for start in starts])
        drawdown = self.cut_drawdown * (0.6 + 1.6 * margin)
        return np.asarray(drawdown * np.where(patient, self.patience, 1.0))

    def _voluntary(self, drawdown: Float64, ratio: Float64, state: DmaState) -> Float64:
        rate = self.cut_rate * np.minimum(2.0, drawdown / state.stop - 0.4)
        rate = np.where(drawdown > state.stop, np.maximum(rate, 0.0), 0.0)
        near = (ratio > self.top_up_line) & (ratio < self.warning_line) & self.margin_rules
        return np.where(near, np.maximum(rate, self.cut_rate), rate)


def _first_state(
    cells: tuple[str, ...], stop: Float64, mix: Float64, weights: Float64, opened: Bool,
    net_limit: float, margin: Float64, first: Float64,
) -> DmaState:  # fmt: skip
    wide = opened.shape
    none = np.zeros(wide)
    return DmaState(
        cells=cells, stop=stop, mix=mix, weights=weights, opened=opened,
        net_limit=net_limit, voluntary=none.copy(), forced=none.copy(),
        delever=none.copy(), net_order=np.zeros((*wide, mix.shape[1])),
        called=np.zeros(wide, bool), urgent=np.zeros(wide, bool), wait=np.zeros(wide, np.int64),
        stage=np.zeros(wide, np.int64), topped_up=np.zeros(wide, bool),
        broker_paid=none.copy(), trail=Trail(leverage=np.broadcast_to(1.0 / margin, wide).copy()),
        first=first, notional=np.full(wide, np.inf), buy=none.copy(),
    )  # fmt: skip


def _borne(equity: Float64, state: DmaState) -> Float64:
    """Return what the broker pays into swaps under zero, or takes back of it, (P, R)."""
    paid = np.where(equity < 0.0, -equity, -np.minimum(equity, state.broker_paid))
    state.broker_paid = np.maximum(state.broker_paid + paid, 0.0)
    return np.asarray(paid)


def _statuses(held: Bool, called: Bool, state: DmaState) -> list[list[str]]:
    status = np.where(~held, "closed", np.where(called, "called", "open"))
    selling = called & (state.urgent | (state.stage > 0))
    status = np.where(selling, "forced", status)
    words: list[list[str]] = np.where(state.opened, status, "refused").tolist()
    return words


def _refusals(state: DmaState) -> list[Notice]:
    """Say once which books were not opened."""
    if state.told:
        return []
    state.told = True
    return _notices(~state.opened, "refused", np.zeros(state.opened.shape), state.cells)


def _notices(where: Bool, kind: str, amount: Float64, cells: tuple[str, ...]) -> list[Notice]:
    return [
        Notice(path=int(p), cell=cells[r], kind=kind, amount=float(amount[p, r]))
        for p, r in zip(*np.nonzero(where), strict=True)
    ]
