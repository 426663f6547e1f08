"""A paper venue: pure and deterministic, fills against the quotes it is given.

Rules
- An order or cancel arrives ``latency`` later in market time: a base plus a jitter fixed by the seed and the order id.
- On arrival a buy whose limit reaches the ask fills at the ask, never better or worse, up to the size still available
  there (a sell at the bid). What was taken from a side is gone until that side's price or size is quoted anew.
- No fill where the side is absent or without size, the quote crossed or locked, the source gapped, the market closed.
- The rest of an IOC order is cancelled. The rest of a DAY order rests and fills the same way at later quotes, better
  limits first, then earlier arrivals; it expires with the session or the instrument. There is no queue position: a
  resting order trades only when the other side's quote reaches it.
- Quotes of time t meet what arrived before t first; what arrives at t meets the new quotes.
- A replacement arrives as an order does, never before what it names, and finds that working or is rejected. It keeps the
  place in the queue where only its quantity shrinks, and what was filled before counts towards its quantity.
- Fees are the universe's ``fee_cents`` a lot. ``reject_share`` of the orders, chosen by seed and id, is rejected.

*Tested by* tests/properties/test_execution_paper.py, tests/contract/test_venue_contract.py,
tests/unit/test_execution_paper.py.
"""

from __future__ import annotations

import hashlib
import heapq
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from common.errors import Refused
from common.messages import Order, QuoteBatch, Side, TimeInForce
from common.snapshot import SourceState
from common.subjects import feed_source
from common.units import NO_PRICE, NS_PER_MS
from common.universe import Universe
from execution.config import PaperConfig
from execution.venues.port import VenueEvent, VenueKind

#: Finished orders whose events are kept for ``ask`` and against a second submission.
_FINISHED_KEPT = 10_000
_ORDER, _CANCEL, _CLOSE, _REPLACE = 0, 1, 2, 3
_ENDS = (VenueKind.CANCELED, VenueKind.REJECTED, VenueKind.EXPIRED, VenueKind.REPLACE_REJECTED)


@dataclass(slots=True)
class _Ticket:
    """One order at the venue; ``due_ns`` is its arrival."""

    order: Order
    due_ns: int
    rank: int
    leaves_lots: int
    resting: bool = False
    done: bool = False
    events: list[VenueEvent] = field(default_factory=list)


