"""Control actions and the journal's entries to bytes and back. Schema: proto/hedgerow/control/v1/control.proto.

``decode_*`` raises ``errors.Refused`` with the kind and the reason; the whole message is refused.
*Tested by* tests/properties/test_wire_round_trip.py, tests/unit/test_wire_refusals.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from hedgerow.control.v1 import control_pb2 as pb
from hedgerow.execution.v1 import execution_pb2

from common.control_messages import (
    Acknowledgement,
    BudgetRound,
    CancelAsked,
    Command,
    CommandTaken,
    Crossing,
    Cycle,
    DayStruck,
    FeedSilence,
    JournalEntry,
    JournalEvent,
    LeaderStarted,
    ProposalTaken,
    TradesImported,
)
from common.errors import Refused
from common.messages import AgentParameters, AssignmentUpdate, BudgetUpdate, ExecutionReport
from common.wire.budget_codec import round_from_pb, round_to_pb
from common.wire.columns import (
    F64_LE,
    I64_LE,
    U32_LE,
    column,
    column_bytes,
    header_from_pb,
    header_to_pb,
    parse,
    table,
)
from common.wire.execution_codec import (
    order_from_pb,
    order_state_from_pb,
    order_state_to_pb,
    order_to_pb,
    report_from_pb,
    report_to_pb,
)
from common.wire.hedge_codec import (
    assignment_from_pb,
    assignment_to_pb,
    budget_from_pb,
    budget_to_pb,
    proposal_from_pb,
    proposal_to_pb,
)
from common.wire.steering_codec import parameters_from_pb, parameters_to_pb, trades_from_pb, trades_to_pb
from common.wire.strike_codec import struck_from_pb, struck_to_pb

#: Longest id, action, who or why, in characters.
COMMAND_TEXT = 2_000


def _command_to_pb(c: Command) -> pb.Command:
    return pb.Command(command_id=c.command_id, action=c.action, who=c.who, why=c.why, arguments_json=c.arguments_json)


def _command_from_pb(m: pb.Command) -> Command:
    if not m.command_id or not m.action:
        raise Refused("Command: no command_id or no action")
    return Command(m.command_id, m.action, m.who, m.why, m.arguments_json)


def encode_command(command: Command) -> bytes:
    """Bytes of a control action."""
    return _command_to_pb(command).SerializeToString()


def decode_command(data: bytes) -> Command:
    """A control action. One without id or action is refused, since nobody could acknowledge it.

    So is one with a text beyond ``COMMAND_TEXT``: every command is remembered.
    """
    command = _command_from_pb(parse(pb.Command(), "Command", data))
    longest = max(map(len, (command.command_id, command.action, command.who, command.why)))
    if longest > COMMAND_TEXT:
        raise Refused(f"Command: a text of {longest} characters, limit {COMMAND_TEXT}")
    return command


def _acknowledgement_to_pb(a: Acknowledgement) -> pb.Acknowledgement:
    return pb.Acknowledgement(command_id=a.command_id, accepted=a.accepted, text=a.text)


def _acknowledgement_from_pb(m: pb.Acknowledgement) -> Acknowledgement:
    return Acknowledgement(m.command_id, m.accepted, m.text)


def encode_acknowledgement(acknowledgement: Acknowledgement) -> bytes:
    """Bytes of an acknowledgement."""
    return _acknowledgement_to_pb(acknowledgement).SerializeToString()


def decode_acknowledgement(data: bytes) -> Acknowledgement:
    """An acknowledgement."""
    return _acknowledgement_from_pb(parse(pb.Acknowledgement(), "Acknowledgement", data))


def _cycle_to_pb(c: Cycle) -> pb.Cycle:
    return pb.Cycle(
        cycle_id=c.cycle_id,
        market_seen=[pb.SourceSequence(source=source, sequence=sequence) for source, sequence in c.market_seen],
        proposal_id=c.proposal_id,
        method=c.method,
        factor=c.factor,
        exposure_before=column_bytes(c.exposure_before, F64_LE),
        exposure_after=column_bytes(c.exposure_after, F64_LE),
        lower=column_bytes(c.lower, F64_LE),
        upper=column_bytes(c.upper, F64_LE),
        price_of_risk=column_bytes(c.price_of_risk, F64_LE),
        menu=column_bytes(c.menu, U32_LE),
        solution_lots=column_bytes(c.solution_lots, F64_LE),
        ordered_lots=column_bytes(c.ordered_lots, I64_LE),
        wished_lots=column_bytes(c.wished_lots, F64_LE),
        iterations=c.iterations,
        orders=[order_to_pb(order) for order in c.orders],
        inputs_hash=c.inputs_hash,
        cost_cents=c.cost_cents,
        wished_cost_cents=c.wished_cost_cents,
        solve_ns=c.solve_ns,
        desk=c.desk,
        desk_lots=column_bytes(c.desk_lots, I64_LE),
        crossings=[_crossing_to_pb(x) for x in c.crossings],
        emergency=c.emergency,
    )


def _crossing_to_pb(c: Crossing) -> pb.Crossing:
    return pb.Crossing(
        crossing_id=c.crossing_id,
        instrument=c.instrument,
        buyer=c.buyer,
        seller=c.seller,
        lots=c.lots,
        bid_ticks=c.bid_ticks,
        ask_ticks=c.ask_ticks,
        bought=[execution_pb2.Allocation(agent=agent, lots=lots) for agent, lots in c.bought],
        sold=[execution_pb2.Allocation(agent=agent, lots=lots) for agent, lots in c.sold],
    )


def _crossing_from_pb(m: pb.Crossing) -> Crossing:
    return Crossing(
        m.crossing_id,
        m.instrument,
        m.buyer,
        m.seller,
        m.lots,
        m.bid_ticks,
        m.ask_ticks,
        tuple((a.agent, a.lots) for a in m.bought),
        tuple((a.agent, a.lots) for a in m.sold),
    )


def _cycle_from_pb(m: pb.Cycle) -> Cycle:
    kind = "Cycle"
    f = len(m.factor)
    menu = column(kind, "menu", m.menu, U32_LE)
    n = len(menu)
    return Cycle(
        cycle_id=m.cycle_id,
        market_seen=tuple((s.source, s.sequence) for s in m.market_seen),
        proposal_id=tuple(m.proposal_id),
        method=m.method,
        factor=tuple(m.factor),
        exposure_before=column(kind, "exposure_before", m.exposure_before, F64_LE, f),
        exposure_after=column(kind, "exposure_after", m.exposure_after, F64_LE, f),
        lower=column(kind, "lower", m.lower, F64_LE, f),
        upper=column(kind, "upper", m.upper, F64_LE, f),
        price_of_risk=column(kind, "price_of_risk", m.price_of_risk, F64_LE, f),
        menu=menu,
        solution_lots=column(kind, "solution_lots", m.solution_lots, F64_LE, n),
        ordered_lots=column(kind, "ordered_lots", m.ordered_lots, I64_LE, n),
        wished_lots=column(kind, "wished_lots", m.wished_lots, F64_LE, n),
        iterations=m.iterations,
        orders=tuple(order_from_pb(order) for order in m.orders),
        inputs_hash=m.inputs_hash,
        cost_cents=m.cost_cents,
        wished_cost_cents=m.wished_cost_cents,
        solve_ns=m.solve_ns,
        desk=tuple(m.desk),
        desk_lots=table(kind, "desk_lots", m.desk_lots, I64_LE, len(m.desk), n),
        crossings=tuple(_crossing_from_pb(x) for x in m.crossings),
        emergency=tuple(m.emergency),
    )


def encode_cycle(cycle: Cycle) -> bytes:
    """Bytes of a decision."""
    return _cycle_to_pb(cycle).SerializeToString()


def decode_cycle(data: bytes) -> Cycle:
    """A decision."""
    return _cycle_from_pb(parse(pb.Cycle(), "Cycle", data))


def _leader_to_pb(e: LeaderStarted) -> pb.LeaderStarted:
    recovered = [order_state_to_pb(state) for state in e.recovered]
    return pb.LeaderStarted(
        holder=e.holder,
        last_report_sequence=e.last_report_sequence,
        recovered=recovered,
        market_seen=[pb.SourceSequence(source=source, sequence=sequence) for source, sequence in e.market_seen],
    )


def _leader_from_pb(m: pb.LeaderStarted) -> LeaderStarted:
    recovered = tuple(order_state_from_pb(s) for s in m.recovered)
    seen = tuple((s.source, s.sequence) for s in m.market_seen)
    return LeaderStarted(m.holder, m.last_report_sequence, recovered, seen)


def _taken_to_pb(e: ProposalTaken) -> pb.ProposalTaken:
    return pb.ProposalTaken(proposal=proposal_to_pb(e.proposal), refusal=e.refusal)


def _taken_from_pb(m: pb.ProposalTaken) -> ProposalTaken:
    return ProposalTaken(proposal_from_pb(m.proposal), m.refusal)


def _command_taken_to_pb(e: CommandTaken) -> pb.CommandTaken:
    return pb.CommandTaken(command=_command_to_pb(e.command), acknowledgement=_acknowledgement_to_pb(e.acknowledgement))


def _command_taken_from_pb(m: pb.CommandTaken) -> CommandTaken:
    return CommandTaken(_command_from_pb(m.command), _acknowledgement_from_pb(m.acknowledgement))


def _cancel_to_pb(e: CancelAsked) -> pb.CancelAsked:
    return pb.CancelAsked(client_order_id=e.client_order_id, reason=e.reason)


def _cancel_from_pb(m: pb.CancelAsked) -> CancelAsked:
    return CancelAsked(tuple(m.client_order_id), m.reason)


def _feed_to_pb(e: FeedSilence) -> pb.FeedSilence:
    return pb.FeedSilence(silent_s=e.silent_s)


def _feed_from_pb(m: pb.FeedSilence) -> FeedSilence:
    return FeedSilence(m.silent_s)


#: Event class, its field of the oneof, and both ways between them.
_EVENTS: tuple[tuple[type[Any], str, Callable[[Any], Any], Callable[[Any], JournalEvent]], ...] = (
    (LeaderStarted, "leader_started", _leader_to_pb, _leader_from_pb),
    (ProposalTaken, "proposal", _taken_to_pb, _taken_from_pb),
    (Cycle, "cycle", _cycle_to_pb, _cycle_from_pb),
    (ExecutionReport, "report", report_to_pb, report_from_pb),
    (CommandTaken, "command", _command_taken_to_pb, _command_taken_from_pb),
    (BudgetUpdate, "budgets", budget_to_pb, budget_from_pb),
    (AssignmentUpdate, "assignment", assignment_to_pb, assignment_from_pb),
    (CancelAsked, "cancel", _cancel_to_pb, _cancel_from_pb),
    (BudgetRound, "round", round_to_pb, round_from_pb),
    (TradesImported, "trades", trades_to_pb, trades_from_pb),
    (AgentParameters, "parameters", parameters_to_pb, parameters_from_pb),
    (DayStruck, "struck", struck_to_pb, struck_from_pb),
    (FeedSilence, "feed", _feed_to_pb, _feed_from_pb),
)
_BY_CLASS = {cls: (name, to_pb) for cls, name, to_pb, _ in _EVENTS}
_BY_NAME = {name: from_pb for _, name, _, from_pb in _EVENTS}


def encode_journal_entry(entry: JournalEntry) -> bytes:
    """Bytes of one line of the journal."""
    name, to_pb = _BY_CLASS[type(entry.event)]
    event: dict[str, Any] = {name: to_pb(entry.event)}
    return pb.JournalEntry(
        sequence=entry.sequence,
        epoch=entry.epoch,
        now_ns=entry.now_ns,
        wall_ns=entry.wall_ns,
        market=header_to_pb(entry.market),
        **event,
    ).SerializeToString()


def decode_event_of(data: bytes, kinds: Collection[type[Any]]) -> JournalEvent | None:
    """The event of a journal entry where it is of one of these classes, else None: for who reads few of many entries.

    Refuses bytes that are no entry; what an entry of another kind holds is not looked at.
    """
    m = parse(pb.JournalEntry(), "JournalEntry", data)
    name = m.WhichOneof("event")
    if name is None or not any(_BY_CLASS[kind][0] == name for kind in kinds):
        return None
    return _BY_NAME[name](getattr(m, name))


def decode_journal_entry(data: bytes) -> JournalEntry:
    """One line of the journal. An entry without an event, or with one this version does not know, is refused."""
    m = parse(pb.JournalEntry(), "JournalEntry", data)
    name = m.WhichOneof("event")
    if name is None:
        raise Refused(f"JournalEntry: entry {m.sequence} has no event known here")
    event = _BY_NAME[name](getattr(m, name))
    return JournalEntry(m.sequence, m.epoch, m.now_ns, m.wall_ns, event, header_from_pb(m.market))
