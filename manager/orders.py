"""The life of an order: one table ``(status, event) -> status``, and the only place that sets a status.

An order is open from the moment it is decided. A report that the table does not allow leaves the status as it is and is
counted; a fill in it is booked all the same, for what the venue filled is true.
*Tested by* tests/unit/test_manager_orders.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

import base64
import hashlib
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np

from common.factors import desk_of
from common.messages import I64, Order, OrdStatus, Side

#: What the cause of an order begins with that a person asked for.
_COMMAND: Final = "command:"


class OrderEvent(Enum):
    """What a report says happened to an order."""

    ACCEPT = "accept"
    PART = "part"
    FILL = "fill"
    CANCEL = "cancel"
    REJECT = "reject"
    EXPIRE = "expire"
    LOSE = "lose"


EVENT_OF: Final[dict[OrdStatus, OrderEvent]] = {
    OrdStatus.NEW: OrderEvent.ACCEPT,
    OrdStatus.PARTIALLY_FILLED: OrderEvent.PART,
    OrdStatus.FILLED: OrderEvent.FILL,
    OrdStatus.CANCELED: OrderEvent.CANCEL,
    OrdStatus.REJECTED: OrderEvent.REJECT,
    OrdStatus.EXPIRED: OrderEvent.EXPIRE,
    # It works on under another id, which is no order of this one's life.
    OrdStatus.REPLACED: OrderEvent.CANCEL,
    OrdStatus.UNKNOWN: OrderEvent.LOSE,
}

_ENDS: Final[dict[OrderEvent, OrdStatus]] = {
    OrderEvent.FILL: OrdStatus.FILLED,
    OrderEvent.CANCEL: OrdStatus.CANCELED,
    OrderEvent.REJECT: OrdStatus.REJECTED,
    OrderEvent.EXPIRE: OrdStatus.EXPIRED,
}
_WORKS: Final[dict[OrderEvent, OrdStatus]] = {
    OrderEvent.ACCEPT: OrdStatus.NEW,
    OrderEvent.PART: OrdStatus.PARTIALLY_FILLED,
    OrderEvent.LOSE: OrdStatus.UNKNOWN,
}
_OPEN: Final = (OrdStatus.PENDING_NEW, OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, OrdStatus.UNKNOWN)

#: The table. A terminal status has no row. A partly filled order that is accepted (again) stays partly filled.
TRANSITIONS: Final[dict[tuple[OrdStatus, OrderEvent], OrdStatus]] = {
    **{(status, event): to for status in _OPEN for event, to in {**_ENDS, **_WORKS}.items()},
    (OrdStatus.PARTIALLY_FILLED, OrderEvent.ACCEPT): OrdStatus.PARTIALLY_FILLED,
}


@dataclass(slots=True)
class OrderLife:
    """An order and what became of it: its underlying, day and reserved cents per open lot, lots each agent has got."""

    order: Order
    symbol: str
    day: int
    cost_per_lot_cents: int
    notional_per_lot_cents: int
    status: OrdStatus = OrdStatus.PENDING_NEW
    cum_lots: int = 0
    cancel_asked: bool = False
    got: dict[str, int] = field(default_factory=dict)
    #: Its cost comes from the emergency budget.
    emergency: bool = False

    @property
    def leaves_lots(self) -> int:
        """Lots that may still fill; 0 once terminal."""
        return 0 if self.status.terminal else self.order.quantity_lots - self.cum_lots

    @property
    def per_lot_cents(self) -> tuple[int, int]:
        """Reserved (cost, notional) per lot."""
        return self.cost_per_lot_cents, self.notional_per_lot_cents

    def open_by_agent(self) -> dict[str, int]:
        """Lots of the allocation that have not been filled, unsigned, also of an order that has ended."""
        return {agent: max(abs(share) - self.got.get(agent, 0), 0) for agent, share in self.order.allocation}

    def open_lots(self, desks: tuple[str, ...]) -> int | I64:
        """Signed lots that may still fill: one number, or one a desk where there are several."""
        if len(desks) == 1 or self.status.terminal:
            return self.order.side.sign * self.leaves_lots
        left = self.open_by_agent()
        mine = [sum(n for agent, n in left.items() if desk_of(agent) == desk) for desk in desks]
        return self.order.side.sign * np.array(mine, np.int64)

    def apply(self, event: OrderEvent) -> bool:
        """Follow the table; False if it does not allow the event."""
        to = TRANSITIONS.get((self.status, event))
        if to is None:
            return False
        self.status = to
        return True

    def take_fill(self, lots: int) -> dict[str, int]:
        """Split a fill among the order's agents, signed whole lots that add up to the fill.

        Lot by lot to the agent that is furthest behind its share (Balinski and Young's quota method, so nobody ever
        gives a lot back); ties in the order of the allocation. Lots beyond the allocation go to its first agent.
        """
        sign, total = self.order.side.sign, self.order.quantity_lots
        if self.cum_lots == 0 and lots == total:
            self.cum_lots = lots
            self.got = {agent: abs(share) for agent, share in self.order.allocation}
            return {agent: share for agent, share in self.order.allocation if share}
        out = dict.fromkeys((a for a, _ in self.order.allocation), 0)
        for _ in range(lots):
            self.cum_lots += 1
            best, best_lag = "", -(2**62)
            for agent, share in self.order.allocation:
                had = self.got.get(agent, 0)
                lag = abs(share) * self.cum_lots - had * total
                if had < abs(share) and lag > best_lag:
                    best, best_lag = agent, lag
            best = best or (self.order.allocation[0][0] if self.order.allocation else "")
            self.got[best] = self.got.get(best, 0) + 1
            out[best] = out.get(best, 0) + sign
        return {agent: n for agent, n in out.items() if n}


class OrderBook:
    """Every open order and the last ``kept`` ended ones; ``decided`` is the highest order sequence there has been."""

    def __init__(self, kept: int) -> None:
        self.open: dict[str, OrderLife] = {}
        self.ended: dict[str, OrderLife] = {}
        self.kept = kept
        self.decided = 0

    def get(self, client_order_id: str) -> OrderLife | None:
        """An order by id, open or lately ended."""
        return self.open.get(client_order_id) or self.ended.get(client_order_id)

    def add(self, life: OrderLife) -> None:
        """A newly decided order."""
        self.open[life.order.client_order_id] = life
        self.decided = max(self.decided, life.order.order_sequence)

    def settle(self, life: OrderLife) -> None:
        """Move an order that has become terminal; forget the oldest beyond the bound."""
        name = life.order.client_order_id
        if life.status.terminal and self.open.pop(name, None) is not None:
            self.ended[name] = life
            if len(self.ended) > self.kept:
                del self.ended[next(iter(self.ended))]


class SeenIds:
    """The last ``bound`` ids, for dedupe."""

    def __init__(self, bound: int) -> None:
        self._order: deque[str] = deque()
        self._ids: set[str] = set()
        self._bound = bound

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, name: str) -> None:
        """Remember an id, forgetting the oldest beyond the bound."""
        self._ids.add(name)
        self._order.append(name)
        if len(self._order) > self._bound:
            self._ids.discard(self._order.popleft())


def client_order_id(run_id: str, cycle_id: str, instrument_id: str, side: Side) -> str:
    """Deterministic id of an order: 20 characters of base32(sha256(run, cycle, instrument, side))."""
    text = "|".join((run_id, cycle_id, instrument_id, side.name))
    # 15 bytes are 24 characters: those beyond are never shown.
    return base64.b32encode(hashlib.sha256(text.encode()).digest()[:15]).decode()[:20]


def cause_of(command_id: str) -> str:
    """What an order that a person asked for names as its cause."""
    return _COMMAND + command_id


def command_of(order: Order) -> str:
    """The command that asked for an order; empty where no person did."""
    return order.cause_id.removeprefix(_COMMAND) if order.cause_id.startswith(_COMMAND) else ""
