"""The markets Hedgerow knows, from ``exchange_calendars``: the one module that imports it, and only when first asked.

| name | sessions |
|---|---|
| ``XNYS`` (``XNAS``, ``ARCX``) | New York stocks, 09:30 to 16:00, early closes 13:00 |
| ``XCBO`` (``XPHL``) | US index options, regular hours: New York's sessions, closing 15 minutes later |
| ``XCME`` | CME equity index futures and options on Globex: see below |
| ``CMES`` | Globex as ``exchange_calendars`` has it: one calendar for all products, without daily halts |
| ``24/7`` (``DRBT``, Deribit) | crypto: sessions are UTC days |

``CMES`` runs from 17:00 to 17:00 Chicago time without a break, which no equity index product ever did. ``XCME`` keeps its
sessions and opens and puts the product's own hours on top, each Chicago time:

- close 16:00 (16:15 before trade date 2015-09-21), so that Globex is shut for the hour before the next open at 17:00;
- a halt from 15:15 to 15:30 until trade date 2021-06-25;
- close 12:15 where New York closes early, 12:00 where New York has no session (Juneteenth, which CMES lacks, included; in
  2013 such days still closed at 10:30, which is not modelled).

Before trade date 2012-11-19 the hours were others, so ``XCME`` starts there. Sources: CME Group's notices on the equity
index close (November 2012, September 2015), on the end of the 15-minute halt (June 2021) and its holiday calendars; the
recorded day 2020-01-06 has no quote that contradicts them (tests/golden/test_calendars_exchanges.py). Holidays after
today are the rules of today: an exchange may still change them.
*Tested by* tests/unit/test_calendars_sessions.py, tests/golden/test_calendars_exchanges.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date, time
from functools import lru_cache
from typing import Any, Final

import numpy as np

from common.calendars.sessions import Days, Flags, MarketCalendar
from common.calendars.zones import CHICAGO, instant_ns
from common.messages import I64
from common.units import NS_PER_MIN

FIRST_DAY: Final = date(1990, 1, 1)
LAST_DAY: Final = date(2050, 12, 31)
ALIASES: Final = {"XNAS": "XNYS", "ARCX": "XNYS", "XPHL": "XCBO", "DRBT": "24/7"}

_INDEX_OPTIONS_LATER_NS: Final = 15 * NS_PER_MIN
_EQUITY_FIRST_DAY: Final = date(2012, 11, 19)
_CLOSE_1600_FROM: Final = np.datetime64("2015-09-21", "D")
_NO_HALT_FROM: Final = np.datetime64("2021-06-28", "D")
_NOON, _HALT, _RESUME = time(12, 0), time(15, 15), time(15, 30)


@lru_cache(maxsize=16)
def market_calendar(name: str) -> MarketCalendar:
    """The calendar of a market. Raises ``ValueError`` with the known names; built once a process (under a second)."""
    known = ALIASES.get(name, name)
    if known != name:
        return market_calendar(known)
    if name not in _BUILDERS:
        raise ValueError(f"no calendar for {name!r}; known: {', '.join(sorted({*_BUILDERS, *ALIASES}))}")
    return _BUILDERS[name]()


def _package_calendar(name: str) -> MarketCalendar:
    import exchange_calendars

    with warnings.catch_warnings():
        # exchange_calendars 4.13 reads Series.values, which pandas 3.1 announces to change; the result is right.
        warnings.simplefilter("ignore", DeprecationWarning)
        found: Any = exchange_calendars.get_calendar(name, start=FIRST_DAY.isoformat(), end=LAST_DAY.isoformat())
        days = np.asarray(found.sessions_nanos).astype("datetime64[ns]").astype("datetime64[D]")
        early = np.isin(days, np.asarray(found.early_closes.to_numpy()).astype("datetime64[D]"))
    opens, closes = (np.array(x, np.int64) for x in (found.opens_nanos, found.closes_nanos))
    return _calendar(name, str(found.tz.key), FIRST_DAY, days, opens, closes, early)


def _calendar(
    name: str,
    zone: str,
    first: date,
    days: Days,
    opens: I64,
    closes: I64,
    early: Flags,
    spans: tuple[I64, I64] | None = None,
) -> MarketCalendar:
    starts, ends = (opens, closes) if spans is None else spans
    for column in (days, opens, closes, early, starts, ends):
        column.setflags(write=False)
    return MarketCalendar(name, zone, first, LAST_DAY, days, opens, closes, early, starts, ends)


def _index_options() -> MarketCalendar:
    stocks = market_calendar("XNYS")
    later = stocks.close_ns + _INDEX_OPTIONS_LATER_NS
    return _calendar("XCBO", stocks.zone, FIRST_DAY, stocks.day, stocks.open_ns, later, stocks.early)


def _equity_index_futures() -> MarketCalendar:
    globex, stocks = market_calendar("CMES"), market_calendar("XNYS")
    kept = globex.day >= np.datetime64(_EQUITY_FIRST_DAY, "D")
    days, opens = globex.day[kept], globex.open_ns[kept]
    row = np.minimum(np.searchsorted(stocks.day, days), len(stocks.day) - 1)
    stocks_open = stocks.day[row] == days
    stocks_early = stocks_open & stocks.early[row]
    usual = np.where(days < _CLOSE_1600_FROM, _chicago(days, time(16, 15)), _chicago(days, time(16, 0)))
    closes = np.where(stocks_early, stocks.close_ns[row] + 15 * NS_PER_MIN, usual)
    closes = np.where(stocks_open, closes, _chicago(days, _NOON))
    early = closes < usual
    halted = ~early & (days < _NO_HALT_FROM)
    starts = np.sort(np.concatenate([opens, _chicago(days[halted], _RESUME)]))
    ends = np.sort(np.concatenate([closes, _chicago(days[halted], _HALT)]))
    return _calendar("XCME", CHICAGO, _EQUITY_FIRST_DAY, days, opens, closes, early, (starts, ends))


def _chicago(days: Days, at: time) -> I64:
    return np.array([instant_ns(day, at, CHICAGO) for day in days.tolist()], np.int64)


_BUILDERS: Final[dict[str, Callable[[], MarketCalendar]]] = {
    "XNYS": lambda: _package_calendar("XNYS"),
    "CMES": lambda: _package_calendar("CMES"),
    "24/7": lambda: _package_calendar("24/7"),
    "XCBO": _index_options,
    "XCME": _equity_index_futures,
}
