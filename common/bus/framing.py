"""How journal entries stand in one stored message: the number of the first, then each with its length.

    uint64 first | uint32 count | count × (uint32 length | bytes)        little-endian

Entries are numbered 1, 2, 3, ... over the whole journal, so a reader can tell a gap and a repetition.
*Tested by* tests/properties/test_journal_framing.py.
"""

from __future__ import annotations

import struct

from common.errors import Refused

_HEAD = struct.Struct("<QI")
_LENGTH = struct.Struct("<I")


def pack(first: int, entries: list[bytes]) -> bytes:
    """One message with ``entries`` numbered from ``first`` on."""
    parts = [_HEAD.pack(first, len(entries))]
    for entry in entries:
        parts += (_LENGTH.pack(len(entry)), entry)
    return b"".join(parts)


def unpack(data: bytes) -> tuple[int, list[bytes]]:
    """Number of the first entry, and the entries. Raises ``errors.Refused`` if the bytes are not such a message."""
    try:
        first, count = _HEAD.unpack_from(data)
        entries, at = [], _HEAD.size
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size
            entries.append(data[at : at + length])
            at += length
    except struct.error as error:
        raise Refused(f"journal message of {len(data)} bytes: {error}") from None
    if at != len(data):
        raise Refused(f"journal message of {len(data)} bytes: its entries end at {at}")
    return first, entries


def first_number(data: bytes) -> int:
    """Number of the first entry of a message, from its head alone. Raises ``errors.Refused`` if it is too short."""
    if len(data) < _HEAD.size:
        raise Refused(f"journal message of {len(data)} bytes: too short for one")
    return int(_HEAD.unpack_from(data)[0])


def next_number(data: bytes) -> int:
    """Number of the entry that follows a message. Raises ``errors.Refused`` as ``unpack`` does."""
    first, entries = unpack(data)
    return first + len(entries)
