"""What execution needs from a venue, as a protocol, and what a venue may answer.

*Tested by* tests/contract/test_venue_contract.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

from common.messages import Order, QuoteBatch
from common.units import NO_PRICE
from execution.orders import OrderRecord


class VenueKind(IntEnum):
    """What a venue says about one order (FIX ExecType where there is one)."""

    ACCEPTED = 1
    FILL = 2
    CANCELED = 3
    REJECTED = 4
    EXPIRED = 5
    #: A cancel came too late or named an order that is not working.
    CANCEL_REJECTED = 6
    #: Answer to ``ask``: the venue does not have the order and it can no longer arrive.
    NOT_FOUND = 7
    #: Said by the adapter, not the venue: whether the order arrived is not known.
    UNCERTAIN = 8
    #: A second order under a known id was refused: the sender's promise is broken.
    DUPLICATE = 9
    #: A replacement works under its id: what it names has ended as REPLACED, and what that had filled counts for it.
    REPLACED = 10
    #: A replacement was refused; the order it names goes on as it was.
    REPLACE_REJECTED = 11
    #: Contracts have settled; about no order (`common.lifecycle`).
    SETTLED = 12
    #: The venue changed or cancelled a trade it had reported, or says what cannot be: trading pauses, nothing is booked.
    DISPUTED = 13


@dataclass(frozen=True, slots=True)
class VenueEvent:
    """One thing that happened to one order at the venue.

    ``exec_id`` is unique per venue and repeated when the same event is told again. ``lots`` > 0, ``ticks`` on a FILL;
    ``fee_cents`` for the whole fill; ``bid_ticks``, ``ask_ticks`` as quoted then, ``units.NO_PRICE`` if absent. On
    SETTLED ``client_order_id`` and ``exec_id`` are the settlement's, ``ticks`` its price in ticks of ``instrument``.
    """

    kind: VenueKind
    client_order_id: str
    event_time_ns: int
    exec_id: str = ""
    lots: int = 0
    ticks: int = 0
    fee_cents: int = 0
    bid_ticks: int = NO_PRICE
    ask_ticks: int = NO_PRICE
    text: str = ""
    instrument: int = -1


@dataclass(frozen=True, slots=True)
class VenueLink:
    """How the line to a venue is: ``since_ns`` wall time of the last change (0: never connected), what it waits for."""

    connected: bool
    since_ns: int
    waits_for: str = ""


class Venue(Protocol):
    """A place where orders work. Times are market time; a venue that answers later returns nothing now.

    ``submit`` may raise ``errors.Unavailable``: the order then counts as uncertain, is never sent again, and ``ask`` is
    tried until the venue answers.
    """

    @property
    def name(self) -> str:
        """For status and messages."""
        ...

    @property
    def next_due_ns(self) -> int | None:
        """Market time at which something happens by itself (an order arrives, a day ends), or None."""
        ...

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """Send an order. Each ``client_order_id`` at most once in the venue's life."""
        ...

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Ask for a cancel; may be repeated."""
        ...

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        """Ask that ``order``, under its own new id, take the place of ``original_id``; at most once, as ``submit``.

        FIX 4.4 message G: ``order.quantity_lots`` is the total with what the original has filled. The venue answers under
        the new id: REPLACED (fills after it carry the new id; nothing more is told under the old one) or REPLACE_REJECTED
        (the original is as it was). A total at or below what is filled already is REPLACED and nothing of it works.
        Raises ``errors.Unavailable`` as ``submit``; a later ``ask`` of the new id then tells REPLACED, REPLACE_REJECTED or
        NOT_FOUND.
        """
        ...

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Everything that happened to the order so far, told again with the same ids, or one NOT_FOUND."""
        ...

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        """Take new quotes; what they cause."""
        ...

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        """Let everything due up to and including ``now_ns`` happen."""
        ...


@runtime_checkable
class LinkedVenue(Venue, Protocol):
    """A venue behind a line that may break. What it says comes by itself, never as what a call returns.

    ``submit`` raises ``errors.Unavailable`` while the line is down; ``cancel`` and ``ask`` are kept until it stands again.
    When it breaks, every order sent and not known to have arrived becomes UNCERTAIN, and is asked about first of all.
    """

    @property
    def link(self) -> VenueLink:
        """How the line is now."""
        ...

    async def open(self, hear: Callable[[Sequence[VenueEvent]], None]) -> None:
        """Begin to connect, for ever; ``hear`` gets what the venue says."""
        ...

    async def close(self) -> None:
        """Let go of the line."""
        ...


class OwnRecords(Protocol):
    """What a venue's adapter may ask about our side of an order; reads only, at once."""

    def record(self, client_order_id: str) -> OrderRecord | None:
        """An order as decided so far, None if this store never had it."""
        ...

    def fills(self, client_order_id: str) -> Sequence[tuple[str, int, int]]:
        """Committed fills of an order in the order of booking: exec id, lots, ticks."""
        ...

    def open_orders(self) -> Sequence[str]:
        """Every order at the venue that is not terminal; of one that is worked its children."""
        ...

    def quoted(self, instrument: int) -> tuple[int, int]:
        """Best bid and ask in ticks as known now, ``units.NO_PRICE`` if absent."""
        ...


@runtime_checkable
class AsksRecords(Protocol):
    """A venue whose protocol needs what only our records know after a restart: contract and side of an order, its fills."""

    def use(self, records: OwnRecords) -> None:
        """Called once, before ``open``."""
        ...


@runtime_checkable
class CancelsAll(Protocol):
    """A venue that can be told to cancel everything at once. The cancel of each order follows in any case."""

    def cancel_all(self, now_ns: int) -> None:
        """Ask for it if the line stands; not kept otherwise, since the cancels of each order are."""
        ...


@runtime_checkable
class TakesCombos(Venue, Protocol):
    """A venue that may take several orders as one, all or in their ratio (docs/tactics.md)."""

    @property
    def combos(self) -> bool | None:
        """Whether it does; None while it has not said so."""
        ...

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        """Send the legs, each with its own id, lots and ``combo``, as one immediate-or-cancel order; at most once, as ``submit``.

        What happens is told of each leg under its own id: all are ACCEPTED or none is, fills keep the ratio, a unit costs no
        more than ``net_limit_cents``. The price of one leg may be beyond its own limit. ``cancel`` of any leg cancels the
        whole; ``ask`` tells of the leg named. Raises ``errors.Unavailable`` as ``submit``, of all legs.
        """
        ...


class Ability:
    """Whether a venue is a ``TakesCombos``, found once, and what it says then."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue if isinstance(venue, TakesCombos) else None

    @property
    def combos(self) -> bool | None:
        """Whether the venue takes combos; False where it knows no such thing."""
        return False if self._venue is None else self._venue.combos

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        """See ``TakesCombos``. Raises ``TypeError`` where the venue is none."""
        if self._venue is None:
            raise TypeError("a venue that takes no combos was sent one")
        return self._venue.submit_combo(legs, now_ns)
