"""A venue inside the service, with a tally of all it was sent and said: what it then states at a reconciliation.

The tally is taken at the venue's own edge, before anything of it is stored, so it shows what was lost on the way from there to
the store. It begins with the process, as such a venue does. *Tested by* tests/unit/test_venue_statement.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from common.messages import Order, QuoteBatch
from execution.venues.port import Ability, Venue, VenueEvent, VenueKind
from execution.venues.statement import NO_INSTRUMENT, StatedFill, StatedOrder, Tally, VenueStatement

#: Fills and ended orders remembered; older ones count in the positions.
KEPT: Final = 20_000
ENDS: Final = (VenueKind.CANCELED, VenueKind.REJECTED, VenueKind.EXPIRED, VenueKind.REPLACE_REJECTED)


def stated_order(order: Order) -> StatedOrder:
    """An order as a venue states it."""
    return StatedOrder(order.client_order_id, order.instrument, order.signed_lots, order.limit_ticks)


def take_event(tally: Tally, event: VenueEvent, instrument: int = NO_INSTRUMENT, sign: int = 1) -> None:
    """Count one event; instrument and side are the order's where they are not given."""
    if event.kind is VenueKind.FILL:
        tally.filled(
            StatedFill(
                event.exec_id,
                event.client_order_id,
                instrument,
                sign * event.lots,
                event.ticks,
                event.fee_cents,
                event.event_time_ns,
            )
        )
    elif event.kind is VenueKind.REPLACED:
        tally.replaced(event.client_order_id)
    elif event.kind in ENDS:
        tally.ended(event.client_order_id)


class TalliedVenue:
    """``venue`` with a memory of its fills. What ``ask`` tells again was counted when it happened."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._ability = Ability(venue)
        self._tally = Tally(KEPT)

    @property
    def name(self) -> str:
        """The venue's."""
        return self._venue.name

    @property
    def next_due_ns(self) -> int | None:
        """The venue's."""
        return self._venue.next_due_ns

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """See ``Venue``."""
        told = self._venue.submit(order, now_ns)
        self._tally.taken(stated_order(order))
        return self._counted(told)

    @property
    def combos(self) -> bool | None:
        """The venue's."""
        return self._ability.combos

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        """See ``TakesCombos``. Raises ``TypeError`` where the venue is none."""
        told = self._ability.submit_combo(legs, now_ns)
        for leg in legs:
            self._tally.taken(stated_order(leg))
        return self._counted(told)

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        """See ``Venue``."""
        told = self._venue.replace(original_id, order, now_ns)
        self._tally.taken(stated_order(order), original_id)
        return self._counted(told)

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """See ``Venue``."""
        return self._counted(self._venue.cancel(client_order_id, now_ns))

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """See ``Venue``."""
        return self._venue.ask(client_order_id, now_ns)

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        """See ``Venue``."""
        return self._counted(self._venue.on_quotes(batch))

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        """See ``Venue``."""
        return self._counted(self._venue.on_time(now_ns))

    async def statement(self, after: int, limit: int) -> VenueStatement:
        """See ``StatingVenue``."""
        return self._tally.statement(after, limit, volatile=True)

    def _counted(self, events: list[VenueEvent]) -> list[VenueEvent]:
        for event in events:
            take_event(self._tally, event)
        return events
