"""The life of an order as a table: (status, change) → status. What is not in the table does not happen.

*Tested by* tests/unit/test_execution_orders.py, tests/properties/test_execution_core.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from common.messages import Order, OrderState, OrdStatus, Refusal


class Change(Enum):
    """What may happen to a stored order."""

    ACCEPT = "accept"
    FILL_PART = "fill in part"
    FILL_ALL = "fill in full"
    CANCEL = "cancel"
    REJECT = "reject"
    EXPIRE = "expire"
    LOSE = "lose sight"
    MISS = "not at the venue"
    REPLACE = "replaced by another"


_S = OrdStatus
_TOLD = {
    Change.FILL_PART: _S.PARTIALLY_FILLED,
    Change.FILL_ALL: _S.FILLED,
    Change.CANCEL: _S.CANCELED,
    Change.REJECT: _S.REJECTED,
    Change.EXPIRE: _S.EXPIRED,
    Change.REPLACE: _S.REPLACED,
}
_ROWS: dict[OrdStatus, dict[Change, OrdStatus]] = {
    _S.PENDING_NEW: {**_TOLD, Change.ACCEPT: _S.NEW, Change.LOSE: _S.UNKNOWN},
    # It never arrived, so it is refused; the sender may decide again under a new id.
    _S.UNKNOWN: {**_TOLD, Change.ACCEPT: _S.NEW, Change.MISS: _S.REJECTED},
    # A venue that knew the order and has it no more: whatever it filled is stored, the rest is gone.
    _S.NEW: {**_TOLD, Change.MISS: _S.EXPIRED},
    _S.PARTIALLY_FILLED: {**_TOLD, Change.MISS: _S.EXPIRED},
}
TRANSITIONS: dict[tuple[OrdStatus, Change], OrdStatus] = {
    (status, change): after for status, row in _ROWS.items() for change, after in row.items()
}


@dataclass(frozen=True, slots=True)
class OrderRecord:
    """An order and all that execution knows of it.

    ``cum_lots + leaves_lots`` is the quantity while it is open; ``leaves_lots`` is 0 once it is terminal. ``fills`` are
    the venue's exec ids already booked, so that a fill told twice counts once.

    Of a replacement ``cum_lots`` counts what was filled under the ids before it (``inherited_lots`` of it, and ``fills``
    likewise). Until the venue has taken it in, nothing is inherited and ``leaves_lots`` is only what it would add to the
    original, so that what works is counted once. ``replaced_by`` of the original names it from the request on.
    """

    order: Order
    ord_status: OrdStatus
    cum_lots: int = 0
    leaves_lots: int = 0
    cancel_asked: bool = False
    refusal: Refusal = Refusal.NONE
    text: str = ""
    fills: tuple[str, ...] = ()
    inherited_lots: int = 0
    replaced_by: str = ""
    #: Worst price of a MARKET order, ticks: the edge of the collar when it was checked.
    protection_ticks: int | None = None
    #: Of a child: the order it works for; see docs/tactics.md.
    parent: str = ""

    @property
    def own_lots(self) -> int:
        """Lots filled under this id."""
        return self.cum_lots - self.inherited_lots

    @property
    def replacement_asked(self) -> bool:
        """True of a replacement that the venue has neither taken in nor refused."""
        return bool(self.order.orig_client_order_id) and self.ord_status in (_S.PENDING_NEW, _S.UNKNOWN)

    @property
    def worst_ticks(self) -> int:
        """Worst price at which it may trade, ticks."""
        return self.order.limit_ticks if self.protection_ticks is None else self.protection_ticks

    @property
    def open(self) -> bool:
        """True while something may still happen to it."""
        return not self.ord_status.terminal

    @property
    def state(self) -> OrderState:
        """The part others see."""
        return OrderState(self.order, self.ord_status, self.cum_lots, self.leaves_lots)


def same_content(a: Order, b: Order) -> bool:
    """True if two orders of one id mean the same. The epoch is the envelope, not content: a new leader may retry."""
    return a == replace(b, epoch=a.epoch)
