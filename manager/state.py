"""What the manager knows. ``Fold`` is what the journal alone gives back; the rest is rebuilt from latest values.

*Tested by* tests/properties/test_manager_fold.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from common.calendars.day import Spans
from common.calendars.trading_days import TradingDays
from common.control_messages import Acknowledgement, BudgetRound, Command, Cycle, DayStruck
from common.errors import HedgerowError, UsageError
from common.limits import Limits
from common.limits_changes import LimitsLog
from common.messages import F64, AgentParameters, AssignmentUpdate, BudgetUpdate, Heartbeat, Proposal, TradingState
from common.parameters import DEFAULTS
from common.snapshot import MarketSnapshot
from common.universe import Book, Universe
from manager.budgets_marks import MarginCells
from manager.closing import ClosingQuotes
from manager.config import ManagerConfig
from manager.exposures import FactorTable, limit_columns
from manager.flows import Flows, amounts, scopes_of
from manager.holding import Holding, Marked
from manager.imports import Imports
from manager.ledger import Ledger
from manager.orders import OrderBook
from manager.risk_price import RiskPrice
from manager.volatility import RunningVolatility

NEVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class ManagerSetup:
    """What a run is about; the same for leader, standby and replay."""

    universe: Universe
    book: Book
    config: ManagerConfig
    limits: Limits
    run_id: str
    #: The agents' parameters that may be changed live, as the run's settings have them.
    parameters: Mapping[str, float] = field(default_factory=lambda: DEFAULTS)
    #: Open and close of each session, UTC ns: where trading days end. None: days are those of UTC and none is struck.
    sessions_ns: Spans = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A scope in which no order may leave: paused or killed, who said so and why."""

    state: TradingState
    who: str
    why: str


@dataclass(slots=True)
class Fold:
    """The fold of the journal. Only ``manager.fold.apply`` changes it."""

    limits: Limits
    table: FactorTable
    soft: F64
    hard: F64
    #: The soft limits that people set, before any division: ``soft`` is the tighter of these and ``divided``.
    allowed: F64
    orders: OrderBook
    ledger: Ledger
    flows: Flows
    #: How ``limits`` came to hold, and what waits for a second person; what the last division gives each factor, (f,).
    limits_log: LimitsLog
    divided: F64
    sequence: int = 0
    epoch: int = 0
    holder: str = ""
    now_ns: int = 0
    trading: TradingState = TradingState.ACTIVE
    trading_text: str = "since the start"
    #: Scopes stopped apart from the firm: ``underlying:SPX``, ``desk:rates``, ``agent:gamma-0``.
    holds: dict[str, Hold] = field(default_factory=dict)
    #: Client trades told since the open, by their own id.
    imports: Imports = field(default_factory=Imports)
    #: Every change of the agents' live parameters, oldest first; the last one is what holds.
    parameters: list[AgentParameters] = field(default_factory=list)
    assignment: AssignmentUpdate | None = None
    budgets: BudgetUpdate | None = None
    proposals: dict[str, Proposal] = field(default_factory=dict)
    #: Newest (incarnation, sequence) seen of each agent; the proposal whose wish has been used.
    newest: dict[str, tuple[int, int]] = field(default_factory=dict)
    consumed: dict[str, str] = field(default_factory=dict)
    #: Newest proposal accepted since the last cycle: what causes the next one.
    fresh: Proposal | None = None
    last_cycle: Cycle | None = None
    #: Last cycle the solver decided: the warm start and the prices of risk.
    last_solved: Cycle | None = None
    cycle_number: int = 0
    report_sequence: int = 0
    #: Instruments resting after an order ended unfilled or was refused, and until when (market time).
    rest_until_ns: dict[int, int] = field(default_factory=dict)
    #: Instruments whose orders end unfilled: since when (market time) none of them filled. A refusal ends it too.
    unfilled_since_ns: dict[int, int] = field(default_factory=dict)
    #: Underlyings (by position) of which execution lets out only what shrinks a traded position, and until when that is believed.
    reduce_only_until_ns: dict[int, int] = field(default_factory=dict)
    #: Instruments of which execution refused an order as too large: (lots that may pass, until when that is believed).
    too_large: dict[int, tuple[int, int]] = field(default_factory=dict)
    commands: dict[str, Acknowledgement] = field(default_factory=dict)
    refused_proposals: Counter[str] = field(default_factory=Counter)
    refused_orders: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    wished_cost_cents: int = 0
    #: The last division of the budgets, when the last ones were held (an hour back), under which leader.
    last_round: BudgetRound | None = None
    round_ns: tuple[int, ...] = ()
    round_epoch: int = 0
    #: Per agent: Σ over cycles of price of risk × exposure taken off by the decided trade.
    risk_removed_usd: dict[str, float] = field(default_factory=dict)
    modelled_cost_cents: int = 0
    #: The last strike: what today's P&L is counted from.
    struck: DayStruck | None = None
    #: Wall seconds without a word of the feed when it was found silent; 0 while it is heard.
    feed_silent_s: float = 0.0


