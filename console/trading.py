"""Whether orders may leave, as the manager and as execution hold it: what is stricter is shown.

Execution may be stopped straight (`hedgerow kill --direct`), of which the manager hears only when an order is refused.
*Tested by* tests/unit/test_console_view.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_ACTIVE = "ACTIVE"
_STRICTER = (_ACTIVE, "REDUCE_ONLY", "PAUSED", "KILLED")


def trading_now(execution: Mapping[str, Any], trading: Mapping[str, Any]) -> tuple[str, str]:
    """(state, why) of two parts of a status dictionary; every part that is stopped apart from the firm stands in why."""
    stopped = _stopped(execution, trading)
    state, text = str(trading.get("state", "UNKNOWN")).upper(), str(trading.get("text", ""))
    held = str(execution.get("state", "")).upper()
    if _strictness(held) > _strictness(state):
        state, text = held, f"execution holds {held} by {execution.get('who', '')}: {execution.get('why', '')}"
    why = "; ".join([*(f"{scope} {how}" for scope, how in stopped.items()), text])
    if execution and not execution.get("reachable", True):
        return "EXECUTION UNREACHABLE", why
    if silent_s := trading.get("feed_silent_s"):
        why = "; ".join(
            filter(None, (f"nothing heard of the feed for more than {silent_s:.0f} s: no order until it is", why))
        )
        return ("FEED SILENT" if state == _ACTIVE else state), why
    return ("PARTLY STOPPED" if state == _ACTIVE and stopped else state), why


def _stopped(*sides: Mapping[str, Any]) -> dict[str, str]:
    out: dict[str, str] = {}
    for scope, state in (held for side in sides for held in _scopes(side)):
        if _strictness(state) >= _strictness(out.get(scope, "")):
            out[scope] = state
    return dict(sorted(out.items()))


def _scopes(side: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    found = side.get("stopped")
    for held in found if isinstance(found, list | tuple) else ():
        if isinstance(held, Mapping):
            yield str(held.get("scope", "")), str(held.get("state", "")).upper()


def _strictness(state: str) -> int:
    return _STRICTER.index(state) if state in _STRICTER else -1
