"""What can happen to the manager (events) and what it asks its shell to do (instructions). All frozen, no behaviour.

``wall_ns`` only stamps the record and status; no decision reads it.
*Tested by* tests/unit/test_manager_step.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.control_messages import Acknowledgement, Command, JournalEntry
from common.messages import (
    AgentParameters,
    AssignmentUpdate,
    BudgetUpdate,
    ExecutionReport,
    Heartbeat,
    Order,
    OrderState,
    PositionUpdate,
    Proposal,
    QuoteBatch,
    TradingState,
)


@dataclass(frozen=True, slots=True)
class MarketNews:
    """A batch of quotes."""

    batch: QuoteBatch


@dataclass(frozen=True, slots=True)
class ProposalArrived:
    """An agent says where it wants its risk to be."""

    wall_ns: int
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class ReportArrived:
    """Execution reports a change of an order."""

    wall_ns: int
    report: ExecutionReport


@dataclass(frozen=True, slots=True)
class CommandArrived:
    """A person (or the fleet) asks for a control action."""

    wall_ns: int
    command: Command


@dataclass(frozen=True, slots=True)
class HeartbeatArrived:
    """An agent lives. Shown in status, never journalled, never decided upon."""

    heartbeat: Heartbeat
    wall_ns: int


@dataclass(frozen=True, slots=True)
class FeedNoted:
    """The shell has heard nothing of the feed for ``silent_s`` wall seconds; 0: it hears its quotes again."""

    silent_s: float
    wall_ns: int


@dataclass(frozen=True, slots=True)
class TradingStateSet:
    """The shell reports what execution answered to ``SetTradingState``."""

    command_id: str
    ok: bool
    text: str
    wall_ns: int = 0


@dataclass(frozen=True, slots=True)
class Decide:
    """The shell's queue is empty: look whether anything is to be done. ``now_ns`` is market time."""

    now_ns: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class TookOver:
    """This manager leads now: journal and execution are fenced with ``epoch``.

    ``states``: every order of this run that execution knows. ``reports``: what execution wrote after the last report in
    the journal, in sequence, up to ``last_report_sequence``; a shell that gives none streams them in afterwards, and no
    order is decided before they are in.
    """

    now_ns: int
    wall_ns: int
    epoch: int
    holder: str
    states: tuple[OrderState, ...] | list[OrderState]
    reports: tuple[ExecutionReport, ...] | list[ExecutionReport]
    last_report_sequence: int


Event = (
    MarketNews
    | ProposalArrived
    | ReportArrived
    | CommandArrived
    | HeartbeatArrived
    | FeedNoted
    | TradingStateSet
    | Decide
    | TookOver
)


@dataclass(frozen=True, slots=True)
class Submit:
    """Send these orders."""

    orders: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel these orders."""

    client_order_id: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """Append to the journal. The entry is already part of the state."""

    entry: JournalEntry


@dataclass(frozen=True, slots=True)
class Publish:
    """Tell the agents; the newest value wins."""

    update: PositionUpdate | BudgetUpdate | AssignmentUpdate | AgentParameters


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Answer a command: it holds, or it was refused."""

    acknowledgement: Acknowledgement


@dataclass(frozen=True, slots=True)
class SetTradingState:
    """Ask execution, the last hand, about everything or the one underlying of ``scope``; it answers ``TradingStateSet``."""

    state: TradingState
    command: Command
    scope: str = ""


Instruction = Submit | Cancel | Record | Publish | Acknowledge | SetTradingState