@dataclass(slots=True)
class ManagerState:
    """The manager. One owner, changed in place by ``step`` and ``apply``."""

    setup: ManagerSetup
    fold: Fold
    market: MarketSnapshot
    volatility: RunningVolatility
    risk_price: RiskPrice
    #: Shares of the half spread, (3, n): paid, linear and square-root impact.
    cost_shares: F64
    leading: bool = False
    reconcile_to: int = 0
    #: Commands waiting for execution's answer; while a pause or kill waits no order is decided.
    pending: dict[str, Command] = field(default_factory=dict)
    #: Digest of what each command in ``fold.commands`` asked for, as far back as this manager has read the journal.
    asked: dict[str, str] = field(default_factory=dict)
    #: The command whose answer is the journal's last entry and whose effect would be the next one; empty otherwise.
    unfinished: str = ""
    dirty: bool = False
    retry_ns: int = NEVER_NS
    heartbeats: dict[str, tuple[Heartbeat, int]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    clock_ns: int = 0
    #: P&L of a lot of each contract in each cell of the margin grid, as of the last round this manager held.
    margin: MarginCells | None = None
    days: TradingDays = field(default_factory=TradingDays)
    #: Quotes of the close that waits to be struck, once anything later has come.
    closing: ClosingQuotes | None = None
    #: What each scope held when it was last asked for (``budgets_scopes.held_lots``).
    holdings: dict[str, Holding] = field(default_factory=dict)
    #: The last marks of what is held.
    marked: Marked | None = None

    @property
    def now_ns(self) -> int:
        """Market time: the largest event time applied."""
        return max(self.clock_ns, self.market.now_ns, self.fold.now_ns)

    @property
    def journal_sequence(self) -> int:
        """Last journal entry applied."""
        return self.fold.sequence

    @property
    def report_sequence(self) -> int:
        """Last execution report applied; the shell asks for the next one after a gap."""
        return self.fold.report_sequence

    @property
    def reconciled(self) -> bool:
        """Everything execution had written at the takeover has been applied."""
        return self.fold.report_sequence >= self.reconcile_to

    def check(self) -> None:
        """Raise ``HedgerowError`` where something does not add up: flow budgets, order quantities, positions."""
        self.fold.flows.check()
        self._check_reservations()
        self._check_bill()
        for life in (*self.fold.orders.open.values(), *self.fold.orders.ended.values()):
            order = life.order
            if sum(lots for _, lots in order.allocation) != order.signed_lots:
                raise HedgerowError(f"order {order.client_order_id}: allocation does not add up")
            if sum(life.got.values()) != life.cum_lots:
                raise HedgerowError(f"order {order.client_order_id}: fills were not allocated in full")
        for at in self.fold.ledger.touched:
            split = sum(mine.get(at, 0) for mine in self.fold.ledger.by_agent.values())
            if split != self.fold.ledger.traded[at]:
                raise HedgerowError(f"instrument {at}: agents hold {split}, traded {self.fold.ledger.traded[at]}")

    def _check_bill(self) -> None:
        ledger = self.fold.ledger
        paid, owed = sum(ledger.accounts.values()), ledger.cost_cents + ledger.fee_cents
        if paid != owed:
            raise HedgerowError(f"the accounts hold {paid} cents, the bill is {owed}")

    def _check_reservations(self) -> None:
        want: Counter[tuple[str, int]] = Counter()
        for life in self.fold.orders.open.values():
            scopes = scopes_of(life.symbol, life.open_by_agent(), emergency=life.emergency)
            for scope, wanted in amounts(scopes, life.per_lot_cents).items():
                want[scope, life.day] += wanted[0]
        for key, meter in self.fold.flows.meters.items():
            if meter.reserved[0] != want[key]:
                raise HedgerowError(f"flow {key}: reserved {meter.reserved[0]}, open orders need {want[key]}")


def start(setup: ManagerSetup) -> ManagerState:
    """A manager that knows nothing yet. ``UsageError`` where the limits name an underlying that does not exist."""
    universe, config = setup.universe, setup.config
    unknown = setup.limits.unknown_underlyings(universe.symbols)
    if unknown:
        raise UsageError(f"limits name {', '.join(unknown)}; this market has {', '.join(universe.symbols)}")
    desks = setup.book.desk_names
    strangers = setup.limits.unknown_desks(desks)
    if strangers:
        known = ", ".join(filter(None, desks)) or "none"
        raise UsageError(f"limits name the desks {', '.join(strangers)}; this book has {known}")
    table = FactorTable(universe, desks)
    soft, hard = limit_columns(setup.limits, table.names)
    fold = Fold(
        limits=setup.limits,
        limits_log=LimitsLog(setup.limits),
        divided=np.full(len(table.names), np.inf),
        table=table,
        soft=soft,
        hard=hard,
        allowed=soft,
        orders=OrderBook(config.orders_kept),
        ledger=Ledger(universe, config.history_max, config.exec_ids_kept, desks),
        flows=Flows(setup.limits),
    )
    return ManagerState(
        setup=setup,
        fold=fold,
        market=MarketSnapshot(universe),
        volatility=RunningVolatility(universe, config.volatility),
        risk_price=RiskPrice(universe, table.names, config),
        days=TradingDays(setup.sessions_ns),
        cost_shares=config.cost_model.columns(universe, config.impact_share, config.root_impact_share),
    )
