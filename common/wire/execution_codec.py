"""Orders, acknowledgements and execution reports between dataclasses and protobuf objects.

The numbers of the enumerations are the same on both sides. A value nobody knows, or an enumeration left unset where one
is needed, is refused; nothing is guessed.
*Tested by* tests/unit/test_execution_codec.py, tests/properties/test_wire_round_trip.py.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, TypeVar

from hedgerow.execution.v1 import execution_pb2 as pb

from common.errors import Refused
from common.messages import (
    CostShare,
    ExecutionReport,
    Order,
    OrderAck,
    OrderState,
    OrdStatus,
    OrdType,
    Refusal,
    Side,
    TimeInForce,
)
from common.tactics import DIRECT, Combo, Follow, Tactic, TacticKind

E = TypeVar("E", bound=IntEnum)

_INVALID_ARGUMENT, _NOT_FOUND, _ALREADY_EXISTS, _RESOURCE_EXHAUSTED = 3, 5, 6, 8
_FAILED_PRECONDITION, _ABORTED, _OUT_OF_RANGE, _UNAVAILABLE = 9, 10, 11, 14
#: Canonical code of each refusal. What is not named exceeds a limit of its own content: OUT_OF_RANGE.
CODE_OF: dict[Refusal, int] = {
    Refusal.MALFORMED: _INVALID_ARGUMENT,
    Refusal.UNKNOWN_INSTRUMENT: _NOT_FOUND,
    Refusal.UNKNOWN_ORDER: _NOT_FOUND,
    Refusal.ID_REUSED: _ALREADY_EXISTS,
    Refusal.DUPLICATE_CONTENT: _ALREADY_EXISTS,
    Refusal.OPEN_ORDERS: _RESOURCE_EXHAUSTED,
    Refusal.RATE: _RESOURCE_EXHAUSTED,
    Refusal.MESSAGE_RATE: _RESOURCE_EXHAUSTED,
    Refusal.STALE_EPOCH: _FAILED_PRECONDITION,
    Refusal.PAUSED: _FAILED_PRECONDITION,
    Refusal.KILLED: _FAILED_PRECONDITION,
    Refusal.SCOPE_PAUSED: _FAILED_PRECONDITION,
    Refusal.SCOPE_KILLED: _FAILED_PRECONDITION,
    Refusal.REDUCE_ONLY: _FAILED_PRECONDITION,
    Refusal.DRAWDOWN: _FAILED_PRECONDITION,
    Refusal.SELF_CROSS: _FAILED_PRECONDITION,
    Refusal.TOO_LATE: _FAILED_PRECONDITION,
    Refusal.PENDING_CHANGE: _FAILED_PRECONDITION,
    Refusal.VENUE: _ABORTED,
    Refusal.STALE_REFERENCE: _UNAVAILABLE,
}


def _member(enum: type[E], value: int, where: str) -> E:
    try:
        return enum(value)
    except ValueError:
        state = "is not given" if value == 0 else f"has the unknown value {value}"
        raise Refused(f"{where} {state}") from None


def _wire(value: IntEnum) -> Any:
    """The number of a member; the stubs give each enumeration a type of its own, which exists in the stubs only."""
    return int(value)


def order_to_pb(order: Order) -> pb.Order:
    """Order as protobuf."""
    return pb.Order(
        client_order_id=order.client_order_id,
        epoch=order.epoch,
        instrument_id=order.instrument_id,
        instrument=order.instrument,
        side=_wire(order.side),
        quantity_lots=order.quantity_lots,
        limit_ticks=order.limit_ticks,
        time_in_force=_wire(order.time_in_force),
        book_id=order.book_id,
        cycle_id=order.cycle_id,
        inputs_hash=order.inputs_hash,
        cause_id=order.cause_id,
        order_sequence=order.order_sequence,
        receive_time_ns=order.receive_time_ns,
        event_time_ns=order.event_time_ns,
        allocation=[pb.Allocation(agent=agent, lots=lots) for agent, lots in order.allocation],
        arrival_bid_ticks=order.arrival_bid_ticks,
        arrival_ask_ticks=order.arrival_ask_ticks,
        cost_shares=[pb.CostShare(factor=s.factor, agent=s.agent, parts=s.parts) for s in order.cost_shares],
        ord_type=_wire(order.ord_type),
        orig_client_order_id=order.orig_client_order_id,
        tactic=None if order.tactic == DIRECT else _tactic_to_pb(order.tactic),
        follows=None if order.follows is None else _follow_to_pb(order.follows),
        combo=None if order.combo is None else _combo_to_pb(order.combo),
    )


def order_from_pb(m: pb.Order) -> Order:
    """Order of a message. Raises ``errors.Refused`` for an unknown or unset side or time in force or an unknown type.

    A type left unset is LIMIT: messages written before there was another one have none.
    """
    return Order(
        client_order_id=m.client_order_id,
        epoch=m.epoch,
        instrument_id=m.instrument_id,
        instrument=m.instrument,
        side=_member(Side, m.side, "order: side"),
        quantity_lots=m.quantity_lots,
        limit_ticks=m.limit_ticks,
        time_in_force=_member(TimeInForce, m.time_in_force, "order: time_in_force"),
        book_id=m.book_id,
        cycle_id=m.cycle_id,
        inputs_hash=m.inputs_hash,
        cause_id=m.cause_id,
        order_sequence=m.order_sequence,
        receive_time_ns=m.receive_time_ns,
        event_time_ns=m.event_time_ns,
        allocation=tuple((a.agent, a.lots) for a in m.allocation),
        arrival_bid_ticks=m.arrival_bid_ticks,
        arrival_ask_ticks=m.arrival_ask_ticks,
        cost_shares=tuple(CostShare(s.factor, s.agent, s.parts) for s in m.cost_shares),
        ord_type=_member(OrdType, m.ord_type or OrdType.LIMIT, "order: ord_type"),
        orig_client_order_id=m.orig_client_order_id,
        tactic=_tactic_from_pb(m.tactic) if m.HasField("tactic") else DIRECT,
        follows=_follow_from_pb(m.follows) if m.HasField("follows") else None,
        combo=_combo_from_pb(m.combo) if m.HasField("combo") else None,
    )


def _tactic_to_pb(tactic: Tactic) -> pb.Tactic:
    return pb.Tactic(
        kind=_wire(tactic.kind),
        urgency_percent=tactic.urgency_percent,
        participation_percent=tactic.participation_percent,
        budget_ms=tactic.budget_ms,
        interval_ms=tactic.interval_ms,
        improve_ticks=tactic.improve_ticks,
        runaway_ticks=tactic.runaway_ticks,
        legs=tactic.legs,
    )


def _tactic_from_pb(m: pb.Tactic) -> Tactic:
    return Tactic(
        kind=_member(TacticKind, m.kind or TacticKind.DIRECT, "order: tactic"),
        urgency_percent=m.urgency_percent,
        participation_percent=m.participation_percent,
        budget_ms=m.budget_ms,
        interval_ms=m.interval_ms,
        improve_ticks=m.improve_ticks,
        runaway_ticks=m.runaway_ticks,
        legs=m.legs,
    )


def _follow_to_pb(follow: Follow) -> pb.Follow:
    return pb.Follow(
        lead_client_order_id=follow.lead_client_order_id,
        numerator=follow.numerator,
        denominator=follow.denominator,
    )


def _follow_from_pb(m: pb.Follow) -> Follow:
    return Follow(m.lead_client_order_id, m.numerator, m.denominator)


def _combo_to_pb(combo: Combo) -> pb.Combo:
    legs = [pb.ComboLeg(client_order_id=name, ratio=ratio) for name, ratio in combo.legs]
    return pb.Combo(legs=legs, net_limit_cents=combo.net_limit_cents)


def _combo_from_pb(m: pb.Combo) -> Combo:
    legs = tuple((leg.client_order_id, leg.ratio) for leg in m.legs)
    if not legs:
        raise Refused("order: combo without legs")
    return Combo(legs, m.net_limit_cents)


def report_to_pb(report: ExecutionReport) -> pb.ExecutionReport:
    """Execution report as protobuf."""
    return pb.ExecutionReport(
        sequence=report.sequence,
        exec_id=report.exec_id,
        client_order_id=report.client_order_id,
        ord_status=_wire(report.ord_status),
        last_lots=report.last_lots,
        last_ticks=report.last_ticks,
        cum_lots=report.cum_lots,
        leaves_lots=report.leaves_lots,
        fee_cents=report.fee_cents,
        instrument=report.instrument,
        side=_wire(report.side),
        refusal=_wire(report.refusal),
        text=report.text,
        event_time_ns=report.event_time_ns,
        receive_time_ns=report.receive_time_ns,
        bid_ticks=report.bid_ticks,
        ask_ticks=report.ask_ticks,
        child_order_id=report.child_order_id,
    )


def report_from_pb(m: pb.ExecutionReport) -> ExecutionReport:
    """Execution report of a message. Raises ``errors.Refused`` for an unknown or unset status or side."""
    return ExecutionReport(
        sequence=m.sequence,
        exec_id=m.exec_id,
        client_order_id=m.client_order_id,
        ord_status=_member(OrdStatus, m.ord_status, "execution report: ord_status"),
        last_lots=m.last_lots,
        last_ticks=m.last_ticks,
        cum_lots=m.cum_lots,
        leaves_lots=m.leaves_lots,
        fee_cents=m.fee_cents,
        instrument=m.instrument,
        side=_member(Side, m.side, "execution report: side"),
        refusal=_member(Refusal, m.refusal, "execution report: refusal"),
        text=m.text,
        event_time_ns=m.event_time_ns,
        receive_time_ns=m.receive_time_ns,
        bid_ticks=m.bid_ticks,
        ask_ticks=m.ask_ticks,
        child_order_id=m.child_order_id,
    )


def ack_to_pb(ack: OrderAck) -> pb.OrderAck:
    """Order acknowledgement as protobuf."""
    return pb.OrderAck(
        client_order_id=ack.client_order_id,
        ord_status=_wire(ack.ord_status),
        refusal=_wire(ack.refusal),
        text=ack.text,
        duplicate=ack.duplicate,
        tick_to_order_ns=ack.tick_to_order_ns,
        code=CODE_OF.get(ack.refusal, _OUT_OF_RANGE) if ack.refusal else 0,
    )


def ack_from_pb(m: pb.OrderAck) -> OrderAck:
    """Order acknowledgement of a message. Raises ``errors.Refused`` for an unknown or unset status."""
    return OrderAck(
        client_order_id=m.client_order_id,
        ord_status=_member(OrdStatus, m.ord_status, "order acknowledgement: ord_status"),
        refusal=_member(Refusal, m.refusal, "order acknowledgement: refusal"),
        text=m.text,
        duplicate=m.duplicate,
        tick_to_order_ns=m.tick_to_order_ns,
    )


def order_state_to_pb(state: OrderState) -> pb.OrderState:
    """Order with what became of it as protobuf."""
    return pb.OrderState(
        order=order_to_pb(state.order),
        ord_status=_wire(state.ord_status),
        cum_lots=state.cum_lots,
        leaves_lots=state.leaves_lots,
    )


def order_state_from_pb(m: pb.OrderState) -> OrderState:
    """Order with what became of it. Raises ``errors.Refused`` as ``order_from_pb``."""
    return OrderState(
        order=order_from_pb(m.order),
        ord_status=_member(OrdStatus, m.ord_status, "order state: ord_status"),
        cum_lots=m.cum_lots,
        leaves_lots=m.leaves_lots,
    )
