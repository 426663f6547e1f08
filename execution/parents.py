"""Orders that are worked: the part of the core that carries out what their plans ask for (docs/tactics.md).

A parent is an order of the manager's with a tactic, or one that follows another. It is NEW as soon as it is stored and is
never at the venue; its children are, under ids of their own. The manager hears of the parent alone.

- A child is stored before it is sent and sent once, as any order; after a death it is asked about, and the plan is rebuilt
  from the stored children before anything new is placed.
- The parent holds its lots against the position limit from the start; every other check is asked of each child.
- A fill of a child is the parent's fill under the child's exec id. A parent ends when no child is open.
- A plan that is out of sight of the market (no quotes since the start) or stopped places nothing and moves nothing.

*Tested by* tests/properties/test_execution_parents.py, tests/unit/test_execution_parents.py.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from common.messages import Order, OrderAck, OrdStatus
from execution import checks, combos, trading, venue_news
from execution.events import Ack, CancelAtVenue, Instruction, NewOrder, Persist, Report, Send
from execution.orders import TRANSITIONS, Change, OrderRecord
from execution.plan_view import end_ns, market, number, past
from execution.state import ExecutionState, Stir
from execution.tactics.order import child_id, child_order, worked
from execution.tactics.plan import (
    Action,
    CancelAsked,
    CancelChild,
    Ended,
    Filled,
    Finish,
    LeadMoved,
    Past,
    Place,
    Plan,
    PlanEvent,
    Refused,
    begun,
    resumed,
)
from execution.tactics.step import next_due_ns, see, step
from execution.venues.port import VenueEvent

_CHANGES = {OrdStatus.FILLED: Change.FILL_ALL, OrdStatus.CANCELED: Change.CANCEL, OrdStatus.EXPIRED: Change.EXPIRE}


def taken(state: ExecutionState, order: Order, elapsed_ns: int, wall_ns: int) -> list[Instruction]:
    """Take an order that passed the checks to work."""
    name = order.client_order_id
    record = OrderRecord(order, OrdStatus.NEW, leaves_lots=order.quantity_lots)
    state.put(record)
    report = venue_news.report(state, record, max(state.now_ns, order.event_time_ns), wall_ns)
    ack = Ack(OrderAck(name, OrdStatus.NEW, tick_to_order_ns=elapsed_ns))
    now_ns = max(state.now_ns, order.event_time_ns)
    state.plans[name] = begun(order, end_ns(state, order), now_ns)
    out: list[Instruction] = [Persist(NewOrder(record)), Persist(report), ack, Report(report)]
    return out + _look(state, name, wall_ns)


def look(state: ExecutionState, now_ns: int, wall_ns: int) -> list[Instruction]:
    """Every plan looks at the market as it is at ``now_ns``."""
    state.now_ns = max(state.now_ns, now_ns)
    out: list[Instruction] = []
    if state.plans and (stop := trading.drawn_down(state)) is not None:
        out.append(Persist(trading.hold(state, stop)))
    for name in list(state.plans):
        if (plan := state.plans.get(name)) is not None:
            out += _run(state, name, market(state, plan), wall_ns)
    return out


def ask_cancel(
    state: ExecutionState, record: OrderRecord, wall_ns: int, why: str = "cancelled as asked"
) -> list[Instruction]:
    """A cancel of a parent: noted, then every child of it is cancelled; with none open it ends at once."""
    if not record.open:
        return []
    out: list[Instruction] = []
    if not record.cancel_asked:
        record = replace(record, cancel_asked=True)
        state.put(record)
        out.append(Persist(record))
    return out + _run(state, record.order.client_order_id, CancelAsked(why), wall_ns)


def settled(state: ExecutionState, wall_ns: int) -> list[Instruction]:
    """Take up what the venue's news stirred: fills and ends of children, fills and ends of orders that others follow.

    What must pause trading does so before any plan moves.
    """
    out: list[Instruction] = []
    for stir in state.stirred:
        if stir.after.parent and stir.before.open and not stir.after.open:
            out += combos.uneven(state, stir.after)
    while state.stirred:
        stir = state.stirred.pop(0)
        if stir.after.parent:
            out += _child_moved(state, stir, wall_ns)
        else:
            out += _lead_moved(state, stir.after.order.client_order_id, wall_ns)
    return out


def recovered(state: ExecutionState, wall_ns: int) -> list[Instruction]:
    """Rebuild the plan of every open parent from its stored children."""
    found: dict[str, list[Past]] = {}
    children = [r for r in (*state.relatives, *(state.orders[n] for n in state.open)) if r.parent]
    for record in children:
        found.setdefault(record.parent, []).append(past(record))
    for record in state.relatives:
        state.remember(record)
    state.relatives = ()
    out: list[Instruction] = []
    for name in [n for n in state.open if worked(state.orders[n].order)]:
        record = state.orders[name]
        ends_ns = end_ns(state, record.order)
        state.plans[name] = resumed(record.order, ends_ns, state.now_ns, found.get(name, ()), record.cancel_asked)
        out += _look(state, name, wall_ns)
    return out


def cancels_again(state: ExecutionState) -> list[CancelAtVenue]:
    """Cancels of children that the venue has not answered; a plan asks once, so that they are repeated here."""
    open_records = (state.orders[name] for name in state.open)
    return [
        CancelAtVenue(r.order.client_order_id)
        for r in open_records
        if r.parent and r.cancel_asked and r.ord_status is not OrdStatus.UNKNOWN
    ]


def due_ns(state: ExecutionState) -> int | None:
    """Market time at which a plan has something to do by itself, or None."""
    return earliest(*(next_due_ns(plan) for plan in state.plans.values()))


def earliest(*times_ns: int | None) -> int | None:
    """The first of these market times, None where there is none."""
    return min((t for t in times_ns if t is not None), default=None)


# -- events of a plan --------------------------------------------------------------------------------------------------


def _look(state: ExecutionState, name: str, wall_ns: int) -> list[Instruction]:
    """First look of a new or resumed plan: at its lead where it follows one, else at the market."""
    plan = state.plans[name]
    if plan.order.follows is None:
        return _run(state, name, market(state, plan), wall_ns)
    lead = _lead(state, plan.order.follows.lead_client_order_id)
    if lead is None:
        return _run(state, name, CancelAsked("the order it follows is gone"), wall_ns)
    state.followers.setdefault(lead.order.client_order_id, []).append(name)
    return _run(state, name, LeadMoved(lead.cum_lots, not lead.open), wall_ns)


def _lead(state: ExecutionState, name: str) -> OrderRecord | None:
    """The order of that id, or what replaced it."""
    record = state.orders.get(name)
    while record is not None and record.ord_status is OrdStatus.REPLACED:
        record = state.orders.get(record.replaced_by)
    return record


def _lead_moved(state: ExecutionState, name: str, wall_ns: int) -> list[Instruction]:
    lead = _lead(state, name)
    waiting = state.followers.get(name, [])
    if lead is None:
        return []
    if (now := lead.order.client_order_id) != name:
        state.followers.setdefault(now, []).extend(state.followers.pop(name))
        waiting = state.followers[now]
    out: list[Instruction] = []
    for follower in list(waiting):
        out += _run(state, follower, LeadMoved(lead.cum_lots, not lead.open), wall_ns)
    return out


def _child_moved(state: ExecutionState, stir: Stir, wall_ns: int) -> list[Instruction]:
    child, parent = stir.after, state.orders[stir.after.parent]
    its = number(child)
    lots = child.cum_lots - stir.before.cum_lots
    if not lots:
        ended = child.ord_status.terminal and stir.before.open
        if not ended:
            return []
        return _run(state, child.parent, Ended(its, child.ord_status), wall_ns)
    cum = parent.cum_lots + lots
    parent = replace(
        parent,
        cum_lots=cum,
        ord_status=OrdStatus.PARTIALLY_FILLED if parent.open else parent.ord_status,
        leaves_lots=max(parent.order.quantity_lots - cum, 0) if parent.open else 0,
    )
    state.put(parent)
    return _run(state, child.parent, Filled(its, lots), wall_ns, stir.event)


def _run(
    state: ExecutionState, name: str, event: PlanEvent, wall_ns: int, fill: VenueEvent | None = None
) -> list[Instruction]:
    """One event of a plan, carried out. ``fill``: the child's fill that the parent's record has just taken in."""
    plan = state.plans.get(name)
    actions: list[Action] = []
    if plan is not None:
        see(plan, market(state, plan))
        actions = step(plan, event)
    out: list[Instruction] = []
    if fill is not None:
        out += _fill_told(state, name, actions, wall_ns, fill)
    todo = deque(actions)
    while plan is not None and todo:
        match todo.popleft():
            case Place() as place:
                placed, more = _placed(state, plan, place)
                out += placed
                todo.extend(more)
            case CancelChild(its):
                out += venue_news.ask_cancel(state, state.orders[child_id(name, its)])
            case Finish() as finish:
                out += _finished(state, name, finish, wall_ns)
    if plan is not None and (lead := combos.lead_of(plan.order)):
        out += combos.attempt(state, lead)
    return out


def _fill_told(
    state: ExecutionState, name: str, actions: list[Action], wall_ns: int, fill: VenueEvent
) -> list[Instruction]:
    """The fill as the parent's; it says FILLED where it is what ends the parent."""
    record = state.orders[name]
    if any(isinstance(a, Finish) and a.ord_status is OrdStatus.FILLED for a in actions):
        record = replace(record, ord_status=OrdStatus.FILLED, leaves_lots=0)
        state.put(record)
    report = venue_news.report(state, record, fill.event_time_ns, wall_ns, fill)
    out: list[Instruction] = [Persist(record), Persist(report), Report(report)]
    return out + _lead_moved(state, name, wall_ns) if name in state.followers else out


