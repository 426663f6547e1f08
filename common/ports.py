"""The ports: what the shells need from outside, as protocols. Real adapters stand beside, fakes in the tests.

No core module imports an adapter; ``nats`` is imported in ``common/bus/nats_bus.py`` only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from common.messages import QuoteBatch
from common.universe import Universe

Handler = Callable[[str, bytes], None]
Responder = Callable[[str, bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class FoldSnapshot:
    """The fold of the first ``number`` journal entries; every later one stands at ``tail_from`` in the store or after."""

    number: int
    tail_from: int
    data: bytes


class Clock(Protocol):
    """Wall time; the only place a shell may ask for it."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        ...


class Subscription(Protocol):
    """A running subscription."""

    async def stop(self) -> None:
        """End it; nothing is delivered afterwards."""
        ...


class Bus(Protocol):
    """Messages between processes. Data plane: publish/subscribe. Record: put/get/watch. Control: request/serve."""

    async def publish(self, subject: str, data: bytes) -> None:
        """Send and forget; may be dropped."""
        ...

    async def subscribe(self, subject: str, handler: Handler, *, bound: int) -> Subscription:
        """Call ``handler(subject, data)`` per message; beyond ``bound`` pending the oldest are dropped and counted."""
        ...

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """Ask and wait. Raises ``errors.Unavailable`` naming the subject when nobody answers in time."""
        ...

    async def serve(self, subject: str, responder: Responder) -> Subscription:
        """Answer requests."""
        ...

    async def put(self, subject: str, data: bytes) -> None:
        """Store the newest value of a subject of a last-value stream; returns when stored."""
        ...

    async def get(self, subject: str) -> bytes | None:
        """Newest stored value or None."""
        ...

    async def watch(self, subject: str, handler: Handler) -> Subscription:
        """Newest stored value, then each newer one."""
        ...

    async def close(self) -> None:
        """Flush and disconnect."""
        ...


class Journal(Protocol):
    """The manager's record. Appends are fenced by epoch and acknowledged beside the path."""

    async def take_over(self, holder: str) -> int:
        """Raise the epoch; returns the new fencing token. Older holders' appends fail from now on."""
        ...

    def append(self, data: bytes) -> None:
        """Queue one entry in order. Raises ``errors.Refused`` once this holder has been deposed."""
        ...

    async def flush(self) -> None:
        """Return when everything appended is stored. Raises ``errors.Refused`` if deposed."""
        ...

    def read(self, first: int = 1) -> AsyncIterator[bytes]:
        """Entries from the ``first``-th on, to the end at the time of the call."""
        ...

    async def follow(self, first: int, handler: Callable[[bytes], None]) -> Subscription:
        """Entries from the ``first``-th on, then each new one (a standby's tail)."""
        ...

    @property
    def behind(self) -> str:
        """Why ``follow`` cannot go on (what it needs has been purged), in words; empty while it can."""
        ...

    @property
    def position(self) -> tuple[int, int]:
        """(entries appended, where those appended from now on begin in the store). For the leader."""
        ...

    async def snapshot(self) -> FoldSnapshot | None:
        """The newest whole snapshot, None where there is none; a torn one is passed over."""
        ...

    async def store_snapshot(self, snapshot: FoldSnapshot) -> None:
        """Store one beside the entries; returns when it is whole. Raises ``errors.Refused`` once deposed."""
        ...


class Lease(Protocol):
    """Leadership in wall time. A hint who should act; safety comes from the fence, never from this."""

    async def try_acquire(self, holder: str) -> bool:
        """True if ``holder`` holds it now."""
        ...

    async def renew(self) -> bool:
        """False if it was lost."""
        ...

    async def release(self) -> None:
        """Give it up at once."""
        ...

    async def holder(self) -> str | None:
        """Who holds it, if anybody."""
        ...


class MarketSource(Protocol):
    """Where quotes come from: a file, a model of a past day. Deterministic: two iterations are equal byte for byte."""

    @property
    def universe(self) -> Universe:
        """Every instrument of the run, book-only ones included."""
        ...

    @property
    def statements(self) -> tuple[str, ...]:
        """What is real and what is modelled, one sentence each, for the screen and the report."""
        ...

    @property
    def session_bounds_ns(self) -> tuple[tuple[int, int], ...]:
        """Open and close of each session, market time, ascending."""
        ...

    def batches(self) -> Iterator[QuoteBatch]:
        """Batches in order of event time; sequences per source from 1; receive_time_ns 0 (the feed stamps it)."""
        ...
