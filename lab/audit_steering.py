"""What people steered, recounted from the journal alone: stops, manual hedges, imported trades, live parameters, approvals.

Nothing here uses the manager: commands are read as people sent them. *Tested by* tests/unit/test_lab_audit_steering.py
(each rule on a doctored run).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from common.control_messages import (
    Command,
    CommandTaken,
    Cycle,
    ImportedTrade,
    JournalEntry,
    ProposalTaken,
    TradesImported,
)
from common.factors import desk_of, without_desk
from common.messages import I64, AgentParameters, ExecutionReport, Order, OrdStatus
from common.universe import Book, Universe


def steering_violations(universe: Universe, entries: Sequence[JournalEntry]) -> Iterator[str]:
    """What is wrong, in words."""
    yield from _stops(universe, entries)
    yield from _manual(universe, entries)
    yield from _imports(universe, entries)
    yield from _parameters(entries)
    yield from _approvals(entries)


def scope_of(command: Command) -> str:
    """The part a pause, resume or kill is about; empty for everything, and for commands that name none."""
    return str(_arguments(command).get("scope", ""))


def _arguments(command: Command) -> dict[str, Any]:
    try:
        found = json.loads(command.arguments_json)
    except ValueError:  # a refused command may carry anything
        return {}
    return found if isinstance(found, dict) else {}


def _accepted(entry: JournalEntry) -> Command | None:
    event = entry.event
    return event.command if isinstance(event, CommandTaken) and event.acknowledgement.accepted else None


def _touched(universe: Universe, order: Order) -> set[str]:
    out = {f"underlying:{universe.symbols[int(universe.underlying[order.instrument])]}"}
    for agent, _ in order.allocation:
        out |= {f"agent:{without_desk(agent)}", f"desk:{desk_of(agent)}"}
    return out


def _stops(universe: Universe, entries: Sequence[JournalEntry]) -> Iterator[str]:
    """No order decided while a part it belongs to was paused or killed ever lived."""
    stopped: set[str] = set()
    barred: dict[str, str] = {}
    for entry in entries:
        command, event = _accepted(entry), entry.event
        if command is not None and command.action in ("pause", "kill", "resume") and scope_of(command):
            (stopped.discard if command.action == "resume" else stopped.add)(scope_of(command))
        elif isinstance(event, Cycle):
            for order in event.orders:
                if found := sorted(_touched(universe, order) & stopped):
                    barred[order.client_order_id] = found[0]
        elif (
            isinstance(event, ExecutionReport)
            and event.client_order_id in barred
            and event.ord_status is not OrdStatus.REJECTED
        ):
            name, where = event.client_order_id, barred[event.client_order_id]
            yield f"order {name} was decided while {where} was stopped and became {event.ord_status.name}"


def _manual(universe: Universe, entries: Sequence[JournalEntry]) -> Iterator[str]:
    """Every manual cycle is one accepted command's, with its content; every accepted hedge has one cycle."""
    asked = {c.command_id: c for e in entries if (c := _accepted(e)) is not None and c.action == "hedge"}
    done: set[str] = set()
    for entry in entries:
        cycle = entry.event
        if not isinstance(cycle, Cycle) or cycle.method != "manual":
            continue
        if len(cycle.orders) != 1:
            yield f"cycle {cycle.cycle_id} is manual and has {len(cycle.orders)} orders"
            continue
        order = cycle.orders[0]
        name = order.cause_id.removeprefix("command:")
        command = asked.get(name)
        if command is None or name in done:
            yield f"cycle {cycle.cycle_id} is manual and its cause {order.cause_id} is no new accepted command"
            continue
        done.add(name)
        wanted = _arguments(command)
        said = (wanted.get("side"), wanted.get("lots"), wanted.get("instrument"))
        if said != (order.side.name, order.quantity_lots, order.instrument_id):
            yield f"order {order.client_order_id}: {said} was asked by {command.who}, another was sent"
        limit, tick = wanted.get("limit"), float(universe.tick_size[order.instrument])
        if limit is not None and abs(order.limit_ticks * tick - limit) > 1e-6 * max(tick, 1.0):
            yield f"order {order.client_order_id}: limit {limit} was asked, {order.limit_ticks * tick:g} was sent"
        if {desk_of(agent) for agent, _ in order.allocation} != {wanted.get("desk")}:
            yield f"order {order.client_order_id}: of another desk than {wanted.get('desk')!r}"
    for name in asked.keys() - done:
        yield f"hedge {name} was accepted and has no cycle"


