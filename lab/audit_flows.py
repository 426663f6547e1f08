"""Flow budgets recounted from the journal alone: what was used plus what was set aside, per scope and day.

An order sets aside its quantity at its limit price (notional), its worst cost against the arrival mid plus fees, and
one order; fills turn that into what was realised, an end releases the rest, a refusal the count as well. A limit may be
tightened below what already stands; then nothing may be added until it fits again (promise 4).
*Tested by* tests/unit/test_lab_audit.py.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from common.control_messages import CommandTaken, Cycle, JournalEntry, LeaderStarted
from common.factors import kind_of
from common.limits import Limits
from common.messages import ExecutionReport, Order, OrdStatus
from common.units import CENTS_PER_USD, NS_PER_DAY
from common.universe import Universe
from lab.fills import half_cents_per_tick

_NAMES = ("cost in cents", "notional in cents", "orders")
_Key = tuple[str, int]


@dataclass(slots=True)
class _Open:
    scopes: dict[str, int]
    day: int
    cost_per_lot: int
    notional_per_lot: int
    arrival_twice_ticks: int
    leaves: dict[str, int] = field(default_factory=dict)


class _Recount:
    """Levels per (scope, day); cost rounded up to whole cents per lot, as money set aside must be."""

    def __init__(self, universe: Universe, limits: Limits) -> None:
        self.universe = universe
        self.limits = limits
        self.per_tick = half_cents_per_tick(universe)
        self.level: dict[_Key, list[int]] = defaultdict(lambda: [0, 0, 0])
        self.open: dict[str, _Open] = {}
        self.reports: set[str] = set()

    def scopes(self, order: Order) -> dict[str, int]:
        symbol = self.universe.symbols[int(self.universe.underlying[order.instrument])]
        out = {"firm": order.quantity_lots, f"underlying:{symbol}": order.quantity_lots}
        for agent, lots in order.allocation:
            if lots and (kind := kind_of(agent)):
                out[f"kind:{kind}"] = out.get(f"kind:{kind}", 0) + abs(lots)
        return out

    def reserve(self, order: Order, now_ns: int) -> Iterator[tuple[str, int, int, int]]:
        """Set an order aside; yields (scope, measure, level, limit) for each limit it went beyond."""
        per_tick = int(self.per_tick[order.instrument])
        arrival = order.arrival_bid_ticks + order.arrival_ask_ticks
        away = max(order.side.sign * (2 * order.limit_ticks - arrival), 0)
        cost = -(-away * per_tick // 4) + int(self.universe.fee_cents[order.instrument])
        notional = abs(order.limit_ticks) * per_tick // 2
        scopes = self.scopes(order)
        day = now_ns // NS_PER_DAY
        self.open[order.client_order_id] = _Open(scopes, day, cost, notional, arrival, dict(scopes))
        for scope, lots in scopes.items():
            level = self.level[scope, day]
            for i, amount in enumerate((lots * cost, lots * notional, 1)):
                level[i] += amount
                limit = self.limit(scope)[i]
                if amount and limit is not None and level[i] > limit:
                    yield scope, i, level[i], limit

    def limit(self, scope: str) -> tuple[int | None, int | None, int | None]:
        """Limit of a scope in cents, cents, orders; None where nobody set one."""
        share = self.limits.flow_share(scope)
        cost = None if share.cost_usd is None else int(share.cost_usd * CENTS_PER_USD)
        notional = None if share.notional_usd is None else int(share.notional_usd * CENTS_PER_USD)
        return cost, notional, share.orders

    def report(self, r: ExecutionReport) -> None:
        """A fill replaces what was set aside by what it cost; an end releases the rest."""
        held = self.open.get(r.client_order_id)
        if held is None or r.exec_id in self.reports:
            return
        self.reports.add(r.exec_id)
        if r.last_lots:
            paid_ticks = r.side.sign * (2 * r.last_ticks - held.arrival_twice_ticks) * r.last_lots
            paid = paid_ticks * int(self.per_tick[r.instrument]) / 4 + r.fee_cents
            for scope, lots in held.scopes.items():
                share = lots / held.scopes["firm"]
                self.level[scope, held.day][0] += round(paid * share) - round(r.last_lots * share) * held.cost_per_lot
                held.leaves[scope] -= round(r.last_lots * share)
        if r.ord_status.terminal:
            for scope, leaves in held.leaves.items():
                level = self.level[scope, held.day]
                level[0] -= leaves * held.cost_per_lot
                level[1] -= leaves * held.notional_per_lot
                level[2] -= int(r.ord_status is OrdStatus.REJECTED)
            del self.open[r.client_order_id]

    def command(self, taken: CommandTaken) -> None:
        """A limit that people changed holds from here on."""
        if taken.command.action == "limits.set" and taken.acknowledgement.accepted:
            said = json.loads(taken.command.arguments_json)
            self.limits = self.limits.with_change(said["path"], said["value"], taken.command.who, taken.command.why)


def flow_violations(universe: Universe, entries: Sequence[JournalEntry], limits: Limits) -> Iterator[str]:
    """Orders that went beyond a flow budget, in words."""
    count = _Recount(universe, limits)
    for entry in entries:
        event = entry.event
        if isinstance(event, Cycle):
            for order in event.orders:
                for scope, i, level, limit in count.reserve(order, entry.now_ns):
                    name = order.client_order_id
                    yield f"order {name} brings {_NAMES[i]} of {scope} to {level}, above the limit {limit}"
        elif isinstance(event, LeaderStarted):
            for state in event.recovered:
                if state.order.client_order_id not in count.open:
                    # It stands at the venue whatever the budget says; only what is decided later can break it.
                    list(count.reserve(state.order, state.order.event_time_ns))
        elif isinstance(event, ExecutionReport):
            count.report(event)
        elif isinstance(event, CommandTaken):
            count.command(event)
