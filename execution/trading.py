"""Whether orders may leave: one state for everything and one for each underlying, as people set them.

An order leaves only where everything is active and its underlying is too; what was said last of a scope holds, and a
resume lifts only the scope it names. *Tested by* tests/unit/test_execution_scopes.py.
"""

from __future__ import annotations

from common.messages import Order, Refusal, TradingState
from execution.checks import Breach
from execution.events import TradingSet
from execution.state import ExecutionState

UNDERLYING = "underlying:"


def stopped(state: ExecutionState, order: Order) -> Breach | None:
    """Why an order may not leave, or None; everything comes before its underlying."""
    said = state.trading
    if said.state is not TradingState.ACTIVE:
        refusal = Refusal.KILLED if said.state is TradingState.KILLED else Refusal.PAUSED
        return Breach(refusal, f"trading: {said.state.name} by {said.who} ({said.why}), limit ACTIVE")
    held = state.stopped.get(_scope_of(state, order)) if state.stopped else None
    if held is None:
        return None
    refusal = Refusal.SCOPE_KILLED if held.state is TradingState.KILLED else Refusal.SCOPE_PAUSED
    return Breach(refusal, f"trading: {held.scope} {held.state.name} by {held.who} ({held.why}), limit ACTIVE")


def hold(state: ExecutionState, said: TradingSet) -> TradingSet:
    """Make what was said hold; returns it for the store."""
    if not said.scope:
        state.trading = said
        return said
    state.stopped.pop(said.scope, None)
    if said.state is not TradingState.ACTIVE:
        state.stopped[said.scope] = said
    return said


def covers(state: ExecutionState, scope: str, order: Order) -> bool:
    """Whether an order belongs to a scope."""
    return not scope or _scope_of(state, order) == scope


def unknown_scope(state: ExecutionState, scope: str) -> str:
    """What is wrong with a scope, in words; empty where it is one."""
    head, name = scope[: len(UNDERLYING)], scope[len(UNDERLYING) :]
    if not scope or (head == UNDERLYING and name in state.universe.symbols):
        return ""
    known = ", ".join(UNDERLYING + symbol for symbol in state.universe.symbols)
    return f"no scope {scope!r}; known: {known}, and none for everything"


def state_of(state: ExecutionState, scope: str) -> TradingState:
    """Trading state of a scope as it was set, whatever holds for everything."""
    if not scope:
        return state.trading.state
    held = state.stopped.get(scope)
    return TradingState.ACTIVE if held is None else held.state


def _scope_of(state: ExecutionState, order: Order) -> str:
    universe = state.universe
    if not 0 <= order.instrument < len(universe):
        return ""
    return UNDERLYING + universe.symbols[int(universe.underlying[order.instrument])]
