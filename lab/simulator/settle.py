"""After the faults: does it converge? One leader, everything ended and settled, everybody agrees, nobody wants to trade.

"Nobody wants to trade" is asked of a second system made on the spot: fresh agents and a fresh manager that know only the
opening book, the venue's own fills, the standing quotes and the limits in force. If they would trade and execution's
limits would let them, the running system is stuck. *Tested by* tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from agents.step import AgentSetup, Decide, start, step
from common.control_messages import Command
from common.factors import kind_of
from common.messages import I64, Order, TradingState
from common.universe import FUTURE, Book
from manager import events as ev
from manager import step as manager
from manager.service import ManagerService

if TYPE_CHECKING:
    from lab.simulator.run import Simulation


def unsettled(run: Simulation) -> str:
    """The first thing that has not converged yet; empty when all has."""
    leaders = run.managers.leaders()
    if len(leaders) != 1:
        return f"promise 3: {len(leaders)} managers lead"
    leader = leaders[0]
    for rule in (_processes, _orders, _money, _positions):
        for wrong in rule(run, leader):
            return wrong
    return _wanted(run, leader)


def _processes(run: Simulation, leader: ManagerService) -> Iterator[str]:
    if leader.epoch != run.watch.journal.token:
        yield f"promise 3: {leader.holder} leads under {leader.epoch}, the journal is at {run.watch.journal.token}"
    for process in run.world.processes.values():
        if not process.alive:
            yield f"promise 8: {process.name} is not back"
    if not run.wire.up:
        yield "promise 8: execution does not serve"
    state = run.execution.state
    if state is None or state.trading.state is not TradingState.ACTIVE:
        yield "promise 7: execution was resumed and does not trade"
    if leader.state.fold.trading is not TradingState.ACTIVE:
        yield f"promise 7: trading was resumed and {leader.holder} says {leader.state.fold.trading_text}"
    for scope in (*(() if state is None else state.stopped), *leader.state.fold.holds):
        yield f"promise 7: {scope} was resumed and is still stopped"


def _orders(run: Simulation, leader: ManagerService) -> Iterator[str]:
    """Every order ended: at the venue, in execution's store, in the journal, in the leader's state (promise 2)."""
    watch = run.watch
    for name, ticket in run.exchange.tickets.items():
        if not ticket.done:
            yield f"promise 2: order {name} still works at the venue"
    for name, record in watch.stored.items():
        if record.open:
            yield f"promise 2: order {name} is {record.ord_status.name} in the store"
        if name not in watch.journal.orders:
            yield f"promise 2: order {name} is in the store and not in the journal"
    for name, status in watch.journal.status.items():
        if not status.terminal:
            yield f"promise 2: order {name} is {status.name} in the journal"
    if leader.state.fold.orders.open:
        yield f"promise 2: {leader.holder} holds open orders {list(leader.state.fold.orders.open)}"
    if watch.journal.number != leader.state.journal_sequence:
        yield f"promise 2: {leader.holder} is at entry {leader.state.journal_sequence}, the journal at {watch.journal.number}"


def _money(run: Simulation, leader: ManagerService) -> Iterator[str]:
    """Every reservation is settled (promise 4)."""
    for (scope, _), meter in leader.state.fold.flows.meters.items():
        if any(meter.reserved):
            yield f"promise 4: {scope} still has {meter.reserved} reserved"
    if run.watch.journal.limits.open:
        yield f"promise 4: by the journal {list(run.watch.journal.limits.open)} are still reserved"


def _positions(run: Simulation, leader: ManagerService) -> Iterator[str]:
    """Each venue fill once in the store and once in the journal; everybody's position is book plus fills (2 and 5)."""
    fills = run.exchange.fills
    stored = {r.exec_id for r in run.watch.reports if r.last_lots}
    for exec_id in fills:
        if exec_id not in stored:
            yield f"promise 2: the venue's fill {exec_id} is not in the store"
        elif exec_id not in run.watch.journal.fills:
            yield f"promise 2: the venue's fill {exec_id} is not in the journal"
    net = position(run)
    book = run.plan.setting.book.net_lots(len(net))
    if (book + leader.state.fold.ledger.net_lots() != net).any():
        yield f"promise 5: {leader.holder}'s positions are not book, fills and imported trades"
    shared = imported(run)
    for mine in leader.state.fold.ledger.by_agent.values():
        for at, lots in mine.items():
            shared[at] += lots
    if (book + shared != net).any():
        yield "promise 5: what the agents were allocated does not add up to the fills"
    for name, shell in run.agents.items():
        state = shell._state
        if state is None or state.positions is None or (state.lots != net).any():
            yield f"promise 5: {name} does not hold the positions that the fills give"


