"""The record plane of a bus: newest values stored, read and watched, on top of four operations of the server.

*Tested by* tests/contract/test_bus_contract.py, tests/integration/test_bus_nats.py, tests/unit/test_bus_record.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Final

from common import subjects
from common.bus.delivery import Stored
from common.bus.tail import RunningTail, Tail, ValueTail
from common.errors import Unavailable
from common.ports import Handler, Subscription

log = logging.getLogger("hedgerow.bus")

#: How long ``put`` tries; one try is shorter, since what was sent into a dying connection is gone.
STORE_TIMEOUT_S: Final = 5.0
TRY_TIMEOUT_S: Final = 1.0
#: Pause between two tries.
RETRY_S: Final = 0.05
#: How often every tail reads its stream, in case it has not heard something.
RECHECK_S: Final = 2.0


class RecordPlane(ABC):
    """``put``, ``get``, ``watch`` of ``ports.Bus``, and ``follow`` for the journal."""

    def __init__(self) -> None:
        self.handler_errors = 0
        self.refused = 0
        self._tails: list[RunningTail] = []
        self._recheck_now = asyncio.Event()
        self._rechecking: asyncio.Task[None] | None = None
        self._put_locks: dict[str, asyncio.Lock] = {}

    @abstractmethod
    async def store(
        self, subject: str, data: bytes, *, headers: dict[str, str] | None = None, timeout_s: float = TRY_TIMEOUT_S
    ) -> int:
        """Store one message; returns its sequence. Raises ``errors.Unavailable``."""

    @abstractmethod
    async def last(self, stream: str, subject: str, *, direct: bool = False) -> Stored | None:
        """Newest message of a subject; ``direct`` may ask a replica that lags. Raises ``errors.Unavailable``."""

    @abstractmethod
    async def fetch(self, stream: str, subject: str, first: int) -> list[Stored]:
        """Some messages of a subject from sequence ``first`` on; empty at the end. Raises ``errors.Unavailable``."""

    @abstractmethod
    async def _subscribe(self, subject: str, callback: Callable[[Any], Awaitable[None]]) -> Any:
        """The client's own subscription. Raises ``errors.Unavailable``."""

    @abstractmethod
    async def _unsubscribe(self, inner: Any) -> None:
        """End what ``_subscribe`` gave; nothing to do on a closed connection."""

    async def put(self, subject: str, data: bytes) -> None:
        """See ``ports.Bus``. Puts of one subject go one by one. Raises ``errors.Unavailable`` if not stored in time."""
        subjects.stream_of(subject)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STORE_TIMEOUT_S
        async with self._put_locks.setdefault(subject, asyncio.Lock()):
            while True:
                try:
                    await self.store(subject, data)
                    return
                except Unavailable:
                    if loop.time() + RETRY_S >= deadline:
                        raise
                    await asyncio.sleep(RETRY_S)

    async def get(self, subject: str) -> bytes | None:
        """See ``ports.Bus``. Raises ``errors.Unavailable``."""
        kept = await self.last(subjects.stream_of(subject), subject, direct=True)
        return kept.data if kept else None

    async def watch(self, subject: str, handler: Handler) -> Subscription:
        """See ``ports.Bus``. The value stored now has been handed over when this returns."""
        return await self.follow(ValueTail(self, subject, handler))

    async def follow(self, tail: Tail) -> Subscription:
        """Let a tail hear what its stream stores; it has read what is there when this returns."""
        running = RunningTail(tail, self._end_tail)

        async def on_message(message: Any) -> None:
            running.take(Stored(int(message.headers["Nats-Sequence"]), message.data))

        running.inner = await self._subscribe(subjects.stored(tail.subject), on_message)
        try:
            await running.refresh()
        except BaseException:
            await running.stop()
            raise
        self._tails.append(running)
        if self._rechecking is None:
            self._rechecking = asyncio.create_task(self._recheck_for_ever())
        return running

    def recheck(self) -> None:
        """Have every tail read its stream soon."""
        self._recheck_now.set()

    def _stop_rechecking(self) -> None:
        if self._rechecking is not None:
            self._rechecking.cancel()
            self._rechecking = None

    async def _end_tail(self, running: RunningTail) -> None:
        if running in self._tails:
            self._tails.remove(running)
        await self._unsubscribe(running.inner)

    async def _recheck_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._recheck_now.wait(), RECHECK_S)
            self._recheck_now.clear()
            for running in list(self._tails):
                try:
                    await running.refresh()
                except Unavailable as error:
                    log.debug("recheck of %s: %s", running.subject, error)
                except Exception:  # one that cannot be read must not leave the others unread
                    log.exception("the recheck of %s failed", running.subject)
