"""One bar of the market, phase by phase.

1. ``announce``, ``set_depth``: news of this bar; liquidity as the last bar left it.
2. ``collect_orders``: every participant sees the last bar and decides; bans are applied.
3. ``draw_noise``: stocks' own noise and group noise move.
4. ``first_prices``: tentative dislocation with all wanted flows; factors solved or read.
5. ``fill_stocks``: orders fill as far as price limits allow.
6. ``final_prices``: dislocation again with filled flows; factors solved or read; prices set.
7. ``book``: shares, cash and costs move; hedges follow the sales; futures trade; basis moves.
8. ``observe``: group returns, locked stocks, belief in a rescue.

Design:model 1 a.5 gives the order; the close of the day is in ``close``.
"""

from __future__ import annotations

import numpy as np

from crowdfall.agents.protocol import Account, View
from crowdfall.engine import kernels, stock_books
from crowdfall.engine.belief import announce, believe, remember
from crowdfall.engine.crowd import Book, account, empty_orders, enter
from crowdfall.engine.depth import calm, locked_small, panic, set_depth
from crowdfall.engine.dislocation import dislocate, settle
from crowdfall.engine.futures import by_book, by_sort, move_months, spot
from crowdfall.engine.ledger import charge, mark_futures, trade_futures, value_books
from crowdfall.engine.margin import answer_calls
from crowdfall.engine.policies import costs_in_force, in_force, restrict
from crowdfall.engine.propagation import keep_parts
from crowdfall.engine.random import normals
from crowdfall.engine.run_state import Run
from crowdfall.engine.stages import book_stocks, fill_stocks, order_stocks
from crowdfall.engine.styles import move_styles, try_styles
from crowdfall.engine.targets import draw_bars
from crowdfall.errors import RunError
from crowdfall.sums import over_books

PIN_TOLERANCE = 1e-7


def step(run: Run, day: int, bar: int) -> None:
    """Play one bar for all paths of a block."""
    announce(run.prices, run.setting, day, bar)
    set_depth(run.prices, run.setting)
    orders = collect_orders(run, day, bar)
    draw_noise(run, day, bar)
    first_prices(run, orders, day, bar)
    fill_stocks(run, orders, run.scratch.dislocation + run.prices.group)
    final_prices(run, orders, day, bar)
    book(run, orders, day, bar)
    observe(run, bar)


def collect_orders(run: Run, day: int, bar: int) -> Book:
    """Let every participant decide on what it may see."""
    setting, prices, ledger = run.setting, run.prices, run.ledger
    value_books(ledger, prices.price, setting, ledger.uncapped)
    everything = run.accounts()
    public = view(run, day, bar, everything)
    orders = empty_orders(*ledger.group_value.shape)
    if len(ledger.signed_rows):
        orders.stocks = np.zeros_like(ledger.signed)
    for member in run.members:
        if not member.terms.enabled:  # switched off by a change: holds what it has
            continue
        rules = in_force(setting, day, bar, member.name)
        seen = public.of(account(member, everything), rules)
        decision = member.terms.decide(seen, member.state)
        if decision is not None:
            enter(orders, member, decision, ledger.sellable[:, member.rows])
    answer_calls(run, orders, bar)
    restrict(run, orders, day, bar)
    order_stocks(run, orders)
    stock_books.join(run, orders)
    return orders


def view(run: Run, day: int, bar: int, everything: Account) -> View:
    """Return what is public before this bar; ``own`` is still to be cut to one participant."""
    prices, setting = run.prices, run.setting
    return View(
        date=setting.days[day],
        session=day,
        bar=bar,
        bars=setting.bars,
        memory=prices.memory,
        locked=prices.locked_share,
        locked_small=locked_small(prices, setting),
        calm=calm(prices, setting),
        panic=panic(prices, setting),
        basis=run.futures.main_gap,
        spot=spot(prices, setting),
        rescue=run.rescue,
        level=prices.level,
        own=everything,
        price=prices.price,
        signals=run.signals.seen,
        calm_signals=run.signals.calm,
    )


def draw_noise(run: Run, day: int, bar: int) -> None:
    """Move stocks' own noise, wider in stress, and the noise of groups that are not pinned."""
    setting, prices = run.setting, run.prices
    tick = day * setting.bars + bar
    draw = normals(setting.seed, "noise", run.first_path, tick, prices.noise.shape)
    stress = np.minimum(2.0, np.maximum(0.0, -prices.memory) / 0.06 + 4.0 * prices.locked_share)
    stress = 1.0 + setting.scenario.impact.noise_return * stress
    kernels.add_noise(prices.noise, draw, prices.day_scale, stress, setting.edges)
    if setting.scenario.clock.mode == "free":
        if bar == 0:
            run.drawn = draw_bars(
                setting.targets, setting.scenario, setting.seed, run.first_path, day,
                run.drawn_days[:, day],
            )  # fmt: skip
        prices.market += run.drawn[:, bar, 0]
        prices.group[:, 1:] += run.drawn[:, bar, 1:]
    elif not setting.targets.assimilated[day] and run.solving:
        shape = prices.group.shape
        noise = normals(setting.seed, "group_noise", run.first_path, tick, shape)
        daily = np.array(setting.scenario.noise.group_daily)
        prices.group += noise * daily * np.sqrt(setting.dt)


