"""Sessions and expiry dates of US index contracts, by rule.

*Tested by* tests/unit/test_market_calendar.py.
"""

from __future__ import annotations

from datetime import date, time, timedelta

from common.instruments import AM, PM, instant_ns

_FRIDAY = 4
QUARTERLY_MONTHS = (3, 6, 9, 12)
#: Days on which New York closed at 13:00 in the years the demo files cover (NYSE holiday notices).
EARLY_CLOSES = frozenset(
    date.fromisoformat(day)
    for day in (
        "2014-07-03", "2014-11-28", "2014-12-24", "2015-11-27", "2015-12-24", "2016-11-25",
        "2017-07-03", "2017-11-24", "2018-07-03", "2018-11-23", "2018-12-24",
    )
)  # fmt: skip


def easter_sunday(year: int) -> date:
    """Western Easter (the anonymous Gregorian computus, Meeus, Astronomical Algorithms, chapter 8)."""
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    weekday = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 19 * weekday) // 433
    month = (h + weekday - 7 * m + 90) // 25
    return date(year, month, (h + weekday - 7 * m + 33 * month + 19) % 32)


def monthly_expiry(year: int, month: int) -> date:
    """Third Friday of a month, or the Thursday before it where that Friday is Good Friday."""
    first = date(year, month, 1)
    third_friday = first + timedelta(days=(_FRIDAY - first.weekday()) % 7 + 14)
    good_friday = easter_sunday(year) - timedelta(days=2)
    return third_friday - timedelta(days=1) if third_friday == good_friday else third_friday


def expiries_after(day: date, monthly: int, quarterly: int) -> tuple[date, ...]:
    """The next ``monthly`` monthly expiries after ``day``, then the next ``quarterly`` of the March cycle."""
    found: list[date] = []
    year, month = day.year, day.month
    while len(found) < monthly + quarterly:
        expiry = monthly_expiry(year, month)
        if expiry > day and (len(found) < monthly or month in QUARTERLY_MONTHS):
            found.append(expiry)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return tuple(found)


def session_ns(day: date) -> tuple[int, int]:
    """Open and close of the New York session, UTC ns: 09:30 to 16:00, or to 13:00 on an early close."""
    return instant_ns(day, AM), instant_ns(day, time(13, 0) if day in EARLY_CLOSES else PM)
