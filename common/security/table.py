"""The table of rights as people read it (docs/security.md), made from ``common.security.access``.

*Tested by* tests/integration/test_security_matrix.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from common.security.access import CALLS, HEARS, ROLES, SAYS, Action

_SHORT = {"risk_manager": "risk mgr"}


def markdown() -> str:
    """Three tables: calls of execution, what may be published, what may be subscribed to."""
    parts = (("Calls of execution (gRPC)", CALLS), ("Publishing (NATS)", SAYS), ("Subscribing (NATS)", HEARS))
    return "\n".join(f"### {title}\n\n{_table(actions)}" for title, actions in parts)


def _table(actions: Sequence[Action]) -> str:
    head = ["action", *(_SHORT.get(role, role) for role in ROLES)]
    rows = [[action.what, *("yes" if role in action.roles else "·" for role in ROLES)] for action in actions]
    rule = ["---", *(":-:" for _ in ROLES)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, rule, *rows))
