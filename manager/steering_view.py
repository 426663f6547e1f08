"""What people have steered, as JSON for the command line and the console. A projection: nothing reads it back.

*Tested by* tests/unit/test_manager_scopes.py, tests/unit/test_manager_imports.py, tests/unit/test_manager_tuning.py.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from manager.state import ManagerState
from manager.tuning import current

_SHOWN = 20


def trading_of(state: ManagerState) -> dict[str, Any]:
    """Whether orders may leave: of the firm, every scope that is stopped apart from it, and for how long nothing
    had been heard of the feed when that stopped all (0: it is heard)."""
    fold = state.fold
    return {
        "state": fold.trading.name,
        "text": fold.trading_text,
        "waiting": sorted(state.pending),
        "feed_silent_s": fold.feed_silent_s,
        "stopped": [
            {"scope": scope, "state": held.state.name, "who": held.who, "why": held.why}
            for scope, held in sorted(fold.holds.items())
        ],
    }


def imports_of(state: ManagerState) -> dict[str, Any]:
    """Client trades told since the open: how many there are, and what they come to by account and instrument."""
    imports, names = state.fold.imports, state.setup.universe.instrument_id
    net: dict[tuple[str, int], int] = defaultdict(int)
    for trade in imports.live():
        net[trade.account, trade.instrument] += trade.lots
    lots = [{"account": account, "instrument": names[at], "lots": n} for (account, at), n in sorted(net.items()) if n]
    ended = len(imports.ended)
    return {"trades": len(imports.trades), "ended": ended, "live": sum(1 for _ in imports.live()), "net": lots}


def parameters_of(state: ManagerState) -> dict[str, Any]:
    """The agents' parameters: what holds, what the run's settings say, and the last changes."""
    told, base = state.fold.parameters, state.setup.parameters
    return {
        "version": len(told),
        "values": [{"path": p, "now": x, "settings": base[p]} for p, x in current(state).items()],
        "history": [
            {
                "version": u.version,
                "path": u.changed,
                "before": u.before,
                "after": u.after,
                "undoes": u.undoes,
                "who": u.who,
                "why": u.why,
            }
            for u in told[-_SHOWN:]
        ],
    }
