"""The venue as a place of its own: it outlives execution, keeps its own list, and can be slow or lie.

``Exchange.lines`` is append-only and the truth that the promises are measured against. An order is accepted after a
latency, matched after another one at the quotes of that moment, and what is left of it is cancelled: every single order here
is immediate or cancel. Combos: ``exchange_combos``. ``VenueLink`` is the adapter inside execution: it dies with its process,
and what it had not handed over is gone unless execution asks.
*Tested by* tests/simulation/test_simulator_world.py, tests/simulation/test_simulator_combos.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from common.errors import Unavailable
from common.messages import Order, QuoteBatch, Side
from common.units import NO_PRICE, NS_PER_MS, NS_PER_S
from common.universe import Universe
from execution.venues.port import VenueEvent, VenueKind
from execution.venues.statement import VenueStatement
from lab.simulator.exchange_combos import ExchangeCombos
from lab.simulator.statement import Statements
from lab.simulator.world import Act, Process, World

#: Market time between two looks of the adapter for news while an order is open.
_POLL_NS = 100 * NS_PER_MS
#: A request or answer about a statement takes so long, shortest and longest.
_STATEMENT_NS = (NS_PER_MS, 40 * NS_PER_MS)


@dataclass(frozen=True, slots=True)
class VenueLine:
    """One line of the venue's own list: ``sent``, ``cancel`` or what it told (``event``)."""

    at_ns: int
    what: str
    name: str
    order: Order | None = None
    event: VenueEvent | None = None


@dataclass(slots=True)
class Mood:
    """How the venue behaves now. Times in wall nanoseconds, shares of the orders or reports concerned."""

    latency_ns: int = 4 * NS_PER_MS
    matching_ns: int = 2 * NS_PER_MS
    late_ns: int = 0
    doubled: float = 0.05
    rejected: float = 0.0
    thin: float = 0.2
    fills_after_end: float = 0.0
    uneven: float = 0.0


@dataclass(slots=True)
class Ticket:
    """An order at the venue."""

    order: Order
    leaves_lots: int
    working: bool = False
    done: bool = False
    cancels: int = 0
    events: list[VenueEvent] = field(default_factory=list)


