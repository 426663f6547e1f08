"""What the bytes of an order request spell out, read by hand from the wire, and whether a small market allows it.

Nothing here uses the project's codecs, checks or generated classes: field numbers are those of
proto/hedgerow/execution/v1/execution.proto, the format is that of protobuf's own documentation. So an order that reached a
venue can be held against the bytes that were sent. *Tested by* tests/properties/test_fuzz_execution.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from common.messages import Order

_SUBMIT, _REPLACE, _ORDERS = 1, 3, 1
#: Field number, name in the dataclass, and how its varint is read ("u" as it stands, "i" in two's complement of 64 bits).
_PLAIN: Final = (
    (2, "epoch", "u"),
    (4, "instrument", "u"),
    (5, "side", "i"),
    (6, "quantity_lots", "i"),
    (7, "limit_ticks", "i"),
    (8, "time_in_force", "i"),
    (13, "order_sequence", "u"),
    (15, "event_time_ns", "i"),
)
_TEXTS: Final = ((1, "client_order_id"), (3, "instrument_id"), (9, "book_id"), (21, "orig_client_order_id"))
#: Texts and messages inside an order; everything else in it is a number.
_OF_BYTES: Final = (1, 3, 9, 10, 11, 12, 16, 19, 21)


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, varint or bytes) of each field on the wire. Raises ``ValueError`` where the bytes are no message."""
    at, groups = 0, 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind in (3, 4):
            groups += 1 if kind == 3 else -1
        elif kind == 0:
            value, at = _varint(data, at)
            if not groups:
                yield number, value
        elif kind == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("a field beyond the end")
            if not groups:
                yield number, data[at : at + size]
            at += size
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
            if at > len(data):
                raise ValueError("a field beyond the end")
        else:
            raise ValueError(f"wire type {kind}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    out = 0
    for k in range(10):
        if at + k >= len(data):
            raise ValueError("a varint beyond the end")
        out |= (data[at + k] & 0x7F) << (7 * k)
        if not data[at + k] & 0x80:
            return out & 0xFFFF_FFFF_FFFF_FFFF, at + k + 1
    raise ValueError("a varint of more than ten bytes")


def orders_in(request: bytes) -> list[dict[int, Any]]:
    """The orders a ``StreamOrdersRequest`` spells out, as field number to last value; field 16 as the list of its lots.

    The last of several ``oneof`` members counts, members of one kind are merged, as protobuf says. Empty where it is no request.
    """
    which, parts = 0, b""
    try:
        for number, value in fields(request):
            if number in (1, 2, 3) and isinstance(value, bytes):
                parts = parts + value if number == which else value
                which = number
        if which not in (_SUBMIT, _REPLACE):
            return []
        return [_order(value) for number, value in fields(parts) if number == _ORDERS and isinstance(value, bytes)]
    except ValueError:
        return []


def _order(data: bytes) -> dict[int, Any]:
    out: dict[int, Any] = {16: []}
    for number, value in fields(data):
        if isinstance(value, bytes) is not (number in _OF_BYTES):
            continue  # another type than the field's: a field nobody knows
        if number == 16 and isinstance(value, bytes):
            lots = dict(fields(value)).get(2, 0)
            out[16].append((lots >> 1) ^ -(lots & 1) if isinstance(lots, int) else 0)
        elif number != 16:
            out[number] = value
    return out


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def same(order: Order, spelled: dict[int, Any]) -> bool:
    """Whether an order is what the bytes spell out, field by field."""
    for number, name, how in _PLAIN:
        value = spelled.get(number, 0)
        if not isinstance(value, int):
            return False
        value = value & 0xFFFF_FFFF if number == 4 else _signed(value) if how == "i" else value
        if number == 5 or number == 8:
            value &= 0xFFFF_FFFF
        if name == "limit_ticks" and spelled.get(20) == 2:
            continue  # a market order carries the price of the collar
        if value != int(getattr(order, name)):
            return False
    texts = all(spelled.get(number, b"") == getattr(order, name).encode() for number, name in _TEXTS)
    return texts and [lots for _, lots in order.allocation] == spelled[16]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a market of one standing quote lets out, stated apart from the checks: prices in ticks, quantities in lots."""

    epoch: int
    ids: Sequence[str]
    bid_ticks: int
    ask_ticks: int
    collar_ticks: int
    max_lots: int
    now_ns: int
    max_age_ns: int

    def problem(self, order: Order) -> str:
        """Why this order should never have reached a venue; empty where it may."""
        mid2 = self.bid_ticks + self.ask_ticks
        beyond2 = (2 * order.limit_ticks - mid2) * (1 if order.side == 1 else -1)
        rules = (
            (order.epoch == self.epoch, f"epoch {order.epoch}, fenced is {self.epoch}"),
            (
                0 <= order.instrument < len(self.ids) and self.ids[order.instrument] == order.instrument_id,
                f"row {order.instrument} is not {order.instrument_id!r}",
            ),
            (1 <= order.quantity_lots <= self.max_lots, f"{order.quantity_lots} lots, limit {self.max_lots}"),
            (beyond2 <= 2 * self.collar_ticks, f"{order.limit_ticks} ticks is beyond the collar"),
            (
                not order.allocation or sum(lots for _, lots in order.allocation) == order.signed_lots,
                "its allocation does not add up",
            ),
            (1 <= len(order.client_order_id) <= 36, f"its id has {len(order.client_order_id)} characters"),
            (abs(order.event_time_ns - self.now_ns) <= self.max_age_ns, f"it is of {order.event_time_ns} ns"),
        )
        return next((text for fine, text in rules if not fine), "")
