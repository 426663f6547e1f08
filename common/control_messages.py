"""The manager's record and the control plane: commands, decisions, and the lines of the journal.

They mirror ``proto/hedgerow/control/v1``; the messages they hold stand in ``common/messages.py``.
*Tested by* tests/properties/test_wire_round_trip.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.messages import (
    F64,
    I64,
    U32,
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
class Cycle:
    """One decision of the manager: what it knew, what it decided. f factors, m menu instruments. See control.proto."""

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
    """A takeover: who, what was reconciled, which orders the journal's tail had lost."""

    holder: str
    last_report_sequence: int
    recovered: tuple[OrderState, ...]


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """The manager asked for these working orders to be cancelled."""

    client_order_id: tuple[str, ...]
    reason: str


JournalEvent = (
    LeaderStarted
    | ProposalTaken
    | Cycle
    | ExecutionReport
    | CommandTaken
    | BudgetUpdate
    | AssignmentUpdate
    | CancelAsked
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
