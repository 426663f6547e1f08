"""The profit and loss of each day, struck at its close; the next day opens from the strike.

``steps`` of the day's state machine say where days end (`common.calendars.day`). A strike is the value of everything held plus
all cash at that instant; a day's P&L is the difference of two strikes, so nights belong to the day after them, and the days
add up to the whole exactly, whatever settled in between.
*Tested by* tests/unit/test_lab_strikes.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from common.calendars.day import Clock, DayState, Schedule, Session, step
from common.messages import F64, I64


@dataclass(frozen=True, slots=True)
class Strike:
    """One day: from the strike before (``open_usd``; of the first day the start) to its own at ``at_ns``. USD."""

    session: str
    at_ns: int
    early: bool
    open_usd: float
    close_usd: float

    @property
    def pnl_usd(self) -> float:
        """What the day earned."""
        return self.close_usd - self.open_usd


def closes_of(schedule: Schedule, from_ns: int, to_ns: int) -> list[tuple[int, Session]]:
    """Closes after ``from_ns`` and up to ``to_ns``, as the machine tells them."""
    _, moves = step(DayState(schedule, from_ns), Clock(to_ns))
    return [(m.at_ns, m.session) for m in moves if m.closes and m.session is not None]


def strikes_of(schedule: Schedule, times_ns: I64, value_usd: F64) -> list[Strike]:
    """Strikes of a path of values (g,) at ``times_ns`` (g,), ascending: each close at the last value known by then.

    A day whose close lies beyond the path is not struck. Raises ``ValueError`` for a path without a value.
    """
    if not len(times_ns):
        raise ValueError("no values to strike")
    out: list[Strike] = []
    opens = float(value_usd[0])
    for at_ns, session in closes_of(schedule, int(times_ns[0]), int(times_ns[-1])):
        row = int(np.searchsorted(times_ns, at_ns, side="right")) - 1
        out.append(Strike(session.label, at_ns, session.early, opens, float(value_usd[row])))
        opens = out[-1].close_usd
    return out


def rows_of(strikes: Iterable[Strike]) -> list[dict[str, object]]:
    """For ``report.json``."""
    return [
        {"session": s.session, "at_ns": s.at_ns, "early": s.early, "open_usd": s.open_usd, "pnl_usd": s.pnl_usd}
        for s in strikes
    ]
