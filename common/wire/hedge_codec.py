"""What agents and manager say to each other, to bytes and back. Schema: proto/hedgerow/hedge/v1/hedge.proto.

``*_to_pb`` and ``*_from_pb`` serve the journal too, which carries these inside its entries. ``decode_*`` raises
``errors.Refused`` with the kind and the reason; the whole message is refused.
*Tested by* tests/properties/test_wire_round_trip.py, tests/unit/test_wire_refusals.py.
"""

from __future__ import annotations

from hedgerow.hedge.v1 import hedge_pb2 as pb

from common.errors import Refused
from common.messages import AssignmentUpdate, BudgetUpdate, Heartbeat, InputRun, PositionUpdate, Proposal
from common.wire.columns import (
    F64_LE,
    I64_LE,
    U8_LE,
    U32_LE,
    column,
    column_bytes,
    header_to_pb,
    parse,
    required_header,
    same_length,
    table,
)


def proposal_to_pb(p: Proposal) -> pb.Proposal:
    """Proposal as protobuf. Raises ``ValueError`` if ``sensitivity`` is not (factors, menu)."""
    if p.sensitivity.size != len(p.factor) * len(p.menu):
        raise ValueError(f"proposal {p.header.id}: sensitivity {p.sensitivity.shape} for {len(p.factor)} factors")
    return pb.Proposal(
        header=header_to_pb(p.header),
        kind=p.kind,
        shard=p.shard,
        book_id=p.book_id,
        incarnation=p.incarnation,
        assignment_version=p.assignment_version,
        position_version=p.position_version,
        budget_epoch=p.budget_epoch,
        inputs=[pb.InputRun(stream=r.stream, first=r.first, count=r.count) for r in p.inputs],
        factor=p.factor,
        exposure=column_bytes(p.exposure, F64_LE),
        lower=column_bytes(p.lower, F64_LE),
        upper=column_bytes(p.upper, F64_LE),
        weighs_cost=column_bytes(p.weighs_cost, U8_LE),
        menu=column_bytes(p.menu, U32_LE),
        sensitivity=column_bytes(p.sensitivity, F64_LE),
        alone_lots=column_bytes(p.alone_lots, F64_LE),
        trigger=p.trigger,
        expires_ns=p.expires_ns,
        reported=p.reported,
        reported_value=column_bytes(p.reported_value, F64_LE),
        desk=p.desk,
        desk_alone_lots=column_bytes(p.desk_alone_lots, F64_LE),
    )


def proposal_from_pb(m: pb.Proposal) -> Proposal:
    """Proposal; columns are read-only views."""
    kind = "Proposal"
    header = required_header(kind, m)
    f = len(m.factor)
    menu = column(kind, "menu", m.menu, U32_LE)
    n = len(menu)
    return Proposal(
        header=header,
        kind=m.kind,
        shard=m.shard,
        book_id=m.book_id,
        incarnation=m.incarnation,
        assignment_version=m.assignment_version,
        position_version=m.position_version,
        budget_epoch=m.budget_epoch,
        inputs=tuple(InputRun(r.stream, r.first, r.count) for r in m.inputs),
        factor=tuple(m.factor),
        exposure=column(kind, "exposure", m.exposure, F64_LE, f),
        lower=column(kind, "lower", m.lower, F64_LE, f),
        upper=column(kind, "upper", m.upper, F64_LE, f),
        weighs_cost=column(kind, "weighs_cost", m.weighs_cost, U8_LE, f),
        menu=menu,
        sensitivity=column(kind, "sensitivity", m.sensitivity, F64_LE, f * n).reshape(f, n),
        alone_lots=column(kind, "alone_lots", m.alone_lots, F64_LE, n),
        trigger=m.trigger,
        expires_ns=m.expires_ns,
        reported=tuple(m.reported),
        reported_value=column(kind, "reported_value", m.reported_value, F64_LE, len(m.reported)),
        desk=tuple(m.desk),
        desk_alone_lots=table(kind, "desk_alone_lots", m.desk_alone_lots, F64_LE, len(m.desk), n),
    )


def encode_proposal(proposal: Proposal) -> bytes:
    """Bytes of a proposal."""
    return proposal_to_pb(proposal).SerializeToString()


def decode_proposal(data: bytes) -> Proposal:
    """A proposal."""
    return proposal_from_pb(parse(pb.Proposal(), "Proposal", data))


def encode_position_update(update: PositionUpdate) -> bytes:
    """Bytes of the traded positions."""
    return pb.PositionUpdate(
        header=header_to_pb(update.header),
        version=update.version,
        instrument=column_bytes(update.instrument, U32_LE),
        traded_lots=column_bytes(update.traded_lots, I64_LE),
        desk=update.desk,
        desk_lots=column_bytes(update.desk_lots, I64_LE),
    ).SerializeToString()


