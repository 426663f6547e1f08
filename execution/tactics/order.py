"""What an order must be to be worked by a tactic, and the orders its children are.

*Tested by* tests/unit/test_tactics_order.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from common.messages import Order, OrdType, TimeInForce
from common.tactics import DIRECT, Follow, Tactic, TacticKind
from execution.orders import OrderRecord
from execution.tactics.combo import MAX_LEGS
from execution.tactics.plan import MAX_CHILDREN, Place

#: Ids of this form are given by execution alone: `<parent>.<number>`.
_CHILD_ID = re.compile(r"^(.+)\.([1-9][0-9]*)$")
#: What `.<number>` may add to an id.
SUFFIX_LENGTH = 1 + len(str(MAX_CHILDREN))
MAX_BUDGET_MS = 86_400_000


def worked(order: Order) -> bool:
    """True if execution works it through children; else it goes to the venue under its own id."""
    return order.tactic.kind is not TacticKind.DIRECT or order.follows is not None


def child_id(parent_id: str, number: int) -> str:
    """Id of a child at the venue."""
    return f"{parent_id}.{number}"


def parent_of(client_order_id: str) -> tuple[str, int] | None:
    """Parent and number of an id that has the form of a child's, else None."""
    found = _CHILD_ID.match(client_order_id)
    return (found[1], int(found[2])) if found else None


def child_order(parent: Order, place: Place, now_ns: int) -> Order:
    """The order that the venue sees; whom it serves and who pays is the parent's business."""
    return replace(
        parent,
        client_order_id=child_id(parent.client_order_id, place.number),
        quantity_lots=place.lots,
        limit_ticks=place.ticks,
        time_in_force=place.time_in_force,
        event_time_ns=now_ns,
        allocation=(),
        cost_shares=(),
        tactic=DIRECT,
        follows=None,
    )


def malformed(order: Order, max_id_length: int) -> str:
    """What is wrong with an order's tactic, as "rule: value, limit"; empty if nothing is."""
    name = order.client_order_id
    if parent_of(name) is not None:
        return f"id: {name!r} has the form of a child's, limit an id that does not end in a dot and a number"
    if worked(order) and len(name) > max_id_length - SUFFIX_LENGTH:
        return f"id: {len(name)} characters, limit {max_id_length - SUFFIX_LENGTH} where children carry it"
    if worked(order) and (order.ord_type is not OrdType.LIMIT or order.orig_client_order_id):
        return "tactic: of a market order or a replacement, limit a new limit order"
    if order.combo is not None:
        return "combo: named by an order that is asked for, limit none; execution makes combos"
    return _terms(order.tactic, order.follows is None) or _following(order, order.follows) or _combining(order)


def _terms(tactic: Tactic, leads: bool) -> str:
    kind = tactic.kind
    combo = kind is TacticKind.COMBO and leads
    rests = kind is TacticKind.PASSIVE or (combo and tactic.improve_ticks > 0)
    bounds = {
        "urgency_percent": (0, 100 if rests else 0),
        "participation_percent": (1, 100) if kind is TacticKind.SLICED else (0, 100 if combo else 0),
        "budget_ms": (0, 0) if kind is TacticKind.DIRECT else (1, MAX_BUDGET_MS),
        "interval_ms": (0, 0) if kind is TacticKind.DIRECT else (1, MAX_BUDGET_MS),
        "improve_ticks": (0, 1_000 if kind is TacticKind.PASSIVE or combo else 0),
        "runaway_ticks": (0, 1_000_000 if kind is TacticKind.PASSIVE else 0),
        "legs": (2, MAX_LEGS) if combo else (0, 0),
    }
    for name, (low, high) in bounds.items():
        value = getattr(tactic, name)
        if not low <= value <= high:
            return f"tactic: {name} {value} of {kind.name}, limit {low} to {high}"
    return ""


def _following(order: Order, follow: Follow | None) -> str:
    if follow is None:
        return ""
    if not (0 < follow.numerator <= 1_000_000 and 0 < follow.denominator <= 1_000_000):
        return f"follows: ratio {follow.numerator}/{follow.denominator}, limit whole numbers from 1 to 1000000"
    if not follow.lead_client_order_id or follow.lead_client_order_id == order.client_order_id:
        return f"follows: {follow.lead_client_order_id!r}, limit another order's id"
    return ""


def _combining(order: Order) -> str:
    if order.tactic.kind is TacticKind.COMBO and order.time_in_force is not TimeInForce.IOC:
        return f"tactic: COMBO of a {order.time_in_force.name} order, limit IOC; what a combo leaves is given back"
    return ""


def leads_of(records: Iterable[OrderRecord]) -> list[str]:
    """Ids of the orders that these follow, each once."""
    named = (r.order.follows.lead_client_order_id for r in records if r.order.follows is not None)
    return list(dict.fromkeys(named))


def legs_beside(records: Sequence[OrderRecord], known: Iterable[OrderRecord]) -> list[str]:
    """Ids of the other legs of the combos that these are legs of, each once, without those that are known already."""
    here = {r.order.client_order_id for r in (*records, *known)}
    named = (name for r in records if r.order.combo is not None for name in r.order.combo.leg_ids)
    return [name for name in dict.fromkeys(named) if name not in here]


def lead_mismatch(order: Order, follow: Follow, lead: Order | None) -> str:
    """What is wrong between a follower and its lead; empty if nothing is."""
    if lead is None:
        return f"follows: no order {follow.lead_client_order_id!r}, limit an order sent before"
    whole = follow.released_lots(lead.quantity_lots)
    if whole != order.quantity_lots:
        ratio = f"{follow.numerator}/{follow.denominator}"
        return f"follows: {order.quantity_lots} lots, limit exactly {whole} ({ratio} of {lead.quantity_lots})"
    if order.tactic.kind is TacticKind.COMBO:
        return _no_leg_of(order, follow, lead)
    return ""


def _no_leg_of(order: Order, follow: Follow, lead: Order) -> str:
    """Why a follower cannot be a leg of one order with its lead; empty if it can."""
    if lead.tactic.kind is not TacticKind.COMBO or lead.follows is not None:
        return f"tactic: COMBO with {lead.client_order_id}, limit a lead that is a COMBO and follows nothing"
    if lead.quantity_lots * follow.numerator % follow.denominator:
        ratio = f"{follow.numerator}/{follow.denominator}"
        return f"follows: {ratio} of {lead.quantity_lots} lots in a combo, limit whole lots without rounding"
    if order.instrument == lead.instrument:
        return f"tactic: COMBO with {lead.client_order_id} in the same instrument, limit another one"
    return ""
