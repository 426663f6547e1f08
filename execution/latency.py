"""How old the tick was when its orders came: of every order, and of the first order of each tick.

*Tested by* tests/unit/test_execution_latency.py.
"""

from __future__ import annotations

from collections import deque

import numpy as np

#: The last so many are kept, of orders and of ticks.
KEPT = 8192


class TickToOrder:
    """Ages in wall nanoseconds, from the stamp of a tick to the arrival of an order that answers it; the last ``KEPT`` count.

    A tick is known by its stamp. A stamp that comes back after ``KEPT`` others counts as a new tick.
    """

    def __init__(self) -> None:
        self._ages_ns: deque[int] = deque(maxlen=KEPT)
        #: Age of the first order of each tick by the tick's stamp, the oldest tick first.
        self._first_ns: dict[int, int] = {}

    def add(self, tick_ns: int, age_ns: int) -> None:
        """An order that answers the tick stamped ``tick_ns`` came ``age_ns`` later."""
        self._ages_ns.append(age_ns)
        if tick_ns in self._first_ns:
            return
        if len(self._first_ns) == KEPT:
            del self._first_ns[next(iter(self._first_ns))]
        self._first_ns[tick_ns] = age_ns

    def every_ns(self) -> tuple[int, int]:
        """Median and 99th percentile over orders; zeros before the first."""
        return _percentiles(list(self._ages_ns))

    def first_ns(self) -> tuple[int, int]:
        """Median and 99th percentile over ticks, each by its first order; zeros before the first."""
        return _percentiles(list(self._first_ns.values()))


def _percentiles(ages_ns: list[int]) -> tuple[int, int]:
    if not ages_ns:
        return 0, 0
    p50, p99 = np.percentile(np.array(ages_ns, np.int64), (50.0, 99.0))
    return round(p50), round(p99)
