"""When a listed option or future settles, and on which days one expires.

The instant belongs to the contract's trading class, never to its name:

| rule | instant | contracts |
|---|---|---|
| ``AM`` | 09:30 New York, the opening print | SPX, NDX monthly |
| ``PM`` | New York's close: 16:00, or the early close (13:00) | equity and ETF options; SPXW, NDXP |
| ``CME_QUARTERLY`` | 08:30 Chicago, the special opening quotation | E-mini futures, and their options of March to December |
| ``CME_WEEKLY`` | 15:00 Chicago, or New York's early close | E-mini options of a week's or a month's end, serial months |
| ``DERIBIT`` | 08:00 UTC | every Deribit expiry |

An expiry date on which the market that makes the price has no session moves to the session before (Good Friday,
Juneteenth; also the Saturdays on which equity options expired on paper until January 2015).
*Tested by* tests/unit/test_calendars_settlement.py, tests/golden/test_calendars_exchanges.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from common.calendars.exchanges import market_calendar
from common.calendars.zones import CHICAGO, NEW_YORK, UTC_NAME, instant_ns

QUARTERLY_MONTHS: Final = (3, 6, 9, 12)
FRIDAY: Final = 4
_EIGHT, _CHICAGO_OPEN = time(8, 0), time(8, 30)


class Settlement(StrEnum):
    """The hour at which a trading class settles; the table stands in the module's text."""

    AM = "am"
    PM = "pm"
    CME_QUARTERLY = "cme-quarterly"
    CME_WEEKLY = "cme-weekly"
    DERIBIT = "deribit"


#: The market whose sessions decide whether an expiry date moves.
_MARKET: Final = {rule: "24/7" if rule is Settlement.DERIBIT else "XNYS" for rule in Settlement}


_RULES: Final = {
    (time(9, 30), NEW_YORK): Settlement.AM,
    (time(16, 0), NEW_YORK): Settlement.PM,
    (_CHICAGO_OPEN, CHICAGO): Settlement.CME_QUARTERLY,
    (time(15, 0), CHICAGO): Settlement.CME_WEEKLY,
    (_EIGHT, UTC_NAME): Settlement.DERIBIT,
}


def rule_of(at: time, zone: str) -> Settlement:
    """The rule whose usual hour is ``at`` in ``zone``, as contract terms state it. Raises ``ValueError`` if there is none."""
    try:
        return _RULES[at, zone]
    except KeyError:
        raise ValueError(f"no settlement rule has the hour {at} {zone}") from None


def settlement_session(expiry: date, rule: Settlement) -> date:
    """The session on which a contract of that expiry date settles: the date itself, else the session before it."""
    return market_calendar(_MARKET[rule]).session_on_or_before(expiry)


@lru_cache(maxsize=65_536)
def settlement_ns(expiry: date, rule: Settlement) -> int:
    """Settlement instant, UTC ns. Raises ``ValueError`` beyond the calendar's bounds (1990 to 2050)."""
    day = settlement_session(expiry, rule)
    if rule is Settlement.DERIBIT:
        return instant_ns(day, _EIGHT, UTC_NAME)
    if rule is Settlement.CME_QUARTERLY:
        return instant_ns(day, _CHICAGO_OPEN, CHICAGO)
    opens, closes = market_calendar(_MARKET[rule]).open_close_ns(day)
    return opens if rule is Settlement.AM else closes


def third_friday(year: int, month: int) -> date:
    """The third Friday of a month, session or not."""
    first = date(year, month, 1)
    return first + timedelta(days=(FRIDAY - first.weekday()) % 7 + 14)


def monthly_expiry(year: int, month: int) -> date:
    """Third Friday of a month, or the session before it where New York is shut that Friday."""
    return settlement_session(third_friday(year, month), Settlement.PM)


def month_end_expiry(year: int, month: int) -> date:
    """Last session of a month."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return settlement_session(following - timedelta(days=1), Settlement.PM)


def weekly_expiries(first: date, last: date, weekday: int = FRIDAY) -> Iterator[date]:
    """Expiries of the weeks whose ``weekday`` (0 Monday) lies in ``[first, last]``, moved back over holidays."""
    day = first + timedelta(days=(weekday - first.weekday()) % 7)
    while day <= last:
        yield settlement_session(day, Settlement.PM)
        day += timedelta(days=7)


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


def deribit_month_expiry(year: int, month: int) -> date:
    """Last Friday of a month, the date of Deribit's monthly and quarterly contracts."""
    following = date(year + month // 12, month % 12 + 1, 1)
    last = following - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - FRIDAY) % 7)
