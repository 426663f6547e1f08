"""Bus, journal and lease inside one process and event loop, with the contract of the NATS ones. For tests and replays.

One ``MemoryBus`` is server and client in one: every part of a test shares it. Handlers run in later turns of the loop,
in order of arrival per subscription.
*Tested by* tests/contract/test_bus_contract.py, tests/contract/test_journal_contract.py,
tests/contract/test_lease_contract.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from common import subjects
from common.bus.delivery import MAX_REQUESTS, answer_of, call
from common.bus.streams import LEASE_TTL_S
from common.errors import Refused, Unavailable
from common.ports import Clock, FoldSnapshot, Handler, Responder, Subscription
from common.units import NS_PER_S

_RETRY_S = 0.01


def matches(pattern: str, subject: str) -> bool:
    """NATS rule: ``*`` stands for one token, ``>`` at the end for one or more."""
    want, have = pattern.split("."), subject.split(".")
    if want[-1] == ">":
        return len(have) >= len(want) and all(w in ("*", h) for w, h in zip(want[:-1], have, strict=False))
    return len(want) == len(have) and all(w in ("*", h) for w, h in zip(want, have, strict=True))


class MemorySubscription:
    """A running subscription; ``dropped`` counts what the bound threw away."""

    def __init__(self, bus: MemoryBus, pattern: str, handler: Handler, bound: int | None) -> None:
        self._bus = bus
        self.pattern = pattern
        self._handler = handler
        self._bound = bound
        self._pending: deque[tuple[str, bytes]] = deque()
        self._scheduled = False
        self._stopped = False
        self.dropped = 0

    def take(self, subject: str, data: bytes) -> None:
        """Queue a message; above the bound the oldest goes."""
        self._pending.append((subject, data))
        if self._bound is not None and len(self._pending) > self._bound:
            self._pending.popleft()
            self.dropped += 1
            self._bus.dropped += 1
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        while self._pending and not self._stopped:
            subject, data = self._pending.popleft()
            call(self._bus, self._handler, subject, data)

    async def stop(self) -> None:
        """See ``ports.Subscription``."""
        self._stopped = True
        self._bus.forget(self)


class _Server:
    def __init__(self, bus: MemoryBus, pattern: str, responder: Responder) -> None:
        self._bus = bus
        self.pattern = pattern
        self.responder = responder
        self.running = 0

    async def stop(self) -> None:
        self._bus.servers.remove(self)


class MemoryBus:
    """``ports.Bus`` without a server."""

    def __init__(self) -> None:
        self.dropped = 0
        self.handler_errors = 0
        self.refused = 0
        self._subscriptions: list[MemorySubscription] = []
        self._watches: list[MemorySubscription] = []
        self.servers: list[_Server] = []
        self._values: dict[str, bytes] = {}
        self._closed = False

    async def publish(self, subject: str, data: bytes) -> None:
        """See ``ports.Bus``."""
        if self._closed:
            raise Unavailable("memory bus: closed")
        for subscription in self._subscriptions:
            if matches(subscription.pattern, subject):
                subscription.take(subject, data)

    async def subscribe(self, subject: str, handler: Handler, *, bound: int) -> MemorySubscription:
        """See ``ports.Bus``."""
        subscription = MemorySubscription(self, subject, handler, bound)
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: MemorySubscription) -> None:
        """Take a stopped subscription off the lists."""
        for running in (self._subscriptions, self._watches):
            if subscription in running:
                running.remove(subscription)

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """See ``ports.Bus``."""
        try:
            refused, answer = await asyncio.wait_for(self._ask(subject, data), timeout_s)
        except TimeoutError:
            raise Unavailable(f"{subject}: no answer within {timeout_s:g} s at the memory bus") from None
        if refused:
            raise Refused(answer.decode())
        return answer

    async def _ask(self, subject: str, data: bytes) -> tuple[bool, bytes]:
        while True:
            for server in self.servers:
                if matches(server.pattern, subject):
                    if server.running >= MAX_REQUESTS:
                        return True, f"{subject}: busy".encode()
                    server.running += 1
                    try:
                        return await answer_of(server.responder, subject, data)
                    finally:
                        server.running -= 1
            await asyncio.sleep(_RETRY_S)

    async def serve(self, subject: str, responder: Responder) -> Subscription:
        """See ``ports.Bus``."""
        server = _Server(self, subject, responder)
        self.servers.append(server)
        return server

    async def put(self, subject: str, data: bytes) -> None:
        """See ``ports.Bus``."""
        subjects.stream_of(subject)
        self._values[subject] = data
        for subscription in self._watches:
            if subscription.pattern == subject:
                subscription.take(subject, data)
        await self.publish(subject, data)

    async def get(self, subject: str) -> bytes | None:
        """See ``ports.Bus``."""
        subjects.stream_of(subject)
        return self._values.get(subject)

    async def watch(self, subject: str, handler: Handler) -> Subscription:
        """See ``ports.Bus``."""
        subjects.stream_of(subject)
        if subject in self._values:
            call(self, handler, subject, self._values[subject])
        subscription = MemorySubscription(self, subject, handler, None)
        self._watches.append(subscription)
        return subscription

    async def close(self) -> None:
        """See ``ports.Bus``."""
        self._closed = True


@dataclass(slots=True)
class MemoryLog:
    """What the journals of one run share: the stored entries and the fence."""

    entries: list[bytes] = field(default_factory=list)
    token: int = 0
    holder: str = ""
    followers: list[_Follower] = field(default_factory=list)
    snapshot: FoldSnapshot | None = None


class _Follower:
    def __init__(self, log: MemoryLog, handler: Callable[[bytes], None]) -> None:
        self._log = log
        self.handler = handler

    async def stop(self) -> None:
        self._log.followers.remove(self)


class MemoryJournal:
    """``ports.Journal`` on a shared ``MemoryLog``; what is appended is stored at the next turn of the loop."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self._token: int | None = None
        self._waiting: list[bytes] = []

    async def take_over(self, holder: str) -> int:
        """See ``ports.Journal``."""
        self._log.token += 1 + len(self._log.entries)
        self._log.holder = holder
        self._token = self._log.token
        self._waiting.clear()
        return self._token

    def append(self, data: bytes) -> None:
        """See ``ports.Journal``."""
        self._check()
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._store)
        self._waiting.append(data)

    def _check(self) -> None:
        if self._token is None:
            raise Refused("journal: nobody appends before taking over")
        if self._token != self._log.token:
            raise Refused(f"journal: token {self._token} is no longer valid, deposed by {self._log.holder}")

    def _store(self) -> None:
        if self._token == self._log.token:
            for data in self._waiting:
                self._log.entries.append(data)
                for follower in list(self._log.followers):
                    follower.handler(data)
        self._waiting.clear()

    async def flush(self) -> None:
        """See ``ports.Journal``."""
        self._check()
        self._store()

    @property
    def behind(self) -> str:
        """See ``ports.Journal``; nothing is ever purged here."""
        return ""

    @property
    def position(self) -> tuple[int, int]:
        """See ``ports.Journal``."""
        entries = len(self._log.entries) + len(self._waiting)
        return entries, entries + 1

    async def snapshot(self) -> FoldSnapshot | None:
        """See ``ports.Journal``."""
        return self._log.snapshot

    async def store_snapshot(self, snapshot: FoldSnapshot) -> None:
        """See ``ports.Journal``."""
        self._check()
        self._store()
        self._log.snapshot = snapshot

    async def read(self, first: int = 1) -> AsyncIterator[bytes]:
        """See ``ports.Journal``."""
        for data in self._log.entries[first - 1 :]:
            yield data

    async def follow(self, first: int, handler: Callable[[bytes], None]) -> Subscription:
        """See ``ports.Journal``."""
        for data in self._log.entries[first - 1 :]:
            handler(data)
        follower = _Follower(self._log, handler)
        self._log.followers.append(follower)
        return follower


