"""``apply(state, entry)``: the state from the journal alone. The leader applies what it writes through the same door.

*Tested by* tests/properties/test_manager_fold.py.
"""

from __future__ import annotations

import hashlib
import json
import math

import numpy as np

from common import limits_changes
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
    LeaderStarted,
    ProposalTaken,
    TradesImported,
)
from common.errors import HedgerowError
from common.factors import at_desk, desk_of
from common.lifecycle import Outcome, outcomes, settlement_at
from common.limits_changes import LimitsLog
from common.messages import (
    AgentParameters,
    AssignmentUpdate,
    BudgetUpdate,
    ExecutionReport,
    Order,
    OrdStatus,
    Refusal,
    TradingState,
)
from common.units import NS_PER_S
from manager.exposures import limit_columns
from manager.flows import scopes_of
from manager.ledger import per_lot_cents
from manager.orders import EVENT_OF, OrderEvent, OrderLife, command_of
from manager.scopes import at_execution
from manager.state import Fold, Hold, ManagerState

TRADING_ACTIONS = {"pause": TradingState.PAUSED, "resume": TradingState.ACTIVE, "kill": TradingState.KILLED}
HOUR_NS = 3_600 * NS_PER_S
#: Method of a cycle that a person decided.
MANUAL = "manual"
#: Method of a cycle that rolls a future, and the account its lots are held under until both legs have filled.
ROLL = "roll"


def apply(state: ManagerState, entry: JournalEntry) -> ManagerState:
    """Take one journal entry in. Raises ``HedgerowError`` if it is not the next one."""
    fold = state.fold
    if entry.sequence != fold.sequence + 1:
        raise HedgerowError(f"journal entry {entry.sequence} after {fold.sequence}: an entry is missing or doubled")
    fold.sequence = entry.sequence
    fold.now_ns = max(fold.now_ns, entry.now_ns)
    unfinished, state.unfinished = state.unfinished, ""
    match entry.event:
        case ProposalTaken():
            _proposal(fold, entry.event)
        case Cycle():
            _cycle(state, entry.event)
        case ExecutionReport():
            _report(state, entry.event)
        case CommandTaken(command, acknowledgement):
            _command(state, command, acknowledgement, entry)
        case BudgetUpdate():
            fold.budgets = entry.event
        case BudgetRound():
            _round(fold, entry.event, entry.now_ns)
        case AssignmentUpdate():
            _assignment(fold, entry.event)
        case CancelAsked(ids):
            for name in ids:
                if (life := fold.orders.get(name)) is not None:
                    life.cancel_asked = True
        case LeaderStarted():
            _forget(state, unfinished)
            _leader(state, entry.epoch, entry.event)
        case TradesImported():
            _import(state, entry.event)
        case AgentParameters():
            fold.parameters.append(entry.event)
        case DayStruck():
            fold.struck = entry.event
            fold.counts["days struck"] += int(entry.event.day > 0)
        case FeedSilence(silent_s):
            fold.feed_silent_s = silent_s
            fold.counts["feed silences"] += int(silent_s > 0.0)
    return state


def _proposal(fold: Fold, event: ProposalTaken) -> None:
    proposal = event.proposal
    if event.refusal:
        fold.refused_proposals[event.refusal] += 1
        return
    if fold.newest.get(proposal.agent, (0, 0))[0] != proposal.incarnation:
        fold.consumed.pop(proposal.agent, None)  # an agent that was started anew begins its numbers anew
    fold.newest[proposal.agent] = (proposal.incarnation, proposal.header.sequence)
    fold.proposals[proposal.agent] = proposal
    fold.table.accept(proposal, fold.ledger.since(proposal.position_version) or {})
    fold.fresh = proposal
    fold.counts["proposals"] += 1


def _cycle(state: ManagerState, cycle: Cycle) -> None:
    fold = state.fold
    for order in cycle.orders:
        _add(state, order, forced=False, emergency=order.client_order_id in cycle.emergency)
    for crossing in cycle.crossings:
        _cross(fold, crossing)
    fold.consumed.update({name.rpartition(":")[0]: name for name in cycle.proposal_id})
    if cycle.method not in (MANUAL, ROLL):
        fold.fresh = None
    fold.last_cycle = cycle
    if cycle.method == "joint":
        fold.last_solved = cycle
    fold.cycle_number = max(fold.cycle_number, int(cycle.cycle_id.rpartition("-")[2]))
    fold.counts["cycles"] += 1
    fold.counts[f"method {cycle.method.partition(':')[0]}"] += 1
    _credit(fold, cycle)
    fold.wished_cost_cents += cycle.wished_cost_cents
    fold.modelled_cost_cents += cycle.cost_cents


