"""Wall time, and a wall clock that only a test moves.

*Tested by* tests/unit/test_clock.py.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from typing import Protocol

from common.units import NS_PER_S

#: Longest single sleep: a step of the machine's clock is noticed within this.
_LONGEST_SLEEP_S = 0.5


class SleepingClock(Protocol):
    """A ``ports.Clock`` that can also wait."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        ...

    async def sleep_until_ns(self, wall_ns: int) -> None:
        """Return when ``wall_ns()`` has reached the argument; at once, but after one turn of the loop, if it has."""
        ...


class WallClock:
    """The machine's clock (UTC)."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return time.time_ns()

    async def sleep_until_ns(self, wall_ns: int) -> None:
        """Wait until that wall time; see ``SleepingClock``."""
        remaining_s = (wall_ns - self.wall_ns()) / NS_PER_S
        while remaining_s > 0:
            await asyncio.sleep(min(remaining_s, _LONGEST_SLEEP_S))
            remaining_s = (wall_ns - self.wall_ns()) / NS_PER_S
        await asyncio.sleep(0)


class ManualClock:
    """A clock that stands still until ``advance`` moves it; sleepers wake in order of time, ties first come first."""

    def __init__(self, wall_ns: int = 0) -> None:
        self._wall_ns = wall_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tie = itertools.count()

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC, as set."""
        return self._wall_ns

    async def sleep_until_ns(self, wall_ns: int) -> None:
        """Wait until somebody has advanced the clock that far."""
        if wall_ns > self._wall_ns:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._sleepers, (wall_ns, next(self._tie), future))
            await future
        await asyncio.sleep(0)

    def advance(self, ns: int) -> None:
        """Move time forward by ``ns`` and wake whoever is due. Raises ``ValueError`` for a step backwards."""
        if ns < 0:
            raise ValueError(f"time does not run backwards: {ns} ns")
        self._wall_ns += ns
        while self._sleepers and self._sleepers[0][0] <= self._wall_ns:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)

    @property
    def next_wake_ns(self) -> int | None:
        """Wall time of the earliest sleeper, or None if nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None
