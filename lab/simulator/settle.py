"""After the faults: does it converge? One leader, everything ended and settled, everybody agrees, nobody trades or wants to.

"Nobody wants to trade" is asked of a second system made on the spot: fresh agents and a fresh manager that know only the
opening book, the venue's own fills, the standing quotes, the limits in force and the widths that agents stand by while
prices do. If they would trade and execution's limits would let them, the running system is stuck. What execution has
refused as too large it knows as well: that must not be less than half of what passes.
*Tested by* tests/simulation/test_simulator_mistakes.py, tests/unit/test_agents_standing.py.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from agents.step import AgentSetup, AgentState, Decide, start, step
from agents.triggers import LastProposal
from common.control_messages import Command, Cycle
from common.factors import desk_of, kind_of, without_desk
from common.messages import I64, Order, TradingState
from common.units import NS_PER_S
from common.universe import FUTURE, Book
from manager import events as ev
from manager import step as manager
from manager.service import ManagerService

if TYPE_CHECKING:
    from lab.simulator.run import Simulation

_NEVER = -2
#: Four thirds of a width, which goes with the power 2/3 of gamma, and a little for the time that has gone by since.
_WIDEST_GAMMA = 1.02 * (4.0 / 3.0) ** 1.5
#: A basis point, and a little for what a price moves between two looks of an agent.
_WIDEST_MOVE = 1.02e-4
#: Two quotes and more come in this while.
_REST_NS = 2 * NS_PER_S


def unsettled(run: Simulation) -> str:
    """The first thing that has not converged yet; empty when all has."""
    leaders = run.managers.leaders()
    if len(leaders) != 1:
        return f"promise 3: {len(leaders)} managers lead"
    leader = leaders[0]
    for rule in (_processes, _orders, _ratios, _money, _positions, _cash, _believed, _rest):
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
        if (record.parent or name) not in watch.journal.orders:
            yield f"promise 2: order {name} is in the store and not in the journal"
    for name, status in watch.journal.status.items():
        if not status.terminal:
            yield f"promise 2: order {name} is {status.name} in the journal"
    if leader.state.fold.orders.open:
        yield f"promise 2: {leader.holder} holds open orders {list(leader.state.fold.orders.open)}"
    if watch.journal.number != leader.state.journal_sequence:
        yield f"promise 2: {leader.holder} is at entry {leader.state.journal_sequence}, the journal at {watch.journal.number}"


def _ratios(run: Simulation, _: ManagerService) -> Iterator[str]:
    """What the venue filled of a combo it filled in its ratio, unless it meant not to (2)."""
    combos = run.exchange.combos
    for name in combos.sent.keys() - combos.wronged:
        units = combos.filled_units(name)
        if len(units) != 1 or units.pop()[1]:
            yield f"promise 2: the legs of combo {name} are filled out of its ratio"


def _money(run: Simulation, leader: ManagerService) -> Iterator[str]:
    """Every reservation is settled (promise 4)."""
    for (scope, _), meter in leader.state.fold.flows.meters.items():
        if any(meter.reserved):
            yield f"promise 4: {scope} still has {meter.reserved} reserved"
    if run.watch.journal.flows.open:
        yield f"promise 4: by the journal {list(run.watch.journal.flows.open)} are still reserved"


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
    shared = imported(run).sum(axis=0)
    for mine in leader.state.fold.ledger.by_agent.values():
        for at, lots in mine.items():
            shared[at] += lots
    if (book + shared != net).any():
        yield "promise 5: what the agents were allocated does not add up to the fills"
    by_desk = desk_positions(run)
    if (by_desk.sum(axis=0) != net).any():
        yield "promise 5: what the desks hold does not add up to the fills"
    if (run.plan.setting.book.desk_lots(len(net)) + leader.state.fold.ledger.net_desk_lots() != by_desk).any():
        yield f"promise 5: {leader.holder}'s desks do not hold their books, fills, crossings and imported trades"
    for name, shell in run.agents.items():
        state = shell._state
        if state is None or state.positions is None or (state.desk_lots != by_desk).any():
            yield f"promise 5: {name} does not hold the positions that the fills give"


def _cash(run: Simulation, leader: ManagerService) -> Iterator[str]:
    """Each desk's cash is what its lots were filled and crossed at; over the desks only the venue's fills are left (5)."""
    want, ledger = desk_cash_cents(run), leader.state.fold.ledger
    for desk in run.watch.journal.desks:
        own = (c for who, c in ledger.cash_cents.items() if desk_of(who) == desk and without_desk(who) != "client")
        if (has := sum(own)) != want[desk]:
            yield f"promise 5: {leader.holder} holds {has} cents for desk {desk!r}, fills and crossings give {want[desk]}"


def _believed(run: Simulation, leader: ManagerService) -> Iterator[str]:
    """The most that the leader asks for is half of what execution lets out or more, rounded down (8)."""
    universe, limits = run.plan.setting.universe, run.plan.setting.execution_limits
    for at, (lots, _) in leader.state.fold.too_large.items():
        kind = limits.future if universe.kind[at] == FUTURE else limits.option
        if 2 * lots + 1 < kind.max_order_lots:
            name = universe.instrument_id[at]
            yield f"promise 8: {leader.holder} asks for {lots} lots of {name} at most, {kind.max_order_lots} would pass"


def _rest(run: Simulation, _: ManagerService) -> Iterator[str]:
    """Prices stand, so that trading comes to an end: nothing was filled or crossed for a while (8)."""
    since_ns = run.world.now_ns - run.watch.journal.moved_ns
    if since_ns < _REST_NS:
        yield f"promise 8: prices stand and it trades on, {since_ns / NS_PER_S:.1f} s ago"


def desk_cash_cents(run: Simulation) -> Counter[str]:
    """What each desk's trades took (negative) or brought: its part of the venue's fills, and its crossings at mid."""
    universe, journal, cents = run.plan.setting.universe, run.watch.journal, Counter[str]()
    tick = np.rint(100 * universe.tick_size * universe.multiplier_usd).astype(np.int64)
    for exec_id, moved in journal.parts.of_fill.items():
        event = run.exchange.fills[exec_id]
        at = run.exchange.tickets[event.client_order_id].order.instrument
        for desk, lots in moved.items():
            cents[desk] -= lots * event.ticks * int(tick[at])
    for c in journal.crossings.values():
        paid = c.lots * (c.bid_ticks + c.ask_ticks) * int(tick[c.instrument]) // 2
        cents[c.buyer] -= paid
        cents[c.seller] += paid
    return cents


def imported(run: Simulation) -> I64:
    """What clients' trades brought each desk, by the journal, signed lots (desks, n)."""
    journal = run.watch.journal
    out = np.zeros((len(journal.desks), len(run.plan.setting.universe)), np.int64)
    for trade in journal.trades.values():
        for instrument, moved in journal.effects(trade):
            _add(out, journal.desks, instrument, moved)
    return out