class Exchange:
    """See the module. ``on_send(order)`` and ``on_event(event)`` hear of everything as it happens."""

    def __init__(self, world: World, universe: Universe, market_ns: Callable[[], int]) -> None:
        self.world = world
        self.universe = universe
        self.mood = Mood()
        self.lines: list[VenueLine] = []
        self.tickets: dict[str, Ticket] = {}
        self.fills: dict[str, VenueEvent] = {}
        self.down_until_ns = 0
        self.statements = Statements(self)
        self.combos = ExchangeCombos(self)
        self.on_send: list[Callable[[Order], None]] = []
        #: Hears of every statement as it is made; of None where the venue could not be asked.
        self.on_statement: list[Callable[[VenueStatement | None], None]] = []
        self._market_ns = market_ns
        self._link: VenueLink | None = None
        self.quotes: dict[int, tuple[int, int, int, int]] = {}
        self._lies: list[VenueEvent] = []

    @property
    def down(self) -> bool:
        """True while nobody gets through."""
        return self.world.now_ns < self.down_until_ns

    def quote(self, batch: QuoteBatch) -> None:
        """The market moves here first."""
        columns = (batch.bid_ticks, batch.ask_ticks, batch.bid_size_lots, batch.ask_size_lots)
        for at, *quote in zip(batch.instrument.tolist(), *(c.tolist() for c in columns), strict=True):
            self.quotes[at] = (quote[0], quote[1], quote[2], quote[3])
        self.combos.quoted()

    def login(self, link: VenueLink) -> None:
        """A new adapter. What was told of orders that had ended is told again: nobody would ask about those."""
        self._link = link
        for event in self._lies:
            self._deliver(event)

    def mend(self) -> None:
        """Quick and honest from now on; what a line that was down held back arrives."""
        self.mood = Mood(thin=0.0, doubled=0.0)
        self.down_until_ns, self.statements.lie = 0, None
        while self._link is not None and self._link.under_way:
            self._link.arrive()
        if self._link is not None:
            self._link.last_ns = self.world.now_ns

    def submit(self, order: Order) -> None:
        """Take an order."""
        self.take_in(order)
        self.world.after(self.span(self.mood.latency_ns), lambda: self._arrive(order.client_order_id))

    def take_in(self, order: Order) -> None:
        """List an order, or a leg, and give it a ticket."""
        name = order.client_order_id
        self.lines.append(VenueLine(self.world.now_ns, "sent", name, order))
        for told in self.on_send:
            told(order)
        if name not in self.tickets:
            self.tickets[name] = Ticket(order, order.quantity_lots)

    def cancel(self, name: str) -> None:
        """Take a cancel; it never overtakes its order."""
        self.lines.append(VenueLine(self.world.now_ns, "cancel", name))
        if name in self.tickets:
            self.tickets[name].cancels += 1
        self.world.after(self.span(self.mood.latency_ns), lambda: self._cancel(name))

    def span(self, ns: int) -> int:
        """About so long, by chance."""
        return self.world.between(ns // 2, ns + ns // 2)

    def _arrive(self, name: str) -> None:
        ticket = self.tickets[name]
        if ticket.working or ticket.done:
            return
        if self.world.chance(self.mood.rejected):
            self.finish(ticket, VenueKind.REJECTED, "rejected by the venue")
            return
        self.accept(ticket)
        self.world.after(self.span(self.mood.matching_ns), lambda: self._match(ticket))

    def accept(self, ticket: Ticket) -> None:
        """It works from now on."""
        ticket.working = True
        self._tell(ticket, self._event(VenueKind.ACCEPTED, ticket))

    def _match(self, ticket: Ticket) -> None:
        """Fill what the quote allows, in one or two pieces; the rest is cancelled."""
        if ticket.done:
            return
        order, world = ticket.order, self.world
        bid, ask, bid_lots, ask_lots = self.quotes.get(order.instrument, (NO_PRICE, NO_PRICE, 0, 0))
        price, size = (ask, ask_lots) if order.side is Side.BUY else (bid, bid_lots)
        if price != NO_PRICE and order.side.sign * (order.limit_ticks - price) >= 0:
            if world.chance(self.mood.thin):
                size = world.rng.randint(0, max(order.quantity_lots, 1))
            lots = min(ticket.leaves_lots, size)
            first = world.rng.randint(1, lots) if lots > 1 and world.chance(0.3) else lots
            for part in (first, lots - first):
                if part:
                    self.fill(ticket, part, price)
        if not ticket.done:
            left = ticket.leaves_lots
            self.finish(ticket, VenueKind.CANCELED, "the rest of an IOC order")
            if left and world.chance(self.mood.fills_after_end):
                world.after(self.span(20 * NS_PER_MS), lambda: self.lie(ticket, order.limit_ticks))

    def lie(self, ticket: Ticket, price: int) -> None:
        """Fill some of what was cancelled."""
        lots = self.world.rng.randint(1, ticket.leaves_lots)
        self._lies.append(self.fill(ticket, lots, price))

    def fill(self, ticket: Ticket, lots: int, price: int) -> VenueEvent:
        """Fill lots at a price in ticks, and tell."""
        ticket.leaves_lots -= lots
        if ticket.leaves_lots == 0:
            ticket.done = True
        fee_cents = lots * int(self.universe.fee_cents[ticket.order.instrument])
        event = replace(self._event(VenueKind.FILL, ticket), lots=lots, ticks=price, fee_cents=fee_cents)
        self.fills[event.exec_id] = event
        self._tell(ticket, event)
        return event

    def _cancel(self, name: str) -> None:
        ticket = self.tickets.get(name)
        if ticket is not None and not ticket.working and not ticket.done:
            self.world.after(self.span(self.mood.latency_ns), lambda: self._cancel(name))
        elif ticket is None or ticket.done:
            self._deliver(VenueEvent(VenueKind.CANCEL_REJECTED, name, self._market_ns(), text="no such working order"))
        else:
            for one in self.combos.together(ticket):
                self.finish(one, VenueKind.CANCELED, "cancelled as asked")

    def finish(self, ticket: Ticket, kind: VenueKind, text: str) -> None:
        """End it, and tell."""
        ticket.done = True
        self._tell(ticket, replace(self._event(kind, ticket), text=text))

    def _event(self, kind: VenueKind, ticket: Ticket) -> VenueEvent:
        name = ticket.order.client_order_id
        bid, ask, _, _ = self.quotes.get(ticket.order.instrument, (NO_PRICE, NO_PRICE, 0, 0))
        exec_id = f"X-{name}-{len(ticket.events)}"
        return VenueEvent(kind, name, self._market_ns(), exec_id, bid_ticks=bid, ask_ticks=ask)

    def _tell(self, ticket: Ticket, event: VenueEvent) -> None:
        ticket.events.append(event)
        self.lines.append(VenueLine(self.world.now_ns, "event", event.client_order_id, None, event))
        lots = f" {event.lots} at {event.ticks} ({event.exec_id})" if event.lots else ""
        self.world.say("venue", f"{event.client_order_id[:6]} {event.kind.name}{lots}")
        self._deliver(event)
        if self.world.chance(self.mood.doubled):
            self._deliver(event)

    def _deliver(self, event: VenueEvent) -> None:
        """On its way to the adapter of now; if that dies first, it is lost."""
        link, world = self._link, self.world
        if link is not None:
            at_ns = max(world.now_ns, self.down_until_ns) + world.between(NS_PER_MS // 5, NS_PER_MS)
            at_ns = max(at_ns + int(world.rng.random() * self.mood.late_ns), link.last_ns)
            link.last_ns = at_ns
            link.under_way.append(event)
            world.at(at_ns, link.arrive)


class VenueLink:
    """``execution.venues.port.Venue`` inside the execution process."""

    name = "simulated"

    def __init__(self, exchange: Exchange, process: Process) -> None:
        self._exchange = exchange
        self._process = process
        self._now_ns = 0
        self._begun_ns = process.world.now_ns
        self.inbox: list[VenueEvent] = []
        self.last_ns = 0
        self.under_way: deque[VenueEvent] = deque()
        exchange.login(self)

    @property
    def next_due_ns(self) -> int | None:
        """A look for news while an order is open or something is on its way; the adapter has no other way to wake execution."""
        waits = bool(self.inbox or self.under_way) or any(not t.done for t in self._exchange.tickets.values())
        return self._now_ns + _POLL_NS if waits else None

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """See the port."""
        self._send("send", lambda: self._exchange.submit(order), now_ns)
        return []

    @property
    def combos(self) -> bool | None:
        """See ``TakesCombos``. None for a while after the login where the venue's terms say so."""
        terms = self._exchange.combos.terms
        if terms is None:
            return False
        return None if self._process.world.now_ns < self._begun_ns + terms.silent_ns else terms.taken

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        """See ``TakesCombos``. One act and one message for all legs."""
        self._send("send combo", lambda: self._exchange.combos.submit(legs), now_ns)
        return []

    def _send(self, label: str, effect: Act, now_ns: int) -> None:
        """A line that is down swallows what is sent or lets it through; the sender cannot know."""
        self._now_ns = max(self._now_ns, now_ns)
        if not self._exchange.down:
            self._process.act(label, effect)
            return
        if self._process.world.chance(0.5):
            self._process.act(label, effect)
        raise Unavailable("the line to the venue is down")

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """See the port."""
        self._now_ns = max(self._now_ns, now_ns)
        if self._exchange.down:
            raise Unavailable("the line to the venue is down")
        self._process.act("cancel", lambda: self._exchange.cancel(client_order_id))
        return []

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:  # noqa: ARG002
        """This venue takes no replacement, and says so."""
        text = "this venue takes no replacements"
        return [VenueEvent(VenueKind.REPLACE_REJECTED, order.client_order_id, now_ns, text=text)]

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """See the port."""
        self._process.act("ask")
        if self._exchange.down:
            raise Unavailable("the line to the venue is down")
        ticket = self._exchange.tickets.get(client_order_id)
        if ticket is None:
            return [VenueEvent(VenueKind.NOT_FOUND, client_order_id, now_ns, text="the venue never had it")]
        return list(ticket.events)

    def arrive(self) -> None:
        """The next event on its way is here; nothing where it came earlier, when the line was mended."""
        if self.under_way:
            self.inbox.append(self.under_way.popleft())

    async def statement(self, after: int, limit: int) -> VenueStatement:
        """See ``StatingVenue``. Made at the venue at one moment, here a little later; nothing orders it among the events."""
        exchange, world = self._exchange, self._process.world
        self._process.act("ask")
        await self._process.sleep(world.between(*_STATEMENT_NS) / NS_PER_S)
        stated = None if exchange.down else exchange.statements.state(after, limit)
        for told in exchange.on_statement:
            told(stated)
        if stated is None:
            raise Unavailable("the line to the venue is down")
        await self._process.sleep(world.between(*_STATEMENT_NS) / NS_PER_S)
        return stated

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        """The quotes only tell the time here; what has come from the venue."""
        self._now_ns = max(self._now_ns, batch.header.event_time_ns)
        return self._take()

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        """What has come from the venue."""
        self._now_ns = max(self._now_ns, now_ns)
        return self._take()

    def _take(self) -> list[VenueEvent]:
        taken, self.inbox = self.inbox, []
        if taken:
            self._now_ns = max(self._now_ns, max(e.event_time_ns for e in taken))
        return taken