def decode_position_update(data: bytes) -> PositionUpdate:
    """The traded positions."""
    kind = "PositionUpdate"
    m = parse(pb.PositionUpdate(), kind, data)
    instrument = column(kind, "instrument", m.instrument, U32_LE)
    lots = column(kind, "traded_lots", m.traded_lots, I64_LE, len(instrument))
    by_desk = table(kind, "desk_lots", m.desk_lots, I64_LE, len(m.desk), len(instrument))
    return PositionUpdate(required_header(kind, m), m.version, instrument, lots, tuple(m.desk), by_desk)


def budget_to_pb(update: BudgetUpdate) -> pb.BudgetUpdate:
    """Budgets as protobuf."""
    return pb.BudgetUpdate(
        header=header_to_pb(update.header),
        budget_epoch=update.budget_epoch,
        factor=update.factor,
        soft_limit=column_bytes(update.soft_limit, F64_LE),
        price_of_risk=column_bytes(update.price_of_risk, F64_LE),
        risk_aversion_per_usd=update.risk_aversion_per_usd,
    )


def budget_from_pb(m: pb.BudgetUpdate) -> BudgetUpdate:
    """Budgets."""
    kind = "BudgetUpdate"
    f = len(m.factor)
    return BudgetUpdate(
        required_header(kind, m),
        m.budget_epoch,
        tuple(m.factor),
        column(kind, "soft_limit", m.soft_limit, F64_LE, f),
        column(kind, "price_of_risk", m.price_of_risk, F64_LE, f),
        m.risk_aversion_per_usd,
    )


def encode_budget_update(update: BudgetUpdate) -> bytes:
    """Bytes of the budgets."""
    return budget_to_pb(update).SerializeToString()


def decode_budget_update(data: bytes) -> BudgetUpdate:
    """The budgets."""
    return budget_from_pb(parse(pb.BudgetUpdate(), "BudgetUpdate", data))


def assignment_to_pb(update: AssignmentUpdate) -> pb.AssignmentUpdate:
    """Assignment as protobuf, in the order of the mapping."""
    return pb.AssignmentUpdate(
        header=header_to_pb(update.header), version=update.version, key=update.owner.keys(), owner=update.owner.values()
    )


def assignment_from_pb(m: pb.AssignmentUpdate) -> AssignmentUpdate:
    """Assignment. A key that occurs twice has two owners, so the message is refused."""
    kind = "AssignmentUpdate"
    same_length(kind, "owner", len(m.owner), len(m.key))
    owner = dict(zip(m.key, m.owner, strict=True))
    if len(owner) != len(m.key):
        raise Refused(f"{kind}: a key occurs twice")
    return AssignmentUpdate(required_header(kind, m), m.version, owner)


def encode_assignment_update(update: AssignmentUpdate) -> bytes:
    """Bytes of the assignment."""
    return assignment_to_pb(update).SerializeToString()


def decode_assignment_update(data: bytes) -> AssignmentUpdate:
    """The assignment."""
    return assignment_from_pb(parse(pb.AssignmentUpdate(), "AssignmentUpdate", data))


HEARTBEAT_BYTES = 65_536
#: Fields of Heartbeat that have the same name and type on both sides.
_PLAIN = (
    "incarnation",
    "state",
    "loop",
    "pid",
    "proposals",
    "batches",
    "gaps",
    "decide_p50_us",
    "decide_p99_us",
    "rss_bytes",
    "unusable_quotes",
    "assignment_version",
    "busy_share",
    "lag_us",
    "node",
)


def encode_heartbeat(beat: Heartbeat) -> bytes:
    """Bytes of a heartbeat."""
    m = pb.Heartbeat(header=header_to_pb(beat.header), keys=beat.keys)
    for name in _PLAIN:
        setattr(m, name, getattr(beat, name))
    return m.SerializeToString()


def decode_heartbeat(data: bytes) -> Heartbeat:
    """A heartbeat. One beyond ``HEARTBEAT_BYTES`` is refused: the newest of everybody is kept."""
    if len(data) > HEARTBEAT_BYTES:
        raise Refused(f"Heartbeat: {len(data)} bytes, limit {HEARTBEAT_BYTES}")
    m = parse(pb.Heartbeat(), "Heartbeat", data)
    header = required_header("Heartbeat", m)
    return Heartbeat(header, **{name: getattr(m, name) for name in _PLAIN}, keys=tuple(m.keys))