@dataclass(slots=True)
class MemoryKey:
    """The key the leases of one run compete for."""

    owner: MemoryLease | None = None
    holder: str = ""
    until_ns: int = 0


class MemoryLease:
    """``ports.Lease`` on a shared ``MemoryKey``; ``clock`` says when it expires."""

    def __init__(self, key: MemoryKey, clock: Clock, *, ttl_s: float = LEASE_TTL_S) -> None:
        self._key = key
        self._clock = clock
        self._ttl_ns = round(ttl_s * NS_PER_S)

    def _owner(self) -> MemoryLease | None:
        return self._key.owner if self._clock.wall_ns() < self._key.until_ns else None

    async def try_acquire(self, holder: str) -> bool:
        """See ``ports.Lease``."""
        if self._owner() not in (None, self):
            return False
        self._key.owner, self._key.holder = self, holder
        self._key.until_ns = self._clock.wall_ns() + self._ttl_ns
        return True

    async def renew(self) -> bool:
        """See ``ports.Lease``."""
        return self._owner() is self and await self.try_acquire(self._key.holder)

    async def release(self) -> None:
        """See ``ports.Lease``."""
        if self._owner() is self:
            self._key.owner = None

    async def holder(self) -> str | None:
        """See ``ports.Lease``."""
        return self._key.holder if self._owner() is not None else None
