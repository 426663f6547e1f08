"""Length-delimited messages in a file: each is its length as a Protobuf varint, then its bytes.

The same framing as Protobuf's ``writeDelimitedTo``. *Tested by* tests/unit/test_lab_delimited.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from common.errors import InputError, Problem

#: Longest message that is believed; anything above is not a length but garbage.
MAX_BYTES = 1 << 28


def frame(data: bytes) -> bytes:
    """One message with its length in front."""
    n, head = len(data), bytearray()
    while n > 0x7F:
        head.append(n & 0x7F | 0x80)
        n >>= 7
    head.append(n)
    return bytes(head) + data


def write_messages(path: Path, messages: Iterable[bytes]) -> int:
    """Write a whole file; returns how many messages."""
    count = 0
    with path.open("wb") as stream:
        for data in messages:
            stream.write(frame(data))
            count += 1
    return count


def read_messages(path: Path, *, cut_ok: bool = False) -> Iterator[bytes]:
    """Messages in order. A message cut short at the end (a writer that was killed) ends the reading if ``cut_ok``.

    Raises ``InputError`` with the number of the message where the file is not what it should be.
    """
    with path.open("rb") as stream:
        number = 0
        while True:
            number += 1
            try:
                size = _read_length(stream)
            except EOFError:
                if cut_ok:
                    return
                raise _broken(path, number, "ends inside a length") from None
            if size < 0:
                return
            data = stream.read(size) if size <= MAX_BYTES else b""
            if len(data) == size:
                yield data
                continue
            if cut_ok and size <= MAX_BYTES:
                return
            raise _broken(path, number, f"says {size} bytes, {len(data)} are there")


def _read_length(stream: BinaryIO) -> int:
    """The next length, -1 at the end of the file. Raises ``EOFError`` inside one."""
    size = shift = 0
    while True:
        byte = stream.read(1)
        if not byte:
            if shift:
                raise EOFError
            return -1
        size |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return size
        shift += 7
        if shift > 63:
            return MAX_BYTES + 1


def _broken(path: Path, number: int, reason: str) -> InputError:
    return InputError(
        str(path), [Problem(0, f"message {number} {reason}")], "give a file that a run has finished writing"
    )
