"""Combos: the part of the core that sends the children of several parents as one order of the venue (docs/tactics.md).

- A combo leaves when its lead and all that follow it are here, nothing of any of them is out, and every leg and the whole pass
  the checks. All legs are stored in one transaction before the one order is sent, so that none is ever known without the others.
- It takes what is not filled yet, or a stated share of what is shown, in whole units. One that rests is cancelled and placed
  anew where its net has moved, and cancelled for good once it is to take.
- Otherwise each leg lives as any child: fills under its own id, asked about after a death, never sent again.
- A venue that fills legs out of their ratio pauses trading: it did what it was not asked for.

*Tested by* tests/properties/test_execution_combos.py, tests/unit/test_execution_combos.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from common.messages import Order, OrdStatus, Refusal, TimeInForce
from common.tactics import Follow, TacticKind
from execution import checks, trading, venue_news
from execution.checks import Breach
from execution.events import Instruction, NewOrder, Persist, SendCombo
from execution.orders import OrderRecord
from execution.plan_view import market
from execution.state import ExecutionState
from execution.tactics.combo import combined, net_cents, ratios
from execution.tactics.order import child_id, child_order
from execution.tactics.plan import CancelChild, Place, Plan
from execution.tactics.step import held_back, leg, leg_price, paced, rests, see, shown_lots, withdrawn


def lead_of(order: Order) -> str:
    """Id of the order whose combo this one belongs to, its own where it leads; empty where it is none."""
    if order.tactic.kind is not TacticKind.COMBO:
        return ""
    return order.client_order_id if order.follows is None else order.follows.lead_client_order_id


def misfit(state: ExecutionState, order: Order, follow: Follow) -> str:
    """Why the legs that are here leave no place for this one; empty if they do."""
    lead = state.plans.get(follow.lead_client_order_id)
    if order.tactic.kind is not TacticKind.COMBO or lead is None:
        return ""
    here = _legs(state, lead)
    if len(here) >= lead.order.tactic.legs:
        return f"follows: a combo that has its {len(here)} legs, limit {lead.order.tactic.legs}"
    if any(plan.order.instrument == order.instrument for plan in here):
        return f"follows: a combo with another leg in {order.instrument_id}, limit one leg an instrument"
    return ""


def attempt(state: ExecutionState, name: str) -> list[Instruction]:
    """Send what is not filled of the combo that order ``name`` leads, if it can leave now."""
    lead = state.plans.get(name)
    if lead is None:
        return []
    see(lead, market(state, lead))
    if lead.together and lead.children:
        return _withdrawn(state, lead)
    if not lead.together or not paced(lead) or lead.now_ns >= lead.budget_end_ns:
        return []
    plans = _legs(state, lead)
    if len(plans) < lead.order.tactic.legs:
        lead.held = f"legs: {len(plans)} of {lead.order.tactic.legs} have come"
        return []
    lead.held = ""
    for plan in plans[1:]:
        see(plan, market(state, plan))
    if any(p.children or p.closing is not None or p.finished or not p.may_place for p in plans):
        return []
    lots = ratios(p.order.follows for p in plans if p.order.follows is not None)
    units = {divmod(p.order.quantity_lots - p.filled_lots, n) for p, n in zip(plans, lots, strict=True)}
    count, rest = units.pop()
    if units or rest or count <= 0:
        return []
    return _sent(state, plans, lots, count)


def _withdrawn(state: ExecutionState, lead: Plan) -> list[Instruction]:
    """Cancel a combo that rests and should not, or not at these prices: every leg of it; one that takes ends by itself."""
    plans = _legs(state, lead)
    for plan in plans[1:]:
        see(plan, market(state, plan))
    resting = [[c for c in p.children.values() if c.resting] for p in plans]
    if not lead.may_place or not all(len(mine) == 1 for mine in resting) or any(c.cancel_asked for (c,) in resting):
        return []
    if rests(lead):
        lots = ratios(p.order.follows for p in plans if p.order.follows is not None)
        ticks = _prices(plans, resting=True)
        if not paced(lead) or (
            ticks and _net(state, plans, lots, ticks) == _net(state, plans, lots, [c.ticks for (c,) in resting])
        ):
            return []
    out: list[Instruction] = []
    for plan in plans:
        name = plan.order.client_order_id
        for action in withdrawn(plan):
            assert isinstance(action, CancelChild)
            out += venue_news.ask_cancel(state, state.orders[child_id(name, action.number)])
    return out


def _prices(plans: Sequence[Plan], *, resting: bool) -> list[int]:
    """Price of each leg now; empty where one that is to rest has none."""
    found = [leg_price(plan, resting=resting) for plan in plans]
    ticks = [price for price in found if price is not None]
    return ticks if len(ticks) == len(found) else []


def _net(state: ExecutionState, plans: Sequence[Plan], lots: Sequence[int], ticks: Sequence[int]) -> Fraction:
    rows = ((p.order.instrument, p.order.side, n, t) for p, n, t in zip(plans, lots, ticks, strict=True))
    return net_cents(state.universe, rows)


def _slice(plans: Sequence[Plan], lots: Sequence[int], count: int) -> int:
    """Units of one attempt: all, or the stated share of what every leg's far side shows, rounded down."""
    percent = plans[0].order.tactic.participation_percent
    if not percent:
        return count
    return min([count, *(shown_lots(p) * percent // 100 // n for p, n in zip(plans, lots, strict=True))])


def uneven(state: ExecutionState, child: OrderRecord) -> list[Instruction]:
    """Pause trading where every leg of the child's combo has ended and their fills are out of its ratio."""
    combo = child.order.combo
    if combo is None:
        return []
    legs = [state.orders.get(name) for name in combo.leg_ids]
    ended = [r for r in legs if r is not None and not r.open]
    if len(ended) < len(legs):
        return []
    units = {divmod(r.cum_lots, combo.ratio(r.order.client_order_id)) for r in ended}
    if len(units) == 1 and all(rest == 0 for _, rest in units):
        return []
    filled = ", ".join(f"{r.cum_lots} of {r.order.client_order_id}" for r in ended)
    asked = ":".join(str(n) for _, n in combo.legs)
    return venue_news.pause(state, f"the venue filled combo {combo.combo_id} out of its ratio {asked}: {filled}")


def whole_without(state: ExecutionState, order: Order, status: OrdStatus) -> str:
    """Id of the lead that cannot go on because this leg ended unfilled; empty where nothing must end."""
    name = lead_of(order)
    lead = state.plans.get(name) if name != order.client_order_id else None
    return name if lead is not None and lead.together and status is not OrdStatus.FILLED else ""


def _legs(state: ExecutionState, lead: Plan) -> list[Plan]:
    """Plans of the lead and of those that go with it, in the order they came."""
    waiting = state.followers.get(lead.order.client_order_id, ())
    plans = (state.plans[name] for name in waiting if name in state.plans)
    return [lead, *(p for p in plans if p.order.tactic.kind is TacticKind.COMBO)]


def _sent(state: ExecutionState, plans: Sequence[Plan], lots: Sequence[int], count: int) -> list[Instruction]:
    resting = rests(plans[0])
    ticks, count = _prices(plans, resting=resting), _slice(plans, lots, count)
    if not ticks or count <= 0:
        held_back(plans[0], "slice: too little is shown for one unit" if ticks else "rest: a leg has no market")
        return []
    now_ns, lasts = max(p.now_ns for p in plans), TimeInForce.DAY if resting else TimeInForce.IOC
    orders = [
        child_order(p.order, Place(p.next_number, count * n, t, lasts), now_ns)
        for p, n, t in zip(plans, lots, ticks, strict=True)
    ]
    combo = combined(state.universe, orders, lots)
    orders = [replace(order, combo=combo) for order in orders]
    found = next((b for o, p in zip(orders, plans, strict=True) if (b := _breach(state, o, p.order))), None)
    found = found or _crowded(state, orders)
    if found is not None:
        held_back(plans[0], found.text)
        return []
    placed = [leg(p, o.quantity_lots, o.limit_ticks, resting=resting) for p, o in zip(plans, orders, strict=True)]
    if not all(placed):
        return []  # its thousand children are used up, which ends the plan by itself
    out: list[Instruction] = []
    for order, plan in zip(orders, plans, strict=True):
        name, left = plan.order.client_order_id, order.quantity_lots
        record = OrderRecord(order, OrdStatus.PENDING_NEW, leaves_lots=left, parent=name)
        state.put(record)
        state.flow.take_order(order, max(state.snapshot.now_ns, order.event_time_ns))
        out.append(Persist(NewOrder(record)))
    return [*out, SendCombo(tuple(orders))]


def _breach(state: ExecutionState, order: Order, parent: Order) -> Breach | None:
    """What keeps one leg back: the checks of any child."""
    return trading.stopped(state, order, parent) or checks.breach(
        order, state.limits, state.universe, state.snapshot, state.exposure, state.flow, reserved=True
    )


def _crowded(state: ExecutionState, orders: Sequence[Order]) -> Breach | None:
    """What all legs together break and no leg alone: each counts as an order."""
    limits, legs = state.limits, len(orders)
    now_ns = max(state.snapshot.now_ns, orders[0].event_time_ns)
    for what, refusal, used, most in (
        ("open orders", Refusal.OPEN_ORDERS, state.exposure.open_orders, limits.max_open_orders),
        (
            "message rate",
            Refusal.MESSAGE_RATE,
            state.flow.messages_within(limits, now_ns),
            limits.max_messages_per_window,
        ),
        ("rate", Refusal.RATE, state.flow.orders_within(limits, now_ns), limits.max_orders_per_window),
    ):
        if used + legs > most:
            return Breach(refusal, f"{what}: {used} already and {legs} legs, limit {most}")
    return None
