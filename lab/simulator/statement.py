"""What the venue states of itself for the reconciliation, from its own list; a lying one states something else for a while.

An honest statement is true at the moment it is made and is under way after that, so what execution holds may be ahead of it or
behind. ``Statements.states_back`` bounds how far back it goes, as a venue's own memory does.
*Tested by* tests/simulation/test_simulator_reconciles.py, tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from execution.venues.statement import StatedFill, StatedOrder, VenueStatement

if TYPE_CHECKING:
    from lab.simulator.exchange import Exchange

#: ``position``: lots that no fill explains; ``order``: one that nobody sent works; ``price``: what fills while it lies is
#: stated at another price; ``denied``: what fills while it lies is not stated.
LIES = ("position", "order", "price", "denied")
_NOBODYS = "NOBODYSENTTHIS000000"


@dataclass(slots=True)
class Lie:
    """What is wrong in the statements, and how many fills there were when it began."""

    what: str
    fills: int


@dataclass(frozen=True, slots=True)
class Told:
    """One statement that was made. ``shown``: a difference stands in it that execution can see by what it has booked."""

    at_ns: int
    life: int
    shown: bool


class Statements:
    """The venue's side of a reconciliation."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.lie: Lie | None = None
        self.states_back: int | None = None

    def begin(self, what: str) -> None:
        """Lie from now on."""
        self.lie = Lie(what, len(self._exchange.fills))

    def state(self, after: int, limit: int) -> VenueStatement:
        """See ``StatingVenue.statement``."""
        fills = list(self._fills())
        back = len(fills) if self.states_back is None else self.states_back
        skip = min(max(after, len(fills) - back, 0), len(fills))
        position: dict[int, int] = {}
        for fill in fills:
            position[fill.instrument] = position.get(fill.instrument, 0) + fill.signed_lots
        if self._lies("position"):
            position[0] = position.get(0, 0) + 3
        return VenueStatement(
            first=skip + 1,
            count=len(fills),
            from_time_ns=fills[skip - 1].event_time_ns if skip else 0,
            fills=tuple(fills[skip : skip + limit]),
            orders=tuple(self._orders()),
            position_lots={at: lots for at, lots in position.items() if lots},
        )

    def touched(self) -> list[str]:
        """Exec ids of the fills that the lie is about."""
        lie = self.lie
        return [] if lie is None or lie.what not in ("price", "denied") else list(self._exchange.fills)[lie.fills :]

    def shows(self, booked: frozenset[str] | set[str]) -> bool:
        """Whether execution, which has booked these fills, can see the lie in a statement made now."""
        return self._lies("position") or self._lies("order") or any(name in booked for name in self.touched())

    def _lies(self, what: str) -> bool:
        return self.lie is not None and self.lie.what == what

    def _fills(self) -> Iterator[StatedFill]:
        touched = set(self.touched())
        for event in self._exchange.fills.values():
            order = self._exchange.tickets[event.client_order_id].order
            fill = StatedFill(
                event.exec_id,
                event.client_order_id,
                order.instrument,
                order.side.sign * event.lots,
                event.ticks,
                event.fee_cents,
                event.event_time_ns,
            )
            if event.exec_id not in touched:
                yield fill
            elif self._lies("price"):
                yield replace(fill, ticks=fill.ticks + 7)

    def _orders(self) -> Iterator[StatedOrder]:
        for name, ticket in self._exchange.tickets.items():
            order = ticket.order
            if ticket.working and not ticket.done:
                filled = order.quantity_lots - ticket.leaves_lots
                yield StatedOrder(name, order.instrument, order.signed_lots, order.limit_ticks, filled)
        if self._lies("order"):
            yield StatedOrder(_NOBODYS, 0, 5, 100)
