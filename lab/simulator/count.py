"""Counters of the simulator's own: flow budgets from the journal's orders and reports, nothing from the manager's state.

*Tested by* tests/simulation/test_simulator_mistakes.py (a reservation that is skipped is caught).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np

from common.control_messages import CommandTaken, Cycle, JournalEvent, LeaderStarted
from common.limits import Limits
from common.messages import ExecutionReport, Order, OrdStatus
from common.units import CENTS_PER_USD
from common.universe import Universe


@dataclass(slots=True)
class FlowCount:
    """Orders and notional (cents) of the firm's day: what has been used and what open orders hold."""

    universe: Universe
    limits: Limits
    orders: int = 0
    notional_cents: int = 0
    #: Open orders: lots that may still fill.
    open: dict[str, tuple[Order, int]] = field(default_factory=dict)

    def take(self, event: JournalEvent) -> str | None:
        """One journal entry; what it breaks, in words, or None."""
        if isinstance(event, Cycle):
            broken = [self._reserve(order) for order in event.orders]
            return next((b for b in broken if b is not None), None)
        if isinstance(event, ExecutionReport):
            self._report(event)
        elif isinstance(event, LeaderStarted):
            for state in event.recovered:
                name = state.order.client_order_id
                if state.ord_status.terminal and name in self.open:
                    self._end(name, counts=True)
                elif name not in self.open:
                    self._reserve(state.order)  # it stands already, whatever the budget says
        elif (
            isinstance(event, CommandTaken) and event.command.action == "limits.set" and event.acknowledgement.accepted
        ):
            said = json.loads(event.command.arguments_json)
            self.limits = self.limits.with_change(said["path"], said["value"], "count", "count")
        return None

    def _per_lot(self, order: Order) -> int:
        at = order.instrument
        tick = self.universe.tick_size[at] * self.universe.multiplier_usd[at] * CENTS_PER_USD
        return int(np.rint(abs(order.limit_ticks) * tick))

    def _reserve(self, order: Order) -> str | None:
        self.open[order.client_order_id] = (order, order.quantity_lots)
        self.orders += 1
        self.notional_cents += order.quantity_lots * self._per_lot(order)
        flow = self.limits.flow
        if self.orders > flow.orders:
            return f"order {order.client_order_id} is number {self.orders} of the day, limit {flow.orders}"
        if self.notional_cents > flow.notional_usd * CENTS_PER_USD:
            usd = self.notional_cents / CENTS_PER_USD
            return f"order {order.client_order_id} brings the notional to {usd:.0f} USD, limit {flow.notional_usd:.0f}"
        return None

    def _report(self, report: ExecutionReport) -> None:
        name = report.client_order_id
        if name not in self.open:
            return
        order, leaves = self.open[name]
        self.open[name] = (order, leaves - report.last_lots)
        if report.ord_status.terminal:
            self._end(name, counts=report.ord_status is not OrdStatus.REJECTED)

    def _end(self, name: str, *, counts: bool) -> None:
        order, leaves = self.open.pop(name)
        self.notional_cents -= leaves * self._per_lot(order)
        self.orders -= 0 if counts else 1
