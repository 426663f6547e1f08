"""Messages made wrong, from a seed: the same seed and number give the same bytes, today and on another machine.

A case is named ``seed:number`` and is made alone, without those before it, so that one that failed is made again by its name.
Real messages of the project's own encoders are the material; a case is one of them with one to four things wrong.
*Tested by* tests/properties/test_fuzz_mutation.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message

#: Longest case in bytes; now and then one is blown up to about that.
MAX_BYTES: Final = 1 << 18
_BLOW_UP_SHARE: Final = 0.002
#: Stands in a seed where each case is to have an id of its own: the case's number in as many digits.
MARK: Final = b"#########"

#: Bytes that parsers trip over: endless varints, lengths beyond the message, wire types nobody uses, NaN, signs, ends of text.
NASTY: Final = (
    b"\xff" * 10,
    b"\xff\xff\xff\xff\x0f",
    b"\x80" * 9 + b"\x01",
    b"\x0a\xff\xff\xff\xff\x07",
    b"\x0b\x0c",
    b"\x00" * 8,
    b"\x00\x00\x00\x00\x00\x00\xf8\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf0\xff",
    b"\xff" * 8,
    b"\x00\x00\x00\x80",
    b"\xff\xfe\xfd",
    b"\xed\xa0\x80",
    b"\x01",
    b"\n",
    b"8=FIX.4.4\x019=999999999\x01",
)


@dataclass(frozen=True, slots=True)
class Seed:
    """A real message: where it belongs (a gRPC method, a NATS subject, ...), its bytes, and its class if it has one."""

    where: str
    data: bytes
    message: type[Message] | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One mutated message; ``name`` makes it again."""

    name: str
    seed: Seed
    data: bytes


Structured = Callable[[Seed, random.Random], bytes]


class Cases:
    """Cases from seeds. ``structured`` makes a wrong message of a whole one; a ``bytes_share`` of the cases has bytes changed."""

    def __init__(
        self, seed: int, seeds: Sequence[Seed], structured: Structured | None = None, bytes_share: float = 0.5
    ) -> None:
        self.seed = seed
        self._seeds = tuple(seeds)
        self._structured = structured
        self._bytes_share = bytes_share if structured is not None else 1.0
        self._all = tuple(s.data for s in seeds)

    def case(self, number: int) -> Case:
        """The ``number``-th case, from 0."""
        rng = random.Random((self.seed << 48) + number)
        seed = self._seeds[rng.randrange(len(self._seeds))]
        data = seed.data
        way = rng.random()
        if self._structured is not None and way >= 0.8 * self._bytes_share:
            data = self._structured(seed, rng)
        if way < self._bytes_share:
            data = mutated(data, rng, self._all)
        return Case(f"{self.seed}:{number}", seed, data[:MAX_BYTES].replace(MARK, b"%09d" % number))


def mutated(data: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """``data`` with one to four things wrong; pieces of ``others`` may be spliced in."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _WAYS[rng.randrange(len(_WAYS))](out, rng, others)
    if rng.random() < _BLOW_UP_SHARE:
        piece = bytes(out[: rng.randrange(1, 64)]) or b"\x00"
        out += piece * (MAX_BYTES // len(piece))
    return bytes(out)


def _at(out: bytearray, rng: random.Random) -> int:
    return rng.randrange(len(out)) if out else 0


def _flip_bit(out: bytearray, rng: random.Random, _others: Sequence[bytes]) -> None:
    if out:
        out[_at(out, rng)] ^= 1 << rng.randrange(8)


def _set_byte(out: bytearray, rng: random.Random, _others: Sequence[bytes]) -> None:
    if out:
        out[_at(out, rng)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))


def _cut(out: bytearray, rng: random.Random, _others: Sequence[bytes]) -> None:
    del out[_at(out, rng) :]


def _drop(out: bytearray, rng: random.Random, _others: Sequence[bytes]) -> None:
    at = _at(out, rng)
    del out[at : at + rng.choice((1, 2, 4, 8, 16))]


def _insert(out: bytearray, rng: random.Random, _others: Sequence[bytes]) -> None:
    at = _at(out, rng)
    out[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8)))


def _double(out: bytearray, rng: random.Random, _others: Sequence[bytes]) -> None:
    at = _at(out, rng)
    piece = bytes(out[at : at + rng.choice((1, 4, 16, 256))])
    out[at:at] = piece * rng.choice((1, 1, 2, 50))


def _splice(out: bytearray, rng: random.Random, others: Sequence[bytes]) -> None:
    other = others[rng.randrange(len(others))]
    out[_at(out, rng) :] = other[rng.randrange(len(other) + 1) :]


def _nasty(out: bytearray, rng: random.Random, _others: Sequence[bytes]) -> None:
    at, value = _at(out, rng), rng.choice(NASTY)
    if rng.random() < 0.5:
        out[at : at + len(value)] = value
    else:
        out[at:at] = value


def _longer(out: bytearray, rng: random.Random, _others: Sequence[bytes]) -> None:
    """A byte that may be a length or a varint says more than there is."""
    if out:
        at = _at(out, rng)
        out[at : at + 1] = bytes((out[at] | 0x80,)) + rng.choice(
            (b"\x01", b"\x7f", b"\xff\xff\x03", b"\xff\xff\xff\xff\x07")
        )


_WAYS = (_flip_bit, _set_byte, _cut, _drop, _insert, _double, _splice, _nasty, _longer)
