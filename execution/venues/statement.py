"""What a venue states of itself for the reconciliation: its fills in order, its open orders, its positions.

The fills are numbered by the venue from 1, so that a reader asks for those after the last one it has compared. A venue that
cannot list them but answers what it has filled of each order is a ``CountingVenue``. One that can do neither is not reconciled,
which is said where asked.
*Tested by* tests/unit/test_venue_statement.py, tests/unit/test_reconcile.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, Protocol, runtime_checkable

from execution.venues.port import Venue

#: Fills in one statement at most; the reader asks for the next page.
PAGE: Final = 5_000
#: Where a venue says nothing about an instrument.
NO_INSTRUMENT: Final = -1


@dataclass(frozen=True, slots=True)
class StatedFill:
    """One fill. ``signed_lots`` positive for a buy; ``instrument`` is the universe's index or ``NO_INSTRUMENT``."""

    exec_id: str
    client_order_id: str
    instrument: int
    signed_lots: int
    ticks: int
    fee_cents: int
    event_time_ns: int


@dataclass(frozen=True, slots=True)
class StatedOrder:
    """One order that is open at the venue. ``signed_lots`` as ordered; ``cum_lots`` filled so far, not negative.

    Of a replacement that the venue has taken in both count what was filled under the ids before it.
    """

    client_order_id: str
    instrument: int
    signed_lots: int
    limit_ticks: int
    cum_lots: int = 0


@dataclass(frozen=True, slots=True)
class VenueStatement:
    """A venue at one moment.

    ``fills`` are numbers ``first``, ``first`` + 1, ... of its ``count``; ``from_time_ns`` is the market time of the fill before
    ``first`` (0 if there is none), and every later fill has that time or a later one. ``position_lots``: signed lots traded in
    the account, nil ones left out. ``volatile``: the account began when this service did and knows nothing before that.
    """

    first: int
    count: int
    from_time_ns: int
    fills: tuple[StatedFill, ...]
    orders: tuple[StatedOrder, ...]
    position_lots: dict[int, int] = field(default_factory=dict)
    volatile: bool = False

    @property
    def more(self) -> bool:
        """True while fills follow that are not in this page."""
        return self.first + len(self.fills) <= self.count


@runtime_checkable
class StatingVenue(Venue, Protocol):
    """A venue that can be reconciled with."""

    async def statement(self, after: int, limit: int) -> VenueStatement:
        """Its state now, with at most ``limit`` fills after number ``after``; an ``after`` beyond the last one gives none.

        Raises ``errors.Unavailable`` where the venue cannot be asked now.
        """
        ...


@dataclass(frozen=True, slots=True)
class OrderTotal:
    """What a venue says it has filled of one order, with what it had filled of those this one replaced.

    ``notional_ticks``: sum of lots × ticks, exact to ``slack_ticks``; None where no average is stated. ``known`` False: it has no
    such order. ``wrong``: why it cannot be this order, "" if it can.
    """

    client_order_id: str
    known: bool = True
    open: bool = False
    cum_lots: int = 0
    notional_ticks: Decimal | None = None
    slack_ticks: Decimal = Decimal(0)
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class VenueTotals:
    """Answers to questions about single orders, brought up to what has been heard since. ``strangers``: open orders at the venue
    that were never sent from here, by id, in words."""

    orders: tuple[OrderTotal, ...]
    strangers: Mapping[str, str]


@runtime_checkable
class CountingVenue(Venue, Protocol):
    """A venue that is reconciled by asking about each order."""

    def day_start_ns(self, now_ns: int) -> int:
        """Market time at which the day of ``now_ns`` began; of orders before it the venue may know nothing."""
        ...

    async def totals(self, names: Sequence[str]) -> VenueTotals:
        """What it says of each of these orders now, paced as the venue wants it.

        Raises ``errors.Unavailable`` where it cannot be asked, refuses the question or leaves one unanswered.
        """
        ...


class Tally:
    """Fills, open orders and positions, counted as they happen; ``kept`` bounds the fills and ended orders remembered."""

    def __init__(self, kept: int | None = None) -> None:
        self._kept = kept
        self._open: dict[str, StatedOrder] = {}
        self._ended: dict[str, StatedOrder] = {}
        #: What a replacement asks to replace, and what has replaced an order.
        self._replaces: dict[str, str] = {}
        self._replaced_by: dict[str, str] = {}
        self._fills: list[StatedFill] = []
        self._forgotten = 0
        self._forgotten_time_ns = 0
        self._position_lots: dict[int, int] = {}

    def taken(self, order: StatedOrder, replaces: str = "") -> None:
        """An order was sent to the venue; ``replaces`` names the one whose place it asks for."""
        self._open[order.client_order_id] = order
        if replaces:
            self._replaces[order.client_order_id] = replaces

    def replaced(self, client_order_id: str) -> None:
        """A replacement works: what it names has ended, and what that had filled counts for it."""
        original = self._replaces.pop(client_order_id, "")
        carried = self._open.get(original) or self._ended.get(original)
        self.ended(original)
        if carried is not None:
            self._replaced_by[original] = client_order_id
            self._counted(client_order_id, carried.cum_lots)

    def filled(self, fill: StatedFill) -> None:
        """A fill; where it names no instrument, instrument and side are those of its order."""
        name = fill.client_order_id
        order = self._open.get(name) or self._ended.get(name)
        if fill.instrument == NO_INSTRUMENT and order is not None:
            sign = 1 if order.signed_lots > 0 else -1
            fill = replace(fill, instrument=order.instrument, signed_lots=sign * abs(fill.signed_lots))
        self._fills.append(fill)
        moved = self._position_lots.get(fill.instrument, 0) + fill.signed_lots
        self._position_lots[fill.instrument] = moved
        while name in self._replaced_by:
            name = self._replaced_by[name]
        self._counted(name, abs(fill.signed_lots))
        self._forget()

    def _counted(self, name: str, lots: int) -> None:
        """An open order is filled by so much more; one that is whole has ended."""
        order = self._open.get(name)
        if order is not None:
            self._open[name] = replace(order, cum_lots=order.cum_lots + lots)
            if self._open[name].cum_lots >= abs(order.signed_lots):
                self.ended(name)

    def ended(self, client_order_id: str) -> None:
        """An order works no more."""
        order = self._open.pop(client_order_id, None)
        if order is not None:
            self._ended[client_order_id] = order
            self._replaces.pop(client_order_id, None)
            if self._kept is not None and len(self._ended) > self._kept:
                oldest = next(iter(self._ended))
                del self._ended[oldest]
                self._replaced_by.pop(oldest, None)

    def _forget(self) -> None:
        """In pieces as large as what is kept, so that a fill costs no shifting of the whole list."""
        if self._kept is not None and len(self._fills) > 2 * self._kept:
            gone = len(self._fills) - self._kept
            self._forgotten_time_ns = self._fills[gone - 1].event_time_ns
            self._forgotten += gone
            del self._fills[:gone]

    def statement(self, after: int, limit: int, *, volatile: bool = False) -> VenueStatement:
        """See ``StatingVenue.statement``."""
        count = self._forgotten + len(self._fills)
        skip = min(max(after, self._forgotten), count) - self._forgotten
        before_ns = self._fills[skip - 1].event_time_ns if skip else self._forgotten_time_ns
        return VenueStatement(
            first=self._forgotten + skip + 1,
            count=count,
            from_time_ns=before_ns,
            fills=tuple(self._fills[skip : skip + limit]),
            orders=tuple(self._open.values()),
            position_lots={i: lots for i, lots in self._position_lots.items() if lots},
            volatile=volatile,
        )
