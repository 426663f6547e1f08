"""What a plan may know: the market of its instrument, the end of its day, its children as the store has them.

*Tested by* tests/properties/test_execution_parents.py, tests/unit/test_execution_parents.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from common.messages import Order, TimeInForce
from common.subjects import feed_source
from common.tactics import TacticKind
from common.units import NO_PRICE
from execution import trading
from execution.orders import OrderRecord
from execution.state import ExecutionState
from execution.tactics.order import parent_of
from execution.tactics.plan import Market, Past, Plan, Quote


def market(state: ExecutionState, plan: Plan) -> Market:
    """Time and quotes as they are now; nothing may be placed unseen, stopped, or before the venue's abilities are known."""
    at, snapshot = plan.order.instrument, state.snapshot
    source = snapshot.sources.get(feed_source(state.universe.symbols[state.universe.underlying.item(at)]))
    now_ns, combos = max(state.now_ns, plan.now_ns), state.combos is not False
    undecided = state.combos is None and plan.order.tactic.kind is TacticKind.COMBO
    if source is None or undecided or trading.stopped(state, plan.order, plan.order) is not None:
        return Market(now_ns, None, may_place=False, combos=combos)
    bid, ask = snapshot.bid_ticks.item(at), snapshot.ask_ticks.item(at)
    bid_lots, ask_lots = snapshot.bid_size_lots.item(at), snapshot.ask_size_lots.item(at)
    live = not source.gapped and NO_PRICE not in (bid, ask) and bid < ask and bid_lots > 0 and ask_lots > 0
    return Market(now_ns, Quote(bid, ask, bid_lots, ask_lots) if live else None, combos=combos)


def end_ns(state: ExecutionState, order: Order) -> int:
    """Close of the session that the order belongs to, or the instrument's expiry if that is earlier; 0 is neither."""
    expiry_ns = state.universe.expiry_ns.item(order.instrument)
    at_ns = order.event_time_ns
    closes: Iterator[int] = (close_ns for _, close_ns in state.sessions_ns if close_ns > at_ns)
    return min((t for t in (next(closes, 0), expiry_ns) if t > 0), default=0)


def past(record: OrderRecord) -> Past:
    """A child as a plan is rebuilt from it."""
    order = record.order
    return Past(
        number=number(record),
        lots=order.quantity_lots,
        ticks=order.limit_ticks,
        resting=order.time_in_force is TimeInForce.DAY,
        cum_lots=record.cum_lots,
        open=record.open,
        cancel_asked=record.cancel_asked,
        placed_ns=order.event_time_ns,
    )


def number(child: OrderRecord) -> int:
    """A child's number under its parent. Raises ``ValueError`` for what is no child."""
    found = parent_of(child.order.client_order_id)
    if found is None:
        raise ValueError(f"{child.order.client_order_id} is no child's id")
    return found[1]
