"""Combos at the simulated venue: one order with a ticket for each leg, taken or turned away whole.

It is matched in whole units at the quotes of one moment, if a unit at those keeps to the net limit; what an IOC leaves is
cancelled, what a DAY leaves rests and is matched again after each quote. Legs end together. A venue that lies fills a leg short,
or after the end; which combos it wronged stands in ``wronged``. *Tested by* tests/simulation/test_simulator_combos.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from common.messages import Order, Side, TimeInForce
from common.tactics import Combo
from common.units import NO_PRICE, NS_PER_MS
from execution.tactics.combo import net_cents
from execution.venues.port import VenueKind

if TYPE_CHECKING:
    from lab.simulator.exchange import Exchange, Ticket


@dataclass(frozen=True, slots=True)
class Terms:
    """How the venue takes combos. ``silent_ns``: wall time after a login in which it has not said whether it does."""

    taken: bool
    silent_ns: int


class ExchangeCombos:
    """The combos of an ``Exchange``, which owns tickets, lines and moods. ``on_send(legs)`` hears before each leg is listed."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        #: None where nobody sends combos.
        self.terms: Terms | None = None
        self.sent: dict[str, Combo] = {}
        self.wronged: set[str] = set()
        self.on_send: list[Callable[[Sequence[Order]], None]] = []
        self._of_leg: dict[str, str] = {}
        self._resting: dict[str, None] = {}

    def submit(self, legs: Sequence[Order]) -> None:
        """Take the legs in as one order."""
        exchange, combo = self._exchange, legs[0].combo
        for told in self.on_send:
            told(legs)
        for order in legs:
            exchange.take_in(order)
        if combo is not None:
            self.sent.setdefault(combo.combo_id, combo)
            self._of_leg |= dict.fromkeys(combo.leg_ids, combo.combo_id)
            delay_ns = exchange.span(exchange.mood.latency_ns)
            exchange.world.after(delay_ns, lambda: self._arrive(combo.combo_id))

    def together(self, ticket: Ticket) -> list[Ticket]:
        """A ticket with those that end with it: every leg of its combo that has not ended."""
        name = self._of_leg.get(ticket.order.client_order_id)
        return [ticket] if name is None else [leg for leg in self._legs(name) if not leg.done]

    def quoted(self) -> None:
        """The market has moved: what rests may fill."""
        for name in list(self._resting):
            delay_ns = self._exchange.span(self._exchange.mood.matching_ns)
            self._exchange.world.after(delay_ns, partial(self._match, name))

    def filled_units(self, name: str) -> set[tuple[int, int]]:
        """Whole units and odd lots that each leg has filled, by the venue's list: one pair (n, 0) where they are even."""
        combo, lots = self.sent[name], dict.fromkeys(self.sent[name].leg_ids, 0)
        for event in self._exchange.fills.values():
            if event.client_order_id in lots:
                lots[event.client_order_id] += event.lots
        return {divmod(n, combo.ratio(leg)) for leg, n in lots.items()}

    def _legs(self, name: str) -> list[Ticket]:
        return [self._exchange.tickets[leg] for leg in self.sent[name].leg_ids]

    def _arrive(self, name: str) -> None:
        exchange, legs = self._exchange, self._legs(name)
        if any(ticket.working or ticket.done for ticket in legs):
            return
        if exchange.world.chance(exchange.mood.rejected):
            for ticket in legs:
                exchange.finish(ticket, VenueKind.REJECTED, "rejected by the venue")
            return
        for ticket in legs:
            exchange.accept(ticket)
        exchange.world.after(exchange.span(exchange.mood.matching_ns), lambda: self._match(name))

    def _match(self, name: str) -> None:
        """Fill whole units in one or two pieces; of an IOC, or of a combo the venue has wronged, the rest is cancelled."""
        exchange, world, legs = self._exchange, self._exchange.world, self._legs(name)
        if any(ticket.done for ticket in legs):
            self._resting.pop(name, None)
            return
        units, prices = self._fillable(self.sent[name], legs)
        if units and world.chance(exchange.mood.thin):
            units = world.rng.randint(0, units)
        if units:
            first = world.rng.randint(1, units) if units > 1 and world.chance(0.3) else units
            short = world.rng.choice(legs) if world.chance(exchange.mood.uneven) else None
            if short is not None:
                self.wronged.add(name)
                world.say("venue", f"fills combo {name[:6]} out of its ratio")
            for part in (first, units - first):
                self._fill(self.sent[name], legs, part, prices, short)
        left = [ticket for ticket in legs if not ticket.done]
        if left and legs[0].order.time_in_force is TimeInForce.DAY and name not in self.wronged:
            self._resting[name] = None
            return
        self._resting.pop(name, None)
        for ticket in left:
            exchange.finish(ticket, VenueKind.CANCELED, "the rest of a combo")
        if left and world.chance(exchange.mood.fills_after_end):
            late = world.rng.choice(left)
            self.wronged.add(name)
            world.after(exchange.span(20 * NS_PER_MS), lambda: exchange.lie(late, late.order.limit_ticks))

    def _fill(
        self, combo: Combo, legs: Sequence[Ticket], units: int, prices: Sequence[int], short: Ticket | None
    ) -> None:
        rng = self._exchange.world.rng
        for ticket, price in zip(legs, prices, strict=True):
            lots = units * combo.ratio(ticket.order.client_order_id)
            if ticket is short and lots:
                lots -= rng.randint(1, lots)
            if lots:
                self._exchange.fill(ticket, lots, price)

    def _fillable(self, combo: Combo, legs: Sequence[Ticket]) -> tuple[int, list[int]]:
        """Units that every leg's far side holds, and the prices there; nought where a unit costs more than it may."""
        rows, prices, units = [], [], 2**63
        for ticket in legs:
            order, ratio = ticket.order, combo.ratio(ticket.order.client_order_id)
            bid, ask, bid_lots, ask_lots = self._exchange.quotes.get(order.instrument, (NO_PRICE, NO_PRICE, 0, 0))
            price, size = (ask, ask_lots) if order.side is Side.BUY else (bid, bid_lots)
            units = 0 if price == NO_PRICE else min(units, size // ratio, ticket.leaves_lots // ratio)
            rows.append((order.instrument, order.side, ratio, price))
            prices.append(price)
        if not units or net_cents(self._exchange.universe, rows) > combo.net_limit_cents:
            return 0, prices
        return units, prices
