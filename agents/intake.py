"""What stands between the network and an agent's ``step``: a bounded inbox and a gate per quote source.

Plain data structures without I/O; the shell (``agents/shell.py``) owns one inbox and one gate per underlying.
*Tested by* tests/unit/test_fleet_intake.py.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from common.messages import QuoteBatch

#: Inbox entries of this stream are quote batches: the only ones that may be dropped.
QUOTES = "quotes"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Undecoded bytes and what they are: ``quotes``, ``snapshot.U``, or a last value (``positions``, ``budgets``, ...)."""

    stream: str
    data: bytes


class Inbox:
    """Arrivals in order, bounded: ``bound`` quote batches, and one of every other stream.

    Overflow rule: a quote batch beyond the bound drops the oldest batch (the gap it leaves is healed by a snapshot).
    Every other stream carries a whole state, so a newer arrival replaces the pending one and takes the newer place in
    the order.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.dropped = 0
        self._next = 0
        self._arrivals: dict[int, Arrival] = {}
        self._batches: deque[int] = deque()
        self._latest: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    def put_batch(self, data: bytes) -> None:
        """Queue a quote batch, dropping the oldest one if there are too many."""
        self._batches.append(self._put(Arrival(QUOTES, data)))
        if len(self._batches) > self.bound:
            del self._arrivals[self._batches.popleft()]
            self.dropped += 1

    def put_latest(self, stream: str, data: bytes) -> None:
        """Queue the newest value of a stream in place of a pending older one."""
        older = self._latest.pop(stream, None)
        if older is not None:
            del self._arrivals[older]
        self._latest[stream] = self._put(Arrival(stream, data))

    def take(self) -> list[Arrival]:
        """Everything pending, in order; the inbox is empty afterwards."""
        taken = list(self._arrivals.values())
        self._arrivals.clear()
        self._batches.clear()
        self._latest.clear()
        return taken

    def _put(self, arrival: Arrival) -> int:
        self._next += 1
        self._arrivals[self._next] = arrival
        return self._next


class Gate:
    """Lets the batches of one source through in sequence, and holds them back while a snapshot is on its way.

    It starts closed: what stood before the first batch is only known from a snapshot. A batch that shows a gap
    passes, so that the agent learns of the gap and no longer speaks for it; what follows is held (at most ``bound``, oldest
    dropped) until a snapshot that is not older than the gap has come, and then follows it. ``waiting`` says that a
    snapshot is wanted.
    """

    def __init__(self, bound: int) -> None:
        self.waiting = True
        self.sequence = 0
        self.lost = 0
        self._held: deque[QuoteBatch] = deque(maxlen=bound)

    def offer(self, batch: QuoteBatch) -> list[QuoteBatch]:
        """Batches to apply now, in order: this one or none."""
        if self.waiting:
            if batch.snapshot:
                return self.heal(batch)
            self._held.append(batch)
            return []
        at = batch.header.sequence
        if at <= self.sequence:
            return []
        if at != self.sequence + 1:
            self.lost += at - self.sequence - 1
            self.waiting = True
        self.sequence = at
        return [batch]

    def heal(self, snapshot: QuoteBatch) -> list[QuoteBatch]:
        """The snapshot, then what was held and is newer; nothing if the snapshot is older than what was applied
        already.

        A source that has not begun answers with sequence 0: there is nothing to apply, and its first batch is number 1.
        """
        at = snapshot.header.sequence
        if not self.waiting or at < self.sequence:
            return []
        self.waiting = False
        self.sequence = at
        out = [snapshot] if at else []
        held, self._held = self._held, deque(maxlen=self._held.maxlen)
        for batch in held:
            out += self.offer(batch)
        return out


class Durations:
    """Percentiles of the last ``size`` durations, in nanoseconds."""

    def __init__(self, size: int = 512) -> None:
        self._ns = np.zeros(size, np.int64)
        self.count = 0

    def add(self, ns: int) -> None:
        """Note one duration in place of the oldest."""
        self._ns[self.count % len(self._ns)] = ns
        self.count += 1

    def percentile_us(self, q: float) -> float:
        """The q-th percentile (0 to 100) in microseconds; 0.0 before the first duration."""
        kept = self._ns[: self.count]
        return float(np.percentile(kept, q)) / 1e3 if len(kept) else 0.0


class LoadMeter:
    """How busy an agent is, between two looks: what its heartbeat says of its load."""

    def __init__(self) -> None:
        self._worked_ns = self._waited_ns = self._since_ns = 0

    def worked(self, ns: int) -> None:
        """Wall time spent on news and a decision."""
        self._worked_ns += ns

    def waited(self, ns: int) -> None:
        """Wall time that a tick had waited when it was taken in."""
        self._waited_ns = max(self._waited_ns, ns)

    def read(self, wall_ns: int) -> tuple[float, float]:
        """(share of wall time worked, 0 to 1, longest wait in microseconds) since the last look; begins anew."""
        passed_ns = wall_ns - self._since_ns
        share = min(max(self._worked_ns / passed_ns, 0.0), 1.0) if self._since_ns and passed_ns > 0 else 0.0
        out = share, self._waited_ns / 1e3
        self._worked_ns, self._waited_ns, self._since_ns = 0, 0, wall_ns
        return out
