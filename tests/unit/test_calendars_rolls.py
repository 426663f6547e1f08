"""Rolls of the E-mini against the days on which the contracts were rolled by custom: Thursday, eight days before expiry."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from common.calendars.day import schedule_of
from common.calendars.exchanges import market_calendar
from common.calendars.rolls import roll_plan
from common.calendars.settlement import Settlement, monthly_expiry, settlement_ns

CHAIN = [
    (f"ES{month}", settlement_ns(monthly_expiry(year, number), Settlement.CME_QUARTERLY))
    for month, year, number in (("Z9", 2019, 12), ("H0", 2020, 3), ("M0", 2020, 6), ("U0", 2020, 9))
]


def test_the_e_mini_rolls_on_the_thursday_of_the_week_before() -> None:
    schedule = schedule_of(market_calendar("XCME"), date(2019, 11, 1), date(2020, 9, 30))
    plan = roll_plan(reversed(CHAIN), schedule)
    assert [(r.session, r.leaves, r.enters) for r in plan] == [
        ("2019-12-12", "ESZ9", "ESH0"),
        ("2020-03-12", "ESH0", "ESM0"),
        ("2020-06-11", "ESM0", "ESU0"),
    ]
    assert datetime.fromtimestamp(plan[1].at_ns / 1e9, UTC).isoformat() == "2020-03-12T21:00:00+00:00"


def test_what_was_rolled_before_and_what_settles_later_is_left_out() -> None:
    schedule = schedule_of(market_calendar("XCME"), date(2020, 3, 16), date(2020, 6, 19))
    assert [(r.session, r.leaves) for r in roll_plan(CHAIN, schedule)] == [("2020-06-11", "ESM0")]
    assert [r.session for r in roll_plan(CHAIN, schedule, 0)] == ["2020-03-20", "2020-06-19"]


def test_a_chain_has_one_future_an_expiry() -> None:
    schedule = schedule_of(market_calendar("XCME"), date(2020, 3, 16), date(2020, 6, 19))
    with pytest.raises(ValueError, match="same instant"):
        roll_plan([CHAIN[0], ("other", CHAIN[0][1])], schedule)
    with pytest.raises(ValueError, match="at least 0"):
        roll_plan(CHAIN, schedule, -1)