def _add(out: I64, desks: tuple[str, ...], instrument: int, moved: Counter[str]) -> None:
    for desk, lots in moved.items():
        out[desks.index(desk), instrument] += lots


def position(run: Simulation) -> I64:
    """Opening book, the venue's own fills and imported trades, signed lots (n,)."""
    net = run.plan.setting.book.net_lots(len(run.plan.setting.universe)) + imported(run).sum(axis=0)
    for event in run.exchange.fills.values():
        order = run.exchange.tickets[event.client_order_id].order
        net[order.instrument] += order.side.sign * event.lots
    return np.asarray(net)


def desk_positions(run: Simulation) -> I64:
    """Each desk's opening book, its part of the venue's fills, its crossings and imported trades, signed lots (desks, n)."""
    journal = run.watch.journal
    out = run.plan.setting.book.desk_lots(len(run.plan.setting.universe)) + imported(run)
    for exec_id, moved in journal.parts.of_fill.items():
        order = run.exchange.tickets[run.exchange.fills[exec_id].client_order_id].order
        _add(out, journal.desks, order.instrument, moved)
    for c in journal.crossings.values():
        _add(out, journal.desks, c.instrument, Counter({c.buyer: c.lots, c.seller: -c.lots}))
    return np.asarray(out)


def _wanted(run: Simulation, leader: ManagerService) -> str:
    try:
        cycles = _second_system(run, leader)
    except _Wrong as error:
        return str(error)
    for cycle in cycles:
        passing = [order for order in cycle.orders if _would_pass(run, order)]
        for order in passing:
            side, name = order.side.name.lower(), order.instrument_id
            return f"promise 8: risk stands outside and nobody acts: {side} {order.quantity_lots} {name} is missing"
        for c in cycle.crossings:
            what = f"{c.lots} of instrument {c.instrument} from {c.seller} to {c.buyer}"
            return f"promise 8: desks could help each other and nobody acts: a crossing of {what} is missing"
    return ""


