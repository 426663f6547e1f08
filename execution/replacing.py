"""What a replacement may replace, and the mark it leaves on it (FIX 4.4 message G, Appendix D).

One change of an order at a time: while a replacement or a cancel is unanswered a further replacement is refused
(CxlRejReason 3), a cancel is not. When the venue has taken it in the original ends as REPLACED and what it filled counts
for the replacement, a total at or below that being FILLED at once; when the venue refuses it the original goes on. A cancel
asked of either is one of the order and follows it. *Tested by* tests/unit/test_execution_replace.py.
"""

from __future__ import annotations

from dataclasses import replace

from common.messages import Order, OrdStatus, Refusal
from execution.checks import Breach
from execution.events import Persist
from execution.orders import OrderRecord
from execution.state import ExecutionState
from execution.tactics.order import worked


def impossible(order: Order, original: OrderRecord | None) -> Breach | None:
    """Why ``order`` cannot replace what it names, whatever the market; None where it can."""
    name = order.orig_client_order_id
    if original is None or original.parent:
        return Breach(Refusal.UNKNOWN_ORDER, f"original: no order {name!r}, limit a known id")
    was = original.order
    if (order.instrument, order.side) != (was.instrument, was.side):
        text = f"original: {order.side.name} {order.instrument_id}, limit {was.side.name} {was.instrument_id} as {name}"
        return Breach(Refusal.UNKNOWN_ORDER, text)
    if not original.open:
        return Breach(Refusal.TOO_LATE, f"original: {name} is {original.ord_status.name}, limit an open order")
    if worked(was):
        return Breach(
            Refusal.UNKNOWN_ORDER, f"original: {name} is worked by execution, limit an order at the venue as it is"
        )
    if original.cancel_asked:
        return Breach(Refusal.PENDING_CHANGE, f"original: a cancel of {name} is not answered, limit 1 change at a time")
    if original.replaced_by:
        text = f"original: {original.replaced_by} for {name} is not answered, limit 1 change at a time"
        return Breach(Refusal.PENDING_CHANGE, text)
    if original.replacement_asked or original.ord_status is OrdStatus.UNKNOWN:
        text = f"original: whether {name} works is not known yet, limit an order that the venue has answered"
        return Breach(Refusal.PENDING_CHANGE, text)
    return None


def announced(state: ExecutionState, original: OrderRecord, replacement: OrderRecord) -> Persist:
    """Note on the original which replacement is asked for."""
    marked = replace(original, replaced_by=replacement.order.client_order_id)
    state.put(marked)
    return Persist(marked)
