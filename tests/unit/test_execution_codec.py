"""Values the wire may carry and the vocabulary does not have are refused, not guessed."""

from __future__ import annotations

import pytest
from hedgerow.execution.v1 import execution_pb2 as pb

from common.errors import Refused
from common.messages import OrdStatus, Refusal, Side, TimeInForce, TradingState
from common.tactics import TacticKind
from common.wire.execution_codec import ack_from_pb, order_from_pb, order_state_from_pb, order_to_pb, report_from_pb
from tests.execution_world import make_order


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (Side, pb.Side, "SIDE_"),
        (TimeInForce, pb.TimeInForce, "TIME_IN_FORCE_"),
        (OrdStatus, pb.OrdStatus, "ORD_STATUS_"),
        (Refusal, pb.Refusal, "REFUSAL_"),
        (TradingState, pb.TradingState, "TRADING_STATE_"),
        (TacticKind, pb.TacticKind, "TACTIC_KIND_"),
    ],
)
def test_both_sides_name_the_same_numbers(ours, theirs, prefix) -> None:
    wire = {name.removeprefix(prefix): number for name, number in theirs.items()}
    mine = {member.name: member.value for member in ours}
    assert {k: v for k, v in wire.items() if v} == {k: v for k, v in mine.items() if v}


@pytest.mark.parametrize("field", ["side", "time_in_force"])
@pytest.mark.parametrize(("value", "words"), [(0, "is not given"), (77, "unknown value 77")])
def test_an_order_with_an_unset_or_unknown_enumeration_is_refused(field: str, value: int, words: str) -> None:
    message = order_to_pb(make_order("a"))
    setattr(message, field, value)
    with pytest.raises(Refused, match=f"{field}.*{words}"):
        order_from_pb(message)


def test_answers_without_a_status_are_refused() -> None:
    with pytest.raises(Refused, match="ord_status is not given"):
        ack_from_pb(pb.OrderAck(client_order_id="a"))
    with pytest.raises(Refused, match="ord_status is not given"):
        report_from_pb(pb.ExecutionReport(sequence=1))
    with pytest.raises(Refused, match="ord_status is not given"):
        order_state_from_pb(pb.OrderState(order=order_to_pb(make_order("a"))))
