"""The details of a failed call, read back by the reference implementation's own message types."""

from __future__ import annotations

import pytest
from google.rpc import code_pb2, status_pb2
from hedgerow.execution.v1 import execution_pb2 as pb

from common.messages import OrderAck, OrdStatus, Refusal
from common.wire.error_codec import DETAILS_KEY, error_details, error_reason
from common.wire.execution_codec import ack_to_pb


def test_every_reason_survives_under_its_code() -> None:
    for name, number in pb.ErrorReason.items():
        trailer = error_details(code_pb2.NOT_FOUND, "no order 'x'", number)
        assert error_reason(trailer) == name.removeprefix("ERROR_REASON_")
        status = status_pb2.Status.FromString(trailer[0][1])
        assert (status.code, status.message) == (code_pb2.NOT_FOUND, "no order 'x'")


@pytest.mark.parametrize("trailer", [None, (), (("other", "x"),), ((DETAILS_KEY, b"\xff\xff"),), ((DETAILS_KEY, b""),)])
def test_a_trailer_that_is_not_ours_has_no_reason(trailer: tuple | None) -> None:
    assert error_reason(trailer) == ""


def test_every_refusal_has_a_canonical_code_other_than_ok() -> None:
    known = set(code_pb2.Code.values())
    for refusal in Refusal:
        code = ack_to_pb(OrderAck("a", OrdStatus.REJECTED, refusal)).code
        assert code in known
        assert (code == code_pb2.OK) == (refusal is Refusal.NONE)
    assert ack_to_pb(OrderAck("a", OrdStatus.REJECTED, Refusal.ID_REUSED)).code == code_pb2.ALREADY_EXISTS
    assert ack_to_pb(OrderAck("a", OrdStatus.REJECTED, Refusal.STALE_EPOCH)).code == code_pb2.FAILED_PRECONDITION
    assert ack_to_pb(OrderAck("a", OrdStatus.REJECTED, Refusal.COLLAR)).code == code_pb2.OUT_OF_RANGE
