"""A protobuf message that still decodes, with fields that should not be: extremes, NaN, odd text, columns of another length.

Works on any class by its descriptor. *Tested by* tests/properties/test_fuzz_mutation.py.
"""

from __future__ import annotations

import json
import random
import struct
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from lab.fuzz.mutation import Seed

_F = FieldDescriptor
_I32, _I64, _U32, _U64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1), (0, 2**32 - 1), (0, 2**64 - 1)
_RANGE: Final = {
    _F.TYPE_INT32: _I32,
    _F.TYPE_SINT32: _I32,
    _F.TYPE_SFIXED32: _I32,
    _F.TYPE_INT64: _I64,
    _F.TYPE_SINT64: _I64,
    _F.TYPE_SFIXED64: _I64,
    _F.TYPE_UINT32: _U32,
    _F.TYPE_FIXED32: _U32,
    _F.TYPE_UINT64: _U64,
    _F.TYPE_FIXED64: _U64,
}
_WHOLE: Final = (
    0,
    1,
    -1,
    2,
    127,
    255,
    2**31 - 1,
    -(2**31),
    2**32 - 1,
    2**53,
    2**62,
    2**63 - 1,
    -(2**63),
    2**63,
    2**64 - 1,
)
_REAL: Final = (
    float("nan"),
    float("inf"),
    -float("inf"),
    0.0,
    -0.0,
    5e-324,
    1e-300,
    1e300,
    -1e308,
    1.7976931348623157e308,
    0.1,
)
_TEXT: Final = (
    "",
    " ",
    "\x00",
    "\x01",
    "a" * 37,
    "b" * 5000,
    "é",
    "\U0001f600" * 20,
    "\u202e",
    "\ufeff",
    "-",
    "gamma-99999999999999999999",
    "delta:",
    "vega:AAA/never",
    "feed.",
    "feed.ZZZ",
    "manager-\n",
    "../../etc",
    "'; DROP TABLE orders; --",
    "%s%n{0}",
    "underlying:",
    "NaN",
)
_JSON: Final = (
    "[" * 100_000,
    '{"a":' * 50_000,
    "NaN",
    "1e999",
    "9" * 5000,
    "9" * 400,
    "-1",
    '"\\ud800"',
    '"\\u0000"',
    "null",
    "true",
    "[]",
    "{}",
    '{"":{"":""}}',
)


def remade(seed: Seed, rng: random.Random) -> bytes:
    """Bytes of the seed's message with one to three fields changed."""
    assert seed.message is not None
    message = seed.message()
    try:
        message.ParseFromString(seed.data)
    except DecodeError:
        return seed.data
    for _ in range(rng.choice((1, 1, 2, 3))):
        change(message, rng)
    return bytes(message.SerializeToString())


def change(message: Message, rng: random.Random) -> None:
    """Change one field somewhere inside; half of the time one that is set."""
    fields = message.DESCRIPTOR.fields
    if not fields:
        return
    present = [field for field, _ in message.ListFields()]
    field = rng.choice(present) if present and rng.random() < 0.7 else fields[rng.randrange(len(fields))]
    if field.is_repeated:
        _change_repeated(message, field, rng)
    elif field.type == _F.TYPE_MESSAGE:
        if rng.random() < 0.05:
            message.ClearField(field.name)
        else:
            inner = getattr(message, field.name)
            inner.SetInParent()
            change(inner, rng)
    elif rng.random() < 0.1:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _value(field, getattr(message, field.name), rng))


def _change_repeated(message: Message, field: Any, rng: random.Random) -> None:
    items = getattr(message, field.name)
    way = rng.randrange(6)
    if way == 0 or not len(items):
        if field.type == _F.TYPE_MESSAGE:
            items.add()
        else:
            items.append(_value(field, field.default_value if not field.is_repeated else _nothing(field), rng))
    elif way == 1:
        message.ClearField(field.name)
    elif way == 2:
        del items[rng.randrange(len(items))]
    elif way == 3:
        kept = items[rng.randrange(len(items))]
        items.extend([kept] * rng.choice((1, 1, 2, 300)))
    else:
        at = rng.randrange(len(items))
        if field.type == _F.TYPE_MESSAGE:
            change(items[at], rng)
        else:
            items[at] = _value(field, items[at], rng)


def _nothing(field: Any) -> Any:
    return {_F.TYPE_STRING: "", _F.TYPE_BYTES: b"", _F.TYPE_BOOL: False}.get(field.type, 0)


def _value(field: Any, was: Any, rng: random.Random) -> Any:
    kind = field.type
    if kind in _RANGE:
        low, high = _RANGE[kind]
        wanted = rng.choice((rng.choice(_WHOLE), was + rng.choice((-1, 1, 2, 1000)), -was, rng.randint(low, high)))
        return min(max(wanted, low), high)
    if kind == _F.TYPE_ENUM:
        return rng.choice((0, 1, 2, 3, 4, 5, 9, 99, -1, 2**31 - 1))
    if kind in (_F.TYPE_DOUBLE, _F.TYPE_FLOAT):
        return rng.choice((*_REAL, was * rng.choice((-1.0, 2.0, 1e6, 1e-6))))
    if kind == _F.TYPE_STRING:
        return _text(field.name, was, rng)
    if kind == _F.TYPE_BYTES:
        return _column(was, rng)
    return not was


def _text(name: str, was: str, rng: random.Random) -> str:
    if name.endswith("_json"):
        return _json(was, rng)
    if rng.random() < 0.4 and was:
        at = rng.randrange(len(was))
        return rng.choice((was[:at], was + was, was[:at] + rng.choice(_TEXT) + was[at:], was.upper(), was[::-1]))
    return rng.choice(_TEXT)


def _json(was: str, rng: random.Random) -> str:
    """Arguments of a command: odd JSON as a whole, or in the place of one value."""
    if rng.random() < 0.3:
        return rng.choice(_JSON)
    try:
        found = json.loads(was)
    except (ValueError, RecursionError):
        return rng.choice(_JSON)
    if not isinstance(found, dict) or not found:
        return rng.choice(_JSON)
    name = rng.choice(sorted(found))
    parts = [f"{json.dumps(k)}: {rng.choice(_JSON) if k == name else json.dumps(v)}" for k, v in found.items()]
    if rng.random() < 0.1:
        parts.append(rng.choice(parts))
    return "{" + ", ".join(parts) + "}"


def _column(was: bytes, rng: random.Random) -> bytes:
    """Raw little-endian columns: another length, or one item that should not be."""
    way = rng.randrange(7)
    if way == 0:
        return b""
    if way == 1:
        return was[: rng.randrange(len(was) + 1)]
    if way == 2:
        return was[: max(len(was) - rng.choice((1, 4, 8)), 0)]
    if way == 3:
        return was + rng.randbytes(rng.choice((1, 2, 4, 8)))
    if way == 4:
        return was * rng.choice((2, 2, 100))
    item = rng.choice((
        struct.pack("<d", rng.choice(_REAL)),
        struct.pack("<q", rng.choice([w for w in _WHOLE if -(2**63) <= w < 2**63])),
        struct.pack("<I", rng.choice((0, 1, 13, 2**31 - 1, 2**32 - 1))),
        struct.pack("<i", rng.choice((0, -1, 2**31 - 1, -(2**31)))),
    ))  # fmt: skip
    at = rng.randrange(len(was) // len(item) + 1) * len(item)
    return was[:at] + item + was[at + len(item) :]
