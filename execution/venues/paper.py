"""A paper venue: pure and deterministic, fills against the quotes it is given. Same input, same output to the bit.

Rules
- An order or cancel arrives ``latency`` later in market time: a base plus a jitter fixed by the seed and the order id.
- On arrival a buy whose limit reaches the ask fills at the ask, never better or worse, up to the size still available
  there (a sell at the bid). What was taken of a side, how it comes back, and what own trades move: `paper_market`.
- No fill where the side is absent or without size, the quote crossed or locked, the source gapped, the market not open.
- The rest of an IOC order is cancelled. The rest of a DAY order rests in the queue at its price and fills at its own limit,
  from what the quotes say was traded there: `paper_queue`. It expires with the session or the instrument.
- At their instant contracts settle, from these quotes: `paper_settle`.
- The day is `common.calendars.day`: orders are taken while the market is open, and refused with the phase as the reason.
- Quotes of time t meet what arrived before t first; what arrives at t meets the new quotes.
- A replacement arrives as an order does, never before what it names, and finds that working or is rejected. It keeps the
  place in the queue where only its quantity shrinks, and what was filled before counts towards its quantity.
- Several orders may come as one that fills in whole units at once or is cancelled: `paper_combo`.
- Fees are the universe's ``fee_cents`` a lot. ``reject_share`` of the orders, chosen by seed and id, is rejected.

*Tested by* tests/properties/test_execution_paper.py, tests/contract/test_venue_contract.py,
tests/unit/test_execution_paper.py, tests/properties/test_execution_paper_queue.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from common.calendars.day import Phase, Spans
from common.errors import Refused
from common.messages import Order, QuoteBatch, Side, TimeInForce
from common.tactics import Combo
from common.units import NO_PRICE
from common.universe import Universe
from execution.config import PaperConfig
from execution.venues.paper_arrivals import Arrivals, Due, What
from execution.venues.paper_combo import PaperCombos, impossible, tickets_of
from execution.venues.paper_hours import hours_of
from execution.venues.paper_market import PaperMarket, Touch
from execution.venues.paper_queue import Ticket, fills_of, placed, traded_lots
from execution.venues.paper_settle import PaperSettlements
from execution.venues.port import VenueEvent, VenueKind

#: Finished orders whose events are kept for ``ask`` and against a second submission.
_FINISHED_KEPT = 10_000
_ENDS = (VenueKind.CANCELED, VenueKind.REJECTED, VenueKind.EXPIRED, VenueKind.REPLACE_REJECTED)
_SIDES = (Side.BUY, Side.SELL)


class PaperVenue:
    """See the module. ``sessions_ns``: (open, close) of each session, ascending, half-open; empty means always open.

    ``since_ns``: market time that an earlier process had seen, so that nothing stays unsettled between the two; 0 for none.
    """

    name = "paper"

    def __init__(self, universe: Universe, config: PaperConfig, sessions_ns: Spans = (), since_ns: int = 0) -> None:
        self._universe = universe
        self._config = config
        self.schedule = hours_of(config, sessions_ns)
        self._market = PaperMarket(universe, config)
        self._settlements = PaperSettlements(universe, self._market, self.schedule, since_ns)
        self._tickets: dict[str, Ticket] = {}
        self._finished: deque[str] = deque()
        #: By instrument and side, best limits first, then earlier arrivals.
        self._resting: dict[tuple[int, Side], list[Ticket]] = {}
        self._way = Arrivals(config)
        self._combos = PaperCombos(universe, self._market, self)
        self._now_ns = 0
        #: Market time of the newest quotes of each source.
        self._quoted_ns: dict[str, int] = {}

    # -- the port ------------------------------------------------------------------------------------------------------

    @property
    def next_due_ns(self) -> int | None:
        """Market time of the next arrival, close or settlement of this session, or None."""
        while (first := self._way.first) is not None and self._void(first):
            self._way.pop()
        settles_ns = self._settlements.due_ns(self._now_ns)
        if first is None or (settles_ns is not None and settles_ns < first.due_ns):
            return settles_ns
        return first.due_ns

    @property
    def now_ns(self) -> int:
        """Market time it has seen; 0 before the first."""
        return self._now_ns

    def gapped(self, source: str) -> bool:
        """True while a source has a gap: its instruments do not trade."""
        return self._market.gapped(source)

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """Put an order on its way. Raises ``errors.Refused`` for an id seen before: the caller's promise is broken."""
        return self._send(order, now_ns, What.ORDER, None)

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        """Put a replacement on its way; it never overtakes what it names. Raises as ``submit``."""
        return self._send(order, now_ns, What.REPLACE, self._tickets.get(original_id))

    @property
    def combos(self) -> bool:
        """Whether it takes several orders as one."""
        return self._config.combos

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        """Put several orders on their way as one. Raises ``errors.Refused`` for an id seen before, or for what is no combo."""
        names = [leg.client_order_id for leg in legs]
        if why := impossible(legs) or next((f"{n} came before" for n in names if n in self._tickets), ""):
            raise Refused(f"combo {names[:1]}: {why}")
        due_ns = self._arrival_ns(names[0], now_ns, None)
        rank = self._way.push(due_ns, What.COMBO, names[0])
        self._tickets |= {leg.client_order_id: Ticket(leg, due_ns, rank, leg.quantity_lots) for leg in legs}
        return []

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Put a cancel on its way; it never overtakes its order."""
        due_ns = self._arrival_ns(client_order_id, now_ns, self._tickets.get(client_order_id))
        self._way.push(due_ns, What.CANCEL, client_order_id)
        return []

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """What happened to an order so far; NOT_FOUND if this venue, which dies with its process, never had it."""
        ticket = self._tickets.get(client_order_id)
        if ticket is None:
            at_ns = max(now_ns, self._now_ns)
            return [VenueEvent(VenueKind.NOT_FOUND, client_order_id, at_ns, text="the paper venue has no such order")]
        return list(ticket.events)

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        """Take new quotes. Old batches are ignored; a gap stops fills of its source until a snapshot heals it."""
        at_ns = batch.header.event_time_ns
        out = self._run_until(at_ns - 1) if self._way.first else []
        out += self._settlements.settle(at_ns, self._now_ns)
        before = {key: (self._market.touch(key[0]), self._market.trades(key[0])) for key in self._resting}
        if not self._market.take(batch):
            return out
        source = batch.header.source
        self._settlements.quoted(source, at_ns)
        unbroken = self.schedule.unbroken(self._quoted_ns.get(source, 0), at_ns) if before else False
        self._quoted_ns[source] = max(self._quoted_ns.get(source, 0), at_ns)
        for key, (touch, whole) in before.items():
            self._requoted(key, touch, whole and unbroken, max(self._now_ns, at_ns), out)
        if self._way.first:
            out += self._run_until(at_ns)
        self._now_ns = max(self._now_ns, at_ns)
        for key in list(self._resting):
            self._reached(key, self._now_ns, out)
        if self.schedule.phase_at(self._now_ns) is Phase.OPEN:
            self._combos.reached(self._tickets, self._now_ns, out)
        return out + self._settlements.settle(at_ns + 1, self._now_ns, source)

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        """Arrivals, cancels, closes and settlements up to and including ``now_ns``."""
        out = self._run_until(now_ns)
        self._now_ns = max(self._now_ns, now_ns)
        return out + self._settlements.settle(now_ns + 1, self._now_ns)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _send(self, order: Order, now_ns: int, what: What, after: Ticket | None) -> list[VenueEvent]:
        name = order.client_order_id
        if name in self._tickets:
            raise Refused(f"order {name} was submitted to the venue a second time")
        due_ns = self._arrival_ns(name, now_ns, after)
        rank = self._way.push(due_ns, what, name)
        self._tickets[name] = Ticket(order, due_ns, rank, order.quantity_lots)
        return []

    def _arrival_ns(self, name: str, now_ns: int, after: Ticket | None) -> int:
        due_ns = max(now_ns, self._now_ns) + self._way.latency_ns(name)
        return due_ns if after is None else max(due_ns, after.due_ns)

    def _void(self, due: Due) -> bool:
        """A close, or the rest of a combo, whose order is done."""
        if due.what not in (What.CLOSE, What.COMBO):
            return False
        return due.name not in self._tickets or self._tickets[due.name].done

    def _run_until(self, limit_ns: int) -> list[VenueEvent]:
        out: list[VenueEvent] = []
        while (first := self._way.first) is not None and first.due_ns <= limit_ns:
            self._way.pop()
            if self._void(first):
                continue
            due_ns, _, what, name = first
            self._now_ns = max(self._now_ns, due_ns)
            if what is What.ORDER:
                self._arrive(self._tickets[name], due_ns, out)
            elif what is What.CANCEL:
                self._cancel_arrives(name, due_ns, out)
            elif what is What.REPLACE:
                self._replacement_arrives(self._tickets[name], due_ns, out)
            elif what is What.COMBO:
                self._combo_arrives(self._tickets[name].order.combo, due_ns, out)
            else:
                self.finish(self._tickets[name], VenueKind.EXPIRED, due_ns, "the session closed", out)
        return out

    # -- orders --------------------------------------------------------------------------------------------------------

    def _arrive(self, ticket: Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        if why := self._turned_away(ticket.order, now_ns):
            self.finish(ticket, VenueKind.REJECTED, now_ns, why, out)
            return
        self.accept(ticket, now_ns, out)
        self._work(ticket, now_ns, out)

    def _turned_away(self, order: Order, now_ns: int) -> str:
        """Why an order is not taken in now; empty where it is."""
        if 0 < self._universe.expiry_ns.item(order.instrument) <= now_ns:
            return f"{order.instrument_id} has expired"
        if why := self.schedule.refusal(now_ns):
            return why
        if self._way.share("reject", order.client_order_id) < self._config.reject_share:
            return "rejected by the paper venue's reject_share"
        return ""

    def _work(self, ticket: Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        """Fill what can be filled at once; the rest rests or, of an IOC order, is cancelled."""
        order = ticket.order
        price, lots = self._market.offer(order.instrument, order.side, now_ns)
        if lots and order.side.sign * (order.limit_ticks - price) >= 0:
            lots = min(lots, ticket.leaves_lots)
            self._market.took(order.instrument, order.side, lots, now_ns)
            self._market.traded(order.instrument, order.side, lots)
            self.fill(ticket, lots, price, now_ns, out)
        if ticket.done:
            return
        if order.time_in_force is TimeInForce.IOC:
            self.finish(ticket, VenueKind.CANCELED, now_ns, "the rest of an IOC order", out)
        else:
            if self._market.trades(order.instrument):
                placed(ticket, self._market.touch(order.instrument))
            self._rest(ticket, now_ns)

    def _combo_arrives(self, combo: Combo | None, now_ns: int, out: list[VenueEvent]) -> None:
        legs = [] if combo is None else tickets_of(combo, self._tickets)
        if combo is not None and legs:
            why = next((w for t in legs if (w := self._turned_away(t.order, now_ns))), "")
            self._combos.arrive(combo, legs, why, now_ns, out)

    def _replacement_arrives(self, ticket: Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        order = ticket.order
        original = self._tickets.get(order.orig_client_order_id)
        if original is None or not original.resting or original.done:
            self.finish(ticket, VenueKind.REPLACE_REJECTED, now_ns, "no such working order", out)
            return
        if why := self._turned_away(order, now_ns):
            self.finish(ticket, VenueKind.REPLACE_REJECTED, now_ns, why, out)
            return
        was = original.order
        filled = was.quantity_lots - original.leaves_lots
        if order.limit_ticks == was.limit_ticks and order.quantity_lots <= was.quantity_lots:
            ticket.rank, ticket.ahead_lots = original.rank, original.ahead_lots
        ticket.leaves_lots = max(order.quantity_lots - filled, 0)
        self._close(original)
        self._tell(ticket, self._event(VenueKind.REPLACED, ticket, now_ns), out)
        if ticket.leaves_lots == 0:
            self._close(ticket)
        else:
            self._work(ticket, now_ns, out)

    def restore(
        self, order: Order, taken_ns: int, told: Sequence[VenueEvent], carried_lots: int = 0, ended: bool = False
    ) -> None:
        """Put back an order that an earlier process took at ``taken_ns``, with what it told of it; what was due is due.

        ``carried_lots``: what the orders that it replaced had filled. ``ended``: it is known to have ended. What rests joins
        the queue anew, behind whatever is shown next; what had traded still moves the price.
        """
        name, now_ns = order.client_order_id, max([taken_ns, *(e.event_time_ns for e in told)])
        self._now_ns = max(self._now_ns, now_ns)
        filled = sum(e.lots for e in told if e.kind is VenueKind.FILL)
        leaves = max(order.quantity_lots - carried_lots, 0) - filled
        latency_ns = self._way.latency_ns(order.combo.combo_id if order.combo is not None else name)
        ticket = Ticket(order, taken_ns + latency_ns, self._way.rank(), leaves, events=list(told))
        self._tickets[name] = ticket
        self._market.traded(order.instrument, order.side, filled)
        if ended or leaves == 0 or any(e.kind in _ENDS for e in told):
            self._close(ticket)
        elif order.combo is not None:
            self._way.push(max(ticket.due_ns, now_ns), What.COMBO, name)
        elif not told:
            what = What.REPLACE if order.orig_client_order_id else What.ORDER
            self._way.push(ticket.due_ns, what, name)
        elif order.time_in_force is TimeInForce.IOC:
            self._way.push(now_ns, What.CANCEL, name)
        else:
            self._rest(ticket, now_ns)

    def restore_settled(self, settlement_ids: Sequence[str]) -> None:
        """An earlier process has told these settlements; they are not told again."""
        self._settlements.told(settlement_ids)

    # -- the queue -----------------------------------------------------------------------------------------------------

    def _rest(self, ticket: Ticket, now_ns: int) -> None:
        order = ticket.order
        queue = self._resting.setdefault((order.instrument, order.side), [])
        queue.append(ticket)
        queue.sort(key=lambda t: t.precedence)
        ticket.resting = True
        self.expires(ticket, now_ns)

    def expires(self, ticket: Ticket, now_ns: int) -> None:
        """Let it end with its session or its contract, whichever is first."""
        order = ticket.order
        session, expiry_ns = self.schedule.session_at(now_ns), self._universe.expiry_ns.item(order.instrument)
        ends_ns = (session.close_ns if session is not None else 0, expiry_ns)
        if until_ns := min((t for t in ends_ns if t > 0), default=0):
            self._way.push(until_ns, What.CLOSE, order.client_order_id)

    def _requoted(
        self, key: tuple[int, Side], before: Touch, believed: bool, now_ns: int, out: list[VenueEvent]
    ) -> None:
        """What two quotes after each other say was traded on the side where orders rest, and where the rest then stands."""
        instrument, side = key
        if not self._market.trades(instrument):
            return
        after = self._market.touch(instrument)
        if believed:
            traded = traded_lots(side, before, after, self._config.queue_trade_percent)
            for ticket, lots in fills_of(self._resting[key], before, traded):
                self.fill(ticket, lots, ticket.order.limit_ticks, now_ns, out)
        for ticket in self._resting.get(key, ()):
            placed(ticket, after)

    def _reached(self, key: tuple[int, Side], now_ns: int, out: list[VenueEvent]) -> None:
        """A far side that reaches resting limits has gone through all that was ahead of them."""
        instrument, side = key
        if not self._market.trades(instrument) or self.schedule.phase_at(now_ns) is not Phase.OPEN:
            return
        far, _ = self._market.touch(instrument).far(side)
        for ticket in list(self._resting[key]):
            limit = ticket.order.limit_ticks
            if far == NO_PRICE or side.sign * (limit - far) < 0:
                return
            lots = min(ticket.leaves_lots, self._market.offer(instrument, side, now_ns)[1])
            if not lots:
                return
            self._market.took(instrument, side, lots, now_ns)
            self.fill(ticket, lots, limit, now_ns, out)

    # -- what is told --------------------------------------------------------------------------------------------------

    def accept(self, ticket: Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        """Tell that it was taken in."""
        self._tell(ticket, self._event(VenueKind.ACCEPTED, ticket, now_ns), out)

    def fill(self, ticket: Ticket, lots: int, price: int, now_ns: int, out: list[VenueEvent]) -> None:
        """Fill lots of it at a price in ticks, and close it with its last one."""
        order = ticket.order
        ticket.leaves_lots -= lots
        fee_cents = lots * self._universe.fee_cents.item(order.instrument)
        touch = self._market.touch(order.instrument)
        name, exec_id = order.client_order_id, f"P-{order.client_order_id}-{len(ticket.events)}"
        quoted = (touch.bid_ticks, touch.ask_ticks)
        self._tell(ticket, VenueEvent(VenueKind.FILL, name, now_ns, exec_id, lots, price, fee_cents, *quoted), out)
        if ticket.leaves_lots == 0:
            self._close(ticket)

    def _cancel_arrives(self, name: str, now_ns: int, out: list[VenueEvent]) -> None:
        ticket = self._tickets.get(name)
        if ticket is None or ticket.done:
            out.append(VenueEvent(VenueKind.CANCEL_REJECTED, name, now_ns, text="no such working order"))
            return
        for leg in [ticket] if ticket.order.combo is None else tickets_of(ticket.order.combo, self._tickets):
            if not leg.done:
                self.finish(leg, VenueKind.CANCELED, now_ns, "cancelled as asked", out)

    def finish(self, ticket: Ticket, kind: VenueKind, now_ns: int, text: str, out: list[VenueEvent]) -> None:
        """End it: why, in words."""
        self._tell(ticket, self._event(kind, ticket, now_ns, text), out)
        self._close(ticket)

    def _close(self, ticket: Ticket) -> None:
        ticket.done = True
        if ticket.resting:
            key = (ticket.order.instrument, ticket.order.side)
            queue = self._resting[key]
            queue.remove(ticket)
            if not queue:
                del self._resting[key]
        self._finished.append(ticket.order.client_order_id)
        if len(self._finished) > _FINISHED_KEPT:
            del self._tickets[self._finished.popleft()]

    def _event(self, kind: VenueKind, ticket: Ticket, now_ns: int, text: str = "") -> VenueEvent:
        exec_id = f"P-{ticket.order.client_order_id}-{len(ticket.events)}"
        bid, ask, _, _ = self._market.touch(ticket.order.instrument)
        return VenueEvent(kind, ticket.order.client_order_id, now_ns, exec_id, bid_ticks=bid, ask_ticks=ask, text=text)

    def _tell(self, ticket: Ticket, event: VenueEvent, out: list[VenueEvent]) -> None:
        ticket.events.append(event)
        out.append(event)
