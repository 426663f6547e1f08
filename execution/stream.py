"""Answers of one order stream on their way out.

*Tested by* tests/integration/test_execution_service.py.
"""

from __future__ import annotations

import asyncio

from common.errors import HedgerowError
from common.messages import OrderAck

#: Requests of one stream that may wait for their answers to be read; then its reading pauses.
STREAM_BOUND = 4096


class AckStream:
    """Answers of one order stream on their way out. Order of answers is the order of requests."""

    def __init__(self) -> None:
        self._acks: list[OrderAck] = []
        self._waiting = 0
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._half_closed = False
        self.reason: HedgerowError | None = None

    def deliver(self, acks: list[OrderAck]) -> None:
        """See ``engine.Sink``."""
        self._acks += acks
        self._wake.set()

    def cut(self, reason: HedgerowError) -> None:
        """See ``engine.Sink``."""
        self.reason = reason
        self._wake.set()
        self._room.set()

    def half_close(self) -> None:
        """The client sends no more; answers still due go out."""
        self._half_closed = True
        self._wake.set()

    async def expect(self, answers: int) -> None:
        """Count requests taken in; waits while too many answers are unread."""
        self._waiting += answers
        while self._waiting > STREAM_BOUND and self.reason is None:
            self._room.clear()
            await self._room.wait()

    async def next(self) -> list[OrderAck]:
        """Answers to send; empty when there will be no more."""
        while not self._acks:
            if self.reason is not None or (self._half_closed and self._waiting <= 0):
                return []
            self._wake.clear()
            await self._wake.wait()
        acks, self._acks = self._acks, []
        self._waiting -= len(acks)
        self._room.set()
        return acks
