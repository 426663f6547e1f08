"""Whether orders may leave: one state for everything and one for each underlying, as people set them.

Halted (PAUSED, KILLED): no order leaves. REDUCE_ONLY: only orders that bring the position traded here nearer to zero, with
everything that works on their side. Who sets ACTIVE again begins the drawdown anew.

An order leaves only where everything is active and its underlying is too; what was said last of a scope holds, and a
resume lifts only the scope it names. *Tested by* tests/unit/test_execution_scopes.py.
"""

from __future__ import annotations

from common.messages import Order, Refusal, TradingState
from execution.checks import Breach, added_lots
from execution.events import TradingSet
from execution.state import ExecutionState

UNDERLYING = "underlying:"


def stopped(state: ExecutionState, order: Order, original: Order | None = None) -> Breach | None:
    """Why an order may not leave, or None; everything comes before its underlying.

    ``original``: the order it replaces, if it replaces one.
    """
    said = state.trading
    if said.state.halted:
        refusal = Refusal.KILLED if said.state is TradingState.KILLED else Refusal.PAUSED
        return Breach(refusal, f"trading: {said.state.name} by {said.who} ({said.why}), limit ACTIVE")
    held = state.stopped.get(_scope_of(state, order)) if state.stopped else None
    if held is not None and held.state.halted:
        refusal = Refusal.SCOPE_KILLED if held.state is TradingState.KILLED else Refusal.SCOPE_PAUSED
        return Breach(refusal, f"trading: {held.scope} {held.state.name} by {held.who} ({held.why}), limit ACTIVE")
    if held is None and said.state is TradingState.ACTIVE:
        return None
    lots = added_lots(order, original)
    if state.exposure.reduces(order, lots):
        return None
    by = held if held is not None else said
    position = state.exposure.position_lots.get(order.instrument, 0)
    text = (
        f"reduce-only: {order.side.sign * lots:+d} lots to a position of {position} with what works on that side, "
        f"limit nearer to zero (by {by.who}: {by.why})"
    )
    return Breach(Refusal.REDUCE_ONLY, text)


def drawn_down(state: ExecutionState) -> TradingSet | None:
    """The stop that the losses of what was traded here demand, or None."""
    if state.trading.state is not TradingState.ACTIVE:
        return None
    loss_usd = state.drawdown.loss_usd(state.universe, state.snapshot, state.exposure)
    limit_usd = state.limits.max_drawdown_usd
    if loss_usd <= limit_usd:
        return None
    why = f"drawdown: {loss_usd:.2f} USD below the peak of what was traded here, limit {limit_usd:.2f} USD"
    return TradingSet(TradingState.REDUCE_ONLY, "execution", why)


def hold(state: ExecutionState, said: TradingSet) -> TradingSet:
    """Make what was said hold; returns it for the store."""
    if not said.scope:
        state.trading = said
        if said.state is TradingState.ACTIVE:
            state.drawdown.lift()
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
