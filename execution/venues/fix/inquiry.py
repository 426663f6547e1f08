"""One pass of questions to a FIX venue: what it has filled of each order, what it has open that was never sent from here. Pure.

The session is one ordered line, so a report heard after an answer was said after it: the newest word on an order counts, and the
statement at the end is of one moment for each order, whatever fills while others are asked about. An answer about an order that
has ended here is kept from the ledger: what it tells is a break for people, not a fill to book. One about an order that works
goes on to the ledger as after a logon.
*Tested by* tests/unit/test_fix_inquiry.py, tests/integration/test_fix_reconcile.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from common.messages import Order
from execution.venues.fix.incoming import mismatch, order_named
from execution.venues.fix.ledger import Ledger
from execution.venues.fix.message import FixMessage, MsgType, Tag
from execution.venues.fix.naming import Contracts
from execution.venues.statement import OrderTotal, VenueTotals

#: Questions out at a time.
IN_FLIGHT: Final = 32
_STATUS, _REJECTED, _UNKNOWN_ORDER, _LEG = "I", "8", "5", "2"
_OPEN: Final = ("0", "1", "6", "A", "E", "9", "7")


class Inquiry:
    """``names``: orders of ours; of combos the legs. ``mass_id``: MassStatusReqID of the pass, "" where it asks for no others."""

    def __init__(
        self, ledger: Ledger, contracts: Contracts, names: Sequence[str], mass_id: str, average_decimals: int
    ) -> None:
        self._ledger = ledger
        self._contracts = contracts
        self._names = names
        self._mass_id = mass_id
        self._unit = Decimal(1).scaleb(-average_decimals)
        self._waiting = deque(dict.fromkeys(ledger.at_venue(name) for name in names))
        #: Orders at the venue that are asked about.
        self.count = len(self._waiting)
        self._out: dict[str, float] = {}
        self._said: dict[str, FixMessage] = {}
        self._strangers: dict[str, str] = {}
        #: Why the venue does not answer such questions, "" while it does.
        self.refused = ""
        #: True once the venue has told the last of its open orders.
        self.told_all = not mass_id

    @property
    def answered(self) -> int:
        """Orders answered so far."""
        return len(self._said)

    @property
    def done(self) -> bool:
        """Every question is answered."""
        return not self._waiting and not self._out

    def overdue(self, before_s: float) -> str:
        """The first order asked about before that second and not answered, "" if there is none."""
        return next((name for name, sent_s in self._out.items() if sent_s < before_s), "")

    def due(self, count: int, now_s: float) -> list[Order]:
        """At most ``count`` orders to ask about now; they count as asked."""
        out: list[Order] = []
        while self._waiting and len(out) < count and len(self._out) < IN_FLIGHT:
            name = self._waiting.popleft()
            order = self._ledger.order(name)
            if order is not None:
                self._out[name] = now_s
                out.append(order)
        return out

    def take(self, message: FixMessage) -> bool:
        """Note what the venue says; True if it is said to this pass alone."""
        if message.msg_type in (MsgType.BUSINESS_REJECT, MsgType.REJECT):
            if message.text(Tag.RefMsgType) == MsgType.STATUS:
                self.refused = message.text(Tag.Text) or f"reason {message.text(Tag.BusinessRejectReason)}"
            return False
        if message.msg_type != MsgType.EXECUTION_REPORT:
            return False
        of_mass = bool(self._mass_id) and message.text(Tag.MassStatusReqID) == self._mass_id
        self.told_all |= of_mass and message.text(Tag.LastRptRequested) == "Y"
        name, kind = order_named(message), message.text(Tag.ExecType)
        order = self._ledger.order(name)
        if order is None:
            if of_mass and name:
                self._strangers[name] = _described(message)
            return of_mass
        answers = name in self._out and kind in (_STATUS, _REJECTED)
        newer = name in self._said and Tag.CumQty in message.first and message.text(Tag.MultiLegReportingType) != _LEG
        # A venue may tell of ended orders, too, when asked for all.
        unasked = of_mass and self._ledger.ended(name)
        if not (answers or newer or unasked):
            return False
        self._out.pop(name, None)
        if name in self._waiting:
            self._waiting.remove(name)
        self._said[name] = message
        return kind in (_STATUS, _REJECTED) and self._ledger.ended(name)

    def totals(self) -> VenueTotals:
        """What has been said."""
        names = dict.fromkeys([*self._names, *(leg for name in self._said for leg in self._ledger.told_of(name))])
        found = [(self._ledger.order(name), self._said.get(self._ledger.at_venue(name))) for name in names]
        orders = tuple(self._total(order, said) for order, said in found if order is not None and said is not None)
        return VenueTotals(orders, dict(self._strangers))

    def _total(self, order: Order, said: FixMessage) -> OrderTotal:
        name, status = order.client_order_id, said.text(Tag.OrdStatus)
        if status == _REJECTED and said.text(Tag.OrdRejReason) == _UNKNOWN_ORDER:
            return OrderTotal(name, known=False)
        try:
            cum = said.lots(Tag.CumQty) or 0
            if order.combo is not None:
                # The average is of the whole: legs are compared by lots.
                return OrderTotal(name, open=status in _OPEN, cum_lots=cum * order.combo.ratio(name))
            average = said.decimal(Tag.AvgPx)
            ticks = self._contracts.ticks(order.instrument, average) if average else None
            slack = self._contracts.ticks(order.instrument, self._unit)
        except ValueError as error:
            return OrderTotal(name, wrong=f"cannot be read: {error}")
        notional = None if ticks is None else ticks * cum
        wrong = mismatch(said, order, self._contracts)
        return OrderTotal(name, True, status in _OPEN, cum, notional, slack * cum, wrong)


def _described(message: FixMessage) -> str:
    side = {"1": "buy", "2": "sell"}.get(message.text(Tag.Side), "side not given")
    lots, filled = message.text(Tag.OrderQty) or "?", message.text(Tag.CumQty) or "?"
    return f"open: {side} {lots} lots of {message.text(Tag.Symbol)}, {filled} filled"
