"""Rounds in the life of the manager: held when one is due, recorded, told to the agents.

*Tested by* tests/unit/test_budgets_round.py, tests/simulation/test_budgets_closed_loop.py.
"""

from __future__ import annotations

from manager.budgets_round import hold
from manager.budgets_triggers import reasons
from manager.control import budget_update
from manager.events import Instruction
from manager.recording import record
from manager.state import ManagerState


def rounds(state: ManagerState, wall_ns: int) -> list[Instruction]:
    """The round that is due, if one is and this manager leads with everything reconciled."""
    if not (state.leading and state.reconciled):
        return []
    why = reasons(state)
    if not why:
        return []
    held, cells = hold(state, why)
    out: list[Instruction] = [record(state, held, wall_ns)]
    state.margin = cells
    # Somebody may stand outside a narrower budget, or have money again.
    state.dirty = True
    if held.published:
        out += budget_update(state, wall_ns, f"round {held.number}")
    return out
