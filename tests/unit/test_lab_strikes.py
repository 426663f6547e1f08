"""Strikes by hand, and against the close-to-close changes that the P&L path counts in its own way."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from common.calendars.day import Schedule, schedule_of, schedule_of_bounds
from common.calendars.exchanges import market_calendar
from lab.pnl import PnlPath
from lab.strikes import closes_of, rows_of, strikes_of


def test_the_next_day_opens_from_the_strike_and_the_days_add_up() -> None:
    schedule = schedule_of_bounds(((0, 100), (200, 300), (400, 500)))
    times = np.array([0, 50, 100, 200, 300, 400, 450])
    value = np.array([0.0, 3.0, 5.0, 4.0, 9.0, 9.5, 7.0])
    days = strikes_of(schedule, times, value)
    # The third day has not closed; the night's -1 belongs to the second.
    assert [(d.session, d.at_ns, d.open_usd, d.pnl_usd) for d in days] == [("1", 100, 0.0, 5.0), ("2", 300, 5.0, 4.0)]
    assert sum(d.pnl_usd for d in days) == value[4] - value[0]
    path = PnlPath("x", times, np.array([0, 0, 0, 1, 1, 2, 2]), *([value] * 6))
    np.testing.assert_array_equal(path.daily_changes()[:2], [d.pnl_usd for d in days])
    assert rows_of(days)[0]["pnl_usd"] == 5.0


def test_an_early_close_strikes_early_and_a_holiday_not_at_all() -> None:
    schedule = schedule_of(market_calendar("XNYS"), date(2019, 11, 27), date(2019, 12, 2))
    opens = [s.open_ns for s in schedule.sessions]
    closes = closes_of(schedule, opens[0], opens[-1])
    assert [(s.label, s.early) for _, s in closes] == [("2019-11-27", False), ("2019-11-29", True)]


def test_without_values_nothing_can_be_struck() -> None:
    with pytest.raises(ValueError, match="no values"):
        strikes_of(Schedule(), np.array([], np.int64), np.array([]))
