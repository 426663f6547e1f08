"""The journal as files of the run folder: segments while the run lasts, the tail at its end; and how they are read back.

    journal-0001.bin, journal-0002.bin, ...   entries that are, or soon will be, no longer on the server
    journal.bin                               everything after them; it stands there once the run has ended
    state.json                                the leader's own fingerprint of its state, and after how many entries

A segment is written, synced and named before its entries are purged, and only entries at least ``keep_entries`` before a
snapshot whose bytes were read and found whole: every reader has them here or there, and a new leader never needs them.
The server so holds at most ``keep_entries + snapshot_every + segment_entries`` entries (and those of the seconds between
two looks) beside two snapshots. *Tested by* tests/integration/test_recorder.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, Any, Final

from common import subjects
from common.bus import snapshots
from common.bus.framing import unpack
from common.bus.nats_bus import NatsBus
from common.bus.tail import purged
from common.control_messages import JournalEntry
from common.errors import HedgerowError, InputError, Problem, Refused, Unavailable
from common.wire import codec
from common.wire.delimited import frame, read_messages
from deploy import control
from deploy.config import RecordConfig
from deploy.fingerprint import code_fingerprint
from deploy.run_folder import JOURNAL

log = logging.getLogger("hedgerow.recorder")

LOOK_EVERY_S: Final = 2.0
STATE: Final = "state.json"
_AS_LEFT: Final = "give a run folder as it was left"
_SEGMENT: Final = "journal-{:04d}.bin"


def segments(folder: Path) -> list[Path]:
    """Segments of a run, oldest first."""
    return sorted(folder.glob("journal-[0-9][0-9][0-9][0-9]*.bin"), key=lambda p: int(p.stem.rpartition("-")[2]))


def recorded(folder: Path) -> Iterator[bytes]:
    """Encoded entries of the run folder in order: every segment, then the tail. Raises ``InputError``."""
    for path in _files(folder):
        yield from read_messages(path)


def _files(folder: Path) -> list[Path]:
    tail = folder / JOURNAL
    return [*segments(folder), *([tail] if tail.exists() else [])]


def read_record(folder: Path) -> tuple[JournalEntry, ...]:
    """Every entry that a run folder holds. Raises ``InputError`` with file and message where one cannot be read."""
    return tuple(entry for path in _files(folder) for entry in _entries(path))


def _entries(path: Path) -> Iterator[JournalEntry]:
    try:
        for number, data in enumerate(read_messages(path), start=1):
            try:
                entry = codec.decode_journal_entry(data)
            except Refused as error:
                raise InputError(str(path), [Problem(0, f"message {number}: {error}")], _AS_LEFT) from None
            yield entry
    except OSError as error:
        raise InputError(str(path), [Problem(0, f"cannot be read: {error.strerror}")], _AS_LEFT) from None


def refuse_unfinished(folder: Path) -> None:
    """Raises ``InputError`` where no run has ended in the folder: what is read of one that goes on is no whole record."""
    if not (folder / JOURNAL).is_file():
        raise InputError(
            str(folder), [Problem(0, "no finished run: it has no journal.bin")], "name a run that has ended"
        )


def read_finished(folder: Path) -> tuple[JournalEntry, ...]:
    """Every entry of a run that has ended, at least one. Raises ``InputError`` where the folder holds no such run."""
    refuse_unfinished(folder)
    return read_some(folder)


def read_some(folder: Path) -> tuple[JournalEntry, ...]:
    """``read_record``, at least one entry. Raises ``InputError`` where there is none."""
    if not (entries := read_record(folder)):
        raise InputError(
            str(folder / JOURNAL), [Problem(0, "holds no entry: no manager ever led")], "name a run that has traded"
        )
    return entries


class Recorder:
    """Keeps one run's journal short on the server and whole in its folder. One a run: the launcher's."""

    def __init__(self, bus: NatsBus, folder: Path, config: RecordConfig) -> None:
        self._bus = bus
        self._folder = folder
        self._config = config
        #: Entries that stand in segments, and where the next one begins in the stream, or before.
        self.exported = sum(1 for path in segments(folder) for _ in read_messages(path))
        self._sequence = 1

    async def keep(self) -> None:
        """Look every ``LOOK_EVERY_S``, for ever; what cannot be done now is done the next time."""
        while True:
            try:
                await self.export()
            except (HedgerowError, OSError) as error:
                log.warning("the journal's next segment waits: %s", error)
            await asyncio.sleep(LOOK_EVERY_S)

    async def export(self) -> int:
        """Write and purge every full segment that a whole snapshot lies far enough beyond; returns how many."""
        whole = max((await snapshots.newest_number(self._bus)).values())
        if not self._due(whole):
            return 0
        found = await snapshots.newest(self._bus)  # all its bytes, before anything is taken away that it stands for
        count = 0
        while found is not None and self._due(found.number):
            before = await self._segment()
            await self._bus.purge(subjects.STREAM_JOURNAL, subjects.JOURNAL_ENTRY, before)
            count += 1
        return count

    def _due(self, snapshot: int) -> bool:
        return snapshot - self._config.keep_entries - self.exported >= self._config.segment_entries

    async def _segment(self) -> int:
        """Write the next segment, whole or not at all; returns the stream sequence of the first entry not in it."""
        path = self._folder / _SEGMENT.format(len(segments(self._folder)) + 1)
        count, sequence = 0, self._sequence
        with _WholeFile(path) as file:
            async for at, new in self._messages():
                if count + len(new) > self._config.segment_entries and count:
                    break
                sequence = at + 1
                count += len(new)
                file.writelines(frame(entry) for entry in new)
        self.exported += count
        self._sequence = sequence
        return sequence

    async def _messages(self) -> AsyncIterator[tuple[int, list[bytes]]]:
        """(stream sequence, entries not exported yet) of each stored message, to the end of the stream."""
        wanted, sequence = self.exported + 1, self._sequence
        while found := await self._bus.fetch(subjects.STREAM_JOURNAL, subjects.JOURNAL_ENTRY, sequence):
            for kept in found:
                number, entries = unpack(kept.data)
                if number > wanted:
                    raise Unavailable(purged(wanted, number))
                new = entries[wanted - number :]
                wanted += len(new)
                sequence = kept.sequence + 1
                yield kept.sequence, new

    async def finish(self) -> int:
        """Write what no segment holds into ``journal.bin``; returns how many entries the folder holds now."""
        total = self.exported
        with _WholeFile(self._folder / JOURNAL) as file:
            async for _, new in self._messages():
                file.writelines(frame(entry) for entry in new)
                total += len(new)
        return total

    async def keep_state_hash(self) -> dict[str, Any]:
        """Ask the leader for the fingerprint of its state and keep it in ``state.json``. Raises ``Unavailable``."""
        view = await control.state_hash(self._bus)
        kept = {
            "entries": view["record"]["entries"],
            "state_hash": view["state_hash"],
            "holder": view["leader"]["holder"],
            "epoch": view["leader"]["epoch"],
            "code": code_fingerprint(),
        }
        (self._folder / STATE).write_text(json.dumps(kept, indent=2) + "\n")
        return kept


class _WholeFile:
    """A file that gets its name only once it is written and on the disc; nothing is left of one that failed."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_suffix(".part")

    def __enter__(self) -> IO[bytes]:
        self._file = self._part.open("wb")
        return self._file

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        try:
            with self._file:
                if failed is None:
                    self._file.flush()
                    os.fsync(self._file.fileno())
                    self._part.replace(self._path)
        finally:
            self._part.unlink(missing_ok=True)
        if failed is not None:
            return
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
