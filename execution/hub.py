"""Live reports to their readers: bounded per reader, and whoever is too slow is cut rather than waited for.

*Tested by* tests/unit/test_execution_hub.py, tests/integration/test_execution_service.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from common.errors import Refused, Unavailable
from common.messages import ExecutionReport


class Reader:
    """One reader's queue."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._waiting: list[ExecutionReport] = []
        self._wake = asyncio.Event()
        self._end: Refused | Unavailable | None = None

    def push(self, reports: Sequence[ExecutionReport]) -> bool:
        """Queue reports; False, and the reader is cut, if they do not fit."""
        if len(self._waiting) + len(reports) > self._bound:
            self.end(Refused(f"more than {self._bound} reports behind; resume from the last one taken"))
            return False
        self._waiting += reports
        self._wake.set()
        return True

    def end(self, reason: Refused | Unavailable) -> None:
        """No more reports, for this reason."""
        self._end = reason
        self._waiting = []
        self._wake.set()

    async def next(self) -> list[ExecutionReport]:
        """Everything that came since, at least one. Raises ``Refused`` if cut, ``Unavailable`` if the service stops."""
        while not self._waiting:
            if self._end is not None:
                raise self._end
            self._wake.clear()
            await self._wake.wait()
        taken, self._waiting = self._waiting, []
        return taken


class ReportHub:
    """All readers of one service."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        #: In the order they came, so that equal input has equal effects.
        self._readers: dict[Reader, None] = {}
        self._closed = False

    def open(self) -> Reader:
        """A reader of everything published from now on."""
        reader = Reader(self._bound)
        if self._closed:
            reader.end(Unavailable("execution is stopping"))
        self._readers[reader] = None
        return reader

    def drop(self, reader: Reader) -> None:
        """Forget a reader; it need not be known."""
        self._readers.pop(reader, None)

    def publish(self, reports: Sequence[ExecutionReport]) -> None:
        """Hand committed reports to every reader."""
        self._readers = {reader: None for reader in self._readers if reader.push(reports)}

    def close(self) -> None:
        """End every reader."""
        self._closed = True
        for reader in self._readers:
            reader.end(Unavailable("execution is stopping"))
        self._readers.clear()
