"""Every codec in one place: ``encode_X(message) -> bytes``, ``decode_X(bytes) -> message``.

Decoding refuses the whole message with ``errors.Refused`` (kind and reason) if its bytes do not decode, a column has
the wrong length, or a required part is missing. Values are not judged here: NaN travels bit for bit.
*Tested by* tests/properties/test_wire_round_trip.py, tests/unit/test_wire_refusals.py.
"""

from __future__ import annotations

from common.wire.control_codec import (
    decode_acknowledgement,
    decode_command,
    decode_cycle,
    decode_event_of,
    decode_journal_entry,
    encode_acknowledgement,
    encode_command,
    encode_cycle,
    encode_journal_entry,
)
from common.wire.execution_codec import (
    ack_from_pb,
    ack_to_pb,
    order_from_pb,
    order_state_from_pb,
    order_state_to_pb,
    order_to_pb,
    report_from_pb,
    report_to_pb,
)
from common.wire.hedge_codec import (
    decode_assignment_update,
    decode_budget_update,
    decode_heartbeat,
    decode_position_update,
    decode_proposal,
    encode_assignment_update,
    encode_budget_update,
    encode_heartbeat,
    encode_position_update,
    encode_proposal,
)
from common.wire.market_codec import (
    decode_book,
    decode_quote_batch,
    decode_universe,
    encode_book,
    encode_quote_batch,
    encode_universe,
)
from common.wire.steering_codec import decode_agent_parameters, encode_agent_parameters

__all__ = [
    "ack_from_pb",
    "ack_to_pb",
    "decode_acknowledgement",
    "decode_agent_parameters",
    "decode_assignment_update",
    "decode_book",
    "decode_budget_update",
    "decode_command",
    "decode_cycle",
    "decode_event_of",
    "decode_heartbeat",
    "decode_journal_entry",
    "decode_position_update",
    "decode_proposal",
    "decode_quote_batch",
    "decode_universe",
    "encode_acknowledgement",
    "encode_agent_parameters",
    "encode_assignment_update",
    "encode_book",
    "encode_budget_update",
    "encode_command",
    "encode_cycle",
    "encode_heartbeat",
    "encode_journal_entry",
    "encode_position_update",
    "encode_proposal",
    "encode_quote_batch",
    "encode_universe",
    "order_from_pb",
    "order_state_from_pb",
    "order_state_to_pb",
    "order_to_pb",
    "report_from_pb",
    "report_to_pb",
]
