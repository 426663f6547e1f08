"""A line of a venue's own file: as a dataclass, as JSON text, and on the wire.

The file is for people and auditors: one JSON object a line, numbered without a gap. ``lots`` and ``ticks`` are quantity and
limit on an order's own line, those of the fill on a fill's. The wire carries ``uint32 length, big-endian | message``.
*Tested by* tests/unit/test_venue_lasting.py, tests/integration/test_venue_process.py.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass, fields
from enum import IntEnum
from typing import Any, Final, Protocol

from google.protobuf.message import DecodeError
from hedgerow.venue.v1 import venue_pb2 as pb

from common.errors import Refused
from common.messages import Order
from common.units import NO_PRICE
from execution.venues.port import VenueEvent, VenueKind

#: Longest message either side believes.
MAX_BYTES: Final = 1 << 22
_LENGTH = struct.Struct(">I")


class RecordKind(IntEnum):
    """What a line is about; the first ones are ``VenueKind``'s."""

    ACCEPTED = VenueKind.ACCEPTED
    FILL = VenueKind.FILL
    CANCELED = VenueKind.CANCELED
    REJECTED = VenueKind.REJECTED
    EXPIRED = VenueKind.EXPIRED
    CANCEL_REJECTED = VenueKind.CANCEL_REJECTED
    DUPLICATE = VenueKind.DUPLICATE
    REPLACED = VenueKind.REPLACED
    REPLACE_REJECTED = VenueKind.REPLACE_REJECTED
    SETTLED = VenueKind.SETTLED
    ORDER = 16
    CANCEL = 17
    REPLACE = 18


#: Lines that tell what was asked; the others tell what happened.
ASKED: Final = (RecordKind.ORDER, RecordKind.CANCEL, RecordKind.REPLACE)


@dataclass(frozen=True, slots=True)
class VenueRecord:
    """One line. ``side`` 1 buy, 2 sell and ``time_in_force`` stand on an order's own line, else 0; ``instrument`` else -1.

    A replacement's own line (REPLACE) names the order it replaces; that of a leg its combo, its lots in one unit and what a
    unit may cost. ``with_next``: this line and the next stand or fall together.
    """

    sequence: int
    kind: RecordKind
    client_order_id: str
    event_time_ns: int
    exec_id: str = ""
    lots: int = 0
    ticks: int = 0
    fee_cents: int = 0
    bid_ticks: int = NO_PRICE
    ask_ticks: int = NO_PRICE
    text: str = ""
    instrument: int = -1
    instrument_id: str = ""
    side: int = 0
    time_in_force: int = 0
    orig_client_order_id: str = ""
    combo_id: str = ""
    ratio: int = 0
    net_limit_cents: int = 0
    with_next: bool = False

    @property
    def event(self) -> VenueEvent | None:
        """What execution hears of it; None for a line that tells only of what was asked."""
        if self.kind in ASKED:
            return None
        return VenueEvent(
            VenueKind(self.kind),
            self.client_order_id,
            self.event_time_ns,
            self.exec_id,
            self.lots,
            self.ticks,
            self.fee_cents,
            self.bid_ticks,
            self.ask_ticks,
            self.text,
            self.instrument if self.kind is RecordKind.SETTLED else -1,
        )


_DEFAULTS: Final = {f.name: f.default for f in fields(VenueRecord) if f.name not in ("sequence", "kind")}


def of_event(sequence: int, event: VenueEvent) -> VenueRecord:
    """The line that tells of an event."""
    values = asdict(event)
    return VenueRecord(sequence, RecordKind(values.pop("kind")), **values)


def of_order(sequence: int, order: Order, taken_ns: int, kind: RecordKind = RecordKind.ORDER) -> VenueRecord:
    """The line that says that an order was taken at market time ``taken_ns``, or that it came a second time."""
    return VenueRecord(
        sequence,
        kind,
        order.client_order_id,
        taken_ns,
        lots=order.quantity_lots,
        ticks=order.limit_ticks,
        instrument=order.instrument,
        instrument_id=order.instrument_id,
        side=int(order.side),
        time_in_force=int(order.time_in_force),
        orig_client_order_id=order.orig_client_order_id,
        **_of_combo(order),
    )


def _of_combo(order: Order) -> dict[str, Any]:
    combo = order.combo
    if combo is None:
        return {}
    ratio = combo.ratio(order.client_order_id)
    return {"combo_id": combo.combo_id, "ratio": ratio, "net_limit_cents": combo.net_limit_cents}


def to_line(record: VenueRecord) -> str:
    """JSON without what has its default, ending in a newline."""
    said = {k: v for k, v in asdict(record).items() if k not in _DEFAULTS or v != _DEFAULTS[k]}
    return json.dumps({**said, "kind": record.kind.name}) + "\n"


def from_line(line: str) -> VenueRecord:
    """A record again. Raises ``ValueError`` saying what is wrong with the line."""
    try:
        values = json.loads(line)
        return VenueRecord(**{**values, "kind": RecordKind[values["kind"]]})
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"is no record of a venue: {error}") from None


def to_pb(record: VenueRecord) -> pb.VenueRecord:
    """For the wire; an order's content stays at the venue."""
    kind: Any = int(record.kind)
    return pb.VenueRecord(
        sequence=record.sequence,
        kind=kind,
        client_order_id=record.client_order_id,
        event_time_ns=record.event_time_ns,
        exec_id=record.exec_id,
        lots=record.lots,
        ticks=record.ticks,
        fee_cents=record.fee_cents,
        bid_ticks=record.bid_ticks,
        ask_ticks=record.ask_ticks,
        text=record.text,
        instrument=record.instrument if record.kind is RecordKind.SETTLED else 0,
    )


def from_pb(m: pb.VenueRecord) -> VenueRecord:
    """From the wire. Raises ``Refused`` for a kind nobody knows."""
    try:
        kind = RecordKind(m.kind)
    except ValueError:
        raise Refused(f"venue record {m.sequence} has the unknown kind {m.kind}") from None
    return VenueRecord(
        m.sequence,
        kind,
        m.client_order_id,
        m.event_time_ns,
        m.exec_id,
        m.lots,
        m.ticks,
        m.fee_cents,
        m.bid_ticks,
        m.ask_ticks,
        m.text,
        m.instrument if kind is RecordKind.SETTLED else -1,
    )


class Reader(Protocol):
    """The part of ``asyncio.StreamReader`` that is used."""

    async def readexactly(self, n: int) -> bytes:
        """Raises ``asyncio.IncompleteReadError`` at the end."""
        ...


def framed(message: pb.VenueRequest | pb.VenueResponse) -> bytes:
    """A message with its length in front."""
    data = message.SerializeToString()
    return _LENGTH.pack(len(data)) + data


async def read_frame(reader: Reader) -> bytes:
    """The next message's bytes. Raises ``Refused`` above ``MAX_BYTES``, ``asyncio.IncompleteReadError`` at the end."""
    (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if size > MAX_BYTES:
        raise Refused(f"a message of {size} bytes, limit {MAX_BYTES}")
    return await reader.readexactly(size)


def request_of(data: bytes) -> pb.VenueRequest:
    """Raises ``Refused`` for bytes that are no request."""
    try:
        return pb.VenueRequest.FromString(data)
    except DecodeError as error:
        raise Refused(f"not a request to a venue: {error}") from None


def response_of(data: bytes) -> pb.VenueResponse:
    """Raises ``Refused`` for bytes that are no response."""
    try:
        return pb.VenueResponse.FromString(data)
    except DecodeError as error:
        raise Refused(f"not a response of a venue: {error}") from None
