"""Who is in which index, with which weight, and which size group every stock belongs to.

Membership follows the published construction rules at the last review before the date, without
the buffers that favour old members. The lists themselves are not used: no free source dates them.
Look-ahead: names delisted before the vintage of the stock list are absent, and share counts are of
that vintage (see ``market.characteristics``); the special-treatment flag is the list's too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from crowdfall.data import calendar
from crowdfall.errors import MarketError
from crowdfall.market.characteristics import Caps
from crowdfall.market.panel import Panel
from crowdfall.market.snapshot import GROUPS
from crowdfall.types import Bool, Float64, Int8, Int64

MICRO: Final = 400
"""Members of the micro-cap index: the smallest by total cap without special treatment, equal
weight, rebalanced daily (Wind 8841431; design:system B.10)."""
_RULES: Final = (
    ("csi300", 300, 0, 0.5),
    ("csi500", 500, 300, 0.2),
    ("csi1000", 1000, 300, 0.2),
    ("csi2000", 2000, 1500, 0.2),
)
"""Index, members, top names by cap passed over, share dropped for the least amount traded
(CSI methodologies; design:system B.10). Each also leaves out the members of those before."""
MEMBERS: Final = {name: count for name, count, *_ in _RULES}
RANKS: Final = (300, 800, 1800, 3800)
"""Cap ranks that bound the groups of stocks outside the indices."""
LISTED: Final = 60
"""Sessions on the list before the cut-off: CSI asks for one quarter."""
_LEAST_REVIEW: Final = 20
_FRIDAY: Final = 4


@dataclass(frozen=True, slots=True)
class Review:
    """A semi-annual review of the CSI indices: members count from ``effective`` on.

    It rests on data from ``first`` to ``cut``. CSI: the session after the second Friday of June
    and December, on the year to the end of April and October.
    """

    effective: date
    first: date
    cut: date


def last_review(on: date) -> Review:
    """Return the review in force at the close of a date.

    >>> review = last_review(date(2023, 12, 29))
    >>> review.effective.isoformat(), review.first.isoformat(), review.cut.isoformat()
    ('2023-12-11', '2022-11-01', '2023-10-31')
    """
    year, month = (on.year, 12) if on.month == 12 else (on.year - (on.month < 6), 12)
    if 6 <= on.month < 12:
        year, month = on.year, 6
    if on < _effective(year, month):
        year, month = (year, 6) if month == 12 else (year - 1, 12)
    end = date(year, month - 1, 1) - timedelta(days=1)
    return Review(_effective(year, month), date(end.year - 1, month - 1, 1), end)


def members(panel: Panel, caps: Caps) -> dict[str, Bool]:
    """Return who is in each CSI index, arrays of shape (N,), at the last review.

    Where the panel holds fewer than 20 sessions of the review's year, all its sessions count.
    """
    rows = review_rows(panel)
    traded = panel.traded[rows]
    days = np.maximum(traded.sum(axis=0), 1)
    cap = np.nansum(panel.close[rows], axis=0) / days * caps.shares
    amount = np.nansum(panel.amount[rows], axis=0) / days
    listed = traded[: max(len(traded) - LISTED, 1)].any(axis=0)
    pool = np.flatnonzero(listed & ~panel.is_st)
    by_cap = pool[np.argsort(-cap[pool], kind="stable")]
    chosen: dict[str, Int64] = {}
    for name, count, passed_over, dropped in _RULES:
        out = np.concatenate([by_cap[:passed_over], *chosen.values()])
        left = by_cap[~np.isin(by_cap, out)]
        liquid = left[np.argsort(-amount[left], kind="stable")]
        liquid = liquid[: round(len(liquid) * (1.0 - dropped))]
        chosen[name] = left[np.isin(left, liquid)][:count]
    inside = {name: np.zeros(len(cap), bool) for name in chosen}
    for name, places in chosen.items():
        inside[name][places] = True
    return inside


def smallest(total_cap: Float64, eligible: Bool, count: int = MICRO) -> Bool:
    """Return the ``count`` smallest of the eligible stocks, shape (N,); all where there are fewer.

    NaN caps are never chosen.

    >>> smallest(np.array([3.0, 1.0, 2.0]), np.array([True, True, False]), 1).tolist()
    [False, True, False]
    """
    key = np.where(eligible & ~np.isnan(total_cap), total_cap, np.inf)
    order = np.argsort(key, kind="stable")[:count]
    chosen = np.zeros(len(key), bool)
    chosen[order[np.isfinite(key[order])]] = True
    return chosen


def assign_groups(caps: Caps, is_st: Bool, inside: dict[str, Bool]) -> Int8:
    """Return the size group of every stock, shape (N,).

    Members of an index go to its group and the smallest 400 to ``microcap``; who is in none goes
    where the cap rank at the snapshot belongs, most of them to ``tail``.
    """
    rank = np.argsort(np.argsort(-caps.total, kind="stable"), kind="stable")
    group = np.searchsorted(RANKS, rank, side="right").astype(np.int8)
    for name, held in inside.items():
        group[held] = GROUPS.index(name)
    group[smallest(caps.total, ~is_st)] = GROUPS.index("microcap")
    return group


def weights(
    inside: dict[str, Bool], total_cap: Float64, free_cap: Float64, micro: Bool
) -> dict[str, Float64]:
    """Return index weights by free-float cap, each of shape (N,) and summing to one.

    CSI's rule: total cap times the free-float share rounded up to its category. Of the three tried
    it follows all four indices best: daily gaps of 8.0, 6.5, 10.6 and 6.9 basis points in December
    2023 and January 2024, against 8.6, 6.7, 11.0, 7.4 without rounding and 23.3, 8.3, 12.3, 7.5
    with float cap. The micro-cap index weighs its members equally. Raises MarketError for an index
    without members.
    """
    mass = total_cap * category(free_cap / total_cap)
    found = {name: np.where(held, mass, 0.0) for name, held in inside.items()}
    found["microcap"] = micro.astype(np.float64)
    for name, values in found.items():
        if not values.sum() > 0:
            raise MarketError("market_no_members", index=name, count=len(values))
    return {name: values / values.sum() for name, values in found.items()}


def category(share: Float64) -> Float64:
    """Return CSI's free-float category: to 15% the next whole percent, then 20, 30, .. 80, 100%.

    >>> category(np.array([0.034, 0.16, 0.41, 0.81])).round(2).tolist()
    [0.04, 0.2, 0.5, 1.0]
    """
    share = np.clip(share, 0.0, 1.0)
    tenths = np.maximum(np.ceil(share * 10.0 - 1e-9) / 10.0, 0.2)
    return np.where(share <= 0.15, np.ceil(share * 100.0 - 1e-9) / 100.0,
                    np.where(share > 0.8, 1.0, tenths))  # fmt: skip


def review_rows(panel: Panel) -> Int64:
    """Return the rows of the panel on which the last review rests."""
    review = last_review(panel.dates[-1])
    rows = [k for k, day in enumerate(panel.dates) if review.first <= day <= review.cut]
    return np.array(rows if len(rows) >= _LEAST_REVIEW else range(len(panel.dates)))


def _effective(year: int, month: int) -> date:
    first = date(year, month, 1)
    second_friday = first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 7)
    return calendar.next_session(second_friday)