def _cross(fold: Fold, crossing: Crossing) -> None:
    """Each crossing once, under its own id; it costs nothing and no budget knows of it."""
    if crossing.crossing_id in fold.ledger.exec_ids:
        fold.counts["duplicate crossings"] += 1
        return
    fold.ledger.exec_ids.add(crossing.crossing_id)
    fold.table.fill(crossing.instrument, fold.ledger.cross(crossing))


def _credit(fold: Fold, cycle: Cycle) -> None:
    """What the decided trade takes off each agent's risk, USD at the cycle's prices of risk."""
    taken = cycle.price_of_risk * (cycle.exposure_before - cycle.exposure_after)
    for name, usd in zip(cycle.factor, taken.tolist(), strict=True):
        owner = at_desk(str(fold.table.owner[fold.table.index[name]]), desk_of(name))
        # Unknown is what nobody stated about an instrument (agents alone): it removes nothing that could be named.
        fold.risk_removed_usd[owner] = fold.risk_removed_usd.get(owner, 0.0) + (usd if math.isfinite(usd) else 0.0)


def _add(state: ManagerState, order: Order, *, forced: bool, emergency: bool = False) -> None:
    universe, fold = state.setup.universe, state.fold
    at = order.instrument
    cost, notional = per_lot_cents(float(fold.ledger.tick_cents[at]), order, int(universe.fee_cents[at]))
    symbol = universe.symbols[int(universe.underlying[at])]
    life = OrderLife(order, symbol, state.days.of(order.event_time_ns), cost, notional, emergency=emergency)
    fold.orders.add(life)
    scopes = scopes_of(symbol, dict(order.allocation), emergency=emergency)
    fold.flows.reserve(scopes, life.day, life.per_lot_cents, forced=forced)


def _report(state: ManagerState, report: ExecutionReport) -> None:
    fold = state.fold
    fold.report_sequence = report.sequence
    if report.ord_status is OrdStatus.SETTLED:
        _settled(state, report)
        return
    life = fold.orders.get(report.client_order_id)
    if report.last_lots > 0:
        if report.exec_id in fold.ledger.exec_ids:
            fold.counts["duplicate fills"] += 1
            return
        fold.ledger.exec_ids.add(report.exec_id)
        _fill(fold, life, report)
        if (known := fold.ledger.outcomes.get(report.instrument)) is not None:
            _settle(state, Outcome(report.instrument, *known))  # told late: the contract has settled since
    if life is None:
        fold.counts["reports of unknown orders"] += 1
        return
    event = EVENT_OF.get(report.ord_status)
    if event is not None and not life.apply(event):
        fold.counts["reports out of turn"] += 1
        return
    if life.status.terminal:
        _end(state, life, report)


def _settled(state: ManagerState, report: ExecutionReport) -> None:
    """Contracts have settled: the whole position, once. An expired contract weighs nothing from then on."""
    fold, universe = state.fold, state.setup.universe
    if report.instrument in fold.ledger.outcomes:
        fold.counts["duplicate settlements"] += 1
        return
    settlement = settlement_at(universe, report.instrument)
    # Agents count an expired contract as nothing: what they have said since its expiry is without it already.
    rows = np.flatnonzero(fold.table.said_ns >= settlement.expiry_ns)
    fold.table.sensitivity[np.ix_(rows, np.array(settlement.rows, np.intp))] = 0.0
    for outcome in outcomes(universe, settlement, report.last_ticks):
        _settle(state, outcome)
        fold.table.sensitivity[:, outcome.instrument] = 0.0
    fold.counts["settlements"] += 1


def _settle(state: ManagerState, outcome: Outcome) -> None:
    opening = state.setup.book.desk_lots(len(state.setup.universe))
    for instrument, moved in state.fold.ledger.settle(opening, outcome):
        state.fold.table.fill(instrument, moved)


def _fill(fold: Fold, life: OrderLife | None, report: ExecutionReport) -> None:
    lots, signed = report.last_lots, report.side.sign * report.last_lots
    if life is None:
        # Of several desks the first one gets what nobody ordered.
        nobody = {at_desk("", fold.ledger.desks[0]): signed}
        fold.ledger.book(report, None, nobody)
        fold.table.fill(report.instrument, fold.ledger.by_desk(nobody))
        return
    # What a venue fills beyond the order takes with it what was reserved for the rest.
    held = max(min(lots, life.leaves_lots), 0)
    within, beyond = life.take_fill(held), life.take_fill(lots - held)
    split = {agent: within.get(agent, 0) + beyond.get(agent, 0) for agent in (*within, *beyond)}
    cost = fold.ledger.book(report, life.order, split)
    share = cost * held // lots
    if held:
        scopes = scopes_of(life.symbol, within, emergency=life.emergency)
        fold.flows.consume(scopes, life.day, life.per_lot_cents, share)
    if held < lots:
        scopes = scopes_of(life.symbol, beyond, emergency=life.emergency)
        fold.counts["fills beyond the reservation"] += 1
        fold.flows.late(scopes, life.day, life.notional_per_lot_cents, cost - share)
    fold.table.fill(report.instrument, fold.ledger.by_desk(split))
    fold.unfilled_since_ns.pop(report.instrument, None)


def _end(state: ManagerState, life: OrderLife, report: ExecutionReport | None) -> None:
    fold, config = state.fold, state.setup.config
    scopes = scopes_of(life.symbol, dict(life.order.allocation), emergency=life.emergency)
    counts = life.status is not OrdStatus.REJECTED
    leaves = scopes_of(life.symbol, life.open_by_agent(), emergency=life.emergency)
    fold.flows.close(scopes, leaves, life.day, life.per_lot_cents, counts)
    fold.orders.settle(life)
    fold.counts[life.status.name.lower()] += 1
    if report is None:
        return
    if life.status is OrdStatus.REJECTED:
        fold.refused_orders[report.refusal.name.lower()] += 1
        believed_ns = report.event_time_ns + int(config.believed_s * NS_PER_S)
        if report.refusal in (Refusal.PAUSED, Refusal.KILLED):
            fold.trading = TradingState[report.refusal.name]
            fold.trading_text = "execution refused an order: " + (report.text or report.refusal.name.lower())
        elif report.refusal in (Refusal.SCOPE_PAUSED, Refusal.SCOPE_KILLED):
            wanted = TradingState[report.refusal.name.removeprefix("SCOPE_")]
            fold.holds[f"underlying:{life.symbol}"] = Hold(wanted, "execution", report.text)
        elif report.refusal is Refusal.REDUCE_ONLY:
            fold.reduce_only_until_ns[int(state.setup.universe.underlying[life.order.instrument])] = believed_ns
        elif report.refusal in (Refusal.SIZE, Refusal.NOTIONAL):
            fold.too_large[life.order.instrument] = (life.order.quantity_lots // 2, believed_ns)
    rest_s = config.refused_rest_s if life.status is OrdStatus.REJECTED else config.unfilled_rest_s
    if life.cum_lots == 0:
        at = life.order.instrument
        fold.rest_until_ns[at] = report.event_time_ns + int(rest_s * NS_PER_S)
        if life.status is OrdStatus.REJECTED:
            fold.unfilled_since_ns.pop(at, None)
        else:
            fold.unfilled_since_ns.setdefault(at, report.event_time_ns)


def _command(state: ManagerState, command: Command, acknowledgement: Acknowledgement, entry: JournalEntry) -> None:
    fold = state.fold
    state.asked[command.command_id] = asked_for(command)
    _answered(state, acknowledgement)
    if not acknowledgement.accepted:
        return
    if command.action in TRADING_ACTIONS:
        scope = str(json.loads(command.arguments_json).get("scope", ""))
        _stop(fold, command.action, scope, command.who, command.why)
    elif command.action in limits_changes.ACTIONS:
        _limits(fold, fold.limits_log.take(command, entry.now_ns, entry.wall_ns)[0])
    else:
        state.unfinished = command.command_id


def _forget(state: ManagerState, command_id: str) -> None:
    """A leader's last word was that it took a command, and what the command was to do would have followed: it was lost.

    Asked again, the command is carried out. (A stop or a limit holds by the answer's own entry.)
    """
    state.fold.commands.pop(command_id, None)
    state.asked.pop(command_id, None)


def asked_for(command: Command) -> str:
    """Digest of what a command wants done: action and arguments, whoever asks and why."""
    return hashlib.sha256(f"{command.action}\n{command.arguments_json}".encode()).hexdigest()


def _answered(state: ManagerState, acknowledgement: Acknowledgement) -> None:
    commands = state.fold.commands
    commands[acknowledgement.command_id] = acknowledgement
    if len(commands) > state.setup.config.commands_kept:
        oldest = next(iter(commands))
        del commands[oldest]
        state.asked.pop(oldest, None)


def _limits(fold: Fold, log: LimitsLog) -> None:
    changed, fold.limits_log = log.limits.version != fold.limits.version, log
    if changed:
        fold.limits = log.limits
        fold.allowed, fold.hard = limit_columns(fold.limits, fold.table.names)
        fold.soft = np.minimum(fold.allowed, fold.divided)
        fold.flows.set_limits(fold.limits)


def _round(fold: Fold, held: BudgetRound, now_ns: int) -> None:
    """What the division gives holds from now on, inside what people allow."""
    fold.last_round, fold.round_epoch = held, fold.epoch
    fold.round_ns = (*(t for t in fold.round_ns if t > now_ns - HOUR_NS), now_ns)
    fold.counts["budget rounds"] += 1
    if held.published:
        fold.divided = np.full(len(fold.table.names), np.inf)
        fold.divided[[fold.table.index[name] for name in held.factor]] = held.soft_limit
        fold.soft = np.minimum(fold.allowed, fold.divided)
    fold.flows.divide(held.day, dict(zip(held.spender, held.cost_cents.tolist(), strict=True)))


def _stop(fold: Fold, action: str, scope: str, who: str, why: str) -> None:
    wanted = TRADING_ACTIONS[action]
    if wanted is TradingState.ACTIVE and at_execution(scope):
        fold.reduce_only_until_ns.clear()  # a resume lifts that too; where it does not, the next refusal says so
    if not scope:
        fold.trading, fold.trading_text = wanted, f"{who}: {why}"
    elif wanted is TradingState.ACTIVE:
        fold.holds.pop(scope, None)
    else:
        fold.holds[scope] = Hold(wanted, who, why)


def _import(state: ManagerState, event: TradesImported) -> None:
    fold, book = state.fold, state.setup.book
    desk_of_account = {a: d for d, desk in enumerate(book.desks) for a in desk.accounts}
    several, mark = len(fold.ledger.desks) > 1, dict(event.marks)
    for trade in event.trades:
        for account, at, lots, price in fold.imports.take(trade):
            desk = desk_of_account[account] if several else 0
            moved = fold.ledger.take_import(at, desk, lots, price, mark.get(at))
            fold.table.fill(at, moved)
    fold.counts["imported trades"] += len(event.trades)


def _assignment(fold: Fold, update: AssignmentUpdate) -> None:
    old, fold.assignment = fold.assignment, update
    moved = {a for a in fold.proposals if old is None or old.keys_of(a) != update.keys_of(a)}
    fold.table.drop(moved)
    for agent in moved:
        del fold.proposals[agent]


def _leader(state: ManagerState, epoch: int, event: LeaderStarted) -> None:
    """Orders the journal's tail had lost are open again; an order that never reached execution has ended.

    Where a person had asked for a lost order, the command is done: asked again, it gives no second order.
    """
    fold = state.fold
    if epoch != fold.epoch:
        fold.cycle_number = 0
    fold.epoch, fold.holder = epoch, event.holder
    for found in event.recovered:
        life = fold.orders.get(found.order.client_order_id)
        if life is None:
            _add(state, found.order, forced=True)
            if command := command_of(found.order):
                text = f"order {found.order.client_order_id}: {found.order.side.name} {found.order.quantity_lots}"
                _answered(
                    state, Acknowledgement(command, True, f"{text} {found.order.instrument_id}, as execution has it")
                )
        elif found.ord_status.terminal and life.apply(OrderEvent.CANCEL):
            _end(state, life, None)
    fold.counts["takeovers"] += 1
