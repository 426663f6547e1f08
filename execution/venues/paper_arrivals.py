"""What is on its way to the paper venue, by the market time at which it is due; latency and chance by seed and id alone.

*Tested by* tests/properties/test_execution_paper.py, tests/unit/test_execution_paper.py.
"""

from __future__ import annotations

import hashlib
import heapq
from enum import IntEnum
from typing import NamedTuple

from common.units import NS_PER_MS
from execution.config import PaperConfig


class What(IntEnum):
    """What is due."""

    ORDER = 0
    CANCEL = 1
    CLOSE = 2
    REPLACE = 3
    COMBO = 4


class Due(NamedTuple):
    """One thing due; ``tie`` keeps the order of sending among equals."""

    due_ns: int
    tie: int
    what: What
    name: str


class Arrivals:
    """Owned by the venue. Times are market time, ns."""

    def __init__(self, config: PaperConfig) -> None:
        self._config = config
        self._due: list[Due] = []
        self._tie = 0

    @property
    def first(self) -> Due | None:
        """What is due next, None if nothing is."""
        return self._due[0] if self._due else None

    def rank(self) -> int:
        """A place in time for what is not on its way."""
        self._tie += 1
        return self._tie

    def push(self, due_ns: int, what: What, name: str) -> int:
        """Put something on its way; its place in time."""
        rank = self.rank()
        heapq.heappush(self._due, Due(due_ns, rank, what, name))
        return rank

    def pop(self) -> Due:
        """Take what is due next. Raises ``IndexError`` if nothing is."""
        return heapq.heappop(self._due)

    def latency_ns(self, name: str) -> int:
        """How long an order or a cancel of this id takes."""
        jitter_ms = self._config.jitter_ms * self.share("latency", name)
        return round((self._config.latency_ms + jitter_ms) * NS_PER_MS)

    def share(self, use: str, name: str) -> float:
        """A number in [0, 1) fixed by seed, use and order id."""
        digest = hashlib.blake2b(f"{self._config.seed}:{use}:{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2.0**64
