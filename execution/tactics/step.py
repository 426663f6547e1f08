"""The pure core of the tactics: ``step(plan, event) -> actions``. It compares what should be out with what is.

Guarantees, at every moment and whatever happens
- Filled lots plus the lots of children that are out, unknown ones included, never exceed what was released, and that
  never exceeds the parent's quantity. (A venue that fills what it was not asked for breaks this; then all is cancelled.)
- No child is priced beyond the parent's limit; while the time budget lasts no resting one touches the far side it saw.
- A slice is at most the stated share of the displayed size; between two slices lies the stated interval.
- ``Finish`` comes once, with no child open; nothing comes after it.
- Lots are replaced by cancelling, and placing anew once the end is known: two children never stand for one lot.

*Tested by* tests/unit/test_tactics_step.py, tests/properties/test_tactics_step.py.
"""

from __future__ import annotations

from common.messages import OrdStatus, Side, TimeInForce
from common.tactics import TacticKind
from execution.tactics.plan import (
    MAX_CHILDREN,
    MAX_REJECTS,
    Action,
    CancelAsked,
    CancelChild,
    Child,
    Ended,
    Filled,
    Finish,
    LeadMoved,
    Market,
    Place,
    Plan,
    PlanEvent,
    Quote,
    Refused,
)


def see(plan: Plan, market: Market) -> None:
    """Let the plan know time, quote and whether orders may leave, before the event that makes it act."""
    plan.now_ns = max(plan.now_ns, market.now_ns)
    plan.quote, plan.may_place = market.quote, market.may_place
    plan.together = market.combos and plan.order.tactic.kind is TacticKind.COMBO


def step(plan: Plan, event: PlanEvent) -> list[Action]:
    """Apply one event to the plan, in place, and say what to do now."""
    if plan.finished:
        return []
    match event:
        case Market():
            see(plan, event)
        case Filled(number, lots):
            _filled(plan, number, lots)
        case Ended(number, status):
            _ended(plan, number, status)
        case Refused(number, text):
            plan.children.pop(number, None)
            plan.held = text
        case CancelAsked(text):
            plan.closing = plan.closing or Finish(OrdStatus.CANCELED, text)
            return _close(plan, everything=True)
        case LeadMoved():
            _lead_moved(plan, event)
    return _act(plan)


def leg(plan: Plan, lots: int, ticks: int, *, resting: bool) -> list[Action]:
    """The plan's child as a leg of a combo that leaves now; nothing where none is left to give."""
    return _place(plan, lots, ticks, resting)


def withdrawn(plan: Plan) -> list[Action]:
    """Cancel what rests as a leg of a combo: another one, at other prices, follows once its end is known."""
    return _cancel(plan, [n for n, c in plan.children.items() if c.resting])


def rests(plan: Plan) -> bool:
    """Whether a combo that this plan leads is to rest now: while its urgency and its session allow it."""
    return plan.order.tactic.improve_ticks > 0 and plan.now_ns < plan.cross_ns


def leg_price(plan: Plan, *, resting: bool) -> int | None:
    """Price in ticks that a leg is worth now; taking, its own limit; resting, the far side within it, the lead's improved.

    None where a resting leg has no market.
    """
    order = plan.order
    if not resting:
        return order.limit_ticks
    if plan.quote is None:
        return None
    ticks = _far_side(plan.quote, order.side)[0] - order.side.sign * order.tactic.improve_ticks
    return min(ticks, order.limit_ticks) if order.side is Side.BUY else max(ticks, order.limit_ticks)


def shown_lots(plan: Plan) -> int:
    """Lots that the far side shows; 0 without a market."""
    return 0 if plan.quote is None else _far_side(plan.quote, plan.order.side)[1]


def held_back(plan: Plan, text: str) -> None:
    """A combo of this plan was kept back; it is tried again after the interval."""
    plan.held, plan.placed_ns = text, plan.now_ns


def paced(plan: Plan) -> bool:
    """Whether the stated interval since the last child is over."""
    return plan.placed_ns == 0 or plan.now_ns >= plan.placed_ns + plan.pace_ns


def next_due_ns(plan: Plan) -> int | None:
    """Market time at which the plan has something to do by itself, or None."""
    if plan.finished or plan.closing is not None:
        return None
    times = [plan.end_ns, plan.budget_end_ns, plan.placed_ns + plan.pace_ns]
    if plan.order.tactic.kind is TacticKind.PASSIVE or plan.order.tactic.improve_ticks:
        times.append(plan.cross_ns)
    return min((t for t in times if t > plan.now_ns), default=None)


