"""What makes a request of the service no request, in words; empty where it is one. Pure.

*Tested by* tests/properties/test_fuzz_execution.py, tests/integration/test_execution_api.py.
"""

from __future__ import annotations

from typing import Final

from hedgerow.execution.v1 import execution_pb2 as pb

from execution import trading
from execution.checks import MAX_TEXT_LENGTH
from execution.state import ExecutionState
from execution.stream import STREAM_BOUND

#: What the store can hold.
EPOCH_MAX: Final = 2**63 - 1


def unfit_fence(request: pb.FenceRequest) -> str:
    """A fence names an epoch that can be stored and a holder."""
    if 0 < request.epoch <= EPOCH_MAX and 0 < len(request.holder) <= MAX_TEXT_LENGTH:
        return ""
    return f"a fence needs an epoch from 1 to {EPOCH_MAX} and a holder of 1 to {MAX_TEXT_LENGTH} characters"


def unfit_trading(request: pb.SetTradingStateRequest, states: set[int], state: ExecutionState) -> str:
    """A trading state is one of ``states`` and says who asks, why, and for a scope that there is."""
    if not request.who or not request.why or int(request.state) not in states:
        return "a trading state needs one of ACTIVE, PAUSED, KILLED, REDUCE_ONLY, who asks, and why"
    longest = max(len(request.who), len(request.why), len(request.scope))
    if longest > MAX_TEXT_LENGTH:
        return f"who, why and scope: {longest} characters, limit {MAX_TEXT_LENGTH}"
    return trading.unknown_scope(state, request.scope)


def too_many(request: pb.StreamOrdersRequest) -> str:
    """One message holds no more orders or cancels than a stream may owe answers."""
    count = len(request.cancel.client_order_id or request.submit.orders or request.replace.orders)
    if count <= STREAM_BOUND:
        return ""
    return f"{count} orders or cancels in one message, limit {STREAM_BOUND}: send several"
