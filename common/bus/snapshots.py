"""How a snapshot stands in the journal's stream: pieces in one of two slots, each with what it takes to know them all.

    magic | uint64 number | uint64 tail_from | uint32 index | uint32 count | uint64 size | 32 bytes SHA-256 | bytes

``number``: journal entries folded. ``tail_from``: every later entry stands at this stream sequence or after it. A slot
is a subject of the journal's stream, so a snapshot has the journal's own fence; the first piece of the next one empties
its slot (``Nats-Rollup``), which is never the slot that holds the newest whole one. So the stream holds two snapshots at
most, one of them whole. A snapshot is whole when all its pieces are there and their SHA-256 is right; any other is torn,
and nobody reads it. *Tested by* tests/properties/test_journal_framing.py, tests/integration/test_journal_snapshots.py.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from common import subjects
from common.bus.record import RecordPlane
from common.errors import Refused
from common.ports import FoldSnapshot

#: Bytes of the snapshot in one stored message, far below the server's max_payload; a larger snapshot is refused.
PIECE_BYTES: Final = 256 * 1024
SNAPSHOT_BYTES_MAX: Final = 256 * 2**20
_MAGIC: Final = b"HGS1"
_HEAD: Final = struct.Struct("<4sQQIIQ32s")


@dataclass(frozen=True, slots=True)
class Piece:
    """One stored message of a snapshot."""

    number: int
    tail_from: int
    index: int
    count: int
    size: int
    digest: bytes
    data: bytes

    @property
    def is_last(self) -> bool:
        """Whether nothing of the snapshot comes after it: one writer stores them in order, so the others stand before."""
        return self.index == self.count - 1

    def follows(self, before: Piece | None) -> bool:
        """Whether it is the next piece of the same snapshot."""
        if before is None or self.index == 0:
            return self.index == 0
        same = (self.number, self.count, self.digest) == (before.number, before.count, before.digest)
        return same and self.index == before.index + 1


def split(snapshot: FoldSnapshot) -> list[bytes]:
    """The messages of a snapshot. Raises ``ValueError`` above ``SNAPSHOT_BYTES_MAX``."""
    data = snapshot.data
    if len(data) > SNAPSHOT_BYTES_MAX:
        raise ValueError(f"snapshot of {len(data)} bytes; the largest is {SNAPSHOT_BYTES_MAX}")
    digest, starts = hashlib.sha256(data).digest(), range(0, max(len(data), 1), PIECE_BYTES)
    return [
        _HEAD.pack(_MAGIC, snapshot.number, snapshot.tail_from, i, len(starts), len(data), digest)
        + data[at : at + PIECE_BYTES]
        for i, at in enumerate(starts)
    ]


def piece_of(message: bytes) -> Piece:
    """A piece from its message. Raises ``errors.Refused`` if the bytes are none."""
    if len(message) < _HEAD.size or not message.startswith(_MAGIC):
        raise Refused(f"snapshot: a message of {len(message)} bytes is no piece of one")
    _, number, tail_from, index, count, size, digest = _HEAD.unpack_from(message)
    return Piece(number, tail_from, index, count, size, digest, message[_HEAD.size :])


def joined(messages: list[bytes]) -> FoldSnapshot | None:
    """The newest whole snapshot among the messages of one slot, in their order; None where all are torn."""
    found: FoldSnapshot | None = None
    run: list[Piece] = []
    for message in messages:
        try:
            piece = piece_of(message)
        except Refused:
            run = []
            continue
        run = [*run, piece] if piece.index else [piece]
        if not piece.follows(run[-2] if len(run) > 1 else None):
            run = []
        elif piece.is_last:
            found = _whole(run) or found
    return found


def _whole(run: list[Piece]) -> FoldSnapshot | None:
    data = b"".join(p.data for p in run)
    last = run[-1]
    if len(data) != last.size or hashlib.sha256(data).digest() != last.digest:
        return None
    return FoldSnapshot(last.number, last.tail_from, data)


async def newest_number(bus: RecordPlane) -> dict[str, int]:
    """Entries folded by the snapshot that each slot holds whole, by its subject; 0 for an empty or torn slot.

    Judged by the last message alone; only ``newest`` has looked at all the bytes. Raises ``errors.Unavailable``.
    """
    out = {}
    for slot in subjects.JOURNAL_SNAPSHOTS:
        kept = await bus.last(subjects.STREAM_JOURNAL, slot)
        out[slot] = 0
        if kept is not None and kept.data.startswith(_MAGIC) and (piece := piece_of(kept.data)).is_last:
            out[slot] = piece.number
    return out


async def newest(bus: RecordPlane) -> FoldSnapshot | None:
    """The newest whole snapshot, None where there is none. Raises ``errors.Unavailable``."""
    numbers = await newest_number(bus)
    for slot in sorted(numbers, key=numbers.__getitem__, reverse=True):
        if numbers[slot] and (found := joined(await _messages(bus, slot))) is not None:
            return found
    return None


async def _messages(bus: RecordPlane, slot: str) -> list[bytes]:
    out: list[bytes] = []
    sequence = 1
    while True:
        found = await bus.fetch(subjects.STREAM_JOURNAL, slot, sequence)
        if not found:
            return out
        out += [kept.data for kept in found]
        sequence = found[-1].sequence + 1
