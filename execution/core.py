"""The pure core: ``step(state, event) -> (state, instructions)``. No clock, no I/O; the state is changed in place.

Guarantees
- An id is sent once in the life of the store: ``Send`` follows only from the first ``Submit`` of an id, after its
  record.
- The same id with the same content gets the stored answer (``duplicate``); with other content ``ID_REUSED``, and
  nothing changes. The epoch is not content: a new leader may retry an old leader's order.
- Only the leader that fenced last is heard. An older epoch is stale; a newer one must fence first (promise 3: fence,
  reconcile, act) and is refused under the same name. Neither leaves a trace: the sender had no say.
- Report sequences have no gap. Every status change but the first record is a report; a refusal is one too.
- After a restart an order being sent is UNKNOWN and the venue is asked; nothing is sent again.
- A replacement is a new order under a new id, sent once as any other; ``execution/replacing.py`` says how it takes over.
- An order that nobody leads any more is cancelled, with the reason; trading goes on for whoever leads next.
- A terminal status is final. A fill beyond it, or beyond the quantity, is a real trade all the same: it is booked once
  and trading pauses, because the venue and this store disagree.

*Tested by* tests/properties/test_execution_core.py, tests/unit/test_execution_core.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from common.messages import Order, OrderAck, OrdStatus, Refusal, TradingState
from execution import checks, combos, parents, replacing, trading, venue_news
from execution.checks import Breach
from execution.events import (
    Able,
    Ack,
    AskVenue,
    Cancel,
    CancelAllAtVenue,
    CancelAtVenue,
    EpochRaised,
    Event,
    Fence,
    Halt,
    Instruction,
    LeftAlone,
    Loaded,
    NewOrder,
    Persist,
    Quotes,
    Recovered,
    Report,
    Resolve,
    Send,
    SetTrading,
    Submit,
    TradingSet,
    VenueEvents,
    Work,
)
from execution.orders import OrderRecord, same_content
from execution.state import ExecutionState
from execution.tactics.order import lead_mismatch, parent_of, worked


def names(event: Event) -> Iterable[str]:
    """Order ids an event speaks of; the shell loads those not in memory before the step."""
    match event:
        case Submit(order):
            lead = order.follows.lead_client_order_id if order.follows is not None else ""
            return [n for n in (order.client_order_id, order.orig_client_order_id, lead) if n]
        case Cancel(ids):
            return ids
        case VenueEvents(events):
            return [n for e in events for n in _with_parent(e.client_order_id)]
    return ()


def step(state: ExecutionState, event: Event) -> tuple[ExecutionState, list[Instruction]]:
    """Apply one event. Returns the state and what to do, ``Persist`` first where it matters."""
    match event:
        case Quotes(batch):
            state.snapshot.apply(batch)
            state.drawdown.quoted()
            state.now_ns = max(state.now_ns, state.snapshot.now_ns)
            return state, []
        case Submit():
            return state, _submit(state, event)
        case VenueEvents(events, wall_ns):
            out: list[Instruction] = []
            # All of it first: what pauses trading is then known before anything leaves because of what was told earlier.
            for said in events:
                out += venue_news.applied(state, said, wall_ns)
            return state, out + (parents.settled(state, wall_ns) if state.stirred else [])
        case Work(now_ns, wall_ns):
            return state, parents.look(state, now_ns, wall_ns)
        case Cancel():
            return state, _cancel(state, event)
        case Fence():
            return state, _fence(state, event)
        case SetTrading():
            return state, _set_trading(state, event)
        case Halt(why):
            return state, venue_news.pause(state, why)
        case Recovered(wall_ns):
            return state, _recovered(state, wall_ns)
        case Resolve():
            state.asked.intersection_update(state.open)
            asked = [n for n in state.open if n in state.asked or state.orders[n].ord_status is OrdStatus.UNKNOWN]
            return state, [*map(AskVenue, asked), *parents.cancels_again(state)]
        case LeftAlone(why, wall_ns):
            return state, _left_alone(state, why, wall_ns)
        case Loaded(records):
            for record in records:
                state.remember(record)
            return state, []
        case Able(able):
            state.combos = able
            return state, []


def _with_parent(name: str) -> tuple[str, ...]:
    child = parent_of(name)
    return (name,) if child is None else (name, child[0])


def _submit(state: ExecutionState, event: Submit) -> list[Instruction]:
    order = event.order
    # A wall clock that was set back makes no latency negative; a time before 1970 is none.
    elapsed_ns = max(event.wall_ns - order.receive_time_ns, 0) if event.wall_ns and order.receive_time_ns > 0 else 0
    if (found := checks.malformed(order, state.universe)) is not None:
        return [_refusal(order.client_order_id, found.refusal, found.text, elapsed_ns)]
    if (text := _not_leading(state, order.epoch)) is not None:
        return [_refusal(order.client_order_id, Refusal.STALE_EPOCH, text, elapsed_ns)]
    known = state.orders.get(order.client_order_id)
    if known is not None:
        if not same_content(known.order, order):
            text = f"id: {order.client_order_id} is known with other content, limit one content per id"
            return [_refusal(order.client_order_id, Refusal.ID_REUSED, text, elapsed_ns)]
        ack = OrderAck(order.client_order_id, known.ord_status, known.refusal, known.text, True, elapsed_ns)
        return [Ack(ack)]
    sent = checks.protected(order, state.limits, state.universe, state.snapshot)
    original = state.orders.get(order.orig_client_order_id) if order.orig_client_order_id else None
    out: list[Instruction] = []
    if (stop := trading.drawn_down(state)) is not None:
        out.append(Persist(trading.hold(state, stop)))
    refused = _refused(state, sent, original)
    state.orders_stored += 1
    if refused is not None:
        record = OrderRecord(order, OrdStatus.REJECTED, refusal=refused.refusal, text=refused.text)
        state.put(record)
        report = venue_news.report(state, record, max(state.now_ns, order.event_time_ns), event.wall_ns)
        ack = OrderAck(order.client_order_id, OrdStatus.REJECTED, refused.refusal, refused.text, False, elapsed_ns)
        return [*out, Persist(NewOrder(record)), Persist(report), Ack(ack), Report(report)]
    if worked(order):
        state.flow.take_order(order, max(state.snapshot.now_ns, order.event_time_ns))
        return [*out, *parents.taken(state, order, elapsed_ns, event.wall_ns)]
    leaves_lots = checks.added_lots(order, original.order if original is not None else None)
    protection = sent.limit_ticks if sent is not order else None
    record = OrderRecord(order, OrdStatus.PENDING_NEW, leaves_lots=leaves_lots, protection_ticks=protection)
    state.put(record)
    out.append(Persist(NewOrder(record)))
    if original is not None:
        out.append(replacing.announced(state, original, record))
    state.flow.take_order(order, max(state.snapshot.now_ns, order.event_time_ns))
    ack = OrderAck(order.client_order_id, OrdStatus.PENDING_NEW, tick_to_order_ns=elapsed_ns)
    return [*out, Send(sent), Ack(ack)]


def _refused(state: ExecutionState, order: Order, original: OrderRecord | None) -> Breach | None:
    if order.orig_client_order_id and (found := replacing.impossible(order, original)) is not None:
        return found
    if order.follows is not None:
        lead = state.orders.get(order.follows.lead_client_order_id)
        text = lead_mismatch(order, order.follows, lead.order if lead is not None and not lead.parent else None)
        if text := text or combos.misfit(state, order, order.follows):
            return Breach(Refusal.UNKNOWN_ORDER, text)
    if worked(order) and len(state.plans) >= state.limits.max_open_orders:
        text = f"open orders: {len(state.plans)} already at work, limit {state.limits.max_open_orders}"
        return Breach(Refusal.OPEN_ORDERS, text)
    was = original.order if original is not None else None
    return trading.stopped(state, order, was) or checks.breach(
        order, state.limits, state.universe, state.snapshot, state.exposure, state.flow, was
    )


def _refusal(name: str, refusal: Refusal, text: str, elapsed_ns: int = 0) -> Ack:
    """Answer to a request that leaves no trace in the store."""
    return Ack(OrderAck(name, OrdStatus.REJECTED, refusal, text, False, elapsed_ns))


def _not_leading(state: ExecutionState, epoch: int) -> str | None:
    if epoch == state.epoch and epoch > 0:
        return None
    why = "older than" if epoch < state.epoch else "not fenced; fenced is"
    return f"epoch: {epoch} is {why} {state.epoch}, limit exactly {state.epoch}"


def _cancel(state: ExecutionState, event: Cancel) -> list[Instruction]:
    if (text := _not_leading(state, event.epoch)) is not None:
        return [_refusal(name, Refusal.STALE_EPOCH, text) for name in event.ids]
    out: list[Instruction] = []
    for name in event.ids:
        state.flow.take_cancel(state.limits, state.now_ns)
        record = state.orders.get(name)
        if record is None or record.parent:
            out.append(_refusal(name, Refusal.MALFORMED, f"id: no order {name!r}, limit a known id"))
            continue
        out += _cancelled(state, record, event.wall_ns)
        out.append(Ack(OrderAck(name, record.ord_status)))
    return out


def _cancelled(state: ExecutionState, record: OrderRecord, wall_ns: int) -> list[Instruction]:
    if worked(record.order):
        return parents.ask_cancel(state, record, wall_ns)
    return venue_news.ask_cancel(state, record)


def _fence(state: ExecutionState, event: Fence) -> list[Instruction]:
    if event.epoch <= state.epoch:
        return []
    state.epoch, state.holder = event.epoch, event.holder
    return [Persist(EpochRaised(event.epoch, event.holder))]


def _set_trading(state: ExecutionState, event: SetTrading) -> list[Instruction]:
    said = trading.hold(state, TradingSet(event.state, event.who, event.why, event.scope))
    out: list[Instruction] = [Persist(said)]
    if event.state is TradingState.KILLED:
        if not event.scope:
            out.append(CancelAllAtVenue())
        for name in list(state.open):
            record = state.orders[name]
            if not record.parent and trading.covers(state, event.scope, record.order):
                out += _cancelled(state, record, event.wall_ns)
        # A plan asks for the end of a child once; the line may have been down then, and a kill does not wait for the next try.
        sent = {i.client_order_id for i in out if isinstance(i, CancelAtVenue)}
        for again in parents.cancels_again(state):
            name = again.client_order_id
            if name not in sent and trading.covers(state, event.scope, state.orders[name].order):
                out.append(again)
    return out


def _left_alone(state: ExecutionState, why: str, wall_ns: int) -> list[Instruction]:
    """Cancel every order, each with the reason. Trading is not stopped: whoever leads next fences and goes on."""
    out: list[Instruction] = []
    for name in list(state.open):
        record = state.orders[name]
        if record.parent or (record.cancel_asked and worked(record.order)):
            continue
        if worked(record.order):
            out += parents.ask_cancel(state, record, wall_ns, why)
            continue
        if not record.cancel_asked:
            state.put(replace(record, text=why))
        out += venue_news.ask_cancel(state, state.orders[name])
    return out


def _recovered(state: ExecutionState, wall_ns: int) -> list[Instruction]:
    out: list[Instruction] = []
    for name in [n for n in state.open if not worked(state.orders[n].order)]:
        if state.orders[name].ord_status is OrdStatus.PENDING_NEW:
            out += venue_news.lost(state, name, "the service stopped while sending it; the venue is asked", wall_ns)
        out.append(venue_news.ask(state, name))
        if state.orders[name].cancel_asked:
            out += venue_news.ask_cancel(state, state.orders[name])
    return out + parents.recovered(state, wall_ns) + parents.settled(state, wall_ns)
