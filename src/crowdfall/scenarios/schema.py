"""What a scenario may say. Every part is a frozen object; every number carries its source."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

from crowdfall.agents.arbitrageurs import Arbitrageurs
from crowdfall.agents.custom import CustomTerms
from crowdfall.agents.dealers import FrontRunners, SnowballDealers
from crowdfall.agents.dma import Dma
from crowdfall.agents.enhanced import Enhanced
from crowdfall.agents.factor_books import FactorBooks
from crowdfall.agents.issuers import Issuers
from crowdfall.agents.margin_accounts import MarginAccounts
from crowdfall.agents.market_makers import MarketMakers
from crowdfall.agents.national_team import NationalTeam
from crowdfall.agents.neutral import Neutral
from crowdfall.agents.pledges import Pledges
from crowdfall.agents.public_funds import PublicFunds
from crowdfall.agents.quant import Quant
from crowdfall.agents.retail import Followers, StyleSwitchers, TrendRetail
from crowdfall.agents.traders import Harvesters, TrendShorts
from crowdfall.agents.value_investors import ValueInvestors
from crowdfall.data.calendar import Exchange, sessions
from crowdfall.market.impact import Basis, Impact
from crowdfall.market.margin import FuturesMargin
from crowdfall.parameters import parameter

Mode = Literal["replay", "free"]
PolicyKind = Literal[
    "sell_ban", "no_new_shorts", "net_sell_limit", "dma_leverage_cap", "dma_no_new_money",
    "dma_notional_cap", "stamp_duty", "liquidation_lines", "top_up_time", "lending_stop",
    "ipo_pause", "notice",
]  # fmt: skip
Observable = Literal[
    "index_return", "drawdown", "three_day_fall", "limit_down_share", "basis", "knocked_in_share"
]


@dataclass(frozen=True, kw_only=True)
class Clock:
    """When it plays, and what is pinned.

    ``replay``: the market factor is solved so that CSI 300 follows the input path, and until the
    close of ``assimilate_until`` the group factors so that the other indices do. ``free``: the
    factors are drawn. ``factors``: solve them, or read those of the unchanged scenario.
    """

    mode: Mode = "replay"
    start: date = date(2023, 12, 29)
    end: date = date(2024, 2, 29)
    assimilate_until: date | None = None
    factors: Literal["solve", "base"] = "solve"
    bars: int = parameter(
        8, "bars a session (30 minutes of 4 hours)", source="design:model 8", low=4, high=8
    )
    overnight_share: float = parameter(
        0.3, "share of daily variance that falls overnight, free mode",
        source="design:model 10", low=0.0, high=0.9,
    )  # fmt: skip
    block_length: float = parameter(
        10.0, "mean block of the stationary bootstrap, free mode", unit="sessions",
        source="design:model 10", low=1.0, high=60.0,
    )  # fmt: skip
    volatility_decay: float = parameter(
        1.0, "weight of a squared return over that of the next session, in the volatility to which "
        "drawn returns are put, free mode; 1 leaves them as they were",
        source="assumption; 0.94 is that of RiskMetrics (1996)", low=0.8, high=1.0,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Venue:
    """Where it plays: whose sessions, when a purchase may be sold again, what is listed.

    ``market``: the market it is made for, played on where the command names none (``us2007``
    comes with the package; empty for the bundled Chinese one). ``same_day_sale``: T+0. Outside
    Shanghai no rule of China is in force: ``cost`` stands for its fees, and there are no price
    limits and no index futures.
    """

    exchange: Exchange = "shanghai"
    market: str = ""
    same_day_sale: bool = False
    futures: bool = True
    cost: float = parameter(
        0.0005, "commission and fees of a trade outside Shanghai, share of its value",
        source="assumption (0.0001-0.002): a few cents a share", low=0.0, high=0.05,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Files of exogenous inputs, beside the scenario file, and the source of each."""

    index_path: str = ""
    assimilation: str = ""
    rescue: str = ""
    rescue_first: Literal["", "csi300", "csi500", "csi1000", "csi2000"] = ""
    rescue_first_amount: float = parameter(
        100e9, "bought of the index named first before the rest follows its schedule",
        unit="yuan", source="scenario", low=0.0, high=1000e9,
    )  # fmt: skip
    rescue_profile: tuple[float, ...] = (0.05, 0.07, 0.09, 0.11, 0.13, 0.15, 0.20, 0.20)
    rescue_profiles: dict[str, tuple[float, ...]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Channels:
    """Transmission channels that can be switched off one by one.

    ``time_priority``: at a limit earlier orders fill before later ones, not pro rata with them.
    """

    group_impact: bool = True
    stock_impact: bool = True
    style_impact: bool = True
    spill: bool = True
    size_kernel: bool = False
    rescue_split: bool = True
    liquidity_withdrawal: bool = True
    slow_liquidity: bool = True
    volatility_withdrawal: bool = True
    value_demand: bool = True
    value_resistance: bool = True
    backstop: bool = True
    backstop_fade: bool = True
    expectations: bool = True
    futures_transfer: bool = True
    month_flows: bool = True
    futures_roll: bool = True
    locked_arbitrage: bool = True
    futures_margin: bool = True
    price_limits: bool = True
    limit_queue: bool = True
    time_priority: bool = False
    volume_law: bool = True
    sell_ban: bool = True
    policies: bool = True
    rules: bool = True


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise of groups after assimilation (replay) and of stocks.

    ``group_daily``: standard deviation a day by size group, CSI 300 first.
    """

    group_daily: tuple[float, ...] = (0.0, 0.0012, 0.0015, 0.0019, 0.0022, 0.0026)
    participation: float = parameter(
        0.27, "most that all funds together sell of a stock, share of adv",
        source="fit on the K targets by a research prototype (design:model 2), symbol nu",
        low=0.01, high=1.0,
    )  # fmt: skip
    student_df: float = parameter(
        5.0, "degrees of freedom of stock noise, free mode", source="design:model 10",
        low=2.5, high=200.0,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Agents:
    """The participants, each with its switch ``enabled`` and its terms.

    ``custom``: the user's own by name, each from a file.
    """

    snowball_dealers: SnowballDealers = SnowballDealers()
    front_runners: FrontRunners = FrontRunners()
    trend_shorts: TrendShorts = TrendShorts()
    harvesters: Harvesters = Harvesters()
    arbitrageurs: Arbitrageurs = Arbitrageurs()
    neutral: Neutral = Neutral()
    dma: Dma = Dma()
    enhanced: Enhanced = Enhanced()
    trend_retail: TrendRetail = TrendRetail()
    margin_accounts: MarginAccounts = MarginAccounts()
    style_switchers: StyleSwitchers = StyleSwitchers()
    followers: Followers = Followers()
    national_team: NationalTeam = NationalTeam()
    quant: Quant = Quant()
    public_funds: PublicFunds = PublicFunds()
    pledges: Pledges = Pledges()
    value_investors: ValueInvestors = ValueInvestors()
    market_makers: MarketMakers = MarketMakers()
    issuers: Issuers = Issuers()
    factor_books: FactorBooks = FactorBooks()
    custom: dict[str, CustomTerms] = field(default_factory=dict)

    @property
    def enabled(self) -> tuple[str, ...]:
        """Return who takes part, in the order in which they act; the user's own come last."""
        shipped = (name for name in PARTICIPANTS if getattr(self, name).enabled)
        return (*shipped, *(name for name in sorted(self.custom) if self.custom[name].enabled))


PARTICIPANTS: Final = tuple(item.name for item in fields(Agents) if item.name != "custom")
"""Names of the participants that ship, in the order in which they act."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A dated policy. Dated on a day without a session it takes effect at the next one.

    ``shares`` names whom it binds and how far (0 to 1); empty binds everybody. ``value`` is the
    lever's number: what ``scenarios.policies`` says for each kind. Without an ``end`` a sell ban
    and a limit on net selling last one session, everything else to the end of the run.
    ``effect``: what the announcement is expected to be worth by size group, log price, with
    ``effect_source``; ``after_close``: it became known after the session, and works from the next.
    """

    kind: PolicyKind
    start: date
    title: str
    source: str
    title_zh: str = ""
    end: date | None = None
    start_bar: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    value: float | None = None
    after_close: bool = False
    effect: dict[str, float] = field(default_factory=dict)
    effect_source: str = ""


@dataclass(frozen=True, kw_only=True)
class Suspension:
    """A stock that does not trade from ``start`` to ``end``, both included."""

    symbol: str
    start: date
    end: date
    source: str


@dataclass(frozen=True, kw_only=True)
class Shock:
    """A sale from outside, in a session; without ``bar`` (of ``clock.bars``) spread over all."""

    date: date
    group: str
    yuan: float = parameter(
        1e9, "sold on top of all else", unit="yuan", source="the question asked", low=0.0, high=1e12
    )
    bar: int | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """Terms that change at the open of a session: ``set`` holds words as ``--set`` takes them.

    After the session ``end`` they are what they would be without the change.
    """

    start: date
    set: tuple[str, ...]
    end: date | None = None
    title: str = ""
    title_zh: str = ""
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """Purchases of the national team beside its schedule: ``daily`` of an index a session.

    ``total``: most that all firings of a rule spend together.
    """

    index: Literal["csi300", "csi500", "csi1000", "csi2000"]
    daily: float = parameter(
        10e9, "budget a session", unit="yuan", source="scenario", low=0.0, high=200e9
    )
    total: float = parameter(
        100e9, "budget of the rule", unit="yuan", source="scenario", low=0.0, high=1000e9
    )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A lever that starts by itself: at the open after a close at which an observable is there.

    ``observable`` ``of`` an index, an underlying or ``all`` stocks must lie at or ``above``, or at
    or ``below``, a level; ``over``: sessions of a return; ``contract``: month of a basis. The
    lever holds for ``sessions`` (None: to the end) and is a policy of a ``kind`` with its
    ``value`` and ``shares``, terms to ``set``, purchases (``rescue``), or several of them. It
    starts at most ``times``, not before ``start``, and not while it holds. Every path by itself.
    """

    title: str
    source: str
    observable: Observable
    of: str
    above: float | None = None
    below: float | None = None
    over: int = parameter(
        1, "sessions of a return", unit="sessions", source="the question asked", low=1, high=60
    )
    contract: Literal["front", "next", "quarter", "far"] = "front"
    title_zh: str = ""
    start: date | None = None
    sessions: int | None = None
    times: int = parameter(1, "most firings a path", source="the question asked", low=1, high=60)
    kind: PolicyKind | None = None
    value: float | None = None
    shares: dict[str, float] = field(default_factory=dict)
    set: tuple[str, ...] = ()
    rescue: Purchase | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A resolved scenario.

    Input files lie in ``folder``, or in ``base_folder`` where the base brought them; the places
    are not part of the digest, the files are. ``origin`` is the scenario before overrides: a
    variation reads the factors solved for it.
    """

    name: str
    title: dict[str, str] = field(default_factory=dict)
    story: dict[str, str] = field(default_factory=dict)
    clock: Clock = Clock()
    venue: Venue = Venue()
    inputs: Inputs = Inputs()
    impact: Impact = Impact()
    basis: Basis = Basis()
    futures_margin: FuturesMargin = FuturesMargin()
    channels: Channels = Channels()
    noise: Noise = Noise()
    agents: Agents = Agents()
    policy: tuple[Policy, ...] = ()
    rule: tuple[Rule, ...] = ()
    shock: tuple[Shock, ...] = ()
    changes: tuple[Change, ...] = ()
    suspension: tuple[Suspension, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    folder: Path = field(default=Path(), compare=False)
    base_folder: Path = field(default=Path(), compare=False)
    origin: Scenario | None = field(default=None, compare=False)

    def model_dump(self) -> dict[str, Any]:
        """Return everything that determines a result, as plain JSON values."""
        plain = asdict(replace(self, origin=None))
        for place in ("folder", "base_folder", "origin"):
            del plain[place]
        dumped: dict[str, Any] = json.loads(json.dumps(plain, default=str))
        return dumped

    @property
    def sessions(self) -> list[date]:
        """Return the sessions of the run and the one it starts from, by the venue's calendar."""
        return sessions(self.clock.start, self.clock.end, self.venue.exchange)

    @property
    def digest(self) -> str:
        """Return a sha256 of the resolved scenario and its input files (16 hex digits)."""
        text = json.dumps(self.model_dump(), sort_keys=True)
        digest = hashlib.sha256(text.encode())
        for name in self.input_names:
            digest.update(self.input_file(name).read_bytes())
        return digest.hexdigest()[:16]

    @property
    def input_names(self) -> tuple[str, ...]:
        """Return the input files named."""
        inputs = self.inputs
        files = (inputs.index_path, inputs.assimilation, inputs.rescue)
        own = (each.file for each in self.agents.custom.values())
        return tuple(n for n in (*files, self.agents.snowball_dealers.book, *own) if n)

    def input_file(self, name: str) -> Path:
        """Return where an input lies: beside the scenario, or beside its base."""
        own = self.folder / name
        return own if own.is_file() else self.base_folder / name

    @property
    def factor_base(self) -> Scenario:
        """Return the scenario whose solved factors this one uses: itself, or its origin."""
        if self.clock.factors == "solve" or self.origin is None:
            return self
        return self.origin.factor_base
