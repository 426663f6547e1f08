"""A struck day to protobuf and back. Schema: ``DayStruck`` in proto/hedgerow/control/v1/control.proto.

*Tested by* tests/properties/test_wire_round_trip.py, tests/unit/test_wire_strikes.py.
"""

from __future__ import annotations

from hedgerow.control.v1 import control_pb2 as pb

from common.control_messages import DayStruck
from common.wire.columns import F64_LE, U32_LE, column, column_bytes


def struck_to_pb(s: DayStruck) -> pb.DayStruck:
    """A strike as protobuf."""
    return pb.DayStruck(
        day=s.day,
        at_ns=s.at_ns,
        market_seen=[pb.SourceSequence(source=source, sequence=sequence) for source, sequence in s.market_seen],
        instrument=column_bytes(s.instrument, U32_LE),
        mark=column_bytes(s.mark, F64_LE),
        desk=s.desk,
        level_usd=column_bytes(s.level_usd, F64_LE),
        pnl_usd=column_bytes(s.pnl_usd, F64_LE),
        late=s.late,
    )


def struck_from_pb(m: pb.DayStruck) -> DayStruck:
    """A strike. Raises ``errors.Refused`` where a column has another length than what it belongs to."""
    instrument = column("DayStruck", "instrument", m.instrument, U32_LE)
    return DayStruck(
        day=m.day,
        at_ns=m.at_ns,
        market_seen=tuple((x.source, x.sequence) for x in m.market_seen),
        instrument=instrument,
        mark=column("DayStruck", "mark", m.mark, F64_LE, len(instrument)),
        desk=tuple(m.desk),
        level_usd=column("DayStruck", "level_usd", m.level_usd, F64_LE, len(m.desk)),
        pnl_usd=column("DayStruck", "pnl_usd", m.pnl_usd, F64_LE, len(m.desk)),
        late=tuple(m.late),
    )