def imported(run: Simulation) -> I64:
    """What clients' trades brought, by the journal, signed lots (n,)."""
    out = np.zeros(len(run.plan.setting.universe), np.int64)
    for trade in run.watch.journal.trades.values():
        former = run.watch.journal.trades.get(trade.corrects or trade.cancels)
        if former is not None:
            out[former.instrument] -= former.lots
        out[trade.instrument] += 0 if trade.cancels else trade.lots
    return out


def position(run: Simulation) -> I64:
    """Opening book, the venue's own fills and imported trades, signed lots (n,)."""
    net = run.plan.setting.book.net_lots(len(run.plan.setting.universe)) + imported(run)
    for event in run.exchange.fills.values():
        order = run.exchange.tickets[event.client_order_id].order
        net[order.instrument] += order.side.sign * event.lots
    return net


def _wanted(run: Simulation, leader: ManagerService) -> str:
    for order in _second_system(run, leader):
        if _would_pass(run, order):
            side, name = order.side.name.lower(), order.instrument_id
            return f"promise 8: risk stands outside and nobody acts: {side} {order.quantity_lots} {name} is missing"
    return ""


def _second_system(run: Simulation, leader: ManagerService) -> list[Order]:
    """Orders that a system without a past would send now."""
    setting, fold = run.plan.setting, leader.state.fold
    net = position(run)
    held = np.flatnonzero(net)
    book = Book(setting.book.book_id, ("all",) * len(held), held.astype(np.uint32), net[held])
    fresh = manager.start(manager.ManagerSetup(setting.universe, book, setting.manager, fold.limits, "second"))
    quotes = [run.feed.standing.as_batch(symbol) for symbol in setting.universe.symbols]
    owner = {} if fold.assignment is None else fold.assignment.owner
    assign = Command("a", "assign", "second", "now", json.dumps({"owner": owner}))
    events: list[ev.Event] = [ev.MarketNews(batch) for batch in quotes]
    events += [ev.TookOver(0, 0, 1, "second", (), (), 0), ev.CommandArrived(0, assign)]
    updates = [i.update for e in events for i in manager.step(fresh, e)[1] if isinstance(i, ev.Publish)]
    fresh.volatility = copy.deepcopy(leader.state.volatility)
    fresh.fold.flows = copy.deepcopy(fold.flows)
    for name in sorted(set(owner.values())):
        shard = int(name.rpartition("-")[2])
        agent = start(AgentSetup(setting.universe, book, kind_of(name), shard, setting.agents, 1))
        for news in (*updates, *fold.parameters[-1:], *quotes):
            step(agent, news)
        for proposal in step(agent, Decide())[1]:
            manager.step(fresh, ev.ProposalArrived(0, proposal))
    said = manager.step(fresh, ev.Decide(fresh.now_ns, 0))[1]
    return [order for i in said if isinstance(i, ev.Submit) for order in i.orders]


def _would_pass(run: Simulation, order: Order) -> bool:
    """Whether execution's own limits let it through: what they forbid is people's decision, not a failure."""
    universe, limits = run.plan.setting.universe, run.plan.setting.execution_limits
    kind = limits.future if universe.kind[order.instrument] == FUTURE else limits.option
    if order.quantity_lots > kind.max_order_lots:
        return False
    opened = run.plan.setting.book.net_lots(len(universe)) + imported(run)
    traded = position(run)[order.instrument] - opened[order.instrument]
    return bool(order.side.sign * (int(traded) + order.signed_lots) <= kind.max_position_lots)
