"""FIX messages made wrong: fields dropped, doubled, moved, odd values and lengths.

In half of the cases BodyLength (9) and CheckSum (10) are made right again, so that the message gets past the engine's framing.
*Tested by* tests/properties/test_fuzz_mutation.py.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

from lab.fuzz.mutation import Seed

SOH: Final = b"\x01"
_VALUES: Final = (
    b"",
    b"0",
    b"-1",
    b"1.5",
    b"1e5",
    b"1E999999",
    b"1E-999999",
    b"1E+999999999999999999",
    b"-0",
    b"NaN",
    b"sNaN",
    b"Infinity",
    b"9" * 20,
    b"9" * 400,
    b"0." + b"3" * 400,
    b"1_000",
    b" 7 ",
    b"+3",
    b"2147483648",
    b"9223372036854775807",
    b"18446744073709551616",
    b"Y",
    b"Z",
    b"\xe9\xff",
    b"\xc3\xa9",
    b"\xd9\xa3",
    b"\x00",
    b"=",
    b"A" * 3000,
    b"20260230-25:61:61",
)
_TAGS: Final = (b"0", b"-1", b"35", b"34", b"9", b"10", b"11", b"41", b"17", b"14", b"6", b"31", b"32", b"150", b"39", b"58",
    b"99999999999", b"x", b"", b"453", b"555", b"369", b"43", b"122")  # fmt: skip


def framed(fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Fields as a message with right length and checksum; 8, 9 and 10 among them are made anew."""
    begin = next((value for tag, value in fields if tag == b"8"), b"FIX.4.4")
    body = b"".join(tag + b"=" + value + SOH for tag, value in fields if tag not in (b"8", b"9", b"10"))
    head = b"8=" + begin + SOH + b"9=" + str(len(body)).encode() + SOH + body
    return head + b"10=%03d" % (sum(head) % 256) + SOH


def split(data: bytes) -> list[tuple[bytes, bytes]]:
    """Fields of a message; what is no ``tag=value`` is left out."""
    parts = (part.partition(b"=") for part in data.split(SOH))
    return [(tag, value) for tag, equals, value in parts if equals]


def remade(seed: Seed, rng: random.Random) -> bytes:
    """The seed's message with one to four fields wrong, whole again in half of the cases."""
    fields = split(seed.data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _change(fields, rng)
    if rng.random() < 0.5:
        return framed(fields)
    return b"".join(tag + b"=" + value + SOH for tag, value in fields)


def _change(fields: list[tuple[bytes, bytes]], rng: random.Random) -> None:
    if not fields:
        fields.append((b"35", b"8"))
        return
    at = rng.randrange(len(fields))
    tag, value = fields[at]
    match rng.randrange(8):
        case 0:
            del fields[at]
        case 1:
            fields.insert(rng.randrange(len(fields) + 1), (tag, value))
        case 2:
            fields.append(fields.pop(at))
        case 3:
            fields[at] = (rng.choice(_TAGS), value)
        case 4:
            fields.insert(at, (rng.choice(_TAGS), rng.choice(_VALUES)))
        case 5:
            cut = rng.randrange(len(value) + 1)
            fields[at] = (tag, value[:cut] + rng.choice((b"", b"0", b"-", b".", b"\xe9")) + value[cut:])
        case _:
            fields[at] = (tag, rng.choice(_VALUES))
