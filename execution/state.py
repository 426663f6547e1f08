"""What the core owns while it runs, and what it starts from.

*Tested by* tests/properties/test_execution_core.py, tests/contract/test_execution_store.py.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from common.lifecycle import Outcome, outcomes, settlement_at
from common.messages import ExecutionReport, TradingState
from common.snapshot import MarketSnapshot
from common.universe import Universe
from execution.drawdown import Drawdown
from execution.events import TradingSet
from execution.exposure import Exposure
from execution.flow import Flow
from execution.limits import ExecutionLimits
from execution.orders import OrderRecord
from execution.tactics.plan import Plan
from execution.venues.port import VenueEvent

_NEVER_SET = TradingSet(TradingState.ACTIVE, "", "")
#: Terminal orders kept in memory; older ones are fetched from the store when somebody names them.
FINISHED_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store knows at the start. ``open_records`` oldest first; ``position_lots`` signed, per instrument."""

    epoch: int = 0
    holder: str = ""
    trading: TradingSet = _NEVER_SET
    open_records: tuple[OrderRecord, ...] = ()
    position_lots: dict[int, int] = field(default_factory=dict)
    #: Per instrument (-Σ signed lots × ticks, Σ fees in cents) of every fill.
    cash: dict[int, tuple[int, int]] = field(default_factory=dict)
    last_sequence: int = 0
    last_event_time_ns: int = 0
    orders: int = 0
    fills: int = 0
    #: Underlyings that are not active, each under its scope.
    stopped: tuple[TradingSet, ...] = ()
    #: Reports of what has settled, in their order; ``position_lots`` and ``cash`` do not know of them.
    settled: tuple[ExecutionReport, ...] = ()
    #: Ended children of open parents, the orders that open ones follow, and ended legs of combos that have open ones.
    relatives: tuple[OrderRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionSetup:
    """What a core starts from."""

    universe: Universe
    limits: ExecutionLimits
    stored: Stored
    #: (open, close) of each session in market time; empty means always open.
    sessions_ns: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Stir:
    """An order that others depend on changed, because of what the venue said."""

    before: OrderRecord
    after: OrderRecord
    event: VenueEvent


@dataclass(slots=True)
class ExecutionState:
    """Owned by one shell. ``orders`` holds every open order and the last finished ones."""

    universe: Universe
    limits: ExecutionLimits
    snapshot: MarketSnapshot
    epoch: int
    holder: str
    trading: TradingSet
    sequence: int
    now_ns: int
    orders_stored: int
    fills_stored: int
    exposure: Exposure
    orders: dict[str, OrderRecord] = field(default_factory=dict)
    open: dict[str, None] = field(default_factory=dict)
    finished: deque[str] = field(default_factory=deque)
    flow: Flow = field(default_factory=Flow)
    drawdown: Drawdown = field(default_factory=Drawdown)
    #: Scopes that are paused or killed apart from everything else: ``underlying:SPX``.
    stopped: dict[str, TradingSet] = field(default_factory=dict)
    sessions_ns: tuple[tuple[int, int], ...] = ()
    #: Open parents at work, and by id of an order those that follow it.
    plans: dict[str, Plan] = field(default_factory=dict)
    followers: dict[str, list[str]] = field(default_factory=dict)
    #: Changes of children and of orders that others follow, until ``parents.settled`` has taken them up.
    stirred: list[Stir] = field(default_factory=list)
    relatives: tuple[OrderRecord, ...] = ()
    #: Whether the venue takes combos; None while that is not known.
    combos: bool | None = None
    #: Open orders about which the venue has been asked and has not said anything since: it may not have heard the question.
    asked: set[str] = field(default_factory=set)
    #: What a lot of each contract that has settled became.
    settled: dict[int, Outcome] = field(default_factory=dict)

    def settle(self, reference: int, price_ticks: int) -> bool:
        """Take a settlement in; False if it was before."""
        settlement = settlement_at(self.universe, reference)
        if reference in self.settled:
            return False
        for outcome in outcomes(self.universe, settlement, price_ticks):
            self.settled[outcome.instrument] = outcome
            self.exposure.settled(outcome)
        return True

    def put(self, record: OrderRecord) -> None:
        """Make ``record`` what is known of its order; forget the oldest finished one when there are too many."""
        name = record.order.client_order_id
        before = self.orders.get(name)
        self.exposure.moved(before, record)
        if (outcome := self.settled.get(record.order.instrument)) is not None:
            self.exposure.settled(outcome)  # a fill told late, of a contract that has settled since
        self.orders[name] = record
        if record.open:
            self.open[name] = None
        elif before is None or before.open:
            self.open.pop(name, None)
            self._keep(name)

    def remember(self, record: OrderRecord) -> None:
        """Take a finished record back into memory; it is already accounted for."""
        name = record.order.client_order_id
        if name not in self.orders:
            self.orders[name] = record
            self._keep(name)

    def _keep(self, name: str) -> None:
        self.finished.append(name)
        if len(self.finished) > FINISHED_KEPT:
            self.orders.pop(self.finished.popleft(), None)


def start(setup: ExecutionSetup) -> ExecutionState:
    """State as the store left it; reference quotes are empty."""
    stored = setup.stored
    state = ExecutionState(
        universe=setup.universe,
        limits=setup.limits,
        snapshot=MarketSnapshot(setup.universe),
        epoch=stored.epoch,
        holder=stored.holder,
        trading=stored.trading,
        sequence=stored.last_sequence,
        now_ns=stored.last_event_time_ns,
        orders_stored=stored.orders,
        fills_stored=stored.fills,
        exposure=Exposure(),
    )
    state.stopped = {held.scope: held for held in stored.stopped}
    state.sessions_ns, state.relatives = setup.sessions_ns, stored.relatives
    for record in stored.open_records:
        state.put(record)
    # The stored position holds every fill, those of open orders too, which ``put`` has just counted.
    state.exposure.position_lots = dict(stored.position_lots)
    state.exposure.traded_lots = dict(stored.position_lots)
    state.exposure.cash = dict(stored.cash)
    for told in stored.settled:
        state.settle(told.instrument, told.last_ticks)
    return state
