"""Sessions and expiry dates of US index contracts for the market sources; the calendar itself is common/calendars.

*Tested by* tests/unit/test_market_calendar.py.
"""

from __future__ import annotations

from datetime import date

from common.calendars.exchanges import market_calendar
from common.calendars.settlement import QUARTERLY_MONTHS, expiries_after, monthly_expiry
from common.instruments import AM, PM, instant_ns

__all__ = ["QUARTERLY_MONTHS", "easter_sunday", "expiries_after", "monthly_expiry", "session_ns"]


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


def session_ns(day: date) -> tuple[int, int]:
    """Open and close of the New York session, UTC ns; on a day without one, the hours it would have had (09:30 to 16:00)."""
    stocks = market_calendar("XNYS")
    return stocks.open_close_ns(day) if stocks.is_session(day) else (instant_ns(day, AM), instant_ns(day, PM))
