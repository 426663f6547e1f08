from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import QuantLib as ql  # noqa: N813
from hypothesis import given
from hypothesis import strategies as st

from common.market.calendar import easter_sunday, expiries_after, monthly_expiry, session_ns


@given(st.integers(1950, 2190))
def test_good_friday_is_quantlibs(year: int) -> None:
    calendar = ql.UnitedStates(ql.UnitedStates.NYSE)
    easter = easter_sunday(year)
    assert easter.weekday() == 6
    friday = ql.Date(easter.day, easter.month, easter.year) - 2
    assert calendar.isHoliday(friday)
    assert not calendar.isBusinessDay(friday)


@pytest.mark.parametrize(
    ("year", "month", "wanted"),
    [
        (2018, 2, date(2018, 2, 16)),
        (2018, 6, date(2018, 6, 15)),
        (2014, 4, date(2014, 4, 17)),  # third Friday was Good Friday
        (2019, 4, date(2019, 4, 18)),
        (2020, 3, date(2020, 3, 20)),  # as in the E-mini file
        (2020, 6, date(2020, 6, 19)),
    ],
)
def test_monthly_expiry(year: int, month: int, wanted: date) -> None:
    assert monthly_expiry(year, month) == wanted


def test_the_demo_window_gets_its_seven_expiries() -> None:
    found = expiries_after(date(2018, 2, 9), 4, 3)
    assert [str(d) for d in found] == [
        "2018-02-16", "2018-03-16", "2018-04-20", "2018-05-18", "2018-06-15", "2018-09-21", "2018-12-21",
    ]  # fmt: skip
    assert expiries_after(date(2018, 2, 9), 0, 1) == (date(2018, 3, 16),)
    assert expiries_after(date(2018, 3, 16), 1, 0) == (date(2018, 4, 20),)


def test_sessions_follow_new_york() -> None:
    def utc(ns: int) -> str:
        return datetime.fromtimestamp(ns / 1e9, UTC).strftime("%m-%d %H:%M")

    assert [utc(t) for t in session_ns(date(2018, 2, 5))] == ["02-05 14:30", "02-05 21:00"]
    assert [utc(t) for t in session_ns(date(2018, 7, 3))] == ["07-03 13:30", "07-03 17:00"]
