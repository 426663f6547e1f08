"""``apply(state, entry)``: the state from the journal alone. The leader applies what it writes through the same door.

*Tested by* tests/properties/test_manager_fold.py.
"""

from __future__ import annotations

import json
import math

from common.control_messages import (
    Acknowledgement,
    CancelAsked,
    Command,
    CommandTaken,
    Cycle,
    JournalEntry,
    LeaderStarted,
    ProposalTaken,
)
from common.errors import HedgerowError
from common.messages import AssignmentUpdate, BudgetUpdate, ExecutionReport, Order, OrdStatus, Refusal, TradingState
from common.units import NS_PER_S
from manager.exposures import limit_columns
from manager.flows import day_of, scopes_of
from manager.ledger import per_lot_cents
from manager.orders import EVENT_OF, OrderEvent, OrderLife
from manager.state import Fold, ManagerState

TRADING_ACTIONS = {"pause": TradingState.PAUSED, "resume": TradingState.ACTIVE, "kill": TradingState.KILLED}
LIMITS_SET = "limits.set"


def apply(state: ManagerState, entry: JournalEntry) -> ManagerState:
    """Take one journal entry in. Raises ``HedgerowError`` if it is not the next one."""
    fold = state.fold
    if entry.sequence != fold.sequence + 1:
        raise HedgerowError(f"journal entry {entry.sequence} after {fold.sequence}: an entry is missing or doubled")
    fold.sequence = entry.sequence
    fold.now_ns = max(fold.now_ns, entry.now_ns)
    match entry.event:
        case ProposalTaken():
            _proposal(fold, entry.event)
        case Cycle():
            _cycle(state, entry.event)
        case ExecutionReport():
            _report(state, entry.event)
        case CommandTaken(command, acknowledgement):
            _command(state, command, acknowledgement)
        case BudgetUpdate():
            fold.budgets = entry.event
        case AssignmentUpdate():
            _assignment(fold, entry.event)
        case CancelAsked(ids):
            for name in ids:
                if (life := fold.orders.get(name)) is not None:
                    life.cancel_asked = True
        case LeaderStarted():
            _leader(state, entry.epoch, entry.event)
    return state


def _proposal(fold: Fold, event: ProposalTaken) -> None:
    proposal = event.proposal
    if event.refusal:
        fold.refused_proposals[event.refusal] += 1
        return
    fold.newest[proposal.agent] = (proposal.incarnation, proposal.header.sequence)
    fold.proposals[proposal.agent] = proposal
    fold.table.accept(proposal, fold.ledger.since(proposal.position_version) or {})
    fold.fresh = proposal
    fold.counts["proposals"] += 1


def _cycle(state: ManagerState, cycle: Cycle) -> None:
    fold = state.fold
    for order in cycle.orders:
        _add(state, order, forced=False)
    fold.consumed.update({name.rpartition(":")[0]: name for name in cycle.proposal_id})
    fold.last_cycle, fold.fresh = cycle, None
    if cycle.method == "joint":
        fold.last_solved = cycle
    fold.cycle_number = max(fold.cycle_number, int(cycle.cycle_id.rpartition("-")[2]))
    fold.counts["cycles"] += 1
    fold.counts[f"method {cycle.method.partition(':')[0]}"] += 1
    _credit(fold, cycle)
    fold.wished_cost_cents += cycle.wished_cost_cents
    fold.modelled_cost_cents += cycle.cost_cents


def _credit(fold: Fold, cycle: Cycle) -> None:
    """What the decided trade takes off each agent's risk, USD at the cycle's prices of risk."""
    taken = cycle.price_of_risk * (cycle.exposure_before - cycle.exposure_after)
    for name, usd in zip(cycle.factor, taken.tolist(), strict=True):
        owner = str(fold.table.owner[fold.table.index[name]])
        # Unknown is what nobody stated about an instrument (agents alone): it removes nothing that could be named.
        fold.risk_removed_usd[owner] = fold.risk_removed_usd.get(owner, 0.0) + (usd if math.isfinite(usd) else 0.0)


def _add(state: ManagerState, order: Order, *, forced: bool) -> None:
    universe, fold = state.setup.universe, state.fold
    at = order.instrument
    cost, notional = per_lot_cents(float(fold.ledger.tick_cents[at]), order, int(universe.fee_cents[at]))
    symbol = universe.symbols[int(universe.underlying[at])]
    life = OrderLife(order, symbol, day_of(order.event_time_ns), cost, notional)
    fold.orders.add(life)
    scopes = scopes_of(symbol, dict(order.allocation))
    fold.flows.reserve(scopes, life.day, life.per_lot_cents, forced=forced)


