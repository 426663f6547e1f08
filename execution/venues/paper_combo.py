"""Combos at the paper venue: how many units the quotes give now, and at what prices. Pure.

A combo takes what is shown, now, and nothing else: it is immediate or cancel, it does not rest and is not replaced. k units
fill where every leg's far side still has k times its lots and one unit at these prices costs no more than the net limit: then
all legs fill, each at its far side, else none does. The price of one leg may be beyond that leg's own limit.
*Tested by* tests/unit/test_execution_paper_combo.py, tests/contract/test_venue_contract.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from common.messages import Order
from common.tactics import Combo
from common.universe import Universe
from execution.tactics.combo import net_cents
from execution.venues.paper_market import PaperMarket
from execution.venues.paper_queue import Ticket


def fillable(
    universe: Universe, market: PaperMarket, combo: Combo, legs: Sequence[Ticket], now_ns: int
) -> list[tuple[int, int]]:
    """Lots and price in ticks of each leg that the combo takes now; empty if it takes nothing."""
    priced, units = [], 2**63
    for ticket in legs:
        order, ratio = ticket.order, combo.ratio(ticket.order.client_order_id)
        ticks, lots = market.offer(order.instrument, order.side, now_ns)
        units = min(units, lots // ratio, ticket.leaves_lots // ratio)
        priced.append((order.instrument, order.side, ratio, ticks))
    if units <= 0 or net_cents(universe, priced) > combo.net_limit_cents:
        return []
    return [(units * ratio, ticks) for _, _, ratio, ticks in priced]


def tickets_of(combo: Combo, tickets: Mapping[str, Ticket]) -> list[Ticket]:
    """The legs that the venue still knows."""
    return [tickets[name] for name in combo.leg_ids if name in tickets]


def impossible(legs: Sequence[Order]) -> str:
    """Why these orders are no combo, in words; empty if they are one."""
    combo = legs[0].combo if legs else None
    if combo is None or any(leg.combo != combo for leg in legs):
        return "not every leg names the same combo"
    if tuple(leg.client_order_id for leg in legs) != combo.leg_ids or len(set(combo.leg_ids)) != len(legs):
        return "the legs are not those that the combo names"
    if len({leg.instrument for leg in legs}) != len(legs):
        return "two legs in one instrument"
    if len({divmod(leg.quantity_lots, combo.ratio(leg.client_order_id)) for leg in legs}) != 1:
        return "the lots are out of the ratio"
    return ""
