"""The manager's record and the control plane: commands, decisions, and the lines of the journal.

They mirror ``proto/hedgerow/control/v1``; the messages they hold stand in ``common/messages.py``.
*Tested by* tests/properties/test_wire_round_trip.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from common.messages import (
    F64,
    I64,
    U8,
    U32,
    AgentParameters,
    AssignmentUpdate,
    BudgetUpdate,
    ExecutionReport,
    Header,
    Order,
    OrderState,
    Proposal,
)


@dataclass(frozen=True, slots=True)
class Command:
    """One control action of a person. ``arguments`` is JSON text, validated by the receiver."""

    command_id: str
    action: str
    who: str
    why: str
    arguments_json: str = "{}"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Answer to a command, sent when it holds."""

    command_id: str
    accepted: bool
    text: str


@dataclass(frozen=True, slots=True)
class Crossing:
    """Lots that change hands at mid between two desks of one legal entity, without the market: no cost, no fee.

    ``bought`` and ``sold`` say for which agent of the buying and the selling desk (``gamma-0@rates``), in positive whole
    lots that each add up to ``lots``. The mid is half of ``bid_ticks`` + ``ask_ticks``, the quote of the decision.
    """

    crossing_id: str
    instrument: int
    buyer: str
    seller: str
    lots: int
    bid_ticks: int
    ask_ticks: int
    bought: tuple[tuple[str, int], ...]
    sold: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Cycle:
    """One decision of the manager: what it knew, what it decided. f factors, m menu instruments. See control.proto.

    Where there are several desks: ``desk_lots`` (d, m), what each of ``desk`` trades, crossings included.
    """

    cycle_id: str
    market_seen: tuple[tuple[str, int], ...]
    proposal_id: tuple[str, ...]
    method: str
    factor: tuple[str, ...]
    exposure_before: F64
    exposure_after: F64
    lower: F64
    upper: F64
    price_of_risk: F64
    menu: U32
    solution_lots: F64
    ordered_lots: I64
    wished_lots: F64
    iterations: int
    orders: tuple[Order, ...]
    inputs_hash: str
    cost_cents: int
    wished_cost_cents: int
    solve_ns: int = 0
    desk: tuple[str, ...] = ()
    desk_lots: I64 = field(default_factory=lambda: np.empty((0, 0), np.int64))
    crossings: tuple[Crossing, ...] = ()
    #: Orders whose cost comes from the emergency budget: they bring a broken hard limit back.
    emergency: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposalTaken:
    """A proposal as received; ``refusal`` is empty if it was accepted."""

    proposal: Proposal
    refusal: str


@dataclass(frozen=True, slots=True)
class CommandTaken:
    """A control action and its outcome."""

    command: Command
    acknowledgement: Acknowledgement


@dataclass(frozen=True, slots=True)
class LeaderStarted:
    """A takeover: who, what was reconciled, which orders the journal's tail had lost, how far the market was known."""

    holder: str
    last_report_sequence: int
    recovered: tuple[OrderState, ...]
    market_seen: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """The manager asked for these working orders to be cancelled."""

    client_order_id: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class BudgetRound:
    """One division of the firm's budgets: why it was held, what it saw, what it gave. See control.proto for each column.

    f factors, u underlyings of the universe, s scopes, k agent kinds. NaN: nothing known or no limit of that sort.
    """

    number: int
    reasons: tuple[str, ...]
    market_seen: tuple[tuple[str, int], ...]
    limits_version: int
    day: int
    published: bool
    factor: tuple[str, ...]
    exposure: F64
    used: F64
    price_of_risk: F64
    share: F64
    soft_limit: F64
    sigma_daily: F64
    mid: F64
    fresh: U8
    scope: tuple[str, ...]
    risk_usd: F64
    open_usd: F64
    pnl_usd: F64
    high_usd: F64
    stop_usd: F64
    worst_loss_usd: F64
    reduce_only: tuple[str, ...]
    spender: tuple[str, ...]
    cost_cents: I64
    spent_cents: I64
    unpriced: int = 0

    def why_reduce_only(self, scope: str) -> str:
        """Why a scope may only reduce its risk; empty where it may do more."""
        return dict(zip(self.scope, self.reduce_only, strict=True)).get(scope, "")


@dataclass(frozen=True, slots=True)
class ImportedTrade:
    """A client's trade told while a run lasts: signed ``lots`` of a row of the universe, ``price`` in points.

    ``corrects`` / ``cancels``: the trade it replaces / takes back, empty if none; a cancel repeats the terms of that trade.
    """

    trade_id: str
    account: str
    instrument: int
    lots: int
    price: float
    time_ns: int
    corrects: str = ""
    cancels: str = ""


@dataclass(frozen=True, slots=True)
class TradesImported:
    """Client trades taken into the book, all of one command at once; those known before are not among them.

    ``marks``: (row of the universe, points) of each contract they are in or take back, finite; what had none is left out.
    """

    import_id: str
    trades: tuple[ImportedTrade, ...]
    market_seen: tuple[tuple[str, int], ...] = ()
    marks: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class DayStruck:
    """The P&L of a day struck at its close, or, with ``day`` 0, the level the first day opens from. See control.proto.

    k contracts that were held, with the ``mark`` (k,) in points each was struck at; d desks. ``level_usd`` (d,): value at the
    marks plus cash less fees; ``pnl_usd`` (d,): what was earned since the strike before. NaN where a mark was missing.
    """

    day: int
    at_ns: int
    market_seen: tuple[tuple[str, int], ...]
    instrument: U32
    mark: F64
    desk: tuple[str, ...]
    level_usd: F64
    pnl_usd: F64
    #: Underlyings of which quotes later than the close were used: this leader had not seen the close.
    late: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedSilence:
    """Nothing was heard of the feed for ``silent_s`` wall seconds: no order until it is heard again, which 0 says."""

    silent_s: float


JournalEvent = (
    LeaderStarted
    | ProposalTaken
    | Cycle
    | ExecutionReport
    | CommandTaken
    | BudgetUpdate
    | AssignmentUpdate
    | CancelAsked
    | BudgetRound
    | TradesImported
    | AgentParameters
    | DayStruck
    | FeedSilence
)


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One line of the manager's record; state is the fold of these. ``market`` is the header seen last."""

    sequence: int
    epoch: int
    now_ns: int
    wall_ns: int
    event: JournalEvent
    market: Header
