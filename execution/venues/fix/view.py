"""What this gateway knows of one order at a FIX venue: what is booked of it, and how a fill that never came is made good. Pure.

A venue states with every report how much of an order it has filled (CumQty) and at what average (AvgPx). If that is more
than what has been booked, fills were lost on the way: a venue that dies may fill the gap in its sequence without the
reports it could not write. They are booked from the statement, in at most two parts at neighbouring ticks so that lots and
cash agree to the tick, under the id ``ORDER:status A-B``: lots A+1 to B of the order. A report that comes late and tells
of lots within A-B is one of those.
*Tested by* tests/unit/test_fix_incoming.py, tests/properties/test_fix_round_trip.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from common.messages import Order

_STATUS_ID = re.compile(r":status (\d+)-(\d+)\Z", re.ASCII)


@dataclass(slots=True)
class OrderView:
    """One order: ``cum_lots`` and ``notional_ticks`` (sum of lots × ticks) of what is booked; its fills' ids in ``exec_ids``.

    ``base_lots``: filled under the orders this one replaced, which the venue's CumQty counts too. ``covered``: lot ranges
    booked from statements. ``disputed``: corrections and busts already told.
    """

    order: Order
    base_lots: int = 0
    cum_lots: int = 0
    notional_ticks: int = 0
    exec_ids: set[str] = field(default_factory=set)
    covered: list[tuple[int, int]] = field(default_factory=list)
    disputed: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """Our order id."""
        return self.order.client_order_id

    def exec_id(self, venue_id: str) -> str:
        """The id a fill is stored under: a venue's ExecID may repeat on another order or another day."""
        return f"{self.name}:{venue_id}"

    def is_covered(self, low_lots: int, high_lots: int) -> bool:
        """True if lots ``low+1 … high`` are booked from a statement already."""
        return any(a <= low_lots and high_lots <= b for a, b in self.covered)

    def cover(self, low_lots: int, high_lots: int) -> None:
        """Note lots booked from a statement; ranges that touch become one, since a trade may lie across both."""
        if self.covered and self.covered[-1][1] == low_lots:
            low_lots = self.covered.pop()[0]
        self.covered.append((low_lots, high_lots))

    def book(self, exec_id: str, lots: int, ticks: int) -> None:
        """Note a booked fill."""
        self.exec_ids.add(exec_id)
        self.cum_lots += lots
        self.notional_ticks += lots * ticks


def restored(order: Order, fills: Iterable[tuple[str, int, int]], base_lots: int = 0) -> OrderView:
    """The view of an order of an earlier life from its stored fills: (exec id, lots, ticks)."""
    view = OrderView(order, base_lots)
    for exec_id, lots, ticks in fills:
        view.book(exec_id, lots, ticks)
        if (found := _STATUS_ID.search(exec_id)) is not None:
            view.cover(int(found[1]), int(found[2]))
    return view


def made_good(
    view: OrderView, up_to_lots: int, average_ticks: Decimal | None, other_ticks: int = 0, other_lots: int = 0
) -> list[tuple[str, int, int]]:
    """Fills (exec id, lots, ticks) that bring what is booked to ``up_to_lots``, and book them.

    ``average_ticks``: AvgPx over ``up_to_lots + other_lots``, of which ``other_lots`` at ``other_ticks`` are a fill still to be
    booked; with none, or one that cannot be, the limit price is taken.
    """
    low, lots = view.cum_lots, up_to_lots - view.cum_lots
    if lots <= 0:
        return []
    owed = lots * view.order.limit_ticks
    if average_ticks:
        total = average_ticks * (up_to_lots + other_lots)
        owed = int(total.to_integral_value(ROUND_HALF_EVEN)) - view.notional_ticks - other_lots * other_ticks
    below, dear = divmod(owed, lots)
    out: list[tuple[str, int, int]] = []
    for part, ticks in ((lots - dear, below), (dear, below + 1)):
        if part:
            high = low + part
            exec_id = view.exec_id(f"status {low}-{high}")
            view.book(exec_id, part, ticks)
            view.cover(low, high)
            out.append((exec_id, part, ticks))
            low = high
    return out
