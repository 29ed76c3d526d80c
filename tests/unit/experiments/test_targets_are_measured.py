"""Every quantity on a table made by hand, with the answer worked out beside it."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from crowdfall.errors import CalibrationError
from crowdfall.experiments import targets
from crowdfall.experiments.targets import Target, measure_matrix
from crowdfall.experiments.targets.quantities import QUANTITIES
from crowdfall.experiments.targets.terms import Pick
from crowdfall.results.schema import column_names

DAYS = [date(2024, 1, d) for d in (18, 19, 22, 23)]
BEFORE = date(2024, 1, 17)


def daily() -> pl.DataFrame:
    """Two paths of four sessions; the close before the first one was 100."""
    return pl.DataFrame(
        {
            "path": [0] * 4 + [1] * 4,
            "date": DAYS * 2,
            "csi500_close": [95.0, 90.0, 80.0, 88.0, 101.0, 90.0, 99.0, 97.0],
            "csi500_return": [-0.05, 0.0, 0.0, 0.0, 0.01, 0.0, 0.0, 0.0],
            "basis_front_im": [-0.001] * 8,
            "basis_next_im": [-0.002, -0.003, -0.04, -0.05, -0.002, -0.003, -0.02, -0.03],
            "basis_quarter_im": [-0.006] * 8,
            "basis_far_im": [-0.011] * 8,
            "limit_down_count": [10, 20, 400, 30, 10, 300, 40, 30],
            "stocks": [1000] * 8,
            "knocked_in_share_csi500": [0.0, 0.1, 0.2, 0.3, 0.0, 0.0, 0.5, 0.6],
            "knocked_in_share_csi1000": [0.0, 0.2, 0.4, 0.5, 0.0, 0.0, 0.1, 0.2],
            "rescue_csi300": [0.0, 1e9, 2e9, 3e9, 0.0, 0.0, 0.0, 0.0],
            "rescue_csi500": [0.0, 0.0, 0.5e9, 0.5e9, 0.0, 0.0, 0.0, 0.0],
            "rescue_csi1000": [0.0, 0.0, 0.5e9, 0.5e9, 0.0, 0.0, 0.0, 0.0],
            "rescue_csi2000": [0.0] * 8,
            "forced_share_csi500": [0.01, 0.0, 0.0, 0.0] + [0.0] * 4,
            "compelled_share_csi500": [0.0, 0.02, 0.0, 0.03] + [0.0] * 4,
            "forced_sales": [0.0, 1e9, 5e9, 2e9, 0.0, 0.0, 3e9, 0.0],
        }
    )


def target(quantity: str, unit: str = "fraction", **terms: Any) -> Target:  # noqa: ANN401
    return Target(
        id="T", title={"en": "t", "zh": "t"}, kind="free", quantity=quantity, unit=unit,
        value=0.0, tolerance=1.0, source="a test", **terms,
    )  # fmt: skip


def pick(table: str, across: str = "sum", over: str = "last", per: str = "",
         where: tuple[tuple[str, str, Any], ...] = ()) -> Pick:  # fmt: skip
    return Pick(table=table, across=across, over=over, per=per, where=where)


D19, D22, D23 = DAYS[1:]
CASES = {
    "volatility to a day": (
        target("volatility", "percent", index="csi500", end=D19),
        [100 * abs(np.log(0.95)) / np.sqrt(2), 100 * np.log(1.01) / np.sqrt(2)]),
    "deepest week: from the close before the first session, where five have not passed": (
        target("deepest_week", index="csi500"), [-0.20, -0.10]),
    "sold by force and at lines in a week": (
        target("sold_in_a_week", "percent", index="csi500", start=DAYS[0]), [5.0, 0.0]),
    "from before the first session": (
        target("index_return", "percent", index="csi500", start=BEFORE, end=D22), [-20.0, -1.0]),
    "between two sessions": (
        target("index_return", index="csi500", start=D19, end=D23), [88 / 90 - 1, 97 / 90 - 1]),
    "lowest to the end": (
        target("lowest_close", index="csi500", start=BEFORE), [-0.20, -0.10]),
    "lowest after a day, to a day": (
        target("lowest_close", index="csi500", start=D19, end=D22), [80 / 90 - 1, 99 / 90 - 1]),
    "2403 was the next month on 22 January": (
        target("basis", contract="IM2403", day=D22), [-0.04, -0.02]),
    "2403 was the first quarterly month on 19 January": (
        target("basis", "percent", contract="IM2403", day=D19), [-0.6, -0.6]),
    "a year, 150 calendar days to 21 June": (
        target("basis_annual", contract="IM2406", day=D23), [-0.006 * 365 / 150] * 2),
    "share limit-down": (target("limit_down_share", "percent", day=D22), [40.0, 4.0]),
    "largest share limit-down": (target("limit_down_highest", start=D19), [0.4, 0.04]),
    "sessions from the wanted day": (
        target("peak_day", "sessions", column="limit_down_count", day=D22), [0.0, -1.0]),
    "knocked in, a quarter on CSI 500": (target("knocked_in_share", day=D23), [0.45, 0.3]),
    "knocked in, one index": (
        target("knocked_in_share", index="csi1000", day=D23), [0.5, 0.2]),
    "rescue to a day": (target("rescue_total", "bn yuan", end=D22), [4.0, 0.0]),
    "rescue after a day": (target("rescue_total", "bn yuan", start=D22), [4.0, 0.0]),
    "share of the rescue": (target("rescue_share", index="csi300", end=D22), [0.75, np.nan]),
    "participant's books": (
        target("nav_change", "percent", participant="dma", end=D23), [-30.0, np.nan]),
    "margin of a fixed hedged book": (
        target("hedged_margin", index="csi500", contract="IM2403", margin=0.25, start=D19, end=D23),
        [(0.25 + 88 / 90 - 1 + 0.1) / (88 / 90), (0.25 + 97 / 90 - 1 + 0.02) / (97 / 90)]),
    "rows: a contract's open interest on a day": (
        target("rows", "bn yuan", column="open_interest", day=D22,
               pick=pick("futures", where=(("contract", "in", ("IM2403",)),))), [5.0, 5.0]),
    "rows: change of all contracts": (
        target("rows", "percent", column="open_interest", start=D19, end=D23,
               pick=pick("futures", over="change")), [40.0, 40.0]),
    "rows: nav of two books as a ratio of sums": (
        target("rows", column="equity", end=D23,
               pick=pick("agents", per="nav", where=(("kind", "in", ("dma",)),))),
        [2.8 / 1.6, np.nan]),
    "rows: large margin calls counted": (
        target("rows", "stocks", start=BEFORE, end=D23,
               pick=pick("events", across="count", over="sum",
                         where=(("kind", "in", ("margin_call",)), ("amount", "at_least", 1e8)))),
        [2.0, 0.0]),
    "rows: highest on a day, summed over days": (
        target("rows", "fraction", column="amount", end=D23,
               pick=pick("events", across="highest", over="highest")), [np.nan, np.nan]),
    "rows: daily column, difference": (
        target("rows", "stocks", column="limit_down_count", start=D19, end=D22,
               pick=pick("daily", over="difference")), [380.0, -260.0]),
    "a column on a day": (target("column", column="limit_down_count", day=D19), [20.0, 300.0]),
    "total of a column": (
        target("column_total", "bn yuan", column="forced_sales", start=D19), [7.0, 3.0]),
    "highest of a column": (target("column_highest", column="forced_sales"), [5e9, 3e9]),
    "lowest of a column": (
        target("column_lowest", column="basis_next_im", end=D22), [-0.04, -0.02]),
}  # fmt: skip


def agents() -> pl.DataFrame:
    """Two DMA books of 3 and 1 invested; only path 0 has any."""
    rows = [(0, D23, "dma", "a", 1.8, 0.6), (0, D23, "dma", "b", 1.0, 1.0),
            (0, D23, "neutral", "a", 9.0, 0.9), (1, D23, "neutral", "a", 9.0, 0.9)]  # fmt: skip
    names = ["path", "date", "kind", "cell", "equity", "nav"]
    return pl.DataFrame(rows, schema=names, orient="row")


def futures() -> pl.DataFrame:
    """IM2403 settles 10% and 2% lower on 23 January than on the 19th; IC2403 beside it."""
    days = ((D19, 100.0, 4e9), (D22, 95.0, 5e9), (D23, 90.0, 6e9))
    rows = [(0, day, "IM2403", settle, held) for day, settle, held in days]
    rows += [(1, day, "IM2403", 98.0 if day == D23 else settle, held) for day, settle, held in days]
    rows += [(p, day, "IC2403", 50.0, 1e9) for p in (0, 1) for day in (D19, D22, D23)]
    names = ["path", "date", "contract", "settle", "open_interest"]
    return pl.DataFrame(rows, schema=names, orient="row")


def events() -> pl.DataFrame:
    """Three margin calls of path 0, two of them large; none of path 1."""
    rows = [(0, D22, 0, "dma", "margin_call", 5e8), (0, D23, 1, "dma", "margin_call", 3e8),
            (0, D23, 2, "dma", "margin_call", 1e6),
            (0, D23, 3, "dma", "forced_sale", 9e8)]  # fmt: skip
    names = ["path", "date", "event", "agent", "kind", "amount"]
    return pl.DataFrame(rows, schema=names, orient="row")


def tables() -> dict[str, pl.DataFrame]:
    return {"agents": agents(), "futures": futures(), "events": events()}


def test_a_week_forgets_what_was_sold_before_it() -> None:
    sold = [0.02, 0.0, 0.0, 0.0, 0.0, 0.03, 0.0, 0.01]
    days = [date(2024, 1, d) for d in (8, 9, 10, 11, 12, 15, 16, 17)]
    frame = pl.DataFrame(
        {"path": [0] * 8, "date": days, "forced_share_csi500": [0.0] * 8,
         "compelled_share_csi500": sold}
    )  # fmt: skip
    asked = target("sold_in_a_week", index="csi500")
    found = measure_matrix([asked], frame, tables={}, share_csi500=0.25)
    np.testing.assert_allclose(found, [[0.04]])


@pytest.mark.parametrize("case", CASES, ids=list(CASES))
def test_a_quantity_gives_the_number_worked_out_by_hand(case: str) -> None:
    asked, wanted = CASES[case]
    found = measure_matrix([asked], daily(), tables=tables(), share_csi500=0.25)
    np.testing.assert_allclose(found[:, 0], wanted, rtol=1e-12)


def test_every_quantity_has_a_case() -> None:
    assert {asked.quantity for asked, _ in CASES.values()} == set(QUANTITIES)


def test_no_peak_where_all_days_are_equal() -> None:
    calm = daily().with_columns(limit_down_count=pl.lit(3))
    asked = target("peak_day", "sessions", column="limit_down_count", day=D22)
    assert np.isnan(measure_matrix([asked], calm)).all()


def test_the_frame_has_a_row_for_each_path_and_target() -> None:
    first = target("limit_down_share", "percent", day=D22)
    second = target("rescue_share", index="csi300", end=D22)
    frame = targets.measure([first, second], daily().reverse())
    assert frame["path"].to_list() == [0, 0, 1, 1]
    assert frame["value"].to_list() == [40.0, 0.75, 4.0, None]


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        (target("limit_down_share", day=date(2024, 2, 5)), "target_outside_run", "2024-01-23"),
        (target("limit_down_share", day=date(2024, 1, 20)), "target_not_a_session", "2024-01-20"),
        (target("index_return", index="csi500", start=date(2024, 1, 16), end=D22),
         "target_outside_run", "2024-01-16"),
        (target("basis", contract="IM2403", day=date(2024, 1, 25)), "target_outside_run", "01-25"),
        (target("basis", contract="IM2405", day=D22), "target_contract_unlisted", "IM2402"),
        (target("column", column="turnover", day=D22), "target_column_missing", "turnover"),
        (target("nav_change", participant="dma", end=D22), "target_needs_table", "agents"),
    ],
)  # fmt: skip
def test_what_the_run_does_not_hold_is_said(asked: Target, code: str, words: str) -> None:
    with pytest.raises(CalibrationError) as told:
        measure_matrix([asked], daily())
    assert told.value.code == code
    assert words in str(told.value)


@pytest.mark.parametrize("table", [daily().head(0), daily().head(7)])
def test_paths_must_have_the_same_sessions(table: pl.DataFrame) -> None:
    with pytest.raises(CalibrationError) as told:
        measure_matrix([target("limit_down_share", day=D22)], table)
    assert told.value.code == "daily_ragged"


def test_a_target_holds_at_the_edge_of_its_tolerance_and_never_on_nan() -> None:
    asked = Target(id="A", title={}, kind="free", quantity="basis", unit="percent", value=-0.8,
                   tolerance=1.1, source="a test")  # fmt: skip
    assert asked.holds(-1.9)
    assert asked.holds(-0.8 + 1.1)
    assert not asked.holds(-1.9001)
    assert not asked.holds(float("nan"))


def test_the_shipped_targets_are_the_published_rows() -> None:
    shipped = targets.load()
    kinds = [each.kind for each in shipped]
    assert kinds.count("free") == 19
    assert {each.id for each in shipped if each.kind == "input"} == {
        "K01", "K12a", "K12b", "K13a", "K13b",
    }  # fmt: skip
    by_id = {each.id: each for each in shipped}
    assert (by_id["K04"].value, by_id["K04"].tolerance) == (-33.3, 5.0)
    assert all(each.title["zh"] != each.title["en"] and each.source for each in shipped)
    assert {each.column for each in shipped if each.column} <= set(column_names("daily"))
