"""Why a call failed, as gRPC clients of every language read it: ``google.rpc.Status`` with an ``ErrorInfo`` in the trailer.

*Tested by* tests/unit/test_error_codec.py, tests/integration/test_execution_api.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from hedgerow.execution.v1 import execution_pb2 as pb

#: The metadata key that gRPC gives the details of a status.
DETAILS_KEY: Final = "grpc-status-details-bin"
DOMAIN: Final = "execution.hedgerow"
_PREFIX: Final = "ERROR_REASON_"


def error_details(code: int, text: str, reason: int) -> tuple[tuple[str, bytes], ...]:
    """Trailing metadata of a failed call. ``code`` as in google.rpc.Code, ``reason`` an ``ErrorReason``."""
    known: Any = reason
    detail = AnyMessage()
    detail.Pack(ErrorInfo(reason=pb.ErrorReason.Name(known).removeprefix(_PREFIX), domain=DOMAIN))
    return ((DETAILS_KEY, Status(code=code, message=text, details=[detail]).SerializeToString()),)


def error_reason(trailer: Iterable[tuple[str, Any]] | None) -> str:
    """Name of the ``ErrorReason`` in a trailer, without its prefix; empty where none of ours is readable."""
    for key, value in trailer or ():
        if key != DETAILS_KEY:
            continue
        try:
            status = Status.FromString(value)
        except DecodeError:
            return ""
        for detail in status.details:
            info = ErrorInfo()
            if detail.Unpack(info) and info.domain == DOMAIN:
                return str(info.reason)
    return ""
