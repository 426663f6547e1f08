"""Following what a stream has stored, without anything kept for the reader on the server.

A tail hears each message as the stream tells it (``subjects.stored``), with its sequence, and can read the stream
itself to fill what it has not heard: at the start, after a reconnect, on a timer, and when it sees a gap.
*Tested by* tests/contract/test_bus_contract.py, tests/contract/test_journal_contract.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from common import subjects
from common.bus.delivery import CountsErrors, Stored, call
from common.bus.framing import first_number, unpack
from common.errors import Unavailable
from common.ports import Handler

_FIRST_SEQUENCE = 1


class Tail(Protocol):
    """What hears and what reads."""

    subject: str

    def take(self, kept: Stored) -> None:
        """A message was stored; it may be old, repeated, or ahead of others."""
        ...

    async def refresh(self) -> None:
        """Read the stream for whatever is missing. Raises ``errors.Unavailable``."""
        ...


class ReadsStreams(CountsErrors, Protocol):
    """The part of ``NatsBus`` a tail needs."""

    async def last(self, stream: str, subject: str, *, direct: bool = False) -> Stored | None:
        """Newest message of a subject."""
        ...

    async def fetch(self, stream: str, subject: str, first: int) -> list[Stored]:
        """Messages of a subject from a sequence on."""
        ...

    def recheck(self) -> None:
        """Have every tail refreshed soon."""
        ...


class ValueTail:
    """The newest value of one subject: only what is newer than what was handed over before."""

    def __init__(self, bus: ReadsStreams, subject: str, handler: Handler) -> None:
        self.subject = subject
        self._bus = bus
        self._stream = subjects.stream_of(subject)
        self._handler = handler
        self._sequence = 0

    def take(self, kept: Stored) -> None:
        """Hand it over if it is newer."""
        if kept.sequence > self._sequence:
            self._sequence = kept.sequence
            call(self._bus, self._handler, self.subject, kept.data)

    async def refresh(self) -> None:
        """Read the stored value. Raises ``errors.Unavailable``."""
        kept = await self._bus.last(self._stream, self.subject, direct=True)
        if kept is not None:
            self.take(kept)


def purged(wanted: int, first: int) -> str:
    """Why a reader cannot go on, in words."""
    return (
        f"journal: entries {wanted} to {first - 1} are no longer on the server; they stand in the segments of the run "
        "folder, and a manager begins at the newest snapshot"
    )


class JournalTail:
    """Journal entries from the ``first``-th on, each once and in order."""

    def __init__(
        self, bus: ReadsStreams, first: int, handler: Callable[[bytes], None], first_sequence: int = _FIRST_SEQUENCE
    ) -> None:
        self.subject = subjects.JOURNAL_ENTRY
        #: Why it cannot go on: what it has not read is no longer on the server.
        self.behind = ""
        self._bus = bus
        self._handler = handler
        self._next_number = first
        self._next_sequence = first_sequence

    @property
    def position(self) -> tuple[int, int]:
        """(number of the next entry, stream sequence at which it stands or after which it will)."""
        return self._next_number, self._next_sequence

    def take(self, kept: Stored) -> None:
        """Hand over the new entries of a message; one that begins after a gap waits until the gap has been read."""
        number, entries = unpack(kept.data)
        if number > self._next_number:
            self._bus.recheck()
            return
        self._next_sequence = max(self._next_sequence, kept.sequence + 1)
        for entry in entries[self._next_number - number :]:
            self._next_number += 1
            call(self._bus, lambda _, data: self._handler(data), self.subject, entry)

    async def refresh(self) -> None:
        """Read on from where it stands to the end. Raises ``errors.Unavailable``, also when that has been purged."""
        while True:
            found = await self._bus.fetch(subjects.STREAM_JOURNAL, self.subject, self._next_sequence)
            if found and (first := first_number(found[0].data)) > self._next_number:
                self.behind = purged(self._next_number, first)
                raise Unavailable(self.behind)
            for kept in found:
                self.take(kept)
            if not found:
                return


class RunningTail:
    """A tail as a ``ports.Subscription``; after ``stop`` nothing is handed over."""

    def __init__(self, tail: Tail, end: Callable[[RunningTail], Awaitable[None]]) -> None:
        self._tail = tail
        self._end = end
        self._stopped = False
        self.inner: Any = None

    @property
    def subject(self) -> str:
        """What it follows."""
        return self._tail.subject

    def take(self, kept: Stored) -> None:
        """As the tail's, until stopped."""
        if not self._stopped:
            self._tail.take(kept)

    async def refresh(self) -> None:
        """As the tail's."""
        if not self._stopped:
            await self._tail.refresh()

    async def stop(self) -> None:
        """See ``ports.Subscription``."""
        self._stopped = True
        await self._end(self)
