"""Helpers of the codecs: raw little-endian columns and headers, checked once, refused whole.

A column is the array's bytes as they stand in memory (C order, little-endian), so that a batch costs microseconds and
not a message per row. Decoded columns are read-only views of the received bytes: no copy, and nobody can change one.
NaN and infinities pass bit for bit; what they mean is the reader's rule.
*Tested by* tests/properties/test_wire_round_trip.py, tests/unit/test_wire_refusals.py.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message
from hedgerow.market.v1 import market_pb2
from numpy.typing import NDArray

from common.errors import Refused
from common.messages import Header

M = TypeVar("M", bound=Message)

F64_LE: Final = np.dtype("<f8")
I64_LE: Final = np.dtype("<i8")
I32_LE: Final = np.dtype("<i4")
U32_LE: Final = np.dtype("<u4")
U16_LE: Final = np.dtype("<u2")
U8_LE: Final = np.dtype("u1")
I8_LE: Final = np.dtype("i1")


def parse(message: M, kind: str, data: bytes) -> M:
    """Fill ``message`` from bytes. Raises ``errors.Refused`` naming the kind if they are not such a message."""
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise Refused(f"{kind}: {len(data)} bytes that do not decode: {error}") from None
    return message


def column_bytes(array: NDArray[Any], dtype: np.dtype[Any]) -> bytes:
    """The bytes of a column. Raises ``TypeError`` if the array would lose anything on the way to ``dtype``."""
    if array.dtype != dtype:
        array = array.astype(dtype, casting="safe")
    return array.tobytes()


def column(kind: str, name: str, data: bytes, dtype: np.dtype[Any], rows: int | None = None) -> NDArray[Any]:
    """A read-only view of ``data`` as (rows,). Raises ``errors.Refused`` unless it holds exactly that many items."""
    size = len(data)
    if size % dtype.itemsize or (rows is not None and size != rows * dtype.itemsize):
        wanted = f"{rows} rows" if rows is not None else "whole rows"
        raise Refused(f"{kind}: column {name} has {size} bytes, not {wanted} of {dtype.itemsize}")
    return np.frombuffer(data, dtype)


def table(kind: str, name: str, data: bytes, dtype: np.dtype[Any], rows: int, columns: int) -> NDArray[Any]:
    """A read-only view as (rows, columns), (0, 0) without rows. Raises ``errors.Refused`` as ``column``."""
    return column(kind, name, data, dtype, rows * columns).reshape(rows, columns if rows else 0)


def same_length(kind: str, name: str, count: int, rows: int) -> None:
    """Raises ``errors.Refused`` unless a repeated field has ``rows`` items."""
    if count != rows:
        raise Refused(f"{kind}: {name} has {count} items, expected {rows}")


def header_to_pb(header: Header) -> market_pb2.Header:
    """Header as protobuf."""
    return market_pb2.Header(
        source=header.source,
        sequence=header.sequence,
        event_time_ns=header.event_time_ns,
        receive_time_ns=header.receive_time_ns,
        cause_id=header.cause_id,
    )


def header_from_pb(pb: market_pb2.Header) -> Header:
    """Header of a message."""
    return Header(pb.source, pb.sequence, pb.event_time_ns, pb.receive_time_ns, pb.cause_id)


def required_header(kind: str, pb: Any) -> Header:
    """Header of a message that must have one. Raises ``errors.Refused`` if it has none or names no source."""
    if not pb.HasField("header") or not pb.header.source:
        raise Refused(f"{kind}: no header, or a header without a source")
    return header_from_pb(pb.header)
