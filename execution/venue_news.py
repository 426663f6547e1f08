"""What the venue says, applied to the stored orders: the part of the core that moves an order through its table.

Fills are deduplicated by the venue's exec id, everything else by the table: a status told again changes nothing.
*Tested by* tests/properties/test_execution_core.py, tests/unit/test_execution_core.py.
"""

from __future__ import annotations

from dataclasses import replace

from common.messages import ExecutionReport, OrdStatus, Refusal, TradingState
from execution.events import AskVenue, CancelAtVenue, Instruction, Persist, Report, TradingSet
from execution.orders import TRANSITIONS, Change, OrderRecord
from execution.state import ExecutionState
from execution.venues.port import VenueEvent, VenueKind

_CHANGES = {
    VenueKind.ACCEPTED: Change.ACCEPT,
    VenueKind.CANCELED: Change.CANCEL,
    VenueKind.REJECTED: Change.REJECT,
    VenueKind.EXPIRED: Change.EXPIRE,
    VenueKind.NOT_FOUND: Change.MISS,
    VenueKind.UNCERTAIN: Change.LOSE,
}


def applied(state: ExecutionState, event: VenueEvent, wall_ns: int) -> list[Instruction]:
    """Instructions that follow from one venue event."""
    state.now_ns = max(state.now_ns, event.event_time_ns)
    record = state.orders.get(event.client_order_id)
    if record is None:
        return pause(state, f"the venue reports order {event.client_order_id!r}, which this store never sent")
    if event.kind is VenueKind.DUPLICATE:
        return pause(state, f"the venue was sent order {event.client_order_id!r} a second time and refused it")
    if event.kind is VenueKind.FILL:
        return _filled(state, record, event, wall_ns)
    if event.kind is VenueKind.CANCEL_REJECTED:
        return [AskVenue(event.client_order_id)] if record.open else []
    return _changed(state, record, _CHANGES[event.kind], event, wall_ns)


def lost(state: ExecutionState, name: str, text: str, wall_ns: int) -> list[Instruction]:
    """The order may or may not have arrived."""
    event = VenueEvent(VenueKind.UNCERTAIN, name, state.now_ns, text=text)
    return _changed(state, state.orders[name], Change.LOSE, event, wall_ns)


def report(
    state: ExecutionState, record: OrderRecord, event_time_ns: int, wall_ns: int, event: VenueEvent | None = None
) -> ExecutionReport:
    """Next report in sequence; ``event`` is the fill it tells of, if it tells of one."""
    state.sequence += 1
    fill = event is not None and event.kind is VenueKind.FILL
    said = event if event is not None else VenueEvent(VenueKind.ACCEPTED, record.order.client_order_id, event_time_ns)
    return ExecutionReport(
        sequence=state.sequence,
        exec_id=said.exec_id if fill else f"R{state.sequence}",
        client_order_id=record.order.client_order_id,
        ord_status=record.ord_status,
        last_lots=said.lots if fill else 0,
        last_ticks=said.ticks if fill else 0,
        cum_lots=record.cum_lots,
        leaves_lots=record.leaves_lots,
        fee_cents=said.fee_cents if fill else 0,
        instrument=record.order.instrument,
        side=record.order.side,
        refusal=record.refusal,
        text=record.text,
        event_time_ns=event_time_ns,
        receive_time_ns=wall_ns,
        bid_ticks=said.bid_ticks,
        ask_ticks=said.ask_ticks,
    )


def _changed(
    state: ExecutionState, record: OrderRecord, change: Change, event: VenueEvent, wall_ns: int
) -> list[Instruction]:
    status = TRANSITIONS.get((record.ord_status, change))
    if status is None:
        return []
    after = replace(
        record,
        ord_status=status,
        leaves_lots=0 if status.terminal else record.leaves_lots,
        refusal=Refusal.VENUE if status is OrdStatus.REJECTED else record.refusal,
        text=event.text or record.text,
    )
    return _moved(state, record, after, event, wall_ns)


def _filled(state: ExecutionState, record: OrderRecord, event: VenueEvent, wall_ns: int) -> list[Instruction]:
    if event.exec_id in record.fills:
        return []
    name, quantity = record.order.client_order_id, record.order.quantity_lots
    cum = record.cum_lots + event.lots
    change = Change.FILL_ALL if cum >= quantity else Change.FILL_PART
    status = TRANSITIONS.get((record.ord_status, change), record.ord_status)
    after = replace(
        record,
        ord_status=status,
        cum_lots=cum,
        leaves_lots=0 if status.terminal else quantity - cum,
        fills=(*record.fills, event.exec_id),
    )
    state.fills_stored += 1
    out = _moved(state, record, after, event, wall_ns)
    if not record.open:
        out += pause(state, f"the venue filled {event.lots} lots of {name} after it was {record.ord_status.name}")
    elif cum > quantity:
        out += pause(state, f"the venue filled {cum} lots of {name}, which asked for {quantity}")
    return out


def _moved(
    state: ExecutionState, before: OrderRecord, after: OrderRecord, event: VenueEvent, wall_ns: int
) -> list[Instruction]:
    state.put(after)
    written = report(state, after, event.event_time_ns, wall_ns, event)
    out: list[Instruction] = [Persist(after), Persist(written), Report(written)]
    if before.ord_status is OrdStatus.UNKNOWN and after.open and after.cancel_asked:
        out.append(CancelAtVenue(after.order.client_order_id))
    return out


def pause(state: ExecutionState, why: str) -> list[Instruction]:
    """No new order leaves, said by execution itself; what people have paused or killed already stays as they said it."""
    if state.trading.state is not TradingState.ACTIVE:
        return []
    state.trading = TradingSet(TradingState.PAUSED, "execution", why)
    return [Persist(state.trading)]
