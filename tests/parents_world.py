"""A venue that never forgets and says nothing by itself, and an execution on it that can die at three points of every act."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from common.errors import Unavailable
from common.messages import ExecutionReport, Order, OrderAck, QuoteBatch
from execution.core import step
from execution.events import Event, Fence, Quotes, Recovered, VenueEvents
from execution.hand import act, decide
from execution.state import ExecutionSetup, ExecutionState, start
from execution.store import MemoryStore, Store
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_limits, make_universe, quotes, standing

UNIVERSE = make_universe()
LIMITS = make_limits(max_open_orders=10_000)
ENDS = (VenueKind.CANCELED, VenueKind.REJECTED, VenueKind.EXPIRED)


class Exchange:
    """Counts what reached it. ``down``: an order leaves, and whether it arrived is not known."""

    name = "exchange"
    next_due_ns = None

    def __init__(self) -> None:
        self.arrived: Counter[str] = Counter()
        self.orders: dict[str, Order] = {}
        self.told: dict[str, list[VenueEvent]] = {}
        self.cancels: set[str] = set()
        self.down = False

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        self.arrived[order.client_order_id] += 1
        self.orders[order.client_order_id] = order
        self.told[order.client_order_id] = []
        if self.down:
            raise Unavailable("the line broke after the order had left")
        return []

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        raise AssertionError("nothing is replaced here")

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        if self.down:
            raise Unavailable("the line is down")
        self.cancels.add(client_order_id)
        return []

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        if client_order_id not in self.orders:
            return [VenueEvent(VenueKind.NOT_FOUND, client_order_id, now_ns)]
        return list(self.told[client_order_id])

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        return []

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        return []

    # -- its own life --------------------------------------------------------------------------------------------------

    def leaves(self, name: str) -> int:
        told = self.told[name]
        if any(e.kind in ENDS for e in told):
            return 0
        return self.orders[name].quantity_lots - self.filled(name)

    def filled(self, name: str) -> int:
        return sum(e.lots for e in self.told[name])

    def open(self) -> list[str]:
        return [name for name in self.orders if self.leaves(name)]

    def happen(self, name: str, kind: VenueKind, lots: int = 0) -> VenueEvent:
        order = self.orders[name]
        event = VenueEvent(
            kind, name, T0_NS + 2, f"{name}/{len(self.told[name]):03}", lots, order.limit_ticks if lots else 0
        )
        self.told[name].append(event)
        return event


class Mortal:
    """What dies at a point of an act: before what it decided is committed, after that, after it is carried out."""

    state: ExecutionState
    store: Store
    venue: Exchange

    def run(self, events: Sequence[Event], crash: str = "") -> list[OrderAck]:
        group = decide(self.state, self.store, events)
        if crash == "before the commit":
            self.restart()
            return []
        self.store.commit(group.records)
        if crash == "after the commit":
            self.restart()
            return []
        outcome = act(group, self.venue, self.state.now_ns)
        if crash == "after the act":
            self.restart()
            return []
        if outcome.venue:
            self.run([VenueEvents(tuple(outcome.venue), 1)])
        return [ack for acks in outcome.acks for ack in acks]

    def restart(self) -> None:
        raise AssertionError("whoever can die says how it begins anew")


class House(Mortal):
    """Execution with a store and the exchange; quotes of both underlyings stand from the start."""

    def __init__(self, store: Store | None = None, sessions_ns: tuple[tuple[int, int], ...] = ()) -> None:
        self.store = store or MemoryStore()
        self.venue = Exchange()
        self.sessions_ns = sessions_ns
        self.acks: list[OrderAck] = []
        self.sequence = 1
        self.now_ns = T0_NS
        self.state = self._started()
        self.quoted()
        self.run([Fence(1, "m1")])

    def _started(self) -> ExecutionState:
        return start(ExecutionSetup(UNIVERSE, LIMITS, self.store.load(), self.sessions_ns))

    def quoted(self) -> None:
        for symbol in ("AAA", "BBB"):
            step(self.state, Quotes(standing(self.sequence, symbol=symbol, at_ns=self.now_ns)))

    def quote(self, bid: int, ask: int, lots: int = 10, instrument: int = 0) -> None:
        self.sequence += 1
        step(
            self.state,
            Quotes(quotes(self.sequence, (instrument, bid, ask, lots, lots), at_ns=self.now_ns, snapshot=True)),
        )

    def restart(self) -> None:
        self.state = self._started()
        self.quoted()
        self.run([Recovered(1)])

    def reports(self, name: str = "") -> list[ExecutionReport]:
        return [r for r in self.store.reports(1, 10**6) if name in ("", r.client_order_id)]

    def hear(self, *events: VenueEvent, crash: str = "") -> None:
        self.run([VenueEvents(events, 1)], crash)
