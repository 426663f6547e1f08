"""What the venue says, applied to the stored orders: the part of the core that moves an order through its table.

Fills are deduplicated by the venue's exec id, everything else by the table: a status told again changes nothing. Of an
order that was replaced a fill told late counts for its replacement too.
*Tested by* tests/properties/test_execution_core.py, tests/unit/test_execution_core.py.
"""

from __future__ import annotations

from dataclasses import replace

from common.messages import ExecutionReport, OrdStatus, Refusal, Side, TradingState
from common.units import NO_PRICE
from execution.events import AskVenue, CancelAtVenue, Instruction, Persist, Report, TradingSet
from execution.orders import TRANSITIONS, Change, OrderRecord
from execution.state import ExecutionState, Stir
from execution.venues.port import VenueEvent, VenueKind

_CHANGES = {
    VenueKind.ACCEPTED: Change.ACCEPT,
    VenueKind.CANCELED: Change.CANCEL,
    VenueKind.REJECTED: Change.REJECT,
    VenueKind.EXPIRED: Change.EXPIRE,
    VenueKind.NOT_FOUND: Change.MISS,
    VenueKind.UNCERTAIN: Change.LOSE,
    VenueKind.REPLACE_REJECTED: Change.REJECT,
}
#: What a venue says of a replacement only once it has taken it in.
_TAKEN_IN = (VenueKind.REPLACED, VenueKind.ACCEPTED, VenueKind.FILL, VenueKind.CANCELED, VenueKind.EXPIRED)


def applied(state: ExecutionState, event: VenueEvent, wall_ns: int) -> list[Instruction]:
    """Instructions that follow from one venue event."""
    state.now_ns = max(state.now_ns, event.event_time_ns)
    if event.kind is VenueKind.SETTLED:
        return _settled(state, event, wall_ns)
    if event.kind is VenueKind.DISPUTED:
        return pause(state, event.text)
    state.asked.discard(event.client_order_id)
    record = state.orders.get(event.client_order_id)
    if record is None:
        return pause(state, f"the venue reports order {event.client_order_id!r}, which this store never sent")
    if event.kind is VenueKind.DUPLICATE:
        return pause(state, f"the venue was sent order {event.client_order_id!r} a second time and refused it")
    if event.kind is VenueKind.CANCEL_REJECTED:
        return [ask(state, event.client_order_id)] if record.open else []
    out: list[Instruction] = []
    if record.replacement_asked and event.kind in _TAKEN_IN:
        out += _taken_over(state, record, event, wall_ns)
        record = state.orders[event.client_order_id]
    if event.kind is VenueKind.FILL:
        return out + _filled(state, record, event, wall_ns)
    if event.kind is VenueKind.REPLACED:
        return out
    return out + _changed(state, record, _CHANGES[event.kind], event, wall_ns)


def _settled(state: ExecutionState, event: VenueEvent, wall_ns: int) -> list[Instruction]:
    """Contracts have settled: once, whatever is told again, and a report of no order."""
    if not state.settle(event.instrument, event.ticks):
        return []
    state.drawdown.quoted()
    state.sequence += 1
    told = ExecutionReport(
        sequence=state.sequence,
        exec_id=event.exec_id,
        client_order_id=event.exec_id,
        ord_status=OrdStatus.SETTLED,
        last_lots=0,
        last_ticks=event.ticks,
        cum_lots=0,
        leaves_lots=0,
        fee_cents=0,
        instrument=event.instrument,
        side=Side.BUY,
        refusal=Refusal.NONE,
        text=event.text,
        event_time_ns=event.event_time_ns,
        receive_time_ns=wall_ns,
        bid_ticks=NO_PRICE,
        ask_ticks=NO_PRICE,
    )
    return [Persist(told), Report(told)]


def lost(state: ExecutionState, name: str, text: str, wall_ns: int) -> list[Instruction]:
    """The order may or may not have arrived."""
    event = VenueEvent(VenueKind.UNCERTAIN, name, state.now_ns, text=text)
    return _changed(state, state.orders[name], Change.LOSE, event, wall_ns)


def ask(state: ExecutionState, name: str) -> AskVenue:
    """Ask the venue what became of an order, again and again until it says something of it."""
    state.asked.add(name)
    return AskVenue(name)


def ask_cancel(state: ExecutionState, record: OrderRecord) -> list[Instruction]:
    """Note the wish and pass it on; of an UNKNOWN order the venue is asked first, the cancel follows what it says."""
    if not record.open:
        return []
    out: list[Instruction] = []
    if not record.cancel_asked:
        record = replace(record, cancel_asked=True)
        state.put(record)
        out.append(Persist(record))
    if record.ord_status is not OrdStatus.UNKNOWN:
        out.append(CancelAtVenue(record.order.client_order_id))
    return out


def report(
    state: ExecutionState, record: OrderRecord, event_time_ns: int, wall_ns: int, event: VenueEvent | None = None
) -> ExecutionReport:
    """Next report in sequence; ``event`` is the fill it tells of, if it tells of one, its own or a child's."""
    state.sequence += 1
    fill = event is not None and event.kind is VenueKind.FILL
    name = record.order.client_order_id
    said = event if event is not None else VenueEvent(VenueKind.ACCEPTED, name, event_time_ns)
    return ExecutionReport(
        sequence=state.sequence,
        exec_id=said.exec_id if fill else f"R{state.sequence}",
        client_order_id=name,
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
        child_order_id=said.client_order_id if fill and said.client_order_id != name else "",
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
        text=_said(record, change, event),
    )
    out = _moved(state, record, after, event, wall_ns)
    if record.replacement_asked and status is OrdStatus.REJECTED:
        out += _released(state, after)
    return out