def _second_system(run: Simulation, leader: ManagerService) -> list[Cycle]:
    """What a system without a past would decide now."""
    setting, fold = run.plan.setting, leader.state.fold
    book = _book(run)
    fresh = manager.start(manager.ManagerSetup(setting.universe, book, setting.manager, fold.limits, "second"))
    quotes = [run.feed.standing.as_batch(symbol) for symbol in setting.universe.symbols]
    owner = {} if fold.assignment is None else fold.assignment.owner
    assign = Command("a", "assign", "second", "now", json.dumps({"owner": owner}))
    events: list[ev.Event] = [ev.MarketNews(batch) for batch in quotes]
    events += [ev.TookOver(0, 0, 1, "second", (), (), 0), ev.CommandArrived(0, assign)]
    updates = [i.update for e in events for i in manager.step(fresh, e)[1] if isinstance(i, ev.Publish)]
    fresh.volatility = copy.deepcopy(leader.state.volatility)
    fresh.fold.flows, fresh.fold.too_large = copy.deepcopy(fold.flows), dict(fold.too_large)
    for name in sorted(set(owner.values())):
        shard = int(name.rpartition("-")[2])
        agent = start(AgentSetup(setting.universe, book, kind_of(name), shard, setting.agents, 1))
        for news in (*updates, *fold.parameters[-1:], *quotes):
            step(agent, news)
        step(agent, Decide())
        if wrong := _stands_wrongly(run, name, agent):
            raise _Wrong(wrong)
        agent.last, agent.retuned, agent.rolled, agent.changed = _as_said(run, name), False, False, True
        for proposal in step(agent, Decide())[1]:
            manager.step(fresh, ev.ProposalArrived(0, proposal))
    said = manager.step(fresh, ev.Decide(fresh.now_ns, 0))[1]
    entries = [i.entry.event for i in said if isinstance(i, ev.Record)]
    return [event for event in entries if isinstance(event, Cycle)]


class _Wrong(Exception):
    """What the running system holds is not what it may hold."""


def _stands_wrongly(run: Simulation, name: str, fresh: AgentState) -> str:
    """Why the widths that a running agent stands by are none it may stand by; empty where they are. ``fresh``: has just spoken.

    A width may go by more gamma than there is, by what makes it four thirds as wide, and only where no price has moved.
    """
    state = run.agents[name]._state
    if state is None or state.last is None or fresh.last is None:
        return ""
    if (state.last.factor, state.last.underlyings) != (fresh.last.factor, fresh.last.underlyings):
        return ""
    for factor, gamma in state.last.width_gamma.items():
        if gamma > _WIDEST_GAMMA * fresh.last.width_gamma[factor]:
            return f"promise 8: {name} stands by a width of {factor} for a gamma of {gamma:.0f}, which is gone"
    moved = np.abs(fresh.last.base_price / state.last.width_price - 1.0)
    if state.last.width_gamma and float(moved.max()) >= _WIDEST_MOVE * state.config.trigger.price_move_bp:
        return f"promise 8: {name} stands by widths of before prices moved by {float(moved.max()):.2%}"
    return ""


def _as_said(run: Simulation, name: str) -> LastProposal | None:
    """What the running agent said last, as said of another position: known are the widths it stands by, not its wishes."""
    state = run.agents[name]._state
    last = None if state is None else state.last
    return None if last is None else replace(last, now_ns=0, position_version=_NEVER)


def _book(run: Simulation) -> Book:
    """What every desk holds now, as an opening book."""
    opened, lots = run.plan.setting.book, desk_positions(run)
    account = [desk.accounts[0] for desk in opened.desks] or ["all"]
    held = [(account[d], at, lots[d, at]) for d, at in zip(*np.nonzero(lots), strict=True)]
    instrument, quantity = np.array([at for _, at, _ in held], np.uint32), np.array([n for *_, n in held], np.int64)
    return Book(opened.book_id, tuple(who for who, *_ in held), instrument, quantity, desks=opened.desks)


def _would_pass(run: Simulation, order: Order) -> bool:
    """Whether execution's own limits let it through: what they forbid is people's decision, not a failure."""
    universe, limits = run.plan.setting.universe, run.plan.setting.execution_limits
    kind = limits.future if universe.kind[order.instrument] == FUTURE else limits.option
    if order.quantity_lots > kind.max_order_lots:
        return False
    opened = run.plan.setting.book.net_lots(len(universe)) + imported(run).sum(axis=0)
    traded = position(run)[order.instrument] - opened[order.instrument]
    return bool(order.side.sign * (int(traded) + order.signed_lots) <= kind.max_position_lots)
