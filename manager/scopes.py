"""Parts of the system that people have paused or killed: an underlying, a desk, an agent. The firm is ``fold.trading``.

An order leaves only where the firm and every scope it touches are active; what was said last of a scope holds, and a resume
lifts only the scope it names. Underlyings are held by execution as well, which is asked first; agents and desks are known
here alone. While an agent is stopped its exposures count as wished for: no trade is made for it, none may break its
hard limits, and none is free to push it further out.
*Tested by* tests/unit/test_manager_scopes.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from common.control_arguments import read_arguments
from common.control_messages import Command
from common.errors import Refused
from common.factors import desk_of, without_desk
from common.messages import F64, Order, TradingState
from manager.exposures import Bools, Rows
from manager.state import Fold, ManagerState

UNDERLYING, DESK, AGENT = "underlying", "desk", "agent"


@dataclass(frozen=True, slots=True)
class Served:
    """Whom a trade may be made for: price and width (f,) of the rows without those of stopped agents, and who is left."""

    price: F64
    width: F64
    fallback: str


def scope_of(command: Command) -> str:
    """The scope a pause, resume or kill names; empty for the firm. Raises ``Refused`` for arguments that are none."""
    found = read_arguments(command)
    if not isinstance(found, dict) or set(found) - {"scope"} or not isinstance(found.get("scope", ""), str):
        raise Refused(f"{command.action} takes at most a scope: underlying:U, desk:D or agent:A")
    return str(found.get("scope", ""))


def check_scope(state: ManagerState, scope: str) -> None:
    """Raise ``Refused`` with what is known if nothing here has this name. What is stopped already may always be named.

    So may an agent that has ever spoken: one whose keys are covered is expected back.
    """
    if not scope or scope in state.fold.holds:
        return
    head, _, name = scope.partition(":")
    owners = () if state.fold.assignment is None else state.fold.assignment.owner.values()
    known = {
        UNDERLYING: state.setup.universe.symbols,
        DESK: tuple(d for d in state.fold.ledger.desks if d),
        AGENT: tuple(sorted({*owners, *state.fold.newest})),
    }
    if head not in known:
        raise Refused(f"no scope {scope!r}: underlying:U, desk:D or agent:A")
    if name not in known[head]:
        raise Refused(f"no {head} {name!r} here; known: {', '.join(known[head]) or 'none'}")


def at_execution(scope: str) -> bool:
    """Whether execution holds a scope itself: everything, or one underlying."""
    return not scope or scope.startswith(f"{UNDERLYING}:")


def scopes_touched(symbol: str, agents: Iterable[str]) -> set[str]:
    """Every scope an order on an underlying for these agents belongs to."""
    out = {f"{UNDERLYING}:{symbol}"}
    for agent in agents:
        out.add(f"{AGENT}:{without_desk(agent)}")
        if desk_of(agent):
            out.add(f"{DESK}:{desk_of(agent)}")
    return out


def why_stopped(fold: Fold, symbol: str, agents: Iterable[str]) -> str:
    """What keeps such an order from leaving, in words; empty where nothing does. The firm is looked at elsewhere."""
    if not fold.holds:
        return ""
    for scope in sorted(scopes_touched(symbol, agents) & fold.holds.keys()):
        held = fold.holds[scope]
        return f"trading: {scope} {held.state.name} by {held.who} ({held.why}), limit ACTIVE"
    return ""


def orders_in(state: ManagerState, scope: str) -> tuple[str, ...]:
    """Ids of the open orders of a scope."""
    return tuple(name for name, life in state.fold.orders.open.items() if scope in _scopes(state, life.order))


def _scopes(state: ManagerState, order: Order) -> set[str]:
    universe = state.setup.universe
    symbol = universe.symbols[int(universe.underlying[order.instrument])]
    return scopes_touched(symbol, (agent for agent, _ in order.allocation))


def killed_orders(fold: Fold, state: ManagerState) -> tuple[str, ...]:
    """Open orders of agents and desks that are killed: a new leader asks for their cancel again."""
    killed = [s for s, held in fold.holds.items() if held.state is TradingState.KILLED and not at_execution(s)]
    return tuple(dict.fromkeys(name for scope in killed for name in orders_in(state, scope)))


def stopped_names(fold: Fold, head: str) -> frozenset[str]:
    """Names of one sort that are stopped."""
    return frozenset(scope.partition(":")[2] for scope in fold.holds if scope.startswith(f"{head}:"))


def stopped_underlyings(state: ManagerState) -> Bools:
    """(u,) True where no order on the underlying may leave."""
    stopped = stopped_names(state.fold, UNDERLYING)
    return np.array([symbol in stopped for symbol in state.setup.universe.symbols], np.bool_)


def frozen(fold: Fold, rows: Rows) -> Bools:
    """(r,) True for rows whose owner or desk is stopped."""
    agents, desks = stopped_names(fold, AGENT), stopped_names(fold, DESK)
    if not agents and not desks:
        return np.zeros(len(rows), np.bool_)
    names, owner = fold.table.names, fold.table.owner
    return np.array([str(owner[i]) in agents or desk_of(names[i]) in desks for i in rows], np.bool_)


def served(fold: Fold, rows: Rows, price: F64, width: F64, sensitivity: F64) -> Served:
    """Whom a trade of one instrument may be made for. All arguments (f,) per row.

    A lot that serves only stopped agents (it takes back what another's trade did to them) is for whoever of the others
    asks for most.
    """
    if not fold.holds or not (out := frozen(fold, rows)).any():
        return Served(price, width, "")
    left = np.flatnonzero(~out)
    kept = np.where(out, 0.0, price)
    moved = bool(len(left)) and bool(np.any(np.abs(sensitivity[left]) > 0.0))
    most = str(fold.table.owner[rows[left[int(np.argmax(np.abs(price[left])))]]]) if len(left) and not moved else ""
    return Served(kept, np.where(out, np.inf, width), most)
