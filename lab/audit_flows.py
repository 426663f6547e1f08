"""Flow budgets recounted from the journal alone: what was used plus what was set aside, per scope and day.

Scopes: firm, desk, agent kind, agent, underlying; a kind is also held to its share of the last recorded division. An order
that a cycle names as an emergency pays its cost from the emergency budget alone.

An order sets aside its quantity at its limit price (notional), its worst cost against the arrival mid plus fees, and
one order; fills turn that into what was realised (each agent's lots dealt anew, lot by lot), an end releases the rest,
a refusal the count as well. A limit may be tightened below what already stands; then nothing may be added until it fits
again (promise 4).
*Tested by* tests/unit/test_lab_audit.py.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from common import limits_changes
from common.calendars.day import Spans
from common.calendars.trading_days import TradingDays
from common.control_messages import BudgetRound, CommandTaken, Cycle, JournalEntry, LeaderStarted
from common.errors import Refused
from common.factors import desk_of, kind_of, without_desk
from common.limits import Limits
from common.limits_changes import LimitsLog
from common.messages import ExecutionReport, Order, OrdStatus
from common.units import CENTS_PER_USD
from common.universe import Universe
from lab.audit_desks import furthest_behind
from lab.fills import half_cents_per_tick

_EMERGENCY = "emergency"
_NAMES = ("cost in cents", "notional in cents", "orders")
_Key = tuple[str, int]


@dataclass(slots=True)
class _Open:
    order: Order
    scopes: dict[str, int]
    day: int
    cost_per_lot: int
    notional_per_lot: int
    arrival_twice_ticks: int
    emergency: bool = False
    got: Counter[str] = field(default_factory=Counter)


class _Recount:
    """Levels per (scope, day); cost rounded up to whole cents per lot, as money set aside must be."""

    def __init__(self, universe: Universe, limits: Limits, sessions_ns: Spans = ()) -> None:
        self.universe = universe
        self.days = TradingDays(sessions_ns)
        self.log = LimitsLog(limits)
        self.share: dict[_Key, int] = {}
        self.per_tick = half_cents_per_tick(universe)
        self.level: dict[_Key, list[int]] = defaultdict(lambda: [0, 0, 0])
        self.open: dict[str, _Open] = {}
        self.reports: set[str] = set()

    def scopes(self, instrument: int, parts: Iterable[tuple[str, int]], emergency: bool) -> dict[str, int]:
        """Lots per scope of agents' parts of one instrument."""
        symbol = self.universe.symbols[int(self.universe.underlying[instrument])]
        out: dict[str, int] = defaultdict(int)
        for agent, signed in parts:
            lots = abs(signed)
            for scope in ("firm", f"underlying:{symbol}", *((_EMERGENCY,) if emergency else ())):
                out[scope] += lots
            named = (("kind", kind_of(agent)), ("agent", without_desk(agent)), ("desk", desk_of(agent)))
            for scope in (f"{head}:{name}" for head, name in named if lots and name):
                out[scope] += lots
        return dict(out)

    def reserve(self, order: Order, now_ns: int, emergency: bool = False) -> Iterator[tuple[str, int, int, int]]:
        """Set an order aside; yields (scope, measure, level, limit) for each limit it went beyond."""
        per_tick = int(self.per_tick[order.instrument])
        arrival = order.arrival_bid_ticks + order.arrival_ask_ticks
        away = max(order.side.sign * (2 * order.limit_ticks - arrival), 0)
        cost = -(-away * per_tick // 4) + int(self.universe.fee_cents[order.instrument])
        notional = abs(order.limit_ticks) * per_tick // 2
        scopes = self.scopes(order.instrument, order.allocation, emergency)
        day = self.days.of(now_ns)
        held = _Open(order, scopes, day, cost, notional, arrival, emergency)
        self.open[order.client_order_id] = held
        for scope, lots in scopes.items():
            level, (pays, counts) = self.level[scope, day], _bears(held, scope)
            for i, amount in enumerate((lots * cost * pays, lots * notional * counts, counts)):
                level[i] += amount
                limit = self.limit(scope, day)[i]
                if amount and limit is not None and level[i] > limit:
                    yield scope, i, level[i], limit

    def limit(self, scope: str, day: int) -> tuple[int | None, int | None, int | None]:
        """Limit of a scope on a day in cents, cents, orders; None where nobody set one."""
        if scope == _EMERGENCY:
            return int(self.log.limits.flow.emergency_cost_usd * CENTS_PER_USD), None, None
        share, divided = self.log.limits.flow_share(scope), self.share.get((scope, day))
        cost = None if share.cost_usd is None else int(share.cost_usd * CENTS_PER_USD)
        if divided is not None:
            cost = divided if cost is None else min(cost, divided)
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
            for scope, lots in self.dealt(held, r.last_lots).items():
                cost = round(paid * lots / r.last_lots) - lots * held.cost_per_lot
                self.level[scope, held.day][0] += cost * _bears(held, scope)[0]
        if r.ord_status.terminal:
            filled = self.scopes(r.instrument, held.got.items(), held.emergency)
            for scope, lots in held.scopes.items():
                leaves = lots - filled.get(scope, 0)
                level, (pays, counts) = self.level[scope, held.day], _bears(held, scope)
                level[0] -= leaves * held.cost_per_lot * pays
                level[1] -= leaves * held.notional_per_lot * counts
                level[2] -= int(r.ord_status is OrdStatus.REJECTED) * counts
            del self.open[r.client_order_id]

    def dealt(self, held: _Open, lots: int) -> dict[str, int]:
        """Lots per scope of the agents that a fill goes to."""
        before = held.got.copy()
        for _ in range(lots):
            held.got[furthest_behind(held.order, held.got)] += 1
        return self.scopes(held.order.instrument, (held.got - before).items(), held.emergency)

    def command(self, taken: CommandTaken, entry: JournalEntry) -> None:
        """A limit that people changed, or let widen, holds from here on."""
        if taken.command.action in limits_changes.ACTIONS and taken.acknowledgement.accepted:
            with contextlib.suppress(Refused):  # ``audit_limits`` says so
                self.log = self.log.take(taken.command, entry.now_ns, entry.wall_ns)[0]

    def round(self, held: BudgetRound) -> None:
        """The division of a day's cost holds from here on; what stands already may stand above it."""
        self.share = {(scope, held.day): int(c) for scope, c in zip(held.spender, held.cost_cents, strict=True)}


def _bears(held: _Open, scope: str) -> tuple[int, int]:
    """(1 if the scope pays the order's cost, 1 if its notional and count are the scope's)."""
    urgent = scope == _EMERGENCY
    return int(urgent == held.emergency), int(not urgent)


def flow_violations(
    universe: Universe, entries: Sequence[JournalEntry], limits: Limits, sessions_ns: Spans = ()
) -> Iterator[str]:
    """Orders that went beyond a flow budget, in words. A day ends as the sessions say, without them at midnight UTC."""
    count = _Recount(universe, limits, sessions_ns)
    for entry in entries:
        event = entry.event
        if isinstance(event, Cycle):
            for order in event.orders:
                urgent = order.client_order_id in event.emergency
                for scope, i, level, limit in count.reserve(order, entry.now_ns, urgent):
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
            count.command(event, entry)
        elif isinstance(event, BudgetRound):
            count.round(event)
