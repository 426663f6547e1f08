"""The paper venue with a memory: every act becomes a numbered record, and from the records it comes back as it was.

Pure: the caller writes the records before it answers. What a restart forgets is only the market: quotes come anew, sizes
taken from a quote count as there again, and an order that comes due before there are quotes finds none.
*Tested by* tests/unit/test_venue_lasting.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Final

from common.errors import Refused
from common.messages import Order, QuoteBatch, Side, TimeInForce
from common.tactics import Combo
from execution.venues.paper import PaperVenue
from execution.venues.paper_combo import impossible
from execution.venues.port import VenueEvent, VenueKind
from execution.venues.record import RecordKind, VenueRecord, of_event, of_order
from execution.venues.statement import StatedOrder, Tally, VenueStatement
from execution.venues.tallied import take_event

#: Records a venue holds in its life (about 300 bytes each); beyond, new orders are rejected.
MAX_RECORDS: Final = 2_000_000


class LastingVenue:
    """``paper`` must be fresh; ``records`` are those of earlier processes, in order."""

    def __init__(self, paper: PaperVenue, records: Sequence[VenueRecord] = (), max_records: int = MAX_RECORDS) -> None:
        self._paper = paper
        self._max_records = max_records
        self.records: list[VenueRecord] = []
        self._of_order: dict[str, list[VenueRecord]] = {}
        self._tally = Tally()
        #: Orders that a replacement has ended, and what those before a replacement had filled.
        self._replaced: dict[str, None] = {}
        self._carried: dict[str, int] = {}
        #: The line of each leg, by the combo's id.
        self._legs: dict[str, list[VenueRecord]] = {}
        for record in records:
            self._keep(record)
        self._restore()

    @property
    def next_due_ns(self) -> int | None:
        """Market time at which something happens by itself, or None."""
        return self._paper.next_due_ns

    @property
    def now_ns(self) -> int:
        """Market time it has seen."""
        return self._paper.now_ns

    def gapped(self, source: str) -> bool:
        """True while a source has a gap: its instruments do not trade."""
        return self._paper.gapped(source)

    @property
    def last_sequence(self) -> int:
        """Sequence of the newest record; 0 before the first."""
        return len(self.records)

    def submit(self, order: Order, now_ns: int) -> list[VenueRecord]:
        """Take an order; a second one under the same id is refused and the attempt kept."""
        taken_ns = max(now_ns, self._paper.now_ns)
        if order.client_order_id in self._of_order:
            return [self._keep(of_order(self.last_sequence + 1, order, taken_ns, RecordKind.DUPLICATE))]
        out = [self._keep(of_order(self.last_sequence + 1, order, taken_ns))]
        if self.last_sequence >= self._max_records:
            text = f"the venue's file is full: {self._max_records} records"
            name = order.client_order_id
            return out + self._told([VenueEvent(VenueKind.REJECTED, name, taken_ns, f"F-{name}", text=text)])
        return out + self._told(self._paper.submit(order, now_ns))

    @property
    def combos(self) -> bool:
        """Whether it takes several orders as one."""
        return self._paper.combos

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueRecord]:
        """Take the legs as one, a line each, none without the others; known ids are refused and the attempt kept.

        Raises ``errors.Refused`` for legs that are no combo.
        """
        if why := impossible(legs):
            raise Refused(f"combo of {len(legs)} legs: {why}")
        taken_ns = max(now_ns, self._paper.now_ns)
        if known := [leg for leg in legs if leg.client_order_id in self._of_order]:
            return [self._keep(of_order(self.last_sequence + 1, leg, taken_ns, RecordKind.DUPLICATE)) for leg in known]
        out: list[VenueRecord] = []
        for leg in legs:
            record = of_order(self.last_sequence + 1, leg, taken_ns)
            out.append(self._keep(replace(record, with_next=leg is not legs[-1])))
        if self.last_sequence >= self._max_records or not self.combos:
            text = (
                "the venue takes no combos"
                if not self.combos
                else f"the venue's file is full: {self._max_records} records"
            )
            names = (leg.client_order_id for leg in legs)
            ends = [VenueEvent(VenueKind.REJECTED, name, taken_ns, f"F-{name}", text=text) for name in names]
            return out + self._told(ends)
        return out + self._told(self._paper.submit_combo(legs, now_ns))

    def replace(self, order: Order, now_ns: int) -> list[VenueRecord]:
        """Take a replacement of the order it names; a second one under the same id is refused and the attempt kept."""
        name, taken_ns = order.client_order_id, max(now_ns, self._paper.now_ns)
        if name in self._of_order:
            return [self._keep(of_order(self.last_sequence + 1, order, taken_ns, RecordKind.DUPLICATE))]
        out = [self._keep(of_order(self.last_sequence + 1, order, taken_ns, RecordKind.REPLACE))]
        if self.last_sequence >= self._max_records:
            text = f"the venue's file is full: {self._max_records} records"
            return out + self._told([VenueEvent(VenueKind.REPLACE_REJECTED, name, taken_ns, f"F-{name}", text=text)])
        return out + self._told(self._paper.replace(order.orig_client_order_id, order, now_ns))

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueRecord]:
        """Note the wish and put it on its way; a repeated one changes nothing."""
        known = self._of_order.get(client_order_id, ())
        if any(r.kind is RecordKind.CANCEL for r in known) and not self._ended(client_order_id):
            return []
        at_ns = max(now_ns, self._paper.now_ns)
        asked = VenueRecord(self.last_sequence + 1, RecordKind.CANCEL, client_order_id, at_ns)
        return [self._keep(asked), *self._told(self._paper.cancel(client_order_id, now_ns))]

    def ask(self, client_order_id: str) -> list[VenueRecord] | None:
        """Everything that happened to an order; None if it was never taken."""
        known = self._of_order.get(client_order_id)
        return list(known) if known and any(r.kind in _TAKEN for r in known) else None

    def on_quotes(self, batch: QuoteBatch) -> list[VenueRecord]:
        """Take new quotes; what they cause."""
        return self._told(self._paper.on_quotes(batch))

    def on_time(self, now_ns: int) -> list[VenueRecord]:
        """Let everything due happen."""
        return self._told(self._paper.on_time(now_ns))

    def _told(self, events: Sequence[VenueEvent]) -> list[VenueRecord]:
        out: list[VenueRecord] = []
        for event, then in zip_longest(events, events[1:]):
            together = then is not None and event.kind is then.kind is VenueKind.FILL and self._same_combo(event, then)
            out.append(self._keep(replace(of_event(self.last_sequence + 1, event), with_next=together)))
        return out

    def _same_combo(self, a: VenueEvent, b: VenueEvent) -> bool:
        combo_ids = [r.combo_id if (r := self._taken(e.client_order_id)) is not None else "" for e in (a, b)]
        return bool(combo_ids[0]) and combo_ids[0] == combo_ids[1]

    def _keep(self, record: VenueRecord) -> VenueRecord:
        self.records.append(record)
        self._of_order.setdefault(record.client_order_id, []).append(record)
        if record.kind is RecordKind.REPLACED and (taken := self._taken(record.client_order_id)) is not None:
            self._replaced[taken.orig_client_order_id] = None
            self._carried[record.client_order_id] = self._filled(taken.orig_client_order_id)
        if record.kind is RecordKind.ORDER and record.combo_id:
            self._legs.setdefault(record.combo_id, []).append(record)
        self._count(record)
        return record

    def statement(self, after: int, limit: int) -> VenueStatement:
        """What the records come to: see ``statement.StatingVenue``. Each line counts, whatever it repeats."""
        return self._tally.statement(after, limit)

    def _count(self, record: VenueRecord) -> None:
        sign = Side(record.side).sign if record.side else 1
        if record.kind in _TAKEN:
            order = StatedOrder(record.client_order_id, record.instrument, sign * record.lots, record.ticks)
            self._tally.taken(order, record.orig_client_order_id)
        elif (event := record.event) is not None:
            take_event(self._tally, event, record.instrument, sign)

    def _taken(self, name: str) -> VenueRecord | None:
        """The line on which an order was taken."""
        return next((r for r in self._of_order.get(name, ()) if r.kind in _TAKEN), None)

    def _filled(self, name: str) -> int:
        """Lots filled under an id and under those it replaced."""
        own = sum(r.lots for r in self._of_order.get(name, ()) if r.kind is RecordKind.FILL)
        return own + self._carried.get(name, 0)

    def _ended(self, name: str) -> bool:
        taken, records = self._taken(name), self._of_order.get(name, ())
        whole = taken is not None and self._filled(name) >= taken.lots and _works(records)
        return whole or name in self._replaced or any(r.kind in _ENDS for r in records)

    def _combo_of(self, taken: VenueRecord) -> Combo | None:
        legs = self._legs.get(taken.combo_id, ())
        return Combo(tuple((r.client_order_id, r.ratio) for r in legs), taken.net_limit_cents) if legs else None

    def _restore(self) -> None:
        self._paper.restore_settled([r.exec_id for r in self.records if r.kind is RecordKind.SETTLED])
        for name, records in self._of_order.items():
            if (taken := self._taken(name)) is None:
                continue
            told = [e for r in records if r.kind in _OF_TICKET and (e := r.event) is not None]
            self._paper.restore(
                replace(_order_of(taken), combo=self._combo_of(taken)),
                taken.event_time_ns,
                told,
                self._carried.get(name, 0),
                ended=self._ended(name),
            )
            if not self._ended(name):
                for asked in (r for r in records if r.kind is RecordKind.CANCEL):
                    self._paper.cancel(name, asked.event_time_ns)


_TAKEN = (RecordKind.ORDER, RecordKind.REPLACE)
_ENDS = (RecordKind.CANCELED, RecordKind.REJECTED, RecordKind.EXPIRED, RecordKind.REPLACE_REJECTED)
_OF_TICKET = (*_ENDS, RecordKind.ACCEPTED, RecordKind.REPLACED, RecordKind.FILL)


def _works(records: Sequence[VenueRecord]) -> bool:
    """Whether the venue has taken it in, as an order or in the place of another."""
    return any(r.kind in (RecordKind.ACCEPTED, RecordKind.REPLACED, RecordKind.FILL) for r in records)


def _order_of(taken: VenueRecord) -> Order:
    """The part of an order that a venue needs; who it serves is the sender's business and not kept."""
    return Order(
        client_order_id=taken.client_order_id,
        epoch=0,
        instrument_id=taken.instrument_id,
        instrument=taken.instrument,
        side=Side(taken.side),
        quantity_lots=taken.lots,
        limit_ticks=taken.ticks,
        time_in_force=TimeInForce(taken.time_in_force),
        book_id="",
        cycle_id="",
        inputs_hash="",
        cause_id="",
        order_sequence=0,
        receive_time_ns=0,
        event_time_ns=taken.event_time_ns,
        allocation=(),
        arrival_bid_ticks=0,
        arrival_ask_ticks=0,
        orig_client_order_id=taken.orig_client_order_id,
    )