class PaperVenue:
    """See the module. ``sessions_ns``: (open, close) of each session, ascending, half-open; empty means always open."""

    name = "paper"

    def __init__(self, universe: Universe, config: PaperConfig, sessions_ns: tuple[tuple[int, int], ...] = ()) -> None:
        n = len(universe)
        self._universe = universe
        self._config = config
        self._opens = [start for start, _ in sessions_ns]
        self._closes = [end for _, end in sessions_ns]
        self._bid_ticks = np.full(n, NO_PRICE, np.int32)
        self._ask_ticks = np.full(n, NO_PRICE, np.int32)
        self._bid_lots = np.zeros(n, np.int32)
        self._ask_lots = np.zeros(n, np.int32)
        self._taken_lots: dict[tuple[int, Side], int] = {}
        self._sources: dict[str, SourceState] = {}
        self._source_of = [feed_source(u.symbol) for u in universe.underlyings]
        self._tickets: dict[str, _Ticket] = {}
        self._finished: deque[str] = deque()
        self._resting: dict[int, list[_Ticket]] = {}
        self._due: list[tuple[int, int, int, str]] = []
        self._tie = 0
        self._now_ns = 0

    # -- the port ------------------------------------------------------------------------------------------------------

    @property
    def next_due_ns(self) -> int | None:
        """Market time of the next arrival or close, or None."""
        while self._due and self._void(self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    @property
    def now_ns(self) -> int:
        """Market time it has seen; 0 before the first."""
        return self._now_ns

    def gapped(self, source: str) -> bool:
        """True while a source has a gap: its instruments do not trade."""
        seen = self._sources.get(source)
        return seen is not None and seen.gapped

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """Put an order on its way. Raises ``errors.Refused`` for an id seen before: the caller's promise is broken."""
        name = order.client_order_id
        if name in self._tickets:
            raise Refused(f"order {name} was submitted to the venue a second time")
        due_ns = max(now_ns, self._now_ns) + self._latency_ns(name)
        self._tie += 1
        self._tickets[name] = _Ticket(order, due_ns, self._tie, order.quantity_lots)
        heapq.heappush(self._due, (due_ns, self._tie, _ORDER, name))
        return []

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        """Put a replacement on its way; it never overtakes what it names. Raises as ``submit``."""
        name = order.client_order_id
        if name in self._tickets:
            raise Refused(f"order {name} was submitted to the venue a second time")
        original = self._tickets.get(original_id)
        due_ns = max(now_ns, self._now_ns) + self._latency_ns(name)
        if original is not None:
            due_ns = max(due_ns, original.due_ns)
        self._tie += 1
        self._tickets[name] = _Ticket(order, due_ns, self._tie, order.quantity_lots)
        heapq.heappush(self._due, (due_ns, self._tie, _REPLACE, name))
        return []

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Put a cancel on its way; it never overtakes its order."""
        ticket = self._tickets.get(client_order_id)
        due_ns = max(now_ns, self._now_ns) + self._latency_ns(client_order_id)
        if ticket is not None:
            due_ns = max(due_ns, ticket.due_ns)
        self._tie += 1
        heapq.heappush(self._due, (due_ns, self._tie, _CANCEL, client_order_id))
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
        out = self._run_until(at_ns - 1) if self._due else []
        if self._take(batch):
            if self._due:
                out += self._run_until(at_ns)
            self._now_ns = max(self._now_ns, at_ns)
            for instrument in list(self._resting):
                for ticket in list(self._resting[instrument]):
                    self._match(ticket, self._now_ns, out)
        return out

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        """Arrivals, cancels and closes up to and including ``now_ns``."""
        out = self._run_until(now_ns)
        self._now_ns = max(self._now_ns, now_ns)
        return out

    # -- quotes --------------------------------------------------------------------------------------------------------

    def _take(self, batch: QuoteBatch) -> bool:
        source = self._sources.setdefault(batch.header.source, SourceState())
        sequence = batch.header.sequence
        if sequence < source.sequence or (sequence == source.sequence and not batch.snapshot):
            return False
        source.gapped = not batch.snapshot and (source.gapped or sequence != source.sequence + 1)
        source.sequence = sequence
        before = [(key, self._side(*key)) for key in self._taken_lots]
        at = batch.instrument
        self._bid_ticks[at] = batch.bid_ticks
        self._ask_ticks[at] = batch.ask_ticks
        self._bid_lots[at] = batch.bid_size_lots
        self._ask_lots[at] = batch.ask_size_lots
        for key, quoted in before:
            if self._side(*key) != quoted:
                del self._taken_lots[key]
        return True

    def _side(self, instrument: int, aggressor: Side) -> tuple[int, int]:
        """Price and size that an aggressor meets."""
        if aggressor is Side.BUY:
            return self._ask_ticks.item(instrument), self._ask_lots.item(instrument)
        return self._bid_ticks.item(instrument), self._bid_lots.item(instrument)

    # -- time ----------------------------------------------------------------------------------------------------------

    def _latency_ns(self, name: str) -> int:
        jitter_ms = self._config.jitter_ms * self._share("latency", name)
        return round((self._config.latency_ms + jitter_ms) * NS_PER_MS)

    def _share(self, use: str, name: str) -> float:
        """A number in [0, 1) fixed by seed, use and order id."""
        digest = hashlib.blake2b(f"{self._config.seed}:{use}:{name}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little") / 2.0**64

    def _close_after(self, at_ns: int) -> int | None:
        """Close of the session that holds ``at_ns``; None if the market is closed; 0 without sessions."""
        if not self._opens:
            return 0
        at = bisect_right(self._opens, at_ns) - 1
        return self._closes[at] if at >= 0 and at_ns < self._closes[at] else None

    def _void(self, entry: tuple[int, int, int, str]) -> bool:
        """A close whose order is done."""
        return entry[2] == _CLOSE and (entry[3] not in self._tickets or self._tickets[entry[3]].done)

    def _run_until(self, limit_ns: int) -> list[VenueEvent]:
        out: list[VenueEvent] = []
        while self._due and self._due[0][0] <= limit_ns:
            entry = heapq.heappop(self._due)
            if self._void(entry):
                continue
            due_ns, _, what, name = entry
            self._now_ns = max(self._now_ns, due_ns)
            if what == _ORDER:
                self._arrive(self._tickets[name], due_ns, out)
            elif what == _CANCEL:
                self._cancel_arrives(name, due_ns, out)
            elif what == _REPLACE:
                self._replacement_arrives(self._tickets[name], due_ns, out)
            else:
                self._finish(self._tickets[name], VenueKind.EXPIRED, due_ns, "the session closed", out)
        return out

    # -- orders --------------------------------------------------------------------------------------------------------

    def _arrive(self, ticket: _Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        if why := self._turned_away(ticket.order, now_ns):
            self._finish(ticket, VenueKind.REJECTED, now_ns, why, out)
            return
        self._tell(ticket, self._event(VenueKind.ACCEPTED, ticket, now_ns), out)
        self._work(ticket, now_ns, out)

    def _turned_away(self, order: Order, now_ns: int) -> str:
        """Why an order is not taken in now; empty where it is."""
        if 0 < self._universe.expiry_ns.item(order.instrument) <= now_ns:
            return f"{order.instrument_id} has expired"
        if self._close_after(now_ns) is None:
            return "the market is closed"
        if self._share("reject", order.client_order_id) < self._config.reject_share:
            return "rejected by the paper venue's reject_share"
        return ""

    def _work(self, ticket: _Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        """Fill what can be filled at once; the rest rests or, of an IOC order, is cancelled."""
        order = ticket.order
        self._match(ticket, now_ns, out)
        if ticket.done:
            return
        if order.time_in_force is TimeInForce.IOC:
            self._finish(ticket, VenueKind.CANCELED, now_ns, "the rest of an IOC order", out)
        else:
            ends_ns = (self._close_after(now_ns) or 0, self._universe.expiry_ns.item(order.instrument))
            self._rest(ticket, min((t for t in ends_ns if t > 0), default=0))

    def _replacement_arrives(self, ticket: _Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        order = ticket.order
        original = self._tickets.get(order.orig_client_order_id)
        if original is None or not original.resting or original.done:
            self._finish(ticket, VenueKind.REPLACE_REJECTED, now_ns, "no such working order", out)
            return
        if why := self._turned_away(order, now_ns):
            self._finish(ticket, VenueKind.REPLACE_REJECTED, now_ns, why, out)
            return
        was = original.order
        filled = was.quantity_lots - original.leaves_lots
        if order.limit_ticks == was.limit_ticks and order.quantity_lots <= was.quantity_lots:
            ticket.rank = original.rank
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

        ``carried_lots``: what the orders that it replaced had filled. ``ended``: it is known to have ended.
        """
        name, now_ns = order.client_order_id, max([taken_ns, *(e.event_time_ns for e in told)])
        self._now_ns = max(self._now_ns, now_ns)
        self._tie += 1
        leaves = max(order.quantity_lots - carried_lots, 0) - sum(e.lots for e in told if e.kind is VenueKind.FILL)
        ticket = _Ticket(order, taken_ns + self._latency_ns(name), self._tie, leaves, events=list(told))
        self._tickets[name] = ticket
        if ended or leaves == 0 or any(e.kind in _ENDS for e in told):
            self._close(ticket)
        elif not told:
            what = _REPLACE if order.orig_client_order_id else _ORDER
            heapq.heappush(self._due, (ticket.due_ns, self._tie, what, name))
        elif order.time_in_force is TimeInForce.IOC:
            heapq.heappush(self._due, (now_ns, self._tie, _CANCEL, name))
        else:
            expiry_ns = self._universe.expiry_ns.item(order.instrument)
            close_ns = self._close_after(now_ns) or 0
            self._rest(ticket, min((t for t in (close_ns, expiry_ns) if t > 0), default=0))

    def _rest(self, ticket: _Ticket, until_ns: int) -> None:
        queue = self._resting.setdefault(ticket.order.instrument, [])
        queue.append(ticket)
        queue.sort(key=lambda t: (-t.order.side.sign * t.order.limit_ticks, t.rank))
        ticket.resting = True
        if until_ns:
            self._tie += 1
            heapq.heappush(self._due, (until_ns, self._tie, _CLOSE, ticket.order.client_order_id))

    def _match(self, ticket: _Ticket, now_ns: int, out: list[VenueEvent]) -> None:
        """Fill what the quote allows now."""
        order = ticket.order
        at = order.instrument
        price, size = self._side(at, order.side)
        bid, ask = self._bid_ticks.item(at), self._ask_ticks.item(at)
        source = self._sources.get(self._source_of[self._universe.underlying.item(at)])
        crossed = ask != NO_PRICE and bid >= ask  # without an ask a bid may still be hit
        if price == NO_PRICE or crossed or source is None or source.gapped or self._close_after(now_ns) is None:
            return
        if order.side.sign * (order.limit_ticks - price) < 0:
            return
        key = (at, order.side)
        lots = min(ticket.leaves_lots, size - self._taken_lots.get(key, 0))
        if lots <= 0:
            return
        self._taken_lots[key] = self._taken_lots.get(key, 0) + lots
        ticket.leaves_lots -= lots
        fee_cents = lots * self._universe.fee_cents.item(at)
        exec_id = f"P-{order.client_order_id}-{len(ticket.events)}"
        fill = VenueEvent(VenueKind.FILL, order.client_order_id, now_ns, exec_id, lots, price, fee_cents, bid, ask)
        self._tell(ticket, fill, out)
        if ticket.leaves_lots == 0:
            self._close(ticket)

    def _cancel_arrives(self, name: str, now_ns: int, out: list[VenueEvent]) -> None:
        ticket = self._tickets.get(name)
        if ticket is None or ticket.done:
            out.append(VenueEvent(VenueKind.CANCEL_REJECTED, name, now_ns, text="no such working order"))
            return
        self._finish(ticket, VenueKind.CANCELED, now_ns, "cancelled as asked", out)

    def _finish(self, ticket: _Ticket, kind: VenueKind, now_ns: int, text: str, out: list[VenueEvent]) -> None:
        self._tell(ticket, self._event(kind, ticket, now_ns, text), out)
        self._close(ticket)

    def _close(self, ticket: _Ticket) -> None:
        ticket.done = True
        if ticket.resting:
            queue = self._resting[ticket.order.instrument]
            queue.remove(ticket)
            if not queue:
                del self._resting[ticket.order.instrument]
        self._finished.append(ticket.order.client_order_id)
        if len(self._finished) > _FINISHED_KEPT:
            del self._tickets[self._finished.popleft()]

    def _event(self, kind: VenueKind, ticket: _Ticket, now_ns: int, text: str = "") -> VenueEvent:
        at = ticket.order.instrument
        exec_id = f"P-{ticket.order.client_order_id}-{len(ticket.events)}"
        bid, ask = self._bid_ticks.item(at), self._ask_ticks.item(at)
        return VenueEvent(kind, ticket.order.client_order_id, now_ns, exec_id, bid_ticks=bid, ask_ticks=ask, text=text)

    def _tell(self, ticket: _Ticket, event: VenueEvent, out: list[VenueEvent]) -> None:
        ticket.events.append(event)
        out.append(event)
