"""Control actions of people and of the fleet. A command holds before it is acknowledged; the same id is done once.

``pause``, ``resume``, ``kill``, of everything or of the ``scope`` they name: execution, the last hand, is asked first; the
acknowledgement waits for its answer. Agents and desks are held here alone (``scopes.py``). Manual hedges, imports and the
agents' parameters: ``steering.py``.
``limits.set {"path", "value"}`` and ``assign {"owner": {key: agent}}`` hold at once, a widening of a limit perhaps only after
``limits.approve {"id"}`` by a second person (``common/limits_changes.py``).
*Tested by* tests/unit/test_manager_control.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from common import limits_changes
from common.control_arguments import read_arguments
from common.control_messages import Acknowledgement, Command, CommandTaken, JournalEvent
from common.errors import Refused
from common.factors import key_of, kind_of, kind_of_key
from common.messages import AssignmentUpdate, BudgetUpdate, Header, TradingState
from manager import scopes, steering
from manager.events import Acknowledge, Instruction, Publish, SetTradingState
from manager.fold import TRADING_ACTIONS, asked_for
from manager.ledger import SOURCE
from manager.outcome import Outcome
from manager.recording import record
from manager.state import ManagerState

ASSIGN = "assign"
#: Everything the leader answers to.
CONTROL_ACTIONS = (*TRADING_ACTIONS, *limits_changes.ACTIONS, ASSIGN, *steering.ACTIONS)
_TEXT_OF = {TradingState.PAUSED: "paused", TradingState.KILLED: "killed", TradingState.ACTIVE: "active"}


def on_command(state: ManagerState, command: Command, wall_ns: int) -> list[Instruction]:
    """Carry out a command, or start to."""
    done = state.fold.commands.get(command.command_id)
    if done is not None:
        known = state.asked.get(command.command_id)
        if known is not None and known != asked_for(command):
            text = f"command id {command.command_id!r} was done before with other content; a new command has an id of its own"
            done = Acknowledgement(command.command_id, False, text)
        return [Acknowledge(done)]
    if command.command_id in state.pending:
        return []
    try:
        if command.action in TRADING_ACTIONS:
            return _stop(state, command, wall_ns)
        if command.action in steering.ACTIONS:
            return _carried_out(state, command, steering.steer(state, command, wall_ns), wall_ns)
        if command.action in limits_changes.ACTIONS:
            return _limits(state, command, wall_ns)
        if command.action == ASSIGN:
            return _assign(state, command, wall_ns)
        known = ", ".join(CONTROL_ACTIONS)
        raise Refused(f"unknown action {command.action!r}; known: {known}")
    except Refused as error:
        return _close(state, command, False, str(error), wall_ns)


def _stop(state: ManagerState, command: Command, wall_ns: int) -> list[Instruction]:
    scope = scopes.scope_of(command)
    scopes.check_scope(state, scope)
    if not scopes.at_execution(scope):
        state.dirty = True
        return _carried_out(state, command, steering.stop_here(state, command, scope), wall_ns)
    state.pending[command.command_id] = command
    return [SetTradingState(TRADING_ACTIONS[command.action], command, scope)]


def _carried_out(state: ManagerState, command: Command, outcome: Outcome, wall_ns: int) -> list[Instruction]:
    said = _close(state, command, True, outcome.text, wall_ns, *outcome.events)
    return [*outcome.first, *said[:-1], *outcome.then(), said[-1]]


def on_trading_state_set(state: ManagerState, command_id: str, ok: bool, text: str, wall_ns: int) -> list[Instruction]:
    """Execution has answered: now the command holds, or it does not."""
    command = state.pending.pop(command_id, None)
    if command is None:
        return []
    state.dirty |= ok
    now = f"{scopes.scope_of(command)} {_TEXT_OF[TRADING_ACTIONS[command.action]]}".lstrip()
    return _close(state, command, ok, f"{now}; {text}" if ok else f"not {now}: {text}", wall_ns)


def budget_update(state: ManagerState, wall_ns: int, cause_id: str) -> list[Instruction]:
    """A new budget epoch: each limited factor's soft limit and the last price of risk."""
    fold = state.fold
    epoch = 1 if fold.budgets is None else fold.budgets.budget_epoch + 1
    limited = [i for i, soft in enumerate(fold.soft) if soft < float("inf")]
    solved = fold.last_solved
    prices = {} if solved is None else dict(zip(solved.factor, solved.price_of_risk.tolist(), strict=True))
    names = tuple(fold.table.names[i] for i in limited)
    update = BudgetUpdate(
        Header(SOURCE, epoch, state.now_ns, wall_ns, cause_id),
        epoch,
        names,
        fold.soft[limited],
        np.array([prices.get(name, 0.0) for name in names]),
        fold.limits.risk_aversion_per_usd,
    )
    return [record(state, update, wall_ns), Publish(update)]


def _close(
    state: ManagerState, command: Command, ok: bool, text: str, wall_ns: int, *more: JournalEvent
) -> list[Instruction]:
    ack = Acknowledgement(command.command_id, ok, text)
    entries: list[Instruction] = [record(state, CommandTaken(command, ack), wall_ns)]
    entries += [record(state, event, wall_ns) for event in more]
    return [*entries, Acknowledge(ack)]


def _limits(state: ManagerState, command: Command, wall_ns: int) -> list[Instruction]:
    """Set or approve a limit. What waits for a second person changes nothing yet but stands in the record."""
    before = state.fold.limits.version
    log, text = state.fold.limits_log.take(command, state.now_ns, wall_ns)
    unknown = log.limits.unknown_underlyings(state.setup.universe.symbols)
    unknown += log.limits.unknown_desks(state.fold.ledger.desks)
    if unknown:
        raise Refused(f"this market and book have no {', '.join(unknown)}")
    out = _close(state, command, True, text, wall_ns)
    if state.fold.limits.version == before:
        return out
    state.dirty = True
    return [*out[:-1], *budget_update(state, wall_ns, command.command_id), out[-1]]


def _assign(state: ManagerState, command: Command, wall_ns: int) -> list[Instruction]:
    owner = _arguments(command, "owner")["owner"]
    if not isinstance(owner, dict) or not all(isinstance(a, str) and a for a in owner.values()):
        raise Refused("assign needs owner: {key: agent}")
    known = {key_of(name) for name in state.fold.table.names}
    for key, agent in owner.items():
        if key not in known:
            raise Refused(f"unknown key {key!r}")
        if kind_of_key(key) != kind_of(agent):
            raise Refused(f"{key!r} cannot be owned by {agent!r}: the kinds differ")
    old = state.fold.assignment
    version = 1 if old is None else old.version + 1
    header = Header(SOURCE, version, state.now_ns, wall_ns, command.command_id)
    update = AssignmentUpdate(header, version, {key: owner[key] for key in sorted(owner)})
    out = _close(state, command, True, f"assignment version {version}: {len(owner)} keys", wall_ns, update)
    state.dirty = True
    return [*out[:-1], Publish(update), out[-1]]


def _arguments(command: Command, *names: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(pairs)
        if len(out) != len(pairs):
            raise Refused(f"{command.action}: a key is named twice; a key has one owner")
        return out

    found = read_arguments(command, once)
    if not isinstance(found, dict) or set(found) != set(names):
        raise Refused(f"{command.action} takes exactly {', '.join(names)}")
    return found
