"""How prices answer flows: the terms of impact, depth, value demand and the futures basis.

Equations: design:model 1 (a.2, a.3). Defaults are the prototype's best set unless a scenario file
says otherwise; a scenario that re-fits them names its fit.
"""

from __future__ import annotations

from dataclasses import dataclass

from crowdfall.parameters import PROTOTYPE, parameter


@dataclass(frozen=True, kw_only=True)
class Impact:
    """Impact on two levels: a stock's own, concave and transient, and its size group's.

    The group level is the inelastic-market channel (Gabaix and Koijen 2021); the stock level is
    the concave metaorder law (Bouchaud et al.) on accumulated, decaying volume.
    """

    multiplier: float = parameter(
        4.1, "group price move per net flow over float, calm depth", source=PROTOTYPE,
        low=0.0, high=20.0,
    )  # fmt: skip
    depth_floor: float = parameter(
        0.38, "least depth as a share of calm depth", source=PROTOTYPE, low=0.02, high=1.0
    )
    depth_return: float = parameter(
        0.37, "log depth lost per 5% of three-day fall beyond 3%", source=PROTOTYPE,
        low=0.0, high=3.0,
    )  # fmt: skip
    depth_lock: float = parameter(
        1.4, "log depth lost per unit share of locked stocks", source=PROTOTYPE, low=0.0, high=10.0
    )
    depth_life: float = parameter(
        1.0, "life of withdrawn depth once stress is over", unit="days", source="assumption",
        low=0.1, high=60.0,
    )  # fmt: skip
    depth_volatility: float = parameter(
        0.05, "log depth lost per multiple of normal volatility beyond one", source="assumption",
        low=0.0, high=1.0,
    )  # fmt: skip
    volatility_memory: float = parameter(
        5.0, "memory of realised volatility", unit="days", source="assumption", low=1.0, high=60.0
    )
    depth_drawdown: float = parameter(
        0.2, "log depth lost per unit of drawdown beyond 10%", source="assumption",
        low=0.0, high=5.0,
    )  # fmt: skip
    peak_memory: float = parameter(
        60.0, "life of the high that a drawdown is measured from", unit="sessions",
        source="assumption (20-250): a slow bear market is no panic", low=5.0, high=2000.0,
    )  # fmt: skip
    spill: float = parameter(
        0.49, "share of a flow felt by the next size group", source=PROTOTYPE, low=0.0, high=0.95
    )
    spill_size: float = parameter(
        0.0, "exponent of relative float in what a larger group feels of a smaller one's flow",
        source="assumption (0-1): 0 flow over float alone, 1 in yuan", low=0.0, high=1.0,
    )  # fmt: skip
    rescue_spill: float = parameter(
        0.05, "the same for purchases of the national team",
        source="assumption (0-0.2): scripts/stock_evidence.py finds none, 2 January to 2 February",
        low=0.0, high=0.95,
    )  # fmt: skip
    fast_share: float = parameter(
        0.68, "share of the dislocation that fades fast", source=PROTOTYPE, low=0.0, high=1.0
    )
    fast_life: float = parameter(
        2.1, "life of the fast part", unit="days", source=PROTOTYPE, low=0.2, high=20.0
    )
    decay_exponent: float = parameter(
        0.0, "exponent of a power-law decay of the fast part; 0: one rate, fast_life",
        source="off by default; Bouchaud et al. 2018 (ch. 13): 0.2-0.6", low=0.0, high=0.9,
    )  # fmt: skip
    slow_life: float = parameter(
        29.0, "life of the slow part (Bian et al. 2018: 40)", unit="days", source=PROTOTYPE,
        low=2.0, high=250.0,
    )  # fmt: skip
    value_scale: float = parameter(
        0.19, "log dislocation at which value buyers double the reversion", source=PROTOTYPE,
        low=0.05, high=10.0,
    )  # fmt: skip
    value_resistance: float = parameter(
        0.2, "share of value demand that resists deepening instead of bringing prices back",
        source="assumption", low=0.0, high=1.0,
    )  # fmt: skip
    value_capital: float = parameter(
        0.5, "log dislocation that value buyers can absorb", source="assumption",
        low=0.02, high=20.0,
    )  # fmt: skip
    capital_life: float = parameter(
        40.0, "life in which their capital returns (Bian et al. 2018: reversal in 40 days)",
        unit="days", source="Bian et al. 2018", low=5.0, high=250.0,
    )  # fmt: skip
    backstop_reversion: float = parameter(
        6.1, "extra reversion of the slow part under a credible rescue", source=PROTOTYPE,
        low=0.0, high=30.0,
    )  # fmt: skip
    backstop_scale: float = parameter(
        0.0020, "rescue purchase over float that makes it credible", source=PROTOTYPE,
        low=1e-5, high=0.1,
    )  # fmt: skip
    backstop_relief: float = parameter(
        0.54, "share of depth loss and panic that a credible rescue takes away", source=PROTOTYPE,
        low=0.0, high=1.0,
    )  # fmt: skip
    backstop_fade: float = parameter(
        40.0, "life of the belief in a rescue", unit="days", source="assumption",
        low=2.0, high=1000.0,
    )  # fmt: skip
    expectation_calm: float = parameter(
        0.15, "share of panic that an announcement worth 1% takes away", source="assumption",
        low=0.0, high=2.0,
    )  # fmt: skip
    expectation_life: float = parameter(
        5.0, "life of an announcement", unit="days", source="assumption", low=0.5, high=60.0
    )
    stock_impact: float = parameter(
        0.32, "stock-level move in daily volatilities per unit of accumulated volume",
        source=PROTOTYPE, low=0.0, high=3.0,
    )  # fmt: skip
    stock_exponent: float = parameter(
        0.6, "exponent of accumulated volume (Almgren et al. 2005: 0.6)",
        source="design:model 1 a.2", low=0.3, high=1.0,
    )  # fmt: skip
    stock_life: float = parameter(
        4.0, "life of accumulated volume", unit="days", source="assumption", low=0.5, high=40.0
    )
    loading_dispersion: float = parameter(
        0.58, "spread of stocks' loadings on their group's dislocation", source=PROTOTYPE,
        low=0.0, high=1.5,
    )  # fmt: skip
    market_loading: float = parameter(
        1.18, "loading of smaller stocks on the market factor, multiple of beta",
        source=PROTOTYPE, low=0.5, high=1.6,
    )  # fmt: skip
    memory: float = parameter(
        3.0, "memory of group returns", unit="days", source="design:model 1 a.2", low=0.5, high=20.0
    )
    locked_fill: float = parameter(
        0.04, "share of an order filled at a locked limit", source="assumption", low=0.0, high=0.5
    )
    volume_depth: float = parameter(
        0.2, "power of depth by which background turnover withdraws", source="assumption",
        low=0.0, high=1.0,
    )  # fmt: skip
    noise_return: float = parameter(
        0.6, "growth of idiosyncratic noise in stress", source="design:model 1 a.2",
        low=0.0, high=3.0,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Basis:
    """How futures leave their index: order flow opens the basis, arbitrage closes it.

    Arbitrage is slow against a discount, because stock borrow is scarce. Against a
    premium it is the participant ``arbitrageurs``, whose capital is finite.
    """

    transfer: float = parameter(
        0.41, "share of futures flow felt as spot supply", source=PROTOTYPE, low=0.0, high=1.0
    )
    impact: float = parameter(
        1.5, "log basis per flow over open interest", source=PROTOTYPE, low=0.0, high=10.0
    )
    discount_decay: float = parameter(
        0.86, "decay of a discount", unit="per day", source=PROTOTYPE, low=0.05, high=5.0
    )
    premium_decay: float = parameter(
        0.5, "decay of a premium that nobody in the run trades: hedgers who sell when it is free "
        "(gaps of either sign close by 0.22-0.26 a day, all arbitrage included: "
        "scripts/fit_futures.py)", unit="per day", source="assumption (0-1)", low=0.0, high=20.0,
    )  # fmt: skip
    calendar_pull: float = parameter(
        4.0, "pull of a month towards the common gap, which explains 96% of daily changes",
        unit="per day", source="assumption (2-10)", low=0.0, high=50.0,
    )  # fmt: skip
    oi_life: float = parameter(
        156.0, "days to expiry over which open interest fades", unit="days",
        source="IC and IM contracts 2023-01 to 2024-02-02 (scripts/fit_futures.py)",
        low=10.0, high=2000.0,
    )  # fmt: skip
    quarter_weight: float = parameter(
        2.81, "open interest of a quarter over that of another month",
        source="IC and IM contracts 2023-01 to 2024-02-02 (scripts/fit_futures.py)",
        low=0.1, high=20.0,
    )  # fmt: skip
    hedger_quarters: float = parameter(
        2.0, "further lean of hedged books to quarters", source="assumption (1-5)",
        low=0.2, high=20.0,
    )  # fmt: skip
    roll_days: float = parameter(
        5.2, "calendar days before expiry over which positions leave a month", unit="days",
        source="IC and IM contracts 2023-01 to 2024-02-02 (scripts/fit_futures.py)",
        low=1.5, high=40.0,
    )  # fmt: skip
    roll_pressure: float = parameter(
        0.03, "share of a roll that finds no opposite roller", source="assumption (0-0.1)",
        low=0.0, high=1.0,
    )  # fmt: skip
    arbitrage_lock: float = parameter(
        2.0, "log arbitrage lost per unit share of locked stocks under the index",
        source="assumption (0-6)", low=0.0, high=20.0,
    )  # fmt: skip
    arbitrage_fall: float = parameter(
        0.2, "log arbitrage lost per 5% of three-day fall beyond 3%", source="assumption (0-1)",
        low=0.0, high=5.0,
    )  # fmt: skip
    carry_ic: float = parameter(
        -0.06, "calm carry of IC", unit="per year",
        source="quarter contracts 10-11 January 2024 (K12b)", low=-0.3, high=0.1,
    )  # fmt: skip
    carry_im: float = parameter(
        -0.085, "calm carry of IM", unit="per year",
        source="quarter contracts 10-11 January 2024 (K12a)", low=-0.3, high=0.1,
    )  # fmt: skip
    carry_core: float = parameter(
        0.35, "share of the carry that stays when hedgers leave", source="design:model 1 a.3",
        low=0.0, high=1.0,
    )  # fmt: skip