def imported_lots(book: Book, entries: Sequence[JournalEntry], instruments: int) -> I64:
    """Signed lots (desks, n) that client trades brought: each trade that nothing corrected or cancelled, once."""
    out = np.zeros((len(book.desk_names), instruments), np.int64)
    desk = {a: d for d, desk in enumerate(book.desks) for a in desk.accounts} if len(book.desk_names) > 1 else {}
    trades = {t.trade_id: t for e in entries if isinstance(e.event, TradesImported) for t in e.event.trades}
    over = {t.corrects or t.cancels for t in trades.values()}
    for name, trade in trades.items():
        if name not in over and not trade.cancels:
            out[desk.get(trade.account, 0), trade.instrument] += trade.lots
    return out


def _imports(universe: Universe, entries: Sequence[JournalEntry]) -> Iterator[str]:
    """Each id once; what is corrected or cancelled was there and stood; every trade is a row of an accepted file."""
    known: dict[str, ImportedTrade] = {}
    over: set[str] = set()
    asked: dict[str, set[tuple[Any, ...]]] = {}
    for entry in entries:
        command = _accepted(entry)
        if command is not None and command.action == "book.import" and not _arguments(command).get("dry_run", True):
            asked[command.command_id] = {tuple(row[1:]) for row in _arguments(command)["trades"]}
        if not isinstance(entry.event, TradesImported):
            continue
        rows = asked.get(entry.event.import_id)
        if rows is None:
            yield f"entry {entry.sequence} imports trades that no accepted command brought"
            continue
        for t in entry.event.trades:
            name = universe.instrument_id[t.instrument]
            if (t.trade_id, t.account, name, t.lots, t.price, t.time_ns, t.corrects, t.cancels) not in rows:
                yield f"trade {t.trade_id} is not what the file of {entry.event.import_id} says"
            if t.trade_id in known:
                yield f"trade {t.trade_id} was taken twice"
            former = t.corrects or t.cancels
            if former and (former not in known or former in over or known[former].cancels):
                yield f"trade {t.trade_id} ends {former}, which does not stand"
            known[t.trade_id] = t
            over.add(former)


def _approvals(entries: Sequence[JournalEntry]) -> Iterator[str]:
    """What was approved had been asked for, by somebody else, and is approved once."""
    asked: dict[str, Command] = {}
    for entry in entries:
        command = _accepted(entry)
        if command is not None and command.action == "limits.set":
            asked[command.command_id[:8]] = command
        elif command is not None and command.action == "limits.approve":
            name = str(_arguments(command).get("id", ""))
            wanted = asked.pop(name, None)
            if wanted is None:
                yield f"entry {entry.sequence} approves {name}, which nobody had asked for, or which was approved before"
            elif _proven(wanted.who) == _proven(command.who):
                yield f"entry {entry.sequence}: {command.who} approves {name}, which {wanted.who} asked for"


def _proven(who: str) -> str:
    """The name of a person's own certificate; of one that a role shares, and without any, all that was said."""
    name = who.partition("/")[0]
    return who if name in ("risk_manager", "operator") else name


def _parameters(entries: Sequence[JournalEntry]) -> Iterator[str]:
    """Versions 1, 2, 3, ..., each an accepted command's; what holds is the changes one after the other; agents know them."""
    asked = {c.command_id: c for e in entries if (c := _accepted(e)) is not None and c.action.startswith("agents.")}
    told: list[AgentParameters] = []
    now: dict[str, float] = {}
    first: dict[str, float] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, ProposalTaken):
            used = max((r.first + r.count - 1 for r in event.proposal.inputs if r.stream == "parameters"), default=0)
            if used > len(told):
                yield f"proposal {event.proposal.header.id} used parameters version {used}, there are {len(told)}"
        if not isinstance(event, AgentParameters):
            continue
        where = f"parameters version {event.version}"
        if event.version != len(told) + 1:
            yield f"{where} follows {len(told)}"
        command = asked.pop(event.header.cause_id, None)
        if command is None:
            yield f"{where}: no accepted command asked for it"
        elif not _is_asked(command, event, told):
            yield f"{where}: {command.who} asked for another change"
        if now.get(event.changed, first.setdefault(event.changed, event.before)) != event.before:
            yield f"{where}: {event.changed} was not {event.before:g} before"
        now[event.changed] = event.after
        if event.values != {path: x for path, x in now.items() if x != first[path]}:
            yield f"{where}: what it says holds is not its changes one after the other"
        told.append(event)
    for name in asked:
        yield f"command {name} changed the agents' parameters and no version says so"


def _is_asked(command: Command, event: AgentParameters, told: Sequence[AgentParameters]) -> bool:
    wanted = _arguments(command)
    if command.action == "agents.set":
        return (wanted.get("path"), wanted.get("value")) == (event.changed, event.after) and not event.undoes
    undone = next((u for u in told if u.version == wanted.get("version")), None)
    return undone is not None and (event.undoes, event.changed, event.after) == (
        undone.version,
        undone.changed,
        undone.before,
    )