def _said(record: OrderRecord, change: Change, event: VenueEvent) -> str:
    """What the venue says, after why execution asked for it where it did so by itself."""
    own = record.text if change is Change.CANCEL and record.cancel_asked else ""
    return "; ".join(filter(None, (own, event.text))) or record.text


def _released(state: ExecutionState, refused: OrderRecord) -> list[Instruction]:
    """The original of a refused replacement may be changed again; a cancel of the replacement was one of the order."""
    original = state.orders.get(refused.order.orig_client_order_id)
    if original is None or original.replaced_by != refused.order.client_order_id:
        return []
    original = replace(original, replaced_by="")
    state.put(original)
    out: list[Instruction] = [Persist(original)]
    return out + (ask_cancel(state, original) if refused.cancel_asked else [])


def _taken_over(state: ExecutionState, record: OrderRecord, event: VenueEvent, wall_ns: int) -> list[Instruction]:
    """The venue has taken a replacement in: the original ends, and what it filled counts for the replacement."""
    original = state.orders.get(record.order.orig_client_order_id)
    out: list[Instruction] = []
    carried, fills, cancel_asked = 0, record.fills, record.cancel_asked
    told = replace(event, kind=VenueKind.REPLACED)
    if original is not None:
        carried, fills, cancel_asked = original.cum_lots, original.fills, cancel_asked or original.cancel_asked
        if original.open:
            out += _changed(state, original, Change.REPLACE, told, wall_ns)
        elif original.ord_status is not OrdStatus.FILLED:
            name, status = original.order.client_order_id, original.ord_status.name
            out += pause(state, f"the venue replaced {name} after it was {status}")
    leaves = max(record.order.quantity_lots - carried, 0)
    change = Change.FILL_ALL if leaves == 0 else Change.FILL_PART if carried else Change.ACCEPT
    after = replace(
        record,
        ord_status=TRANSITIONS[record.ord_status, change],
        cum_lots=carried,
        inherited_lots=carried,
        leaves_lots=leaves,
        fills=fills,
        cancel_asked=cancel_asked,
    )
    out += _moved(state, record, after, told, wall_ns)
    if after.open and cancel_asked and record.ord_status is not OrdStatus.UNKNOWN:
        out.append(CancelAtVenue(after.order.client_order_id))
    return out


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
    at = record.order.instrument
    state.exposure.paid(at, record.order.side.sign * event.lots, event.ticks, event.fee_cents)
    state.drawdown.filled(at, event.ticks, state.universe)
    out = _moved(state, record, after, event, wall_ns)
    if record.ord_status is OrdStatus.REPLACED:
        return out + _carried_on(state, record, event, wall_ns)
    return out + _beyond(state, record, cum, f"the venue filled {event.lots} lots of {name}")


def _beyond(state: ExecutionState, record: OrderRecord, cum: int, what: str) -> list[Instruction]:
    """Pause where a fill came after the end of an order or beyond its quantity."""
    name, quantity = record.order.client_order_id, record.order.quantity_lots
    if not record.open:
        return pause(state, f"{what} after it was {record.ord_status.name}")
    if cum > quantity:
        return pause(state, f"the venue filled {cum} lots of {name}, which asked for {quantity}")
    return []


def _carried_on(state: ExecutionState, replaced: OrderRecord, event: VenueEvent, wall_ns: int) -> list[Instruction]:
    """A fill of a replaced order, told after the replacement: every order that followed has inherited it."""
    out: list[Instruction] = []
    while replaced.ord_status is OrdStatus.REPLACED:
        record = state.orders.get(replaced.replaced_by)
        if record is None:
            name = replaced.order.client_order_id
            return out + pause(state, f"the venue filled {event.lots} lots of {name} after what replaced it was over")
        cum = record.cum_lots + event.lots
        leaves = max(record.order.quantity_lots - cum, 0) if record.open else 0
        status = record.ord_status
        if record.open:
            status = TRANSITIONS[status, Change.FILL_PART if leaves else Change.FILL_ALL]
        after = replace(
            record,
            ord_status=status,
            cum_lots=cum,
            inherited_lots=record.inherited_lots + event.lots,
            leaves_lots=leaves,
            fills=(*record.fills, event.exec_id),
        )
        out += _moved(state, record, after, replace(event, kind=VenueKind.REPLACED), wall_ns)
        if record.ord_status is not OrdStatus.REPLACED:
            what = f"the venue filled {event.lots} lots of what {record.order.client_order_id} replaced"
            out += _beyond(state, record, cum, what)
        replaced = record
    return out


def _moved(
    state: ExecutionState, before: OrderRecord, after: OrderRecord, event: VenueEvent, wall_ns: int
) -> list[Instruction]:
    state.put(after)
    out: list[Instruction] = [Persist(after)]
    if after.parent or after.order.client_order_id in state.followers:
        state.stirred.append(Stir(before, after, event))
    if not after.parent:
        written = report(state, after, event.event_time_ns, wall_ns, event)
        out += [Persist(written), Report(written)]
    if before.ord_status is OrdStatus.UNKNOWN and after.open and after.cancel_asked:
        out.append(CancelAtVenue(after.order.client_order_id))
    return out


def pause(state: ExecutionState, why: str) -> list[Instruction]:
    """Stop everything until a person has looked; a stop that stands is not touched."""
    if state.trading.state.halted:
        return []
    state.trading = TradingSet(TradingState.PAUSED, "execution", why)
    return [Persist(state.trading)]
