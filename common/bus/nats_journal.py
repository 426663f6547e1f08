"""The manager's record on a JetStream stream: appended beside the path, in order, once, by one leader at a time.

The stream holds entries, the epoch, and snapshots of the fold (``bus.snapshots``). Taking over stores an epoch message,
whose stream sequence is the fencing token E. Every later message of that leader carries two conditions that the server
checks atomically:
- the last epoch message still has sequence E (the fence: a deposed leader's append fails, however late it comes);
- the last message of the stream has the sequence just before the one this message will get (the order: E+1, E+2, ...
  without a hole, so a message sent again is stored once and none overtakes another).
Up to ``WINDOW`` messages fly at once; when one fails or its answer is late, what the stream holds decides what is sent
again.
*Tested by* tests/contract/test_journal_contract.py, tests/integration/test_journal_nats.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from common import subjects
from common.bus import snapshots
from common.bus.delivery import WrongSequence
from common.bus.framing import next_number, pack, unpack
from common.bus.nats_bus import NatsBus
from common.bus.tail import JournalTail, purged
from common.errors import Refused, Unavailable
from common.ports import FoldSnapshot, Subscription
from common.tasks import end

log = logging.getLogger("hedgerow.journal")

#: Stored messages whose answer is awaited at the same time.
WINDOW: Final = 16
#: While entries wait, one piece of a snapshot goes after this many messages of them.
PIECE_EVERY: Final = 8
#: Entries are put together into one message up to this size; one larger entry goes alone.
MESSAGE_BYTES: Final = 256 * 1024
ENTRY_BYTES_MAX: Final = 4 * 2**20
#: Beyond this much that is not yet stored, appending fails: the leader must stop, not forget.
WAITING_BYTES_MAX: Final = 64 * 2**20
ANSWER_TIMEOUT_S: Final = 2.0
FLUSH_TIMEOUT_S: Final = 15.0
READ_TIMEOUT_S: Final = 10.0
_RETRY_S: Final = 0.05
_TAKE_OVER_TRIES: Final = 20
_EXPECTED_SEQUENCE = "Nats-Expected-Last-Sequence"
_EXPECTED_SUBJECT_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
_OF_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
_ROLLUP = "Nats-Rollup"


@dataclass(slots=True)
class _Sent:
    """A message in flight: the stream sequence it will have, the number of the entry after it, the answer awaited."""

    sequence: int
    next_number: int
    data: bytes
    subject: str = subjects.JOURNAL_ENTRY
    #: The first piece of a snapshot empties its slot; the last one is waited for.
    rollup: bool = False
    whole: asyncio.Future[None] | None = None
    answer: asyncio.Task[int] | None = None

    @property
    def answered(self) -> bool:
        """True when the server has said yes or no, or not in time."""
        return self.answer is not None and self.answer.done()


class NatsJournal:
    """``ports.Journal`` on ``bus``, whose streams must exist. For one event loop; ``close`` at the end."""

    def __init__(self, bus: NatsBus) -> None:
        self._bus = bus
        self._token = 0
        self._deposed: Refused | None = Refused("journal: nobody appends before taking over")
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._in_flight: deque[_Sent] = deque()
        self._next_number = 1
        self._next_sequence = 0
        self._stored_number = 0
        self._pieces: deque[tuple[bytes, str, bool, asyncio.Future[None] | None]] = deque()
        self._since_piece = 0
        #: (number, sequence): no entry from that number on stands before that sequence of the stream.
        self._known = (1, 1)
        self._tail: JournalTail | None = None
        self._news = asyncio.Event()
        self._flushers: list[tuple[int, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    @property
    def unstored(self) -> int:
        """Entries appended and not known to be stored."""
        return self._next_number + len(self._waiting) - 1 - self._stored_number

    @property
    def position(self) -> tuple[int, int]:
        """(entries appended, stream sequence before which none stands that is appended from now on). For a leader."""
        return self._next_number + len(self._waiting) - 1, self._next_sequence

    @property
    def behind(self) -> str:
        """Why ``follow`` cannot go on; empty while it can."""
        return "" if self._tail is None else self._tail.behind

    async def take_over(self, holder: str) -> int:
        """See ``ports.Journal``. Raises ``errors.Unavailable`` if NATS does not let it in time."""
        await self.close()
        for _ in range(_TAKE_OVER_TRIES):
            last = await self._bus.last(subjects.STREAM_JOURNAL, subjects.JOURNAL_EPOCH)
            condition = {_EXPECTED_SUBJECT_SEQUENCE: str(last.sequence if last else 0)}
            try:
                token = await self._bus.store(subjects.JOURNAL_EPOCH, holder.encode(), headers=condition)
                break
            except WrongSequence:
                continue
        else:
            raise Unavailable(f"journal: {holder} could not take over, {_TAKE_OVER_TRIES} others were faster")
        # Nobody else can append from here on, so the tail read now is the end.
        tail = await self._bus.last(subjects.STREAM_JOURNAL, subjects.JOURNAL_ENTRY)
        self._token = token
        self._next_sequence = token + 1
        self._next_number = next_number(tail.data) if tail else 1
        self._stored_number = self._next_number - 1
        self._deposed = None
        self._writer = asyncio.create_task(self._write())
        return token

    def append(self, data: bytes) -> None:
        """See ``ports.Journal``.

        Raises ``ValueError`` above ``ENTRY_BYTES_MAX`` and ``errors.Unavailable`` when too much waits to be stored.
        """
        if self._deposed is not None:
            raise self._deposed
        if len(data) > ENTRY_BYTES_MAX:
            raise ValueError(f"journal entry of {len(data)} bytes; the largest is {ENTRY_BYTES_MAX}")
        if self._waiting_bytes + len(data) > WAITING_BYTES_MAX:
            raise Unavailable(f"journal: {len(self._waiting)} entries wait for NATS at {self._bus.where}; no more fit")
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        self._news.set()

    async def flush(self) -> None:
        """See ``ports.Journal``. Raises ``errors.Unavailable`` after ``FLUSH_TIMEOUT_S``."""
        if self._deposed is not None:
            raise self._deposed
        if not self.unstored:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushers.append((self._next_number + len(self._waiting) - 1, future))
        try:
            await asyncio.wait_for(future, FLUSH_TIMEOUT_S)
        except TimeoutError:
            raise Unavailable(f"journal: {self.unstored} entries not stored within {FLUSH_TIMEOUT_S:g} s") from None

    async def read(self, first: int = 1) -> AsyncIterator[bytes]:
        """See ``ports.Journal``."""
        end = await self._bus.last(subjects.STREAM_JOURNAL, subjects.JOURNAL_ENTRY)
        if self._tail is not None:
            self._known = max(self._known, self._tail.position)
        sequence, wanted = self._known[1] if self._known[0] <= first else 1, first
        deadline = asyncio.get_running_loop().time() + READ_TIMEOUT_S
        while end is not None and sequence <= end.sequence:
            found = await self._bus.fetch(subjects.STREAM_JOURNAL, subjects.JOURNAL_ENTRY, sequence)
            for kept in found:
                number, entries = unpack(kept.data)
                if number > wanted:
                    raise Unavailable(purged(wanted, number))
                wanted = max(wanted, number + len(entries))
                if kept.sequence <= end.sequence:
                    for entry in entries[max(first - number, 0) :]:
                        yield entry
                sequence = kept.sequence + 1
            if found:
                deadline = asyncio.get_running_loop().time() + READ_TIMEOUT_S
            elif asyncio.get_running_loop().time() > deadline:
                raise Unavailable(f"journal: the replica asked ends at {sequence - 1}, the leader at {end.sequence}")
            else:
                await asyncio.sleep(_RETRY_S)

    async def follow(self, first: int, handler: Callable[[bytes], None]) -> Subscription:
        """See ``ports.Journal``. What is stored now has been handed over when this returns."""
        sequence = self._known[1] if self._known[0] <= first else 1
        self._tail = JournalTail(self._bus, first, handler, sequence)
        return await self._bus.follow(self._tail)

    async def snapshot(self) -> FoldSnapshot | None:
        """See ``ports.Journal``; ``follow`` and ``read`` after it begin at its tail. Raises ``errors.Unavailable``."""
        found = await snapshots.newest(self._bus)
        if found is not None:
            self._known = max(self._known, (found.number + 1, found.tail_from))
        return found

    async def store_snapshot(self, snapshot: FoldSnapshot) -> None:
        """See ``ports.Journal``. One at a time; its pieces fly among the entries and hold none of them up."""
        if self._deposed is not None:
            raise self._deposed
        if self._pieces:
            raise Refused("journal: another snapshot is being stored")
        pieces = await asyncio.to_thread(snapshots.split, snapshot)
        numbers = await snapshots.newest_number(self._bus)
        slot = min(numbers, key=numbers.__getitem__)
        if self._deposed is not None:
            raise self._deposed
        whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        last = len(pieces) - 1
        self._pieces.extend((data, slot, i == 0, whole if i == last else None) for i, data in enumerate(pieces))
        self._news.set()
        await whole

    async def close(self) -> None:
        """Stop writing; entries not yet stored are forgotten (``flush`` first) and appending fails."""
        if self._writer is not None:
            await end([self._writer])
            self._writer = None
        self._depose(Refused("journal: closed, or another take-over is under way"))

    # The writer task

    async def _write(self) -> None:
        try:
            while True:
                self._send()
                await self._news.wait()
                self._news.clear()
                if not self._settle():
                    await self._recover()
        except Refused as error:
            log.warning("%s", error)
            self._depose(error)
        except Exception as error:
            log.exception("the journal's writer failed")
            self._depose(Refused(f"journal: the writer failed: {error!r}"))

    def _send(self) -> None:
        while (self._waiting or self._pieces) and len(self._in_flight) < WINDOW:
            if self._pieces and (not self._waiting or self._since_piece >= PIECE_EVERY):
                self._send_piece()
                continue
            self._since_piece += 1
            entries = [self._waiting.popleft()]
            size = len(entries[0])
            while self._waiting and size + len(self._waiting[0]) <= MESSAGE_BYTES:
                entries.append(self._waiting.popleft())
                size += len(entries[-1])
            self._waiting_bytes -= size
            data = pack(self._next_number, entries)
            self._next_number += len(entries)
            self._fly(_Sent(self._next_sequence, self._next_number, data))

    def _send_piece(self) -> None:
        self._since_piece = 0
        data, slot, first, whole = self._pieces.popleft()
        self._fly(_Sent(self._next_sequence, self._next_number, data, slot, first, whole))

    def _fly(self, sent: _Sent) -> None:
        self._next_sequence += 1
        self._in_flight.append(sent)
        self._send_one(sent)

    def _send_one(self, sent: _Sent) -> None:
        conditions = {
            _EXPECTED_SEQUENCE: str(sent.sequence - 1),
            _EXPECTED_SUBJECT_SEQUENCE: str(self._token),
            _OF_SUBJECT: subjects.JOURNAL_EPOCH,
        }
        if sent.rollup:
            conditions[_ROLLUP] = "sub"
        # A task, not nats-py's publish_async: that one (2.16) loses the server's refusals.
        sent.answer = asyncio.create_task(
            self._bus.store(sent.subject, sent.data, headers=conditions, timeout_s=ANSWER_TIMEOUT_S)
        )
        sent.answer.add_done_callback(self._heard)

    def _heard(self, answer: asyncio.Task[int]) -> None:
        # Looked at here, so that asyncio does not report an answer nobody waits for any more.
        if not answer.cancelled():
            answer.exception()
        self._news.set()

    def _settle(self) -> bool:
        """Take note of what is stored. False if the oldest message failed or its answer is late."""
        while self._in_flight and self._in_flight[0].answered:
            oldest = self._in_flight[0]
            assert oldest.answer is not None
            try:
                oldest.answer.result()
            except (WrongSequence, Unavailable) as error:
                log.debug("journal: %s", error)
                return False
            self._stored(oldest)
        return True

    def _stored(self, oldest: _Sent) -> None:
        self._in_flight.popleft()
        self._stored_number = oldest.next_number - 1
        if oldest.whole is not None and not oldest.whole.done():
            oldest.whole.set_result(None)
        for number, future in self._flushers:
            if number <= self._stored_number and not future.done():
                future.set_result(None)
        self._flushers = [(n, f) for n, f in self._flushers if not f.done()]

    async def _recover(self) -> None:
        """Ask the stream what it holds, then send the rest again. Raises ``errors.Refused`` if another took over."""
        self._forget_answers()
        while True:
            try:
                # The tail first: if the epoch is still this leader's after that, the tail was this leader's too.
                flown = {sent.subject for sent in self._in_flight}
                tails = [await self._bus.last(subjects.STREAM_JOURNAL, of) for of in sorted(flown)]
                end = max((tail.sequence for tail in tails if tail is not None), default=0)
                epoch = await self._bus.last(subjects.STREAM_JOURNAL, subjects.JOURNAL_EPOCH)
                break
            except Unavailable as error:
                log.debug("journal: %s", error)
                await asyncio.sleep(_RETRY_S)
        if epoch is None or epoch.sequence != self._token:
            by = epoch.data.decode() if epoch else "nobody: the stream is empty"
            raise Refused(f"journal: token {self._token} is no longer valid, deposed by {by}")
        while self._in_flight and self._in_flight[0].sequence <= end:
            self._stored(self._in_flight[0])
        for sent in self._in_flight:
            self._send_one(sent)
        await asyncio.sleep(_RETRY_S)

    def _forget_answers(self) -> None:
        for sent in self._in_flight:
            if sent.answer is not None:
                sent.answer.cancel()

    def _depose(self, error: Refused) -> None:
        self._deposed = error
        self._forget_answers()
        for whole in (*(sent.whole for sent in self._in_flight), *(piece[3] for piece in self._pieces)):
            if whole is not None and not whole.done():
                whole.set_exception(error)
        self._in_flight.clear()
        self._pieces.clear()
        self._waiting.clear()
        self._waiting_bytes = 0
        for _, future in self._flushers:
            if not future.done():
                future.set_exception(error)
        self._flushers.clear()