def _placed(state: ExecutionState, plan: Plan, place: Place) -> tuple[list[Instruction], list[Action]]:
    """Send a child that passes the checks; one that does not is told to the plan and leaves no trace."""
    parent = plan.order
    order = child_order(parent, place, plan.now_ns)
    breach = trading.stopped(state, order, parent) or checks.breach(
        order, state.limits, state.universe, state.snapshot, state.exposure, state.flow, reserved=True
    )
    if breach is not None:
        return [], step(plan, Refused(place.number, breach.text))
    record = OrderRecord(order, OrdStatus.PENDING_NEW, leaves_lots=order.quantity_lots, parent=parent.client_order_id)
    state.put(record)
    state.flow.take_order(order, max(state.snapshot.now_ns, order.event_time_ns))
    return [Persist(NewOrder(record)), Send(order)], []


def _finished(state: ExecutionState, name: str, finish: Finish, wall_ns: int) -> list[Instruction]:
    plan = state.plans.pop(name)
    record = state.orders[name]
    out: list[Instruction] = []
    if record.open:
        status = TRANSITIONS[record.ord_status, _CHANGES[finish.ord_status]]
        record = replace(record, ord_status=status, leaves_lots=0, text=finish.text)
        state.put(record)
        report = venue_news.report(state, record, max(state.now_ns, plan.now_ns), wall_ns)
        out = [Persist(record), Persist(report), Report(report)]
    for waiting in state.followers.values():
        if name in waiting:
            waiting.remove(name)
    if name in state.followers:
        out += _lead_moved(state, name, wall_ns)
    if lead := combos.whole_without(state, record.order, record.ord_status):
        out += _run(state, lead, CancelAsked(f"{name}, a leg of its combo, ended"), wall_ns)
    state.followers = {lead: waiting for lead, waiting in state.followers.items() if waiting}
    return out
