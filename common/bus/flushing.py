"""Round trips to a NATS server that may be given up.

nats-py (2.16) keeps a future for each flush and ends its reading where the server's answer finds one that was cancelled, by its
caller or its time: nothing is heard then until three pings have stayed without an answer, while what is sent still goes out. So
nobody gives up a flush here, only the wait for it. *Tested by* tests/integration/test_bus_nats.py.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from common.tasks import end

#: For an answer of a server at the other end of a connection: far longer than it takes to find the connection stale.
ANSWER_S: Final = 60


class Flushes:
    """The flushes under way on one client of nats-py."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._running: set[asyncio.Task[None]] = set()

    async def through(self, timeout_s: float) -> None:
        """Return once the server has taken what was sent before. Raises ``TimeoutError`` or NATS' errors."""
        flush = asyncio.create_task(self._client.flush(timeout=ANSWER_S))
        self._running.add(flush)
        flush.add_done_callback(self._done)
        await asyncio.wait_for(asyncio.shield(flush), timeout_s)

    async def end(self) -> None:
        """For a client that is closed: no answer comes any more."""
        await end(self._running)

    def _done(self, flush: asyncio.Task[None]) -> None:
        self._running.discard(flush)
        if not flush.cancelled():
            flush.exception()  # whoever waited has heard it; else nobody is left who would