def _filled(plan: Plan, number: int, lots: int) -> None:
    plan.filled_lots += lots
    child = plan.children.get(number)
    if child is not None:
        child.cum_lots += lots
        if child.leaves_lots <= 0:
            del plan.children[number]
            plan.rejects = 0


def _ended(plan: Plan, number: int, status: OrdStatus) -> None:
    if plan.children.pop(number, None) is None:
        return
    if status is OrdStatus.EXPIRED:
        plan.closing = plan.closing or Finish(OrdStatus.EXPIRED, "the venue let a child expire")
    plan.rejects = plan.rejects + 1 if status is OrdStatus.REJECTED else 0


def _lead_moved(plan: Plan, event: LeadMoved) -> None:
    follow = plan.order.follows
    if follow is None:
        return
    released = min(follow.released_lots(event.filled_lots), plan.order.quantity_lots)
    if released > plan.released_lots:
        if plan.free_lots == 0 and not plan.children:
            plan.crossing = False
        plan.released_lots, plan.clock_ns = released, max(plan.clock_ns, plan.now_ns)
    plan.lead_ended = event.ended


# -- what to do now ----------------------------------------------------------------------------------------------------


def _act(plan: Plan) -> list[Action]:
    if plan.closing is None:
        plan.closing = _over(plan)
    if plan.closing is not None:
        return _close(plan)
    # A leg of a combo that rests is released with the lead's lots beside it, as both fill.
    room = plan.order.quantity_lots - plan.released_lots if plan.together else 0
    if plan.free_lots + room < 0:
        return _cancel(plan, [n for n, c in plan.children.items() if c.resting])
    if not plan.may_place:
        return []
    match plan.order.tactic.kind:
        case TacticKind.DIRECT:
            return _release(plan)
        case TacticKind.COMBO:
            return [] if plan.together else _release(plan)
        case TacticKind.PASSIVE:
            return _passive(plan)
        case TacticKind.SLICED:
            return _sliced(plan)


def _over(plan: Plan) -> Finish | None:
    """Why the parent is over, or None."""
    order, now_ns = plan.order, plan.now_ns
    if plan.filled_lots >= order.quantity_lots:
        return Finish(OrdStatus.FILLED, "")
    if plan.end_ns and now_ns >= plan.end_ns:
        return Finish(OrdStatus.EXPIRED, "the session closed")
    if plan.lead_ended and plan.filled_lots >= plan.released_lots:
        return Finish(OrdStatus.CANCELED, "the order it follows ended; every lot released by it is filled")
    if plan.rejects >= MAX_REJECTS:
        return Finish(OrdStatus.CANCELED, f"rejects: {plan.rejects} by the venue in a row, limit {MAX_REJECTS - 1}")
    if plan.next_number > MAX_CHILDREN and not plan.children:
        return Finish(OrdStatus.CANCELED, f"children: all {MAX_CHILDREN} are used up")
    return _effort_over(plan)


def _effort_over(plan: Plan) -> Finish | None:
    """The end of an immediate-or-cancel parent: its time is over and the last attempt was made, or none may be."""
    kind = plan.order.tactic.kind
    if not plan.lead_ended or (plan.children and plan.may_place):
        return None
    if kind is TacticKind.DIRECT or (kind is TacticKind.COMBO and not plan.together):
        tried = not plan.children and plan.tried_lots >= plan.released_lots
        return Finish(OrdStatus.CANCELED, _with(plan, "every released lot was tried")) if tried else None
    if kind is TacticKind.COMBO and plan.order.follows is not None:
        return Finish(OrdStatus.CANCELED, _with(plan, "the order it goes with ended"))
    if plan.order.time_in_force is not TimeInForce.IOC or plan.now_ns < plan.budget_end_ns:
        return None
    last_try = kind is TacticKind.PASSIVE and not plan.crossing and plan.may_place and _far(plan) is not None
    return None if last_try else Finish(OrdStatus.CANCELED, _with(plan, "the time budget is over"))


def _with(plan: Plan, text: str) -> str:
    return f"{text}; last held back: {plan.held}" if plan.held else text


def _close(plan: Plan, everything: bool = False) -> list[Action]:
    """Cancel what rests (on demand what takes, too, which ends by itself), finish when nothing is open."""
    if plan.closing is not None and not plan.children:
        plan.finished = True
        filled = plan.filled_lots >= plan.order.quantity_lots
        return [Finish(OrdStatus.FILLED, "") if filled else plan.closing]
    return _cancel(plan, [n for n, c in plan.children.items() if everything or c.resting])


