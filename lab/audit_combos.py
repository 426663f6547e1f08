"""What a combo may cost: orders that go to the venue as one are held to their limits together, not leg by leg.

Written apart from execution's own arithmetic, in floating point, so that a mistake there cannot hide itself.
*Tested by* tests/unit/test_lab_audit_venue.py, tests/unit/test_lab_audit_combos.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from common.messages import ExecutionReport, Order
from common.tactics import TacticKind
from common.universe import Universe

#: Cents by which sums of money in floating point may differ.
ROUNDING: Final = 1e-3


def tick_cents(universe: Universe, at: int) -> float:
    """Money in one tick of one lot, US cents."""
    return float(universe.tick_size[at]) * float(universe.multiplier_usd[at]) * 100.0


def held_together(order: Order) -> bool:
    """Whether an order's limit counts only together with those of the orders it goes with."""
    return order.tactic.kind is TacticKind.COMBO


def over_their_limits(
    universe: Universe, orders: Mapping[str, Order], reports: Sequence[ExecutionReport]
) -> Iterator[str]:
    """Combos whose fills, all legs together, cost more than the legs' own limits allow; in words.

    Legs fill together, so that only a record cut off between the reports of two legs could show one of them alone.
    """
    beyond: dict[str, float] = defaultdict(float)
    for r in reports:
        order = orders.get(r.client_order_id)
        if order is not None and r.last_lots and held_together(order):
            lead = order.client_order_id if order.follows is None else order.follows.lead_client_order_id
            ticks = order.side.sign * (r.last_ticks - order.limit_ticks) * r.last_lots
            beyond[lead] += ticks * tick_cents(universe, order.instrument)
    for lead, cents in beyond.items():
        if cents > ROUNDING:
            yield f"combo of order {lead}: filled {cents:.2f} cents beyond its limits together"
