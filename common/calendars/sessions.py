"""When one market trades: sessions, opens and closes, early closes, holidays, minutes, as numpy columns in UTC ns.

A session has a label (a date on the exchange's clocks), an open and a close; it may be cut by halts, so that trading
happens in *spans*. Every span is open at its start and shut at its end: ``[start, end)``. Nothing is known outside
``first_day`` to ``last_day``: a question about it is refused (``ValueError``) instead of answered with "shut".
*Tested by* tests/unit/test_calendars_sessions.py, tests/golden/test_calendars_exchanges.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.messages import I64
from common.units import NS_PER_MIN

Days = NDArray[np.datetime64]
Flags = NDArray[np.bool_]
#: Longest list of minutes handed out at once: three years around the clock.
MINUTES_MAX: Final = 3 * 366 * 1440


@dataclass(frozen=True, eq=False)
class MarketCalendar:
    """Sessions of one market, ascending, never overlapping.

    ``day`` (n,) labels (datetime64[D]); ``open_ns``, ``close_ns`` (n,) UTC ns; ``early`` (n,) closes before its usual
    hour; ``span_open_ns``, ``span_close_ns`` (m,) the sessions with their halts cut out. ``zone``: IANA name.
    """

    name: str
    zone: str
    first_day: date
    last_day: date
    day: Days
    open_ns: I64
    close_ns: I64
    early: Flags
    span_open_ns: I64
    span_close_ns: I64

    @property
    def first_ns(self) -> int:
        """First instant the calendar can speak of."""
        return int(self.open_ns[0])

    @property
    def last_ns(self) -> int:
        """First instant it can no longer speak of."""
        return int(self.close_ns[-1])

    def sessions(self, first: date, last: date) -> Days:
        """Labels of the sessions from ``first`` to ``last``, both included."""
        return self.day[self._rows(first, last)]

    def early_closes(self, first: date, last: date) -> Days:
        """Labels of the sessions that close early."""
        rows = self._rows(first, last)
        return self.day[rows][self.early[rows]]

    def holidays(self, first: date, last: date) -> Days:
        """Mondays to Fridays without a session."""
        self._rows(first, last)
        every = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
        return every[np.is_busday(every) & ~np.isin(every, self.day)]

    def is_session(self, day: date) -> bool:
        """Whether the market has a session of that label."""
        row = self._row(day, "left")
        return row < len(self.day) and bool(self.day[row] == np.datetime64(day, "D"))

    def session_on_or_before(self, day: date) -> date:
        """The session of that label, else the one before it."""
        return self._label(self._row(day, "right") - 1, day)

    def session_on_or_after(self, day: date) -> date:
        """The session of that label, else the next."""
        return self._label(self._row(day, "left"), day)

    def open_close_ns(self, day: date) -> tuple[int, int]:
        """Open and close of a session, UTC ns. Raises ``ValueError`` if that day has none."""
        if not self.is_session(day):
            raise ValueError(f"{self.name} has no session on {day}")
        row = self._row(day, "left")
        return int(self.open_ns[row]), int(self.close_ns[row])

    def is_open(self, moments_ns: I64 | int) -> Flags:
        """Whether the market trades at each instant (UTC ns), any shape; false in a halt."""
        moments = np.asarray(moments_ns, np.int64)
        self._check_ns(moments)
        span = np.searchsorted(self.span_open_ns, moments, side="right") - 1
        return np.asarray(moments < self.span_close_ns[span])

    def minutes(self, start_ns: int, end_ns: int) -> I64:
        """Starts (UTC ns) of the whole minutes in ``[start_ns, end_ns)`` at which the market trades.

        Raises ``ValueError`` outside the calendar, if the end lies before the start, and beyond ``MINUTES_MAX``.
        """
        if end_ns < start_ns:
            raise ValueError(f"{self.name}: the end {_text(end_ns)} lies before the start {_text(start_ns)}")
        self._check_ns(np.array([start_ns, end_ns - 1 if end_ns > start_ns else end_ns], np.int64))
        if (end_ns - start_ns) // NS_PER_MIN > MINUTES_MAX:
            raise ValueError(f"{self.name}: more than {MINUTES_MAX} minutes asked for at once")
        first = -(-start_ns // NS_PER_MIN)
        every = np.arange(first, -(-end_ns // NS_PER_MIN), dtype=np.int64) * NS_PER_MIN
        return every[self.is_open(every)] if len(every) else every

    def _rows(self, first: date, last: date) -> slice:
        if last < first:
            raise ValueError(f"{self.name}: the last day {last} lies before the first, {first}")
        return slice(self._row(first, "left"), self._row(last, "right"))

    def _row(self, day: date, side: str) -> int:
        if not self.first_day <= day <= self.last_day:
            raise ValueError(f"{self.name} is known from {self.first_day} to {self.last_day}; {day} lies outside")
        where = np.datetime64(day, "D")
        return int(np.searchsorted(self.day, where, side="left" if side == "left" else "right"))

    def _label(self, row: int, asked: date) -> date:
        if not 0 <= row < len(self.day):
            raise ValueError(f"{self.name}: no session beside {asked} between {self.first_day} and {self.last_day}")
        label: date = self.day[row].item()
        return label

    def _check_ns(self, moments: I64) -> None:
        outside = (moments < self.first_ns) | (moments >= self.last_ns)
        if outside.any():
            first = int(moments[outside].flat[0])
            raise ValueError(
                f"{self.name} is known from {_text(self.first_ns)} to {_text(self.last_ns)}; {_text(first)} lies outside"
            )


def _text(moment_ns: int) -> str:
    return f"{np.datetime64(moment_ns, 'ns').astype('datetime64[s]')}Z"
