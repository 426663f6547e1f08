"""Recordings: what a feed published, so that a day can be replayed to the byte.

File: the magic line, then records ``kind u8 | length u32 | crc32 u32 | payload``, little endian. First one record each of
universe (1), book (2) and header (3, JSON: sessions, statements), then a quote batch (4) per record; payloads 1, 2 and 4
are the Protobuf messages of ``proto/hedgerow/market/v1``. A tail cut off in the middle of a record (the writer was
killed) is left out and reported; damage before the end is refused.
*Tested by* tests/unit/test_market_recorded.py, tests/properties/test_market_recorded.py.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

from common.errors import Conflict, InputError, Problem, Refused, Unavailable
from common.messages import QuoteBatch
from common.ports import MarketSource
from common.universe import Book, Universe
from common.wire.market_codec import (
    decode_book,
    decode_quote_batch,
    decode_universe,
    encode_book,
    encode_quote_batch,
    encode_universe,
)

FILE_NAME: Final = "market.bin"
MAGIC: Final = b"hedgerow-market-1\n"
REMEDY: Final = "record the market again, or replay another recording"
PAYLOAD_MAX: Final = 1 << 28
FLUSH_EVERY: Final = 64
_UNIVERSE, _BOOK, _HEADER, _BATCH = 1, 2, 3, 4
_FRAME = struct.Struct("<BII")


class Recorder:
    """Appends batches to a new recording; one owner. Use as a context manager.

    Bytes reach the operating system every ``flush_every`` batches, on `flush` and on `close`: what a kill of the process
    can lose is fewer batches than that. Raises ``Conflict`` if the file exists: a recording is never written over.
    """

    def __init__(self, path: Path, source: MarketSource, book: Book, *, flush_every: int = FLUSH_EVERY) -> None:
        self.path = path
        self.batches = 0
        self._flush_every = flush_every
        try:
            self._file: BinaryIO = path.open("xb")
        except FileExistsError:
            raise Conflict(f"{path}: a recording is already there") from None
        self._file.write(MAGIC)
        self._write(_UNIVERSE, encode_universe(source.universe))
        self._write(_BOOK, encode_book(book))
        header = {"session_bounds_ns": source.session_bounds_ns, "statements": source.statements}
        self._write(_HEADER, json.dumps(header, separators=(",", ":")).encode())
        self.flush()

    def append(self, batch: QuoteBatch) -> None:
        """Record one batch as published."""
        self.append_encoded(encode_quote_batch(batch))

    def append_encoded(self, payload: bytes) -> None:
        """Record one batch that is already Protobuf (the feed encodes it once for bus and file)."""
        self._write(_BATCH, payload)
        self.batches += 1
        if self.batches % self._flush_every == 0:
            self.flush()

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, kind: int, payload: bytes) -> None:
        self._file.write(_FRAME.pack(kind, len(payload), zlib.crc32(payload)) + payload)


class RecordedMarket:
    """``MarketSource`` of a recording: a ``market.bin`` or the run folder that holds it.

    Batches come as recorded, ``receive_time_ns`` included: it takes no part in decisions, and a replayed order then
    carries the times of the recorded one. ``lost_bytes`` is what a cut tail holds. Raises ``Unavailable`` if there is
    no such file, ``InputError`` if it is not a recording or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path / FILE_NAME if path.is_dir() else path
        if not self.path.is_file():
            raise Unavailable(f"{self.path}: no recording there")
        self._whole_bytes, self._records = self._measure()
        self.lost_bytes = self.path.stat().st_size - self._whole_bytes
        records = self._read()
        try:
            self.universe: Universe = decode_universe(self._next(records, _UNIVERSE, "universe"))
            self.book: Book = decode_book(self._next(records, _BOOK, "book"))
            header = json.loads(self._next(records, _HEADER, "header"))
            self.session_bounds_ns: tuple[tuple[int, int], ...] = tuple(
                (int(a), int(b)) for a, b in header["session_bounds_ns"]
            )
            self._statements = tuple(str(s) for s in header["statements"])
        except (Refused, ValueError, KeyError, TypeError) as error:
            raise InputError(str(self.path), [Problem(0, f"damaged: {error}")], REMEDY) from error
        finally:
            records.close()

    @property
    def statements(self) -> tuple[str, ...]:
        """As recorded; then, where the tail was cut, that it was."""
        if not self.lost_bytes:
            return self._statements
        cut = f"Recording: cut off while being written; its last {self.lost_bytes} bytes are left out."
        return (*self._statements, cut)

    def batches(self) -> Iterator[QuoteBatch]:
        """Every whole batch, in the order recorded."""
        for at, (kind, payload) in enumerate(self._read()):
            if at < _HEADER:
                continue
            if kind != _BATCH:
                raise self._refused(at, f"kind {kind} where a quote batch should be")
            try:
                yield decode_quote_batch(payload)
            except Refused as error:
                raise self._refused(at, str(error)) from error

    def _next(self, records: Iterator[tuple[int, bytes]], kind: int, name: str) -> bytes:
        found = next(records, None)
        if found is None:
            raise ValueError(f"it ends before its {name}")
        if found[0] != kind:
            raise ValueError(f"kind {found[0]} where its {name} should be")
        return found[1]

    def _refused(self, at: int, reason: str) -> InputError:
        return InputError(str(self.path), [Problem(0, f"record {at + 1}: {reason}")], REMEDY)

    def _measure(self) -> tuple[int, int]:
        """Bytes and number of whole records, walking frames only. Raises ``InputError`` if it is no recording."""
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise InputError(str(self.path), [Problem(0, "not a Hedgerow recording")], REMEDY)
            end, records = file.tell(), 0
            while len(frame := file.read(_FRAME.size)) == _FRAME.size:
                kind, length, _ = _FRAME.unpack(frame)
                if not _UNIVERSE <= kind <= _BATCH or length > PAYLOAD_MAX:
                    raise self._refused(records, "damaged: its frame makes no sense")
                if file.seek(length, 1) > size:
                    break
                end, records = file.tell(), records + 1
        return end, records

    def _read(self) -> Generator[tuple[int, bytes], None, None]:
        with self.path.open("rb") as file:
            file.seek(len(MAGIC))
            for at in range(self._records):
                kind, length, crc = _FRAME.unpack(file.read(_FRAME.size))
                payload = file.read(length)
                if zlib.crc32(payload) != crc:
                    raise self._refused(at, "damaged: its checksum does not match")
                yield kind, payload


def is_recording(path: Path) -> bool:
    """True for a run folder with a recording in it and for a file that starts like one."""
    file_path = path / FILE_NAME if path.is_dir() else path
    if not file_path.is_file():
        return False
    with file_path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC
