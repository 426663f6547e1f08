"""The manager as one function: ``step(state, event) -> (state, instructions)``. No clock, no randomness, no I/O.

Market time moves with the events; wall time only stamps the record. Every change that matters is a journal entry,
applied through the same ``fold.apply`` that a standby uses.
*Tested by* tests/unit/test_manager_step.py, tests/unit/test_manager_control.py, tests/properties/test_manager_*.py.
"""

from __future__ import annotations

from common.control_messages import CancelAsked, FeedSilence, LeaderStarted, ProposalTaken
from common.messages import ExecutionReport, Heartbeat, OrderState, OrdStatus, Proposal, QuoteBatch, TradingState
from common.subjects import feed_source
from common.units import NS_PER_MS, NS_PER_S
from manager.budgets_step import rounds
from manager.control import budget_update, on_command, on_trading_state_set
from manager.decide import decide
from manager.decide_books import decide_books
from manager.events import (
    Cancel,
    CommandArrived,
    Decide,
    Event,
    FeedNoted,
    HeartbeatArrived,
    Instruction,
    MarketNews,
    ProposalArrived,
    Publish,
    ReportArrived,
    TookOver,
    TradingStateSet,
)
from manager.proposals import refusal_of
from manager.recording import record
from manager.rolls import roll_futures
from manager.state import NEVER_NS, ManagerSetup, ManagerState, start
from manager.steering import resumed_leader
from manager.strike import strikes, watch_close

__all__ = ["ManagerSetup", "ManagerState", "start", "step"]


def step(state: ManagerState, event: Event) -> tuple[ManagerState, list[Instruction]]:
    """Take one event in. A manager that does not lead follows the market and heartbeats and does nothing else."""
    match event:
        case MarketNews(batch):
            _market(state, batch)
            return state, []
        case HeartbeatArrived(heartbeat, wall_ns):
            _heartbeat(state, heartbeat, wall_ns)
            return state, []
        case TookOver():
            return state, _took_over(state, event)
    if not state.leading:
        state.seen["events before leading"] += 1
        return state, []
    match event:
        case ProposalArrived(wall_ns, proposal):
            return state, _proposal(state, proposal, wall_ns)
        case ReportArrived(wall_ns, report):
            return state, _report(state, report, wall_ns)
        case CommandArrived(wall_ns, command):
            return state, on_command(state, command, wall_ns)
        case FeedNoted(silent_s, wall_ns):
            return state, _feed(state, silent_s, wall_ns)
        case TradingStateSet(command_id, ok, text, wall_ns):
            return state, on_trading_state_set(state, command_id, ok, text, wall_ns)
        case Decide(now_ns, wall_ns):
            return state, _decide(state, now_ns, wall_ns)


def _market(state: ManagerState, batch: QuoteBatch) -> None:
    state.seen["batches"] += 1
    watch_close(state, batch)
    if not state.market.apply(batch):
        return
    for u, symbol in enumerate(state.setup.universe.symbols):
        if batch.header.source == feed_source(symbol):
            state.volatility.on_batch(u, batch.header.event_time_ns, state.market)


def _heartbeat(state: ManagerState, heartbeat: Heartbeat, wall_ns: int) -> None:
    known = state.heartbeats.get(heartbeat.header.source)
    if known is None or heartbeat.incarnation >= known[0].incarnation:
        state.heartbeats[heartbeat.header.source] = (heartbeat, wall_ns)


def _proposal(state: ManagerState, proposal: Proposal, wall_ns: int) -> list[Instruction]:
    refusal = refusal_of(state.setup, state.fold, proposal, state.now_ns)
    state.dirty |= refusal is None
    return [record(state, ProposalTaken(proposal, "" if refusal is None else refusal.value), wall_ns)]


def _report(state: ManagerState, report: ExecutionReport, wall_ns: int) -> list[Instruction]:
    """Strictly in sequence: an old report is a duplicate, a jump is a gap that the shell fetches again."""
    fold = state.fold
    if report.sequence <= fold.report_sequence:
        state.seen["duplicate reports"] += 1
        return []
    if report.sequence != fold.report_sequence + 1:
        state.seen["report gaps"] += 1
        return []
    before = fold.ledger.version
    out: list[Instruction] = [record(state, report, wall_ns)]
    if report.ord_status.terminal:
        state.dirty = True
        rest = fold.rest_until_ns.get(report.instrument, 0)
        if rest > state.now_ns:
            state.retry_ns = min(state.retry_ns, rest)
    if fold.ledger.version != before:
        out.append(Publish(fold.ledger.update(state.now_ns, wall_ns, report.exec_id)))
    return out


def _feed(state: ManagerState, silent_s: float, wall_ns: int) -> list[Instruction]:
    """Market time stands while the feed is silent, so nothing grows old by itself: the record says from when to when."""
    silent = silent_s > 0.0
    if silent == (state.fold.feed_silent_s > 0.0):
        return []
    return [record(state, FeedSilence(silent_s), wall_ns)]


def _took_over(state: ManagerState, event: TookOver) -> list[Instruction]:
    """Lead: fill the journal's tail from execution, apply its reports, tell the agents where things stand."""
    state.clock_ns = max(state.clock_ns, event.now_ns)
    first = not state.leading or event.epoch != state.fold.epoch
    state.leading, state.reconcile_to, state.dirty = True, event.last_report_sequence, True
    if first:
        last = state.fold.last_round
        state.volatility.restart(None if last is None else last.sigma_daily)
    seen = state.market.seen()
    started = LeaderStarted(event.holder, event.last_report_sequence, _recovered(state, event), seen)
    out: list[Instruction] = [record(state, started, event.wall_ns, event.epoch)]
    for report in event.reports:
        out += _report(state, report, event.wall_ns)
    # Recorded, it may yet have been lost on its way; execution takes it once however often it comes.
    if asked := tuple(name for name, life in state.fold.orders.open.items() if life.cancel_asked):
        out.append(Cancel(asked))
    state.retry_ns = min((t for t in state.fold.rest_until_ns.values() if t > state.now_ns), default=NEVER_NS)
    if not first:
        return out
    state.pending.clear()
    fold = state.fold
    cause = f"epoch {event.epoch}"
    out.append(Publish(fold.ledger.update(state.now_ns, event.wall_ns, cause)))
    if fold.assignment is not None:
        out.append(Publish(fold.assignment))
    return [*out, *resumed_leader(state), *budget_update(state, event.wall_ns, cause)]


def _recovered(state: ManagerState, event: TookOver) -> tuple[OrderState, ...]:
    """Orders execution knows and the journal lost; then open orders that never reached execution, as cancelled.

    The fence makes sure that the latter can no longer arrive. What execution knows of the former follows as reports.
    """
    orders = state.fold.orders
    there = {s.order.client_order_id for s in event.states}
    lost = [s for s in event.states if s.order.order_sequence > orders.decided]
    never = [life for name, life in orders.open.items() if name not in there]
    return (*lost, *(OrderState(life.order, OrdStatus.CANCELED, life.cum_lots, 0) for life in never))


def _decide(state: ManagerState, now_ns: int, wall_ns: int) -> list[Instruction]:
    state.clock_ns = max(state.clock_ns, now_ns)
    now_ns = state.now_ns
    if state.setup.universe.rolls:
        state.risk_price.turn(state.setup.universe.fronts(now_ns))
    out = _overdue(state, now_ns, wall_ns)
    if now_ns >= state.retry_ns:
        state.retry_ns, state.dirty = NEVER_NS, True
        later = [t for t in state.fold.rest_until_ns.values() if t > now_ns]
        state.retry_ns = min(later, default=NEVER_NS)
    out += strikes(state, wall_ns)
    out += rounds(state, wall_ns)
    if state.setup.universe.rolls and may_trade(state):
        out += roll_futures(state, now_ns, wall_ns)
    if not state.dirty or not may_trade(state):
        return out
    state.dirty = False
    one = len(state.fold.ledger.desks) == 1
    return out + (decide if one else decide_books)(state, now_ns, wall_ns)


def may_trade(state: ManagerState) -> bool:
    """Leading, reconciled, trading active, the feed heard, and nobody waiting for a pause or kill to hold."""
    fold = state.fold
    if any(c.action != "resume" for c in state.pending.values()) or fold.feed_silent_s > 0.0:
        return False
    return state.leading and state.reconciled and fold.trading is TradingState.ACTIVE


def _overdue(state: ManagerState, now_ns: int, wall_ns: int) -> list[Instruction]:
    """Ask once for the cancel of orders older than their life, and of all while the feed is silent."""
    silent = state.fold.feed_silent_s > 0.0
    life_ns = int(state.setup.config.order_life_s * NS_PER_S)
    late = tuple(
        name
        for name, life in state.fold.orders.open.items()
        if not life.cancel_asked
        and (silent or now_ns - life.order.event_time_ns > life_ns + life.order.tactic.budget_ms * NS_PER_MS)
    )
    if not late:
        return []
    return [Cancel(late), record(state, CancelAsked(late, "feed silent" if silent else "order life"), wall_ns)]