def first_prices(run: Run, orders: Book, day: int, bar: int) -> None:
    """Move the dislocation tentatively with wanted flows and find the factors."""
    scratch = run.scratch
    net = scratch.wanted_net(run.setting)
    closing = run.hedge_closing(scratch.wanted, orders)
    flow = over_books(orders.futures + closing)
    fast, slow = dislocate(run.prices, run.setting, net, flow, run.rescue_orders(orders))
    scratch.dislocation = fast + slow + run.prices.expected
    np.add(run.prices.noise, run.prices.impact, out=scratch.own)
    try_styles(run)
    find_factors(run, day, bar, first=True)


def final_prices(run: Run, orders: Book, day: int, bar: int) -> None:
    """Move the dislocation with filled flows, add the stocks' own impact, set prices."""
    scratch, prices, setting = run.scratch, run.prices, run.setting
    orders.futures += run.hedge_closing(scratch.filled, orders)
    flow = over_books(orders.futures)
    settle(prices, setting, scratch.net, flow, run.rescue_filled(orders))
    keep_parts(prices, setting)
    scratch.dislocation = prices.fast + prices.slow + prices.expected
    terms = setting.scenario.impact
    kernels.add_volume(
        prices.volume, np.exp(-setting.dt / terms.stock_life), scratch.sales, scratch.purchases,
        scratch.filled_sales, scratch.filled_purchases, setting.market.stocks.adv, prices.depth,
        setting.edges,
    )  # fmt: skip
    kernels.own_impact(prices.volume, run.strength, terms.stock_exponent, prices.impact)
    np.add(prices.noise, prices.impact, out=scratch.own)
    move_styles(run)
    find_factors(run, day, bar, first=False)
    kernels.set_prices(
        scratch.own, setting.slope, prices.loading, scratch.dislocation + prices.group,
        prices.market, prices.low, prices.high, setting.edges, setting.market.stocks.close,
        prices.log_price, prices.price,
    )  # fmt: skip


def find_factors(run: Run, day: int, bar: int, *, first: bool) -> None:
    """Solve the factors that the scenario pins, or read them; free runs have drawn them."""
    setting, prices, factors = run.setting, run.prices, run.factors
    if factors is None:
        return
    tick = day * setting.bars + bar
    market = factors.market_first if first else factors.market
    group = factors.group_first if first else factors.group
    if not run.solving:
        prices.market[:] = market[:, tick]
        prices.group[:] = group[:, tick]
        return
    target = np.empty_like(prices.group)
    target[:] = setting.targets.ratio[day, bar]
    kernels.solve_factors(
        run.scratch.own, setting.slope, prices.loading, run.scratch.dislocation,
        setting.index_weight, prices.base, prices.low, prices.high, setting.edges, target,
        prices.market, prices.group, True, bool(setting.targets.assimilated[day]),
    )  # fmt: skip
    market[:, tick] = prices.market
    group[:, tick] = prices.group


def check_pin(run: Run, day: int, bar: int) -> None:
    """Raise RunError where a pinned CSI 300 was missed: too many stocks at their limits."""
    target = run.setting.targets.ratio[day, bar, 0]
    missed = np.abs(run.prices.level[:, 0] / target - 1.0).max()
    if not missed < PIN_TOLERANCE:
        raise RunError(
            "pin_missed", date=run.setting.days[day], bar=bar, missed=f"{100 * missed:.3g}%"
        )


def book(run: Run, orders: Book, day: int, bar: int) -> None:
    """Move shares, cash and futures; the basis answers the flow."""
    scratch, ledger, setting = run.scratch, run.ledger, run.setting
    book_stocks(run, orders)
    stock_books.book(run, orders)
    costs = charge(ledger, scratch.bought, scratch.sold, costs_in_force(setting, day))
    pressure, fees = run.roll(day, bar)
    before, spot_before = (
        by_book(run.futures, ledger, run.futures.points),
        spot(run.prices, setting),
    )
    run.update_levels()
    if run.solving:
        check_pin(run, day, bar)
    run.futures.flow = by_sort(ledger, orders.futures)
    run.futures.points = move_months(
        run.futures, ledger, run.prices, setting, pressure, (bar + 1) / setting.bars
    )
    after = by_book(run.futures, ledger, run.futures.points)
    gain = mark_futures(ledger, after - before)
    rise = spot(run.prices, setting) / spot_before
    by_basis = ledger.units * (after - before * rise[:, None, :])  # as if the basis alone moved
    traded, paid = trade_futures(ledger, orders.futures, before, after, setting)
    if setting.scenario.venue.same_day_sale:
        ledger.free_purchases()
    run.tally.add_bar(scratch, orders, traded, costs + fees + paid, gain, by_basis)
    run.witness.see_trades(run, bar, traded)


def observe(run: Run, bar: int) -> None:
    """Remember group returns, locked stocks, what the national team bought, and the bar."""
    prices, setting = run.prices, run.setting
    remember(prices, setting, np.log(prices.level / run.last_level))
    run.last_level = prices.level.copy()
    kernels.limit_state(
        prices.log_price, prices.low, prices.high, prices.counted, setting.edges, prices.locked,
        prices.touched, prices.locked_share, prices.down, prices.up,
    )  # fmt: skip
    run.rescue = run.bought_by("national_team")
    believe(prices, setting, run.rescue.copy())
    run.witness.see_prices(run, bar)
