"""Two books of one market, ours and the venue's, with messages under way between them: what a reconciliation is tried on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from common.messages import OrdStatus, Side, TimeInForce
from execution.orders import OrderRecord
from execution.reconcile import Difference, Join, Ours, differences
from execution.venues.statement import StatedFill, StatedOrder, Tally, VenueStatement
from tests.execution_world import FEE_CENTS, T0_NS, make_order, make_universe

UNIVERSE = make_universe()


class Books:
    """Ours change when a message arrives, theirs when it happens. ``under_way`` in the order of sending, a queue a way."""

    def __init__(self, kept: int | None = None) -> None:
        self.tally = Tally(kept)
        self.records: dict[str, OrderRecord] = {}
        self.booked: list[StatedFill] = []
        self.position_lots: dict[int, int] = {}
        self.to_venue: deque[tuple[str, Callable[[], None]]] = deque()
        self.to_us: deque[tuple[str, Callable[[], None]]] = deque()
        self.open_there: dict[str, int] = {}
        #: Replacements that the venue has and has not decided on, with what they replace.
        self.pending_there: dict[str, str] = {}
        self.now_ns = T0_NS
        self.fills = 0
        self.join = Join()
        self._after = 0
        self._taken = 0

    # -- what happens ----------------------------------------------------------------------------------------------

    def send(self, name: str, instrument: int, side: Side, lots: int) -> None:
        """An order leaves us; it arrives when ``to_venue`` is delivered."""
        order = make_order(name, instrument, side, lots, time_in_force=TimeInForce.DAY)
        self.records[name] = OrderRecord(order, OrdStatus.PENDING_NEW, leaves_lots=lots)
        stated = StatedOrder(name, instrument, order.signed_lots, order.limit_ticks)

        def arrive() -> None:
            self.tally.taken(stated)
            self.open_there[name] = lots
            self.to_us.append((name, lambda: self.accepted(name)))

        self.to_venue.append((name, arrive))

    def accepted(self, name: str) -> None:
        """We hear that the venue has an order."""
        if self.records[name].ord_status is OrdStatus.PENDING_NEW:
            self.records[name] = replace(self.records[name], ord_status=OrdStatus.NEW)

    def replace(self, name: str, by: str, lots: int) -> None:
        """A replacement leaves us; once delivered it waits for ``settle``."""
        was = self.records[name]
        order = replace(was.order, client_order_id=by, quantity_lots=lots, orig_client_order_id=name)
        self.records[name] = replace(was, replaced_by=by)
        self.records[by] = OrderRecord(order, OrdStatus.PENDING_NEW)
        stated = StatedOrder(by, order.instrument, order.signed_lots, order.limit_ticks)

        def arrive() -> None:
            self.tally.taken(stated, name)
            self.pending_there[by] = name

        self.to_venue.append((by, arrive))

    def settle(self, by: str) -> None:
        """The venue decides on a replacement: taken in where what it replaces is open there, else refused."""
        name = self.pending_there.pop(by)
        taken_in = name in self.open_there
        if taken_in:
            added = self.records[by].order.quantity_lots - self.records[name].order.quantity_lots
            leaves = self.open_there.pop(name) + added
            if leaves > 0:
                self.open_there[by] = leaves
            self.tally.replaced(by)
        else:
            self.tally.ended(by)
        self.to_us.append((name, lambda: self.settled(name, by, taken_in=taken_in)))
        self.to_us.append((by, lambda: None))

    def settled(self, name: str, by: str, *, taken_in: bool) -> None:
        """We hear of it."""
        was, record = self.records[name], self.records[by]
        if not taken_in:
            self.records[name] = replace(was, replaced_by="")
            self.records[by] = replace(record, ord_status=OrdStatus.REJECTED)
            return
        leaves = max(record.order.quantity_lots - was.cum_lots, 0)
        status = OrdStatus.NEW if leaves else OrdStatus.FILLED
        self.records[name] = replace(was, ord_status=OrdStatus.REPLACED, leaves_lots=0)
        self.records[by] = replace(
            record, ord_status=status, cum_lots=was.cum_lots, inherited_lots=was.cum_lots, leaves_lots=leaves
        )

    def fill(self, name: str, lots: int) -> StatedFill:
        """The venue fills a part of an order that is open there; we hear of it when ``to_us`` is delivered."""
        order = self.records[name].order
        self.now_ns += 1
        self.fills += 1
        fill = StatedFill(
            f"F{self.fills}", name, order.instrument, order.side.sign * lots, 1001, lots * FEE_CENTS, self.now_ns
        )
        self.tally.filled(fill)
        self.open_there[name] -= lots
        if not self.open_there[name]:
            del self.open_there[name]
        self.to_us.append((name, lambda: self.book(fill)))
        return fill

    def end(self, name: str) -> None:
        """The venue cancels what is left."""
        self.tally.ended(name)
        del self.open_there[name]

        def heard() -> None:
            self.records[name] = replace(self.records[name], ord_status=OrdStatus.CANCELED, leaves_lots=0)

        self.to_us.append((name, heard))

    def book(self, fill: StatedFill) -> None:
        """We take a fill into our books."""
        self.booked.append(fill)
        at = fill.instrument
        self.position_lots[at] = self.position_lots.get(at, 0) + fill.signed_lots
        record = self.records.get(fill.client_order_id)
        if record is None:
            return
        cum = record.cum_lots + abs(fill.signed_lots)
        status = OrdStatus.FILLED if cum >= record.order.quantity_lots else OrdStatus.PARTIALLY_FILLED
        if record.ord_status.terminal:
            status = record.ord_status
        leaves = 0 if status.terminal else record.order.quantity_lots - cum
        self.records[fill.client_order_id] = replace(record, ord_status=status, cum_lots=cum, leaves_lots=leaves)

    def deliver(self, way: deque[tuple[str, Callable[[], None]]], count: int = 1) -> None:
        """The oldest messages of a way arrive."""
        for _ in range(min(count, len(way))):
            way.popleft()[1]()

    def deliver_all(self) -> None:
        self.deliver(self.to_venue, len(self.to_venue))
        self.deliver(self.to_us, len(self.to_us))

    # -- the look ------------------------------------------------------------------------------------------------------

    def statement(self, limit: int = 10**6) -> VenueStatement:
        return self.tally.statement(self._after, limit)

    def begin_after(self, fill: int) -> None:
        """The next look is the first, and asks for the venue's fills after its number ``fill`` only."""
        self.join, self._after = Join(), fill

    def open_here(self) -> dict[str, OrdStatus]:
        return {name: record.ord_status for name, record in self.records.items() if record.open}

    def look(
        self,
        stated: VenueStatement | None = None,
        when_asked: dict[str, OrdStatus] | None = None,
        limit: int = 10**6,
    ) -> list[Difference]:
        """Take everything new in and compare; ``stated`` may be older than what we know by now, as ``when_asked`` says."""
        when_asked = self.open_here() if when_asked is None else when_asked
        while True:
            page = self.statement(limit) if stated is None else stated
            for fill in self.booked[self._taken :]:
                self.join.book(fill)
            self._taken = len(self.booked)
            known = {f.exec_id: (n + 1, f) for n, f in enumerate(self.booked)}
            stored = {name: known[name] for name in self.join.strangers(page) if name in known}
            self.join.take(page, stored, self._after)
            self._after = page.first + len(page.fills) - 1
            if not page.more:
                ours = Ours(self.records, self.position_lots, when_asked)
                return differences(self.join, ours, page, UNIVERSE.instrument_id)
