"""Imported client trades and the agents' live parameters to protobuf and back. Schemas: control.proto, hedge.proto.

*Tested by* tests/properties/test_wire_steering.py.
"""

from __future__ import annotations

import numpy as np
from hedgerow.control.v1 import control_pb2
from hedgerow.hedge.v1 import hedge_pb2

from common.control_messages import ImportedTrade, TradesImported
from common.errors import Refused
from common.messages import AgentParameters
from common.wire.columns import (
    F64_LE,
    U32_LE,
    column,
    column_bytes,
    header_to_pb,
    parse,
    required_header,
    same_length,
)


def trades_to_pb(event: TradesImported) -> control_pb2.TradesImported:
    """Imported trades as protobuf."""
    trades = [
        control_pb2.ImportedTrade(
            trade_id=t.trade_id,
            account=t.account,
            instrument=t.instrument,
            lots=t.lots,
            price=t.price,
            time_ns=t.time_ns,
            corrects=t.corrects,
            cancels=t.cancels,
        )
        for t in event.trades
    ]
    return control_pb2.TradesImported(
        import_id=event.import_id,
        trades=trades,
        market_seen=[control_pb2.SourceSequence(source=s, sequence=n) for s, n in event.market_seen],
        instrument=column_bytes(np.array([at for at, _ in event.marks], np.uint32), U32_LE),
        mark=column_bytes(np.array([points for _, points in event.marks], np.float64), F64_LE),
    )


def trades_from_pb(m: control_pb2.TradesImported) -> TradesImported:
    """Imported trades. Raises ``errors.Refused`` where a mark is missing or not finite."""
    trades = tuple(
        ImportedTrade(t.trade_id, t.account, t.instrument, t.lots, t.price, t.time_ns, t.corrects, t.cancels)
        for t in m.trades
    )
    instrument = column("TradesImported", "instrument", m.instrument, U32_LE)
    mark = column("TradesImported", "mark", m.mark, F64_LE, len(instrument))
    if not np.isfinite(mark).all():
        raise Refused("TradesImported: mark is not finite")
    seen = tuple((x.source, x.sequence) for x in m.market_seen)
    return TradesImported(m.import_id, trades, seen, tuple(zip(instrument.tolist(), mark.tolist(), strict=True)))


def parameters_to_pb(update: AgentParameters) -> hedge_pb2.AgentParameters:
    """The agents' live parameters as protobuf, in the order of the mapping."""
    return hedge_pb2.AgentParameters(
        header=header_to_pb(update.header),
        version=update.version,
        path=update.values.keys(),
        value=update.values.values(),
        changed=update.changed,
        before=update.before,
        after=update.after,
        undoes=update.undoes,
        who=update.who,
        why=update.why,
    )


def parameters_from_pb(m: hedge_pb2.AgentParameters) -> AgentParameters:
    """The agents' live parameters. A parameter that occurs twice has two values, so the message is refused."""
    kind = "AgentParameters"
    same_length(kind, "value", len(m.value), len(m.path))
    values = dict(zip(m.path, m.value, strict=True))
    if len(values) != len(m.path):
        raise Refused(f"{kind}: a parameter occurs twice")
    header = required_header(kind, m)
    return AgentParameters(header, m.version, values, m.changed, m.before, m.after, m.undoes, m.who, m.why)


def encode_agent_parameters(update: AgentParameters) -> bytes:
    """Bytes of the agents' live parameters."""
    return parameters_to_pb(update).SerializeToString()


def decode_agent_parameters(data: bytes) -> AgentParameters:
    """The agents' live parameters."""
    return parameters_from_pb(parse(hedge_pb2.AgentParameters(), "AgentParameters", data))
