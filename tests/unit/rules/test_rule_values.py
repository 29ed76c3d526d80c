from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from crowdfall.errors import RuleError
from crowdfall.rules.loader import Rule, history, number, parse_values, paths, value

CRISIS = date(2024, 2, 5)


@pytest.mark.parametrize(
    ("path", "on", "expected"),
    [
        ("price_limits.main_board", CRISIS, 0.10),
        ("price_limits.main_board_st", CRISIS, 0.05),
        ("price_limits.chinext", date(2020, 8, 23), 0.10),
        ("price_limits.chinext", date(2020, 8, 24), 0.20),
        ("price_limits.star", date(2019, 7, 22), 0.20),
        ("price_limits.bse", CRISIS, 0.30),
        ("trading.resale_delay", CRISIS, 1),
        ("costs.stamp_duty_sell", date(2023, 8, 27), 0.001),
        ("costs.stamp_duty_sell", date(2023, 8, 28), 0.0005),
        ("costs.exchange_fee", CRISIS, 3.41e-5),
        ("costs.transfer_fee", CRISIS, 1e-5),
        ("futures.margin_if", CRISIS, 0.12),
        ("futures.margin_ic", CRISIS, 0.14),
        ("futures.margin_im", CRISIS, 0.15),
        ("futures.price_limit", CRISIS, 0.10),
        ("futures.price_limit_last_day", CRISIS, 0.20),
        ("futures.position_limit_im", CRISIS, 1200),
        ("futures.fee", CRISIS, 2.3e-5),
        ("dma.initial_margin", CRISIS, 0.25),
        ("dma.top_up_line", CRISIS, 0.15),
        ("dma.correlation_floor", CRISIS, 0.80),
        ("dma.single_name_limit", CRISIS, 0.05),
        ("dma.net_exposure_limit", CRISIS, 0.20),
        ("dma.names_floor", CRISIS, 50),
        ("dma.term_limit", CRISIS, 6),
        ("dma.notional_capped", date(2023, 11, 7), 0),
        ("dma.notional_capped", date(2023, 11, 8), 1),
        ("dma.leverage_limit", CRISIS, 4),
        ("dma.leverage_limit", date(2024, 2, 28), 2),
        ("funds.index_enhanced_inside", CRISIS, 0.80),
        ("margin_financing.maintenance_line", CRISIS, 1.30),
        ("margin_financing.initial_margin", date(2023, 9, 7), 1.0),
        ("margin_financing.initial_margin", date(2023, 9, 8), 0.8),
        ("short_selling.refinancing_delay", date(2024, 3, 17), 0),
        ("short_selling.refinancing_delay", date(2024, 3, 18), 1),
        ("snowball.lock_up", CRISIS, 3),
        ("snowball.knock_in_interval", CRISIS, 1),
    ],
)
def test_published_facts_hold_on_their_days(path: str, on: date, expected: float) -> None:
    assert number(path, on) == pytest.approx(expected)


def test_knock_out_is_tested_before_knock_in() -> None:
    assert value("snowball.observed_first", CRISIS).value == "knock_out"


@pytest.mark.parametrize("path", paths())
def test_every_value_has_unit_date_title_and_source(path: str) -> None:
    for rule in history(path):
        assert rule.unit
        assert rule.title
        assert rule.href
        assert date(1990, 1, 1) < rule.since < date(2028, 1, 1)


@pytest.mark.parametrize("path", paths())
def test_a_value_holds_from_its_day_to_the_day_before_the_next(path: str) -> None:
    rules = history(path)
    for earlier, later in pairwise(rules):
        assert value(path, later.since) == later
        assert value(path, later.since - timedelta(1)) == earlier
    with pytest.raises(RuleError, match=rules[0].since.isoformat()):
        value(path, rules[0].since - timedelta(1))


def test_an_unknown_rule_is_answered_with_the_nearest() -> None:
    with pytest.raises(RuleError, match=r"did you mean price_limits\.main_board\?"):
        value("price_limit.main_bord", CRISIS)


def test_a_word_is_not_read_as_a_number() -> None:
    with pytest.raises(RuleError, match="knock_out"):
        number("snowball.observed_first", CRISIS)


GOOD = """
[limit]
unit = "fraction"
[[limit.values]]
from = 2020-01-01
value = 0.1
title = "a title"
href = "a publisher"
"""


def test_a_file_gives_rules_under_its_name() -> None:
    assert parse_values(GOOD, "mine") == {
        "mine.limit": (
            Rule(
                path="mine.limit", value=0.1, unit="fraction", since=date(2020, 1, 1),
                title="a title", href="a publisher",
            ),
        )
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('unit = "fraction"', 'unit = ""', "unit"),
        ('unit = "fraction"', 'units = "fraction"', "keys"),
        ("from = 2020-01-01", 'from = "2020-01-01"', "date"),
        ("from = 2020-01-01", "from = 2020-01-01T00:00:00", "date"),
        ("value = 0.1", "value = true", "value"),
        ("value = 0.1\n", "", "no key value"),
        ('title = "a title"', 'title = " "', "title"),
        ('href = "a publisher"\n', "", "no key href"),
        ('href = "a publisher"', 'href = "x"\nlink = "y"', "unknown key link"),
        ('href = "a publisher"', 'href = "x"\nfrom_memory = 1', "from_memory"),
        ("[[limit.values]]", "[limit.values]", "values"),
        ("[limit]", "[limit", "can't be read"),
        ("\n[limit]\n", "\nother = 3\n[limit]\n", "keys"),
    ],
)
def test_each_fault_of_a_file_is_named(old: str, new: str, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(RuleError, match=reason) as caught:
        parse_values(GOOD.replace(old, new), "mine")
    assert "mine" in str(caught.value)


def test_dates_out_of_order_are_named() -> None:
    again = GOOD + GOOD[GOOD.index("[[") :]
    with pytest.raises(RuleError, match="rise"):
        parse_values(again, "mine")