def _cancel(plan: Plan, numbers: list[int]) -> list[Action]:
    out: list[Action] = []
    for number in numbers:
        if not plan.children[number].cancel_asked:
            plan.children[number].cancel_asked = True
            out.append(CancelChild(number))
    return out


def _place(plan: Plan, lots: int, ticks: int, resting: bool) -> list[Action]:
    if lots <= 0 or plan.next_number > MAX_CHILDREN:
        return []
    number = plan.next_number
    plan.next_number += 1
    plan.children[number] = Child(lots, ticks, resting)
    plan.tried_lots += lots
    plan.placed_ns = plan.now_ns
    plan.held = ""
    return [Place(number, lots, ticks, TimeInForce.DAY if resting else TimeInForce.IOC)]


# -- the tactics -------------------------------------------------------------------------------------------------------


def _release(plan: Plan) -> list[Action]:
    """DIRECT that follows: each released lot goes out once, at the parent's own terms."""
    lots = min(plan.released_lots - plan.tried_lots, plan.free_lots)
    return _place(plan, lots, plan.order.limit_ticks, plan.order.time_in_force is TimeInForce.DAY)


def _passive(plan: Plan) -> list[Action]:
    if _leave_at_limit(plan):
        return _rest_at(plan, plan.order.limit_ticks) if paced(plan) else []
    if plan.crossing or plan.now_ns >= plan.cross_ns or _ran_away(plan):
        return _cross(plan)
    ticks = _near(plan)
    if ticks is None:
        return _cancel(plan, [n for n, c in plan.children.items() if c.resting])
    return _rest_at(plan, ticks) if paced(plan) else []


def _sliced(plan: Plan) -> list[Action]:
    if _leave_at_limit(plan):
        return _rest_at(plan, plan.order.limit_ticks) if paced(plan) else []
    far = _far(plan)
    if plan.children or far is None or not paced(plan):
        return []
    ticks, shown_lots = far
    share = shown_lots * plan.order.tactic.participation_percent // 100
    return _place(plan, min(plan.free_lots, share), ticks, resting=False)


def _cross(plan: Plan) -> list[Action]:
    """Cancel what rests; take the far side with whatever is free, again and again until the effort is over."""
    out = _cancel(plan, [n for n, c in plan.children.items() if c.resting])
    far = _far(plan)
    if far is None or (plan.crossing and not paced(plan)):
        return out
    placed = _place(plan, plan.free_lots, far[0], resting=False)
    plan.crossing |= bool(placed)
    return out + placed


def _rest_at(plan: Plan, ticks: int) -> list[Action]:
    """Everything free rests at one price; what rests elsewhere is cancelled."""
    out = _cancel(plan, [n for n, c in plan.children.items() if c.resting and c.ticks != ticks])
    return out + _place(plan, plan.free_lots, ticks, resting=True)


def _leave_at_limit(plan: Plan) -> bool:
    """A DAY parent whose time budget is over leaves its rest at its limit until the day ends."""
    return plan.order.time_in_force is TimeInForce.DAY and plan.now_ns >= plan.budget_end_ns


def _near(plan: Plan) -> int | None:
    """Where to rest: the near side, improved, short of the far side and of the parent's limit; None without a quote."""
    if plan.quote is None:
        return None
    q, improve = plan.quote, plan.order.tactic.improve_ticks
    if plan.order.side is Side.BUY:
        return min(q.bid_ticks + improve, q.ask_ticks - 1, plan.order.limit_ticks)
    return max(q.ask_ticks - improve, q.bid_ticks + 1, plan.order.limit_ticks)


def _far(plan: Plan) -> tuple[int, int] | None:
    """Price and displayed lots of the side to take; None without a quote or beyond the parent's limit."""
    if plan.quote is None:
        return None
    q, side = plan.quote, plan.order.side
    ticks, lots = _far_side(q, side)
    return (ticks, lots) if side.sign * (plan.order.limit_ticks - ticks) >= 0 else None


def _far_side(quote: Quote, side: Side) -> tuple[int, int]:
    return (quote.ask_ticks, quote.ask_lots) if side is Side.BUY else (quote.bid_ticks, quote.bid_lots)


def _ran_away(plan: Plan) -> bool:
    """The mid has moved against the order by the stated ticks since the decision."""
    order, q = plan.order, plan.quote
    if not order.tactic.runaway_ticks or q is None:
        return False
    moved = order.side.sign * (q.bid_ticks + q.ask_ticks - order.arrival_bid_ticks - order.arrival_ask_ticks)
    return moved >= 2 * order.tactic.runaway_ticks
