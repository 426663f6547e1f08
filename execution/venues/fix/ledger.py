"""Every message a FIX venue sends, turned into events: which order it speaks of, and what we know of that order. Pure.

Views of orders are made from our own records when first needed and kept for the orders that work and the last ``KEPT`` others.
*Tested by* tests/unit/test_fix_ledger.py.
"""

from __future__ import annotations

from typing import Final

from common.messages import Order, OrdStatus
from common.tactics import Combo
from execution.venues.fix.incoming import Now, cancel_reject_event, disputed, order_named, report_events
from execution.venues.fix.incoming_combo import combo_events
from execution.venues.fix.message import SENDS_ORDERS, FixMessage, MsgType, Tag
from execution.venues.fix.naming import Contracts
from execution.venues.fix.view import OrderView, made_good, restored
from execution.venues.port import OwnRecords, VenueEvent, VenueKind

#: Views and sent messages kept; a report of an older order makes its view anew from the store.
KEPT: Final = 20_000


class Ledger:
    """Owned by the venue's shell. ``sent`` remembers what each sequence number carried, for refusals that name only that."""

    def __init__(self, contracts: Contracts, records: OwnRecords) -> None:
        self._contracts = contracts
        self._records = records
        self._views: dict[str, OrderView] = {}
        self._sent: dict[int, tuple[str, str]] = {}

    def ordered(self, order: Order) -> None:
        """An order is about to leave."""
        self._views[order.client_order_id] = OrderView(order)
        self._bound()

    def sent(self, message: FixMessage) -> None:
        """The engine has numbered a message of ours."""
        name = order_named(message)
        self._sent[message.number(Tag.MsgSeqNum)] = (message.msg_type, name)
        if len(self._sent) > KEPT:
            del self._sent[next(iter(self._sent))]

    def order(self, name: str) -> Order | None:
        """An order of ours by its id, None if there is none."""
        view = self._view(name)
        return None if view is None else view.order

    def ended(self, name: str) -> bool:
        """True of an order of ours that has ended here; of a combo once all its legs have."""
        records = [self._records.record(leg) for leg in self.told_of(name)]
        return all(record is not None and not record.open for record in records)

    def at_venue(self, name: str) -> str:
        """The id under which the venue knows an order: of a leg its combo's."""
        order = self.order(name)
        return name if order is None or order.combo is None else order.combo.combo_id

    def told_of(self, name: str) -> tuple[str, ...]:
        """Our orders that the venue knows under an id: of a combo its legs."""
        order = self.order(name)
        return (name,) if order is None or order.combo is None else order.combo.leg_ids

    def working(self) -> list[str]:
        """Orders the venue is asked about after a logon.

        One that is PENDING_NEW has not been sent yet, or is being waited for; of its loss ``UNCERTAIN`` would have told.
        """
        known = [(name, self._records.record(name)) for name in self._records.open_orders()]
        return [name for name, r in known if r is not None and r.ord_status is not OrdStatus.PENDING_NEW]

    def take(self, message: FixMessage, now_ns: int) -> list[VenueEvent]:
        """Events of one message. What concerns no order of ours is told under the name it gives: the core stops on it."""
        match message.msg_type:
            case MsgType.EXECUTION_REPORT:
                return self._report(message, now_ns)
            case MsgType.CANCEL_REJECT:
                return [cancel_reject_event(message, now_ns)]
            case MsgType.BUSINESS_REJECT | MsgType.REJECT:
                return self._refused(message, now_ns)
        return []

    def _report(self, message: FixMessage, now_ns: int) -> list[VenueEvent]:
        name = order_named(message)
        view = self._view(name)
        if view is None:
            if message.text(Tag.OrdRejReason) == "5":
                return []
            return [disputed(name, now_ns, f"the venue reports order {name!r}, which this store never sent")]
        if view.order.combo is not None:
            return self._of_combo(message, view.order.combo, now_ns)
        now = self._now(view, now_ns)
        before: list[VenueEvent] = []
        if message.text(Tag.ExecType) == "5":
            before = self._replaced(message, view, now)
        return before + report_events(message, view, self._contracts, now)

    def _now(self, view: OrderView, now_ns: int) -> Now:
        return Now(now_ns, *self._records.quoted(view.order.instrument))

    def _of_combo(self, message: FixMessage, combo: Combo, now_ns: int) -> list[VenueEvent]:
        views = [view for leg in combo.leg_ids if (view := self._view(leg)) is not None]
        if len(views) != len(combo.legs):
            return [disputed(combo.combo_id, now_ns, f"not every leg of combo {combo.combo_id} is in this store")]
        return combo_events(message, combo, views, self._contracts, [self._now(view, now_ns) for view in views])

    def _replaced(self, message: FixMessage, view: OrderView, now: Now) -> list[VenueEvent]:
        """A replacement begins where what it replaces has ended; fills of that one which never came are booked under it."""
        original = self._view(message.text(Tag.OrigClOrdID))
        if original is None or view.base_lots:
            return []
        said = message.lots(Tag.CumQty) or 0
        price = message.decimal(Tag.AvgPx)
        average = self._contracts.ticks(original.order.instrument, price) if price and not original.base_lots else None
        fills = made_good(original, said - original.base_lots, average)
        view.base_lots = original.base_lots + original.cum_lots
        text = "never reported; booked from the venue's count"
        fee = self._contracts.fee_cents
        at = original.order.instrument
        return [
            VenueEvent(
                VenueKind.FILL, original.name, now.time_ns, e, n, t, fee(at, n), now.bid_ticks, now.ask_ticks, text
            )
            for e, n, t in fills
        ]

    def _refused(self, message: FixMessage, now_ns: int) -> list[VenueEvent]:
        """BusinessMessageReject (j) and Reject (3): a message of ours was not processed."""
        kind, name = self._sent.get(message.number(Tag.RefSeqNum), ("", ""))
        kind = message.text(Tag.RefMsgType) or kind
        if message.msg_type == MsgType.BUSINESS_REJECT and message.text(Tag.BusinessRejectRefID):
            name = order_named(FixMessage(kind, ((Tag.ClOrdID, message.text(Tag.BusinessRejectRefID)),)))
        reason = message.text(Tag.Text) or f"reason {message.text(Tag.BusinessRejectReason) or 'not given'}"
        text = f"the venue did not process it: {reason}"
        if not name:
            return []
        if kind == MsgType.REPLACE:
            return [VenueEvent(VenueKind.REPLACE_REJECTED, name, now_ns, text=text)]
        if kind in SENDS_ORDERS:
            return [VenueEvent(VenueKind.REJECTED, leg, now_ns, text=text) for leg in self.told_of(name)]
        return [VenueEvent(VenueKind.CANCEL_REJECTED, name, now_ns, text=text)] if kind == MsgType.CANCEL else []

    def _view(self, name: str) -> OrderView | None:
        view = self._views.get(name)
        if view is None and name and (record := self._records.record(name)) is not None:
            fills = self._records.fills(name)
            base_lots = record.cum_lots - sum(lots for _, lots, _ in fills)
            view = self._views[name] = restored(record.order, fills, base_lots)
            self._bound()
        return view

    def _bound(self) -> None:
        if len(self._views) > KEPT:
            working = set(self._records.open_orders())
            for name in [n for n in list(self._views)[: KEPT // 2] if n not in working]:
                del self._views[name]
