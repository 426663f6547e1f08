"""Counters of the simulator's own: flow budgets and desks' parts from the journal's orders and reports, nothing of the manager's.

*Tested by* tests/simulation/test_simulator_mistakes.py (a reservation that is skipped is caught).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from common.control_messages import Cycle, JournalEvent, LeaderStarted
from common.factors import desk_of
from common.limits import Limits
from common.messages import ExecutionReport, Order, OrdStatus
from common.units import CENTS_PER_USD
from common.universe import FUTURE, Universe
from lab.audit_desks import furthest_behind


@dataclass(slots=True)
class Parts:
    """Whose each filled lot is: dealt lot by lot to the agent furthest behind its share, in the order of the journal."""

    _got: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    #: Signed lots by desk of each fill, by exec id.
    of_fill: dict[str, Counter[str]] = field(default_factory=dict)

    def take(self, order: Order, report: ExecutionReport) -> Counter[str]:
        """Signed lots of a fill by desk."""
        moved: Counter[str] = Counter()
        got = self._got[order.client_order_id]
        for _ in range(report.last_lots):
            agent = furthest_behind(order, got)
            got[agent] += 1
            moved[desk_of(agent)] += report.side.sign
        self.of_fill[report.exec_id] = moved
        return moved

    def left(self, order: Order) -> Counter[str]:
        """Lots by desk that have not filled, unsigned."""
        left: Counter[str] = Counter()
        for agent, lots in order.allocation:
            left[desk_of(agent)] += abs(lots) - self._got[order.client_order_id][agent]
        return left


@dataclass(slots=True)
class FlowCount:
    """Orders and notional (cents) of the day, of the firm ("") and of each desk: what is used and what open orders hold.

    ``limits``: those in force, kept by whoever reads the journal.
    """

    universe: Universe
    limits: Limits
    parts: Parts
    orders: Counter[str] = field(default_factory=Counter)
    notional_cents: Counter[str] = field(default_factory=Counter)
    open: dict[str, Order] = field(default_factory=dict)

    def take(self, event: JournalEvent) -> str | None:
        """One journal entry, fills already dealt; what it breaks, in words, or None."""
        if isinstance(event, Cycle):
            broken = [wrong for order in event.orders for wrong in self._reserve(order)]
            return next(iter(broken), None)
        if isinstance(event, ExecutionReport):
            if event.client_order_id in self.open and event.ord_status.terminal:
                self._end(event.client_order_id, counts=event.ord_status is not OrdStatus.REJECTED)
        elif isinstance(event, LeaderStarted):
            for state in event.recovered:
                name = state.order.client_order_id
                if state.ord_status.terminal and name in self.open:
                    self._end(name, counts=True)
                elif name not in self.open:
                    list(self._reserve(state.order))  # it stands already, whatever the budget says
        return None

    def _per_lot(self, order: Order) -> int:
        at = order.instrument
        tick = self.universe.tick_size[at] * self.universe.multiplier_usd[at] * CENTS_PER_USD
        return int(np.rint(abs(order.limit_ticks) * tick))

    def _reserve(self, order: Order) -> Iterator[str]:
        self.open[order.client_order_id] = order
        lots_of = _lots(order)
        for desk, lots in lots_of.items():
            self.orders[desk] += 1
            self.notional_cents[desk] += lots * self._per_lot(order)
        for desk in lots_of:
            flow = self.limits.flow_share(f"desk:{desk}" if desk else "firm")
            whose = f"of desk {desk}" if desk else "of the firm"
            if flow.orders is not None and self.orders[desk] > flow.orders:
                yield f"order {order.client_order_id} is number {self.orders[desk]} of the day {whose}, limit {flow.orders}"
            if flow.notional_usd is not None and self.notional_cents[desk] > flow.notional_usd * CENTS_PER_USD:
                usd, limit = self.notional_cents[desk] / CENTS_PER_USD, flow.notional_usd
                yield f"order {order.client_order_id} brings the notional {whose} to {usd:.0f} USD, limit {limit:.0f}"
            most = self._largest(order, desk)
            if most is not None and order.quantity_lots > most:
                yield f"order {order.client_order_id} has {order.quantity_lots} lots, limit {most} {whose}"

    def _largest(self, order: Order, desk: str) -> int | None:
        """Lots of the largest order that may serve a desk (or anybody)."""
        caps = self.limits.order_by_desk.get(desk) if desk else self.limits.order
        if caps is None:
            return None
        future = self.universe.kind[order.instrument] == FUTURE
        return caps.max_lots_future if future else caps.max_lots_option

    def _end(self, name: str, *, counts: bool) -> None:
        order = self.open.pop(name)
        left = self.parts.left(order)
        left[""] = sum(left.values())
        for desk in _lots(order):
            self.notional_cents[desk] -= left[desk] * self._per_lot(order)
            self.orders[desk] -= 0 if counts else 1


def _lots(order: Order) -> Counter[str]:
    """Lots of an order, unsigned: of the firm under "", of each desk under its name."""
    lots = Counter({"": order.quantity_lots})
    for agent, n in order.allocation:
        if desk_of(agent) and n:
            lots[desk_of(agent)] += abs(n)
    return lots
