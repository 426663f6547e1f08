"""When a future is rolled into the next, as a planned list: so many sessions before its last one, whatever is traded where.

The rule needs no volume or open interest, so that the list is known on the first day. Six sessions before the last one is
the Thursday of the week before a third Friday, the day on which the E-mini contracts have been rolled by custom.
*Tested by* tests/unit/test_calendars_rolls.py.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from common.calendars.day import Schedule
from common.units import NS_PER_MIN

SESSIONS_BEFORE: Final = 6
#: How long before the close of that session it begins to be traded: the market must be open for it.
MINUTES_BEFORE_CLOSE: Final = 30


@dataclass(frozen=True, slots=True)
class Roll:
    """By the close of ``session`` (``at_ns``, UTC) positions of ``leaves`` are held in ``enters`` instead."""

    session: str
    at_ns: int
    leaves: str
    enters: str

    def begins_ns(self, minutes_before_close: int = MINUTES_BEFORE_CLOSE) -> int:
        """When it begins to be traded."""
        return self.at_ns - minutes_before_close * NS_PER_MIN


def roll_plan(
    futures: Iterable[tuple[str, int]], schedule: Schedule, sessions_before: int = SESSIONS_BEFORE
) -> tuple[Roll, ...]:
    """Rolls along a chain of futures of one root: (id, settlement instant in UTC ns), any order.

    The last session of a future is the last one that opens before it settles. Leaves out what is rolled before the schedule
    begins and what settles after it ends. Raises ``ValueError`` for two futures that settle at once or a negative count.
    """
    if sessions_before < 0:
        raise ValueError(f"sessions before the last one: {sessions_before}, at least 0")
    chain = sorted(futures, key=lambda f: f[1])
    opens = [s.open_ns for s in schedule.sessions]
    out: list[Roll] = []
    for (leaves, expiry_ns), (enters, next_ns) in pairwise(chain):
        if expiry_ns == next_ns:
            raise ValueError(f"{leaves} and {enters} settle at the same instant; a chain has one future an expiry")
        last = bisect_left(opens, expiry_ns) - 1
        row = last - sessions_before
        if row < 0 or expiry_ns > schedule.sessions[-1].close_ns:
            continue
        session = schedule.sessions[row]
        out.append(Roll(session.label, session.close_ns, leaves, enters))
    return tuple(out)
