"""Combos at the paper venue: how many units the quotes give now, and at what prices. Pure.

k units fill where every leg's far side still has k times its lots and one unit at these prices costs no more than the net
limit: then all legs fill, each at its far side, else none does. The price of one leg may be beyond that leg's own limit. What
an IOC combo leaves is cancelled; what a DAY combo leaves rests until the close and is looked at again at each quote. Nobody sees
the quotes of a combo, so a resting one never meets another's order: it fills where the far sides of its legs come to it.
*Tested by* tests/unit/test_execution_paper_combo.py, tests/contract/test_venue_contract.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from common.messages import Order, TimeInForce
from common.tactics import Combo
from common.universe import Universe
from execution.tactics.combo import net_cents
from execution.venues.paper_market import PaperMarket
from execution.venues.paper_queue import Ticket
from execution.venues.port import VenueEvent, VenueKind


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


class PaperCombos:
    """Combos at the venue, which owns the tickets; ``accept``, ``fill``, ``finish`` and ``rest`` are its own."""

    def __init__(self, universe: Universe, market: PaperMarket, venue: Venue) -> None:
        self._universe, self._market, self._venue = universe, market, venue
        #: Those that rest, in order of arrival.
        self._resting: dict[str, Combo] = {}

    def arrive(self, combo: Combo, legs: Sequence[Ticket], why: str, now_ns: int, out: list[VenueEvent]) -> None:
        """All legs at once, or none. ``why``: it is turned away. Of an IOC that an earlier process had begun the rest goes."""
        if combo.combo_id in self._resting or all(ticket.done for ticket in legs):
            return
        begun = any(ticket.events for ticket in legs)
        if why and not begun:
            for ticket in legs:
                self._venue.finish(ticket, VenueKind.REJECTED, now_ns, why, out)
            return
        lasts = legs[0].order.time_in_force is TimeInForce.DAY
        if not begun:
            for ticket in legs:
                self._venue.accept(ticket, now_ns, out)
        if not begun or lasts:
            self._take(combo, legs, now_ns, out)
        left = [ticket for ticket in legs if not ticket.done]
        for ticket in left:
            if lasts:
                self._venue.expires(ticket, now_ns)
            else:
                self._venue.finish(ticket, VenueKind.CANCELED, now_ns, "the rest of a combo", out)
        if left and lasts:
            self._resting[combo.combo_id] = combo

    def reached(self, tickets: Mapping[str, Ticket], now_ns: int, out: list[VenueEvent]) -> None:
        """Quotes have come: whatever rests takes what it can, earlier arrivals first."""
        for name, combo in list(self._resting.items()):
            legs = tickets_of(combo, tickets)
            if not any(ticket.done for ticket in legs):
                self._take(combo, legs, now_ns, out)
            if len(legs) < len(combo.legs) or any(ticket.done for ticket in legs):
                del self._resting[name]

    def _take(self, combo: Combo, legs: Sequence[Ticket], now_ns: int, out: list[VenueEvent]) -> None:
        for ticket, (lots, ticks) in zip(
            legs, fillable(self._universe, self._market, combo, legs, now_ns), strict=False
        ):
            order = ticket.order
            self._market.took(order.instrument, order.side, lots, now_ns)
            self._market.traded(order.instrument, order.side, lots)
            self._venue.fill(ticket, lots, ticks, now_ns, out)


class Venue(Protocol):
    """What the venue does to one leg."""

    def accept(self, ticket: Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        """Tell that it was taken in."""

    def fill(self, ticket: Ticket, lots: int, price: int, now_ns: int, out: list[VenueEvent]) -> None:
        """Fill lots of it at a price in ticks."""

    def finish(self, ticket: Ticket, kind: VenueKind, now_ns: int, text: str, out: list[VenueEvent]) -> None:
        """End it."""

    def expires(self, ticket: Ticket, now_ns: int) -> None:
        """Let it end with its session or its contract."""


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
