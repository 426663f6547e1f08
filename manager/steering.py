"""What people steer with beside pause and limits: stops of a part, manual hedges, imports, the agents' parameters.

Each gives an ``Outcome`` or raises ``Refused``; ``control`` records and acknowledges.
*Tested by* tests/unit/test_manager_scopes.py and its siblings for manual hedges, imports and tuning.
"""

from __future__ import annotations

from typing import Any

from common.control_arguments import read_arguments
from common.control_messages import CancelAsked, Command
from common.errors import Refused
from manager import tuning
from manager.book_import import read_import
from manager.events import Cancel, Instruction, Publish
from manager.manual import hedge
from manager.outcome import Outcome
from manager.scopes import killed_orders, orders_in
from manager.state import ManagerState

HEDGE, IMPORT, SET, UNDO = "hedge", "book.import", "agents.set", "agents.undo"
ACTIONS = (HEDGE, IMPORT, SET, UNDO)
_TAKES = {HEDGE: {"side", "lots", "instrument", "limit", "desk"}, SET: {"path", "value"}, UNDO: {"version"}}


def steer(state: ManagerState, command: Command, wall_ns: int) -> Outcome:
    """One of ``ACTIONS``. Raises ``Refused`` with the reason."""
    if command.action == IMPORT:
        return _import(state, command, wall_ns)
    wanted = _arguments(command)
    if command.action == HEDGE:
        return hedge(state, command, wanted)
    if command.action == SET:
        return tuning.set_parameter(state, command, wanted, wall_ns)
    return tuning.undo(state, command, wanted, wall_ns)


def _arguments(command: Command) -> dict[str, Any]:
    takes = _TAKES[command.action]
    found = read_arguments(command)
    if not isinstance(found, dict) or set(found) != takes:
        raise Refused(f"{command.action} takes exactly {', '.join(sorted(takes))}")
    return found


def _import(state: ManagerState, command: Command, wall_ns: int) -> Outcome:
    event, text, dry_run = read_import(state, command)
    if dry_run:
        return Outcome(f"dry run, nothing was taken: {text}")
    if not event.trades:
        return Outcome(text)

    def tell() -> list[Instruction]:
        state.dirty = True
        return [Publish(state.fold.ledger.update(state.now_ns, wall_ns, command.command_id))]

    return Outcome(text, (event,), (), tell)


def stop_here(state: ManagerState, command: Command, scope: str) -> Outcome:
    """Pause, resume or kill of an agent or a desk, which this manager alone enforces: it holds once it is recorded."""
    if command.action != "kill":
        return Outcome(f"{scope} {'active' if command.action == 'resume' else 'paused'}; held by the manager")
    ids = orders_in(state, scope)
    if not ids:
        return Outcome(f"{scope} killed; held by the manager, nothing of it works")
    text = f"{scope} killed; held by the manager, {len(ids)} cancels sent"
    return Outcome(text, (CancelAsked(ids, f"{scope} killed"),), (Cancel(ids),))


def resumed_leader(state: ManagerState) -> list[Instruction]:
    """What a new leader says again: the agents' parameters, and the cancels of what is killed."""
    out: list[Instruction] = [Publish(state.fold.parameters[-1])] if state.fold.parameters else []
    ids = killed_orders(state.fold, state)
    return [*out, Cancel(ids)] if ids else out
