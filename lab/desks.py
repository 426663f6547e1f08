"""What each desk traded in the market and crossed inside the firm, for the report; from the journal alone.

*Tested by* tests/simulation/test_closed_loop_desks.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from common.control_messages import Crossing, Cycle, JournalEntry
from common.factors import desk_of
from common.messages import ExecutionReport, Order
from common.units import CENTS_PER_USD
from common.universe import Book, Universe
from lab.fills import external_cost_cents, fills_of


def desk_figures(entries: Sequence[JournalEntry], universe: Universe, book: Book) -> list[dict[str, Any]]:
    """One row a desk, empty where the whole book is one. USD; a fill's external cost is shared pro rata to its order's lots."""
    if len(book.desk_names) == 1:
        return []
    orders: dict[str, Order] = {}
    crossings: list[Crossing] = []
    lots: dict[str, float] = defaultdict(float)
    cost: dict[str, float] = defaultdict(float)
    seen: set[str] = set()
    for entry in entries:
        event = entry.event
        if isinstance(event, Cycle):
            orders |= {order.client_order_id: order for order in event.orders}
            crossings += event.crossings
        elif isinstance(event, ExecutionReport) and event.last_lots and event.exec_id not in seen:
            seen.add(event.exec_id)
            order = orders.get(event.client_order_id)
            cents = external_cost_cents(fills_of((event,)), universe)
            for agent, part in () if order is None else order.allocation:
                share = abs(part) / orders[event.client_order_id].quantity_lots
                lots[desk_of(agent)] += share * event.last_lots
                cost[desk_of(agent)] += share * cents / CENTS_PER_USD
    return [
        {
            "desk": desk.name,
            "legal_entity": desk.legal_entity,
            "market_lots": round(lots[desk.name]),
            "external_cost_usd": cost[desk.name],
            "crossed_lots": sum(c.lots for c in crossings if desk.name in (c.buyer, c.seller)),
            "crossing_saved_usd": sum(saved_usd(c, universe) for c in crossings if desk.name in (c.buyer, c.seller)),
        }
        for desk in book.desks
    ]


def saved_usd(c: Crossing, universe: Universe) -> float:
    """Half spread and fee that one side of a crossing did not pay in the market."""
    half_spread = (
        0.5 * (c.ask_ticks - c.bid_ticks) * universe.tick_size[c.instrument] * universe.multiplier_usd[c.instrument]
    )
    return float(c.lots * (half_spread + universe.fee_cents[c.instrument] / CENTS_PER_USD))