def _report(state: ManagerState, report: ExecutionReport) -> None:
    fold = state.fold
    fold.report_sequence = report.sequence
    life = fold.orders.get(report.client_order_id)
    if report.last_lots > 0:
        if report.exec_id in fold.ledger.exec_ids:
            fold.counts["duplicate fills"] += 1
            return
        fold.ledger.exec_ids.add(report.exec_id)
        _fill(fold, life, report)
    if life is None:
        fold.counts["reports of unknown orders"] += 1
        return
    event = EVENT_OF.get(report.ord_status)
    if event is not None and not life.apply(event):
        fold.counts["reports out of turn"] += 1
        return
    if life.status.terminal:
        _end(state, life, report)


def _fill(fold: Fold, life: OrderLife | None, report: ExecutionReport) -> None:
    lots, signed = report.last_lots, report.side.sign * report.last_lots
    if life is None:
        fold.ledger.book(report, None, {"": signed})
        fold.table.fill(report.instrument, signed)
        return
    reserved = not life.status.terminal and lots <= life.leaves_lots
    split = life.take_fill(lots)
    cost = fold.ledger.book(report, life.order, split)
    scopes = scopes_of(life.symbol, split)
    if reserved:
        fold.flows.consume(scopes, life.day, life.per_lot_cents, cost)
    else:
        fold.counts["fills beyond the reservation"] += 1
        fold.flows.late(scopes, life.day, life.notional_per_lot_cents, cost)
    fold.table.fill(report.instrument, signed)


def _end(state: ManagerState, life: OrderLife, report: ExecutionReport | None) -> None:
    fold, config = state.fold, state.setup.config
    scopes = scopes_of(life.symbol, dict(life.order.allocation))
    counts = life.status is not OrdStatus.REJECTED
    fold.flows.close(scopes, scopes_of(life.symbol, life.open_by_agent()), life.day, life.per_lot_cents, counts)
    fold.orders.settle(life)
    fold.counts[life.status.name.lower()] += 1
    if report is None:
        return
    if life.status is OrdStatus.REJECTED:
        fold.refused_orders[report.refusal.name.lower()] += 1
        if report.refusal in (Refusal.PAUSED, Refusal.KILLED):
            fold.trading = TradingState[report.refusal.name]
            fold.trading_text = "execution refused an order: " + (report.text or report.refusal.name.lower())
    rest_s = config.refused_rest_s if life.status is OrdStatus.REJECTED else config.unfilled_rest_s
    if life.cum_lots == 0:
        fold.rest_until_ns[life.order.instrument] = report.event_time_ns + int(rest_s * NS_PER_S)


def _command(state: ManagerState, command: Command, acknowledgement: Acknowledgement) -> None:
    fold = state.fold
    fold.commands[command.command_id] = acknowledgement
    if len(fold.commands) > state.setup.config.commands_kept:
        del fold.commands[next(iter(fold.commands))]
    if not acknowledgement.accepted:
        return
    if command.action in TRADING_ACTIONS:
        fold.trading = TRADING_ACTIONS[command.action]
        fold.trading_text = f"{command.who}: {command.why}"
    elif command.action == LIMITS_SET:
        wanted = json.loads(command.arguments_json)
        fold.limits = fold.limits.with_change(wanted["path"], wanted["value"], command.who, command.why)
        fold.soft, fold.hard = limit_columns(fold.limits, fold.table.names)
        fold.flows.set_limits(fold.limits)


def _assignment(fold: Fold, update: AssignmentUpdate) -> None:
    old, fold.assignment = fold.assignment, update
    moved = {a for a in fold.proposals if old is None or old.keys_of(a) != update.keys_of(a)}
    fold.table.drop(moved)
    for agent in moved:
        del fold.proposals[agent]


def _leader(state: ManagerState, epoch: int, event: LeaderStarted) -> None:
    """Orders the journal's tail had lost are open again; an order that never reached execution has ended."""
    fold = state.fold
    if epoch != fold.epoch:
        fold.cycle_number = 0
    fold.epoch, fold.holder = epoch, event.holder
    for found in event.recovered:
        life = fold.orders.get(found.order.client_order_id)
        if life is None:
            _add(state, found.order, forced=True)
        elif found.ord_status.terminal and life.apply(OrderEvent.CANCEL):
            _end(state, life, None)
    fold.counts["takeovers"] += 1
