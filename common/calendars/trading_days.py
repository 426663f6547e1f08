"""Which trading day an instant belongs to: limits per day, the drawdown stop and the struck profit and loss turn with it.

A trading day ends at the last close of a UTC date and bears that date; what comes after it, a night included, belongs to the
next one. So a market that trades from one evening to the next afternoon has one day, and a silence within a date ends none.
Without sessions, days are those of UTC and nothing is struck.
*Tested by* tests/unit/test_calendars_trading_days.py.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from common.calendars.day import Spans
from common.units import NS_PER_DAY

#: No further close or open.
NEVER_NS: Final = 2**63 - 1


class TradingDays:
    """Trading days of (open, close) spans in UTC ns, ascending. Never changed."""

    def __init__(self, sessions_ns: Spans = ()) -> None:
        last = {close // NS_PER_DAY: close for _, close in sessions_ns}
        self._day = tuple(last)
        self._close_ns = tuple(last.values())
        self._open_ns = tuple(opens for opens, _ in sessions_ns)

    def of(self, at_ns: int) -> int:
        """Day number, counted from 1970; at its close a day is over."""
        if not self._close_ns:
            return at_ns // NS_PER_DAY
        row = bisect_right(self._close_ns, at_ns)
        return self._day[row] if row < len(self._day) else max(self._day[-1] + 1, at_ns // NS_PER_DAY)

    def close_after(self, at_ns: int) -> int:
        """The first end of a day after an instant, ``NEVER_NS`` if there is none."""
        row = bisect_right(self._close_ns, at_ns)
        return self._close_ns[row] if row < len(self._close_ns) else NEVER_NS

    def open_after(self, at_ns: int) -> int:
        """The first open at an instant or after it, ``NEVER_NS`` if there is none."""
        row = bisect_right(self._open_ns, at_ns - 1)
        return self._open_ns[row] if row < len(self._open_ns) else NEVER_NS
